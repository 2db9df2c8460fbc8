package main

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/namespace"
	"k8s.io/kubernetes/pkg/controller/replicaset"
)

const (
	// workers of each controller: enough for some hundred objects, few enough to idle cheaply.
	workers = 5
	// gcPeriod is how soon the garbage collector notices a new CRD; 30 s in a real cluster.
	gcPeriod = 2 * time.Second
	// namespacePeriod is how often the namespace controller looks again without an event.
	namespacePeriod = 5 * time.Minute
)

// startControllers runs the controllers of kube-controller-manager that r8's tests rely on, as
// that program itself runs them, until stop is called.
//
// They are taken one by one and not by way of the program: it would serve a port of its own,
// wait up to two seconds before it starts each controller, and notice a new CRD after 30 s.
// Beside them run the stand-ins for the kubelet and, if their kinds are served, for KServe and
// for a gateway.
func startControllers(config *rest.Config, crds []crd) (stop func(), err error) {
	// The first word of the agent names the field manager of what they write.
	config = rest.CopyConfig(config)
	config.UserAgent = "kube-controller-manager/" + gitVersion
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	metadataClient, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}

	ctx, cancel := context.WithCancel(context.Background())
	shared := informers.NewSharedInformerFactory(client, 0)
	started := make(chan struct{})
	apps, core := shared.Apps().V1(), shared.Core().V1()

	deployments, err := deployment.NewDeploymentController(ctx, apps.Deployments(), apps.ReplicaSets(), core.Pods(), client)
	if err != nil {
		cancel()
		return nil, err
	}
	replicaSets := replicaset.NewReplicaSetController(ctx, apps.ReplicaSets(), core.Pods(), client, replicaset.BurstReplicas)
	namespaces := namespace.NewNamespaceController(ctx, client, metadataClient,
		client.Discovery().ServerPreferredNamespacedResources, core.Namespaces(), namespacePeriod, corev1.FinalizerKubernetes)
	garbage, err := garbagecollector.NewGarbageCollector(ctx, client, metadataClient,
		restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery())), nil,
		informerfactory.NewInformerFactory(shared, metadatainformer.NewSharedInformerFactory(metadataClient, 0)), started)
	if err != nil {
		cancel()
		return nil, err
	}
	others, err := standIns(config, core.Pods(), core.Namespaces(), crds)
	if err != nil {
		cancel()
		return nil, err
	}

	var running sync.WaitGroup
	shared.Start(ctx.Done())
	close(started)
	running.Go(func() { deployments.Run(ctx, workers) })
	running.Go(func() { replicaSets.Run(ctx, workers) })
	running.Go(func() { namespaces.Run(ctx, workers) })
	running.Go(func() { garbage.Run(ctx, workers, gcPeriod) })
	running.Go(func() { garbage.Sync(ctx, client.Discovery(), gcPeriod) })
	for _, run := range others {
		running.Go(func() { run(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
		shared.Shutdown()
	}, nil
}
