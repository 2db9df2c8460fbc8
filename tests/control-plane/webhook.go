package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	registrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/cert"
)

const (
	// webhookLabel on a namespace sends its InferenceServices through the webhook.
	webhookLabel = "control-plane.r8.test/webhook"
	// webhookKServe: as KServe's defaulter changes them.
	webhookKServe = "kserve"
)

// webhook changes InferenceServices as KServe's mutating webhook does.
type webhook struct {
	server   *http.Server
	listener net.Listener
	ca       []byte // PEM
}

// startWebhook serves on a free loopback port; register makes the API server ask it.
func startWebhook() (*webhook, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	certificates, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", []net.IP{net.IPv4(127, 0, 0, 1)}, nil)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificates, key)
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		Handler:   http.HandlerFunc(review),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}},
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return &webhook{server, listener, certificates}, nil
}

func (w *webhook) stop() { _ = w.server.Close() }

// register replaces what an earlier start left: the port and the certificate are new.
func (w *webhook) register(ctx context.Context, client kubernetes.Interface) error {
	const name = "control-plane-kserve"
	url := "https://" + w.listener.Addr().String()
	none := registrationv1.SideEffectClassNone
	configurations := client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	if err := configurations.Delete(ctx, name, metav1.DeleteOptions{}); unlessMissing(err) != nil {
		return err
	}
	_, err := configurations.Create(ctx, &registrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Webhooks: []registrationv1.MutatingWebhook{{
			Name:                    "inferenceservice.kserve-webhook-server.defaulter",
			AdmissionReviewVersions: []string{"v1"},
			SideEffects:             &none,
			ClientConfig:            registrationv1.WebhookClientConfig{URL: &url, CABundle: w.ca},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{webhookLabel: webhookKServe}},
			Rules: []registrationv1.RuleWithOperations{{
				Operations: []registrationv1.OperationType{registrationv1.Create, registrationv1.Update},
				Rule: registrationv1.Rule{
					APIGroups: []string{"serving.kserve.io"}, APIVersions: []string{"v1beta1"}, Resources: []string{"inferenceservices"},
				},
			}},
		}},
	}, metav1.CreateOptions{})
	return err
}

// review answers one AdmissionReview with a JSON patch.
func review(response http.ResponseWriter, request *http.Request) {
	var asked admissionv1.AdmissionReview
	if err := json.NewDecoder(request.Body).Decode(&asked); err != nil || asked.Request == nil {
		http.Error(response, "expected an AdmissionReview", http.StatusBadRequest)
		return
	}
	answer := &admissionv1.AdmissionResponse{UID: asked.Request.UID, Allowed: true}
	object := map[string]any{}
	if err := json.Unmarshal(asked.Request.Object.Raw, &object); err != nil {
		http.Error(response, err.Error(), http.StatusBadRequest)
		return
	}
	if changed := defaulted(object); changed != nil {
		// One operation for the whole object: the API server sees the same result.
		patch, err := json.Marshal([]map[string]any{{"op": "replace", "path": "", "value": changed}})
		if err != nil {
			http.Error(response, err.Error(), http.StatusInternalServerError)
			return
		}
		kind := admissionv1.PatchTypeJSONPatch
		answer.Patch, answer.PatchType = patch, &kind
	}
	response.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(response).Encode(admissionv1.AdmissionReview{TypeMeta: asked.TypeMeta, Response: answer})
}

// defaulted is the InferenceService after KServe 0.20's defaulter with the configuration that
// KServe ships (pkg/apis/serving/v1beta1/inference_service_defaults.go, DefaultInferenceService):
//
//   - the old names of deployment modes become the new ones;
//   - except with ModelMesh, the annotation modelFormat says the format, and the protocol of
//     triton and vllm is v2;
//   - the object passes through Go's types, which write two fields of the model's container
//     that nobody set: an empty name, and empty resources.
func defaulted(object map[string]any) map[string]any {
	const modeKey = "serving.kserve.io/deploymentMode"
	service := unstructured.Unstructured{Object: object}
	annotations := service.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	if mode, old := map[string]string{"RawDeployment": "Standard", "Serverless": "Knative"}[annotations[modeKey]]; old {
		annotations[modeKey] = mode
	}
	model, found, err := unstructured.NestedMap(object, "spec", "predictor", "model")
	if err != nil {
		return nil
	}
	if found {
		setDefault(model, "name", "")
		setDefault(model, "resources", map[string]any{})
		format, _, _ := unstructured.NestedString(model, "modelFormat", "name")
		if annotations[modeKey] != "ModelMesh" && format != "" {
			if format == "triton" || format == "vllm" {
				setDefault(model, "protocolVersion", "v2")
			}
			if _, set := annotations["modelFormat"]; !set {
				annotations["modelFormat"] = format
			}
		}
		if err := unstructured.SetNestedMap(object, model, "spec", "predictor", "model"); err != nil {
			return nil
		}
	}
	if len(annotations) > 0 {
		service.SetAnnotations(annotations)
	}
	return service.Object
}

func setDefault(object map[string]any, key string, value any) {
	if _, set := object[key]; !set {
		object[key] = value
	}
}
