package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

type manifests struct {
	operation
	Text string `json:"text"`
}

type documents struct {
	Documents []json.RawMessage `json:"documents"`
}

// yaml11 reads manifests as kubectl does: split at lines that start with `---`, each part
// YAML 1.1 turned into JSON, integers exact up to 64 bits, of two equal keys the later.
//
// Empty documents and null are left out, as kubectl leaves them out.
func yaml11(request manifests) (documents, error) {
	result := documents{[]json.RawMessage{}}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(request.Text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return result, nil
		}
		if err != nil {
			return result, err
		}
		object, err := yaml.YAMLToJSON(document)
		if err != nil {
			return result, err
		}
		if string(object) != "null" {
			result.Documents = append(result.Documents, object)
		}
	}
}
