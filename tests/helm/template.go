package main

import (
	"encoding/json"
	"html/template"
	"strings"

	"sigs.k8s.io/yaml"
)

// routingTemplate asks what the Iter8 controller makes of a routing template.
type routingTemplate struct {
	operation
	Text string `json:"text"`
	// Weights holds one list per evaluation: the normalised weight of each version.
	Weights [][]uint32 `json:"weights"`
	// Parse asks for the outputs as objects too.
	Parse bool `json:"parse"`
}

type routingOutputs struct {
	Outputs []string          `json:"outputs"`
	Objects []json.RawMessage `json:"objects,omitempty"`
}

// evaluated runs the template once per list of weights, as iter8 v1.1.2 does
// (controllers/routemap.go, reconcile): package html/template, hence with HTML escapes, and
// missingkey=zero.
//
// The template sees Weights only; the controller's dot has the routemap's metadata and
// versions as well. An object is the output's first YAML document, as the controller's
// decoder reads it; the controller then also demands apiVersion and kind, and skips an empty
// output, which is null here.
func evaluated(request routingTemplate) (routingOutputs, error) {
	result := routingOutputs{Outputs: []string{}}
	parsed, err := template.New("routing").Option("missingkey=zero").Parse(request.Text)
	if err != nil {
		return result, err
	}
	for _, weights := range request.Weights {
		var output strings.Builder
		if err := parsed.Execute(&output, routemap{weights}); err != nil {
			return result, err
		}
		result.Outputs = append(result.Outputs, output.String())
		if request.Parse {
			object, err := yaml.YAMLToJSON([]byte(output.String()))
			if err != nil {
				return result, err
			}
			result.Objects = append(result.Objects, object)
		}
	}
	return result, nil
}

// routemap is the dot of a routing template. Weights is a method there too, not a field.
type routemap struct{ weights []uint32 }

func (r routemap) Weights() []uint32 { return r.weights }
