package main

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

var httpRoutes = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}

// acceptRoutes says of every HTTPRoute that each of its parents has accepted it and resolved its
// references, once for each generation.
func acceptRoutes(client dynamic.Interface) func(context.Context, *unstructured.Unstructured) error {
	return func(ctx context.Context, route *unstructured.Unstructured) error {
		references, _, err := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
		if err != nil || accepted(route, len(references)) {
			return err
		}
		parents := make([]any, 0, len(references))
		for _, reference := range references {
			conditions := []any{condition("Accepted", "True"), condition("ResolvedRefs", "True")}
			for _, item := range conditions {
				item := item.(map[string]any)
				item["reason"], item["message"] = item["type"], ""
				item["observedGeneration"] = route.GetGeneration()
			}
			parents = append(parents, map[string]any{
				"parentRef": reference, "controllerName": "control-plane.r8.test/gateway", "conditions": conditions,
			})
		}
		_, err = writeStatus(ctx, client, httpRoutes, route, map[string]any{"parents": parents})
		return err
	}
}

// accepted is true if the status is about this generation, and about as many parents.
func accepted(route *unstructured.Unstructured, references int) bool {
	parents, _, _ := unstructured.NestedSlice(route.Object, "status", "parents")
	for _, parent := range parents {
		conditions, _, _ := unstructured.NestedSlice(parent.(map[string]any), "conditions")
		for _, item := range conditions {
			if item.(map[string]any)["observedGeneration"] != route.GetGeneration() {
				return false
			}
		}
	}
	return len(parents) == references
}
