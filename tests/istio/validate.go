package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/hashicorp/go-multierror"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	kubecrd "istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pkg/config"
	crdvalidation "istio.io/istio/pkg/config/crd"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/config/schema/resource"
	"istio.io/istio/pkg/test/env"
)

const (
	domain          = "cluster.local"
	gatewayAPIGroup = "gateway.networking.k8s.io"
)

type verdict struct {
	Errors   []string `json:"errors"`
	Warnings []string `json:"warnings"`
	Skipped  bool     `json:"skipped,omitempty"`
}

func validate(raw json.RawMessage) (result verdict) {
	// A panic in the webhook refuses the object: the API server gets no answer.
	defer func() {
		if cause := recover(); cause != nil {
			result.Errors = append(result.Errors, fmt.Sprintf("panic: %v", cause))
		}
	}()
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(raw); err != nil {
		return verdict{Errors: []string{err.Error()}, Warnings: []string{}}
	}
	result = verdict{Errors: []string{}, Warnings: []string{}}
	kind := object.GroupVersionKind()
	istio, isIstio := istioSchema(kind)
	if !isIstio && kind.Group != gatewayAPIGroup {
		result.Skipped = true
		return result
	}
	if isIstio {
		warnings, err := validateAsWebhook(istio, raw)
		result.Warnings = append(result.Warnings, texts(warnings)...)
		result.Errors = append(result.Errors, texts(err)...)
	}
	if err := checkAgainstCRD(&object); err != nil {
		result.Errors = append(result.Errors, err.Error())
	}
	return result
}

// istioSchema looks Istio's kinds up by group and kind: as for the webhook, versions do not differ.
func istioSchema(kind schema.GroupVersionKind) (resource.Schema, bool) {
	return collections.Istio.FindByGroupKind(resource.FromKubernetesGVK(&kind))
}

// validateAsWebhook does what `Webhook.validate` of `pkg/webhooks/validation/server` does, but decodes
// strictly; there, an unknown field is left for the API server to find.
func validateAsWebhook(schema resource.Schema, raw json.RawMessage) (warnings, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	for field := range fields {
		switch field {
		case "apiVersion", "kind", "metadata", "spec", "status":
		default:
			return nil, fmt.Errorf("unknown field %q", field)
		}
	}
	decoded, err := decodeIstio(schema, raw)
	if err != nil {
		return nil, fmt.Errorf("error decoding configuration: %w", err)
	}
	return schema.ValidateConfig(*decoded)
}

func decodeIstio(schema resource.Schema, raw json.RawMessage) (*config.Config, error) {
	var object kubecrd.IstioKind
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	return kubecrd.ConvertObjectInternal(schema, &object, domain, func(s resource.Schema, js string) (config.Spec, error) {
		spec, err := s.NewInstance()
		if err != nil {
			return nil, err
		}
		return spec, config.ApplyJSONStrict(spec, js)
	})
}

func texts(err error) []string {
	if err == nil {
		return nil
	}
	var several *multierror.Error
	if !errors.As(err, &several) {
		return []string{err.Error()}
	}
	var all []string
	for _, one := range several.Errors {
		all = append(all, texts(one)...)
	}
	return all
}

// crds holds the CRDs of Istio and of the Gateway API's experimental channel, as in the module's source.
var crds = sync.OnceValues(func() (*crdvalidation.Validator, error) {
	return crdvalidation.NewValidatorFromFilesWithOptions([]string{
		filepath.Join(env.IstioSrc, "manifests/charts/base/files/crd-all.gen.yaml"),
		filepath.Join(env.IstioSrc, "tests/integration/pilot/testdata/gateway-api-crd.yaml"),
	}, crdvalidation.WithoutCRDValidation())
})

// checkAgainstCRD fills the CRD's defaults in place, then reports what its schema and CEL rules refuse.
func checkAgainstCRD(object *unstructured.Unstructured) error {
	validator, err := crds()
	if err != nil {
		return fmt.Errorf("reading the CRDs: %w", err)
	}
	return validator.ValidateCustomResource(object)
}
