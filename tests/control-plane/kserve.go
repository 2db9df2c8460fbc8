package main

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
)

var inferenceServices = schema.GroupVersionResource{
	Group: "serving.kserve.io", Version: "v1beta1", Resource: "inferenceservices",
}

// kserve says that models are loaded, in the namespaces that ask for it: the ordinary course,
// shortened. What else can happen is in testdata/sequences.
type kserve struct {
	objects dynamic.Interface
	client  kubernetes.Interface
	// played is the generation of each InferenceService that was played last.
	played map[types.UID]int64
}

func (k *kserve) play(ctx context.Context, service *unstructured.Unstructured) error {
	switch service.GetAnnotations()["serving.kserve.io/deploymentMode"] {
	case "ModelMesh":
		return k.steps(ctx, service, modelMesh(service))
	case "Standard", "RawDeployment":
		return k.standard(ctx, service)
	default:
		return k.steps(ctx, service, knative(service))
	}
}

// steps writes one status after the other, once for each generation.
func (k *kserve) steps(ctx context.Context, service *unstructured.Unstructured, statuses []map[string]any) error {
	if k.played[service.GetUID()] == service.GetGeneration() {
		return nil
	}
	for _, status := range statuses {
		var err error
		if service, err = writeStatus(ctx, k.objects, inferenceServices, service, status); err != nil {
			return err
		}
	}
	k.played[service.GetUID()] = service.GetGeneration()
	return nil
}

func modelMesh(service *unstructured.Unstructured) []map[string]any {
	host := "modelmesh-serving." + service.GetNamespace()
	status := func(transition, active, target string, copies int64) map[string]any {
		return map[string]any{
			"url": "grpc://" + host + ":8033",
			"components": map[string]any{"predictor": map[string]any{
				"url": "grpc://" + host + ":8033", "grpcUrl": "grpc://" + host + ":8033", "restUrl": "http://" + host + ":8008",
			}},
			"conditions":  []any{condition("PredictorReady", "True"), condition("Ready", "True")},
			"modelStatus": model(transition, active, target, copies),
		}
	}
	first := status("UpToDate", "Loading", "", 1)
	if _, loaded, _ := unstructured.NestedMap(service.Object, "status", "modelStatus"); loaded {
		first = status("InProgress", "Loaded", "Loading", 2)
	}
	return []map[string]any{first, status("UpToDate", "Loaded", "", 1)}
}

func knative(service *unstructured.Unstructured) []map[string]any {
	name := service.GetName() + "-predictor"
	revision := func(generation int64) string { return fmt.Sprintf("%s-%05d", name, generation) }
	created, before := revision(service.GetGeneration()), ""
	if _, found, _ := unstructured.NestedMap(service.Object, "status", "components"); found {
		before, _, _ = unstructured.NestedString(service.Object, "status", "components", "predictor", "latestReadyRevision")
	}
	status := func(settled, routed string, predictor, model map[string]any) map[string]any {
		predictor["latestCreatedRevision"] = created
		return map[string]any{
			"deploymentMode":     "Knative",
			"observedGeneration": service.GetGeneration(),
			"url":                "http://" + name + "." + service.GetNamespace() + ".example.com",
			"components":         map[string]any{"predictor": predictor},
			"conditions": []any{
				condition("IngressReady", routed), condition("LatestDeploymentReady", settled),
				condition("PredictorConfigurationReady", settled), condition("PredictorReady", settled),
				condition("PredictorRouteReady", routed), condition("Ready", settled), condition("RoutesReady", routed),
			},
			"modelStatus": model,
		}
	}
	traffic := func(revision string) []any {
		return []any{map[string]any{"latestRevision": true, "percent": int64(100), "revisionName": revision}}
	}
	loading := status("Unknown", "Unknown", map[string]any{}, model("InProgress", "", "Pending", 0))
	done := map[string]any{"latestReadyRevision": created, "latestRolledoutRevision": created, "traffic": traffic(created)}
	if before != "" {
		serving := map[string]any{"latestReadyRevision": before, "latestRolledoutRevision": before, "traffic": traffic(before)}
		loading = status("Unknown", "True", serving, model("InProgress", "Loaded", "Pending", 0))
		done["previousRolledoutRevision"] = before
	}
	return []map[string]any{loading, status("True", "True", done, model("UpToDate", "Loaded", "Loaded", 1))}
}

// standard makes the Deployment, whose pods the kubelet makes ready, and reports its rollout.
func (k *kserve) standard(ctx context.Context, service *unstructured.Unstructured) error {
	deployment, err := k.deployment(ctx, service)
	if err != nil {
		return err
	}
	rolledOut := deployment.Status.ObservedGeneration == deployment.Generation && deployment.Status.Replicas == 1 &&
		deployment.Status.UpdatedReplicas == 1 && deployment.Status.AvailableReplicas == 1
	if !rolledOut || k.played[service.GetUID()] == service.GetGeneration() {
		return nil
	}
	return k.steps(ctx, service, []map[string]any{{
		"deploymentMode":     "Standard",
		"observedGeneration": deployment.Status.ObservedGeneration,
		"url":                "http://" + service.GetName() + "-" + service.GetNamespace() + ".example.com",
		"components":         map[string]any{"predictor": map[string]any{}},
		"conditions": []any{
			condition("IngressReady", "True"), condition("PredictorReady", "True"), condition("Ready", "True"),
		},
		"modelStatus": model("UpToDate", "Loaded", "Loaded", 1),
	}})
}

func (k *kserve) deployment(ctx context.Context, service *unstructured.Unstructured) (*appsv1.Deployment, error) {
	uri, _, _ := unstructured.NestedString(service.Object, "spec", "predictor", "model", "storageUri")
	name := service.GetName() + "-predictor"
	labels := map[string]any{"app": "isvc." + name, "serving.kserve.io/inferenceservice": service.GetName()}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "apps/v1",
		"kind":       "Deployment",
		"metadata": map[string]any{"name": name, "labels": labels, "ownerReferences": []any{map[string]any{
			"apiVersion": service.GetAPIVersion(), "kind": service.GetKind(), "name": service.GetName(),
			"uid": service.GetUID(), "controller": true, "blockOwnerDeletion": true,
		}}},
		"spec": map[string]any{
			"replicas": 1,
			"selector": map[string]any{"matchLabels": map[string]any{"app": "isvc." + name}},
			"template": map[string]any{
				"metadata": map[string]any{"labels": labels, "annotations": map[string]any{
					"internal.serving.kserve.io/storage-initializer-sourceuri": uri,
				}},
				"spec": map[string]any{"containers": []any{map[string]any{"name": "kserve-container", "image": "model-server"}}},
			},
		},
	})
	if err != nil {
		return nil, err
	}
	force := true
	return k.client.AppsV1().Deployments(service.GetNamespace()).Patch(ctx, name, types.ApplyYAMLPatchType, text,
		metav1.PatchOptions{FieldManager: "kserve-controller", Force: &force})
}

func model(transition, active, target string, copies int64) map[string]any {
	return map[string]any{
		"transitionStatus": transition,
		"states":           map[string]any{"activeModelState": active, "targetModelState": target},
		"copies":           map[string]any{"failedCopies": int64(0), "totalCopies": copies},
	}
}
