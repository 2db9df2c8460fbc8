package main

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

const (
	// playLabel on a namespace asks for what has no controller here; see the values.
	playLabel = "control-plane.r8.test/play"
	// playReady: every pod is ready at once, every model loaded, every route accepted. Without
	// it nothing is, until somebody patches the statuses.
	playReady = "ready"
	// playPeriod is how soon a label given later, and a Deployment that came up, is noticed.
	playPeriod = time.Second
)

// standIns are what runs in the place of programs that are not there.
func standIns(
	config *rest.Config, pods coreinformers.PodInformer, namespaces coreinformers.NamespaceInformer, crds []crd,
) ([]func(context.Context), error) {
	as := func(manager string) *rest.Config {
		config := rest.CopyConfig(config)
		config.UserAgent = manager + "/" + gitVersion
		return config
	}
	client, err := kubernetes.NewForConfig(as("kubelet"))
	if err != nil {
		return nil, err
	}
	run := []func(context.Context){kubelet{client, pods, namespaces}.run}
	if defines(crds, inferenceServices) {
		client, err := kubernetes.NewForConfig(as("kserve-controller"))
		if err != nil {
			return nil, err
		}
		objects, err := dynamic.NewForConfig(as("kserve-controller"))
		if err != nil {
			return nil, err
		}
		models := kserve{objects, client, map[types.UID]int64{}}
		run = append(run, func(ctx context.Context) { playObjects(ctx, objects, namespaces, inferenceServices, models.play) })
	}
	if defines(crds, httpRoutes) {
		objects, err := dynamic.NewForConfig(as("gateway"))
		if err != nil {
			return nil, err
		}
		run = append(run, func(ctx context.Context) {
			playObjects(ctx, objects, namespaces, httpRoutes, acceptRoutes(objects))
		})
	}
	return run, nil
}

// asksForPlay is true of a namespace with the label.
func asksForPlay(namespaces coreinformers.NamespaceInformer, name string) bool {
	namespace, err := namespaces.Lister().Get(name)
	return err == nil && namespace.Labels[playLabel] == playReady
}

// playObjects calls play for every object of a kind in the namespaces that ask for it, again and
// again and one at a time, until ctx ends.
func playObjects(
	ctx context.Context, client dynamic.Interface, namespaces coreinformers.NamespaceInformer,
	resource schema.GroupVersionResource, play func(context.Context, *unstructured.Unstructured) error,
) {
	informers := dynamicinformer.NewDynamicSharedInformerFactory(client, playPeriod)
	seen := func(object any) {
		live := object.(*unstructured.Unstructured)
		if live.GetDeletionTimestamp() == nil && asksForPlay(namespaces, live.GetNamespace()) {
			// What changed or went meanwhile is seen again, or never.
			_ = play(ctx, live.DeepCopy())
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: seen, UpdateFunc: func(_, object any) { seen(object) }}
	if _, err := informers.ForResource(resource).Informer().AddEventHandler(handler); err != nil {
		utilruntime.HandleError(err)
		return
	}
	informers.Start(ctx.Done())
	<-ctx.Done()
	informers.Shutdown()
}

// writeStatus replaces the status of live, and returns the object as it is stored then.
func writeStatus(
	ctx context.Context, client dynamic.Interface, resource schema.GroupVersionResource,
	live *unstructured.Unstructured, status map[string]any,
) (*unstructured.Unstructured, error) {
	live.Object["status"] = status
	return client.Resource(resource).Namespace(live.GetNamespace()).UpdateStatus(ctx, live, metav1.UpdateOptions{})
}

func condition(kind, status string) map[string]any {
	return map[string]any{"type": kind, "status": status, "lastTransitionTime": time.Now().UTC().Format(time.RFC3339)}
}

// defines is true if one of crds defines resource.
func defines(crds []crd, resource schema.GroupVersionResource) bool {
	return slices.ContainsFunc(crds, func(crd crd) bool { return crd.decoded.Name == resource.GroupResource().String() })
}
