package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/yaml"
)

// crd is a CustomResourceDefinition: the document, and what is looked at here.
type crd struct {
	document []byte // JSON
	decoded  apiextensionsv1.CustomResourceDefinition
}

// readCRDs finds the CRDs in files and, not recursively, in folders.
func readCRDs(paths []string) ([]crd, error) {
	var found []crd
	for _, path := range paths {
		files, err := manifestFiles(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			inFile, err := readFile(file)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			found = append(found, inFile...)
		}
	}
	return found, nil
}

func manifestFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		if slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(entry.Name())) {
			files = append(files, filepath.Join(path, entry.Name()))
		}
	}
	return files, nil
}

func readFile(path string) ([]crd, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var found []crd
	reader := utilyaml.NewYAMLReader(bufio.NewReader(file))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		// Only a CRD is decoded: other kinds need not even have a kind.
		var head metav1.TypeMeta
		if !bytes.Contains(document, []byte("CustomResourceDefinition")) || yaml.Unmarshal(document, &head) != nil ||
			head.Kind != "CustomResourceDefinition" {
			continue
		}
		definition, err := parseCRD(document)
		if err != nil {
			return nil, err
		}
		found = append(found, definition)
	}
}

// parseCRD leaves out the descriptions: no request depends on them, and they are the larger
// part of what the API server would parse, store and publish again at every start.
func parseCRD(document []byte) (none crd, err error) {
	var object map[string]any
	if err := yaml.Unmarshal(document, &object); err != nil {
		return none, err
	}
	withoutDescriptions(object)
	definition := crd{}
	if definition.document, err = json.Marshal(object); err != nil {
		return none, err
	}
	return definition, json.Unmarshal(definition.document, &definition.decoded)
}

// withoutDescriptions keeps a property that is named description: it is no string.
func withoutDescriptions(value any) {
	switch value := value.(type) {
	case map[string]any:
		if _, text := value["description"].(string); text {
			delete(value, "description")
		}
		for _, inner := range value {
			withoutDescriptions(inner)
		}
	case []any:
		for _, inner := range value {
			withoutDescriptions(inner)
		}
	}
}

// applyCRDs applies all crds and returns once discovery lists every version they serve; clients
// would refuse their objects as unknown before.
func applyCRDs(ctx context.Context, client apiextensions.Interface, crds []crd) error {
	force := true
	options := metav1.PatchOptions{FieldManager: "control-plane", Force: &force}
	definitions := client.ApiextensionsV1().CustomResourceDefinitions()
	failures := make([]error, len(crds))
	var applied sync.WaitGroup
	for i, crd := range crds {
		applied.Go(func() {
			if _, err := definitions.Patch(ctx, crd.decoded.Name, types.ApplyYAMLPatchType, crd.document, options); err != nil {
				failures[i] = fmt.Errorf("CustomResourceDefinition %s: %w", crd.decoded.Name, err)
			}
		})
	}
	applied.Wait()
	if err := errors.Join(failures...); err != nil {
		return err
	}
	return poll(ctx, "discovery", func(context.Context) error {
		return allDiscovered(client.Discovery(), crds)
	})
}

// allDiscovered is true of established CRDs only: discovery leaves the others out.
func allDiscovered(client discovery.DiscoveryInterface, crds []crd) error {
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		return err
	}
	type resource struct{ groupVersion, plural string }
	listed := map[resource]bool{}
	for _, list := range lists {
		for _, item := range list.APIResources {
			listed[resource{list.GroupVersion, item.Name}] = true
		}
	}
	for _, crd := range crds {
		spec := crd.decoded.Spec
		for _, version := range spec.Versions {
			wanted := resource{spec.Group + "/" + version.Name, spec.Names.Plural}
			if version.Served && !listed[wanted] {
				return fmt.Errorf("discovery does not list %s of %s", wanted.plural, wanted.groupVersion)
			}
		}
	}
	return nil
}
