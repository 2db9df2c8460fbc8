// Program kserve answers, for the tests of r8, what KServe's webhooks make of InferenceServices: it stands
// for the defaulter and the validator of `github.com/kserve/kserve` (the version in go.mod); no cluster, no
// network.
//
// It reads one JSON object per line on stdin and writes one per line on stdout, in order, until end of file.
// A reply is {"ok": …} or {"error": "text"}. Lines may be of any length. The libraries' own logs are silent.
//
// # validate
//
//	{"op":"validate","objects":[{"apiVersion":"serving.kserve.io/v1beta1","kind":"InferenceService",…}]}
//	{"ok":{"results":[{"errors":[],"warnings":[],"defaulted":{…}}]}}
//
// One result per object, in order: strict decode (an unknown field is an error), then the defaulter as with
// the published ConfigMap `inferenceservice-config` (deployment mode Knative where none is named, no local
// models), then the validator, as for a new object. "defaulted" is the object after the
// defaulter, absent if it cannot be decoded. Kinds and versions other than that of the example: "skipped": true.
//
// What needs the cluster is not judged: whether the runtime exists, and changes of an object. Nor does the
// validator look at everything: it takes a `storageUri` of an unknown scheme for most runtimes.
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

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/log"
	kjson "sigs.k8s.io/json"

	"github.com/kserve/kserve/pkg/apis/serving/v1beta1"
)

// published are the keys of the ConfigMap `inferenceservice-config` that the defaulter reads, as in KServe's
// `config/configmap/inferenceservice.yaml`.
var published = &corev1.ConfigMap{Data: map[string]string{
	"deploy":           `{"defaultDeploymentMode": "Serverless"}`,
	"inferenceService": `{"resource": {"cpuLimit": "1", "memoryLimit": "2Gi", "cpuRequest": "1", "memoryRequest": "2Gi"}}`,
	"security":         `{"autoMountServiceAccountToken": true}`,
}}

type request struct {
	Op      string            `json:"op"`
	Objects []json.RawMessage `json:"objects"`
}

type reply struct {
	Ok    any    `json:"ok,omitempty"`
	Error string `json:"error,omitempty"`
}

type verdict struct {
	Errors    []string                  `json:"errors"`
	Warnings  []string                  `json:"warnings"`
	Defaulted *v1beta1.InferenceService `json:"defaulted,omitempty"`
	Skipped   bool                      `json:"skipped,omitempty"`
}

func main() {
	out := os.Stdout
	// A library that prints to stdout must not break the protocol.
	os.Stdout = os.Stderr
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	log.SetLogger(logr.Discard())
	if err := serve(os.Stdin, out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewReaderSize(in, 1<<16)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for {
		line, err := lines.ReadBytes('\n')
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 {
			answer := reply{}
			if ok, err := answerLine(trimmed); err != nil {
				answer.Error = err.Error()
			} else {
				answer.Ok = ok
			}
			if err := encoder.Encode(answer); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func answerLine(line []byte) (ok any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	var asked request
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return nil, fmt.Errorf("malformed request: %w", err)
	}
	if decoder.More() {
		return nil, fmt.Errorf("malformed request: more than one JSON value in the line")
	}
	if asked.Op != "validate" {
		return nil, fmt.Errorf("unknown op %q: expected validate", asked.Op)
	}
	webhooks, err := newWebhooks()
	if err != nil {
		return nil, err
	}
	results := make([]verdict, 0, len(asked.Objects))
	for _, object := range asked.Objects {
		results = append(results, webhooks.validate(object))
	}
	return map[string]any{"results": results}, nil
}

// webhooks holds what KServe's defaulter would read from the cluster.
type webhooks struct {
	services *v1beta1.InferenceServicesConfig
	deploy   *v1beta1.DeployConfig
	security *v1beta1.SecurityConfig
}

func newWebhooks() (*webhooks, error) {
	services, err := v1beta1.NewInferenceServicesConfig(published)
	if err != nil {
		return nil, err
	}
	deploy, err := v1beta1.NewDeployConfig(published)
	if err != nil {
		return nil, err
	}
	security, err := v1beta1.NewSecurityConfig(published)
	if err != nil {
		return nil, err
	}
	return &webhooks{services, deploy, security}, nil
}

func (w *webhooks) validate(raw json.RawMessage) (result verdict) {
	result = verdict{Errors: []string{}, Warnings: []string{}}
	// A panic in a webhook refuses the object.
	defer func() {
		if cause := recover(); cause != nil {
			result.Errors = append(result.Errors, fmt.Sprintf("panic: %v", cause))
		}
	}()
	var object metav1.TypeMeta
	if err := json.Unmarshal(raw, &object); err != nil {
		result.Errors = append(result.Errors, err.Error())
		return result
	}
	if object.APIVersion != v1beta1.SchemeGroupVersion.String() || object.Kind != "InferenceService" {
		result.Skipped = true
		return result
	}
	decoded := &v1beta1.InferenceService{}
	strict, err := kjson.UnmarshalStrict(raw, decoded)
	if err != nil {
		result.Errors = append(result.Errors, err.Error())
		return result
	}
	for _, err := range strict {
		result.Errors = append(result.Errors, err.Error())
	}
	decoded.DefaultInferenceService(w.services, w.deploy, w.security, nil, nil)
	result.Defaulted = decoded
	warnings, err := (&v1beta1.InferenceServiceValidator{}).ValidateCreate(context.Background(), decoded)
	result.Warnings = append(result.Warnings, warnings...)
	if err != nil {
		result.Errors = append(result.Errors, err.Error())
	}
	return result
}
