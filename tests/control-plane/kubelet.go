package main

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
)

const (
	// playLabel on a namespace asks for what has no controller here; see the values.
	playLabel = "control-plane.r8.test/play"
	// playReady: every pod is ready at once. Without it the pods of a namespace stay Pending,
	// and whoever plays the kubelet patches their status.
	playReady = "ready"
	// kubeletPeriod is how soon a label given later is noticed.
	kubeletPeriod = time.Second
)

// kubelet says that pods are ready, in the namespaces that ask for it. No pod ever has a node:
// so one that is deleted is gone at once, with no kubelet to wait for.
type kubelet struct {
	config     *rest.Config
	pods       cache.SharedIndexInformer
	namespaces coreinformers.NamespaceInformer
}

func newKubelet(config *rest.Config, pods coreinformers.PodInformer, namespaces coreinformers.NamespaceInformer) kubelet {
	config = rest.CopyConfig(config)
	config.UserAgent = "kubelet/" + gitVersion
	namespaces.Informer()
	return kubelet{config, pods.Informer(), namespaces}
}

func (k kubelet) run(ctx context.Context) {
	client, err := kubernetes.NewForConfig(k.config)
	if err != nil {
		utilruntime.HandleError(err)
		return
	}
	makeReady := func(object any) {
		pod := object.(*corev1.Pod)
		if pod.DeletionTimestamp != nil || podutil.IsPodReady(pod) {
			return
		}
		namespace, err := k.namespaces.Lister().Get(pod.Namespace)
		if err != nil || namespace.Labels[playLabel] != playReady {
			return
		}
		// A pod that changed or went meanwhile is seen again, or never.
		_, _ = client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, readyPod(pod), metav1.UpdateOptions{})
	}
	registration, err := k.pods.AddEventHandlerWithResyncPeriod(cache.ResourceEventHandlerFuncs{
		AddFunc:    makeReady,
		UpdateFunc: func(_, object any) { makeReady(object) },
	}, kubeletPeriod)
	if err != nil {
		utilruntime.HandleError(err)
		return
	}
	<-ctx.Done()
	_ = k.pods.RemoveEventHandler(registration)
}

// readyPod is pod as its kubelet reports it once every container runs and answers its probe.
func readyPod(pod *corev1.Pod) *corev1.Pod {
	pod = pod.DeepCopy()
	now := metav1.Now()
	status := &pod.Status
	status.Phase, status.StartTime = corev1.PodRunning, &now
	for _, kind := range []corev1.PodConditionType{
		corev1.PodScheduled, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady,
	} {
		condition := corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now}
		podutil.UpdatePodCondition(status, &condition)
	}
	yes := true
	status.ContainerStatuses = nil
	for _, container := range pod.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: container.Name, Image: container.Image, Ready: true, Started: &yes,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return pod
}
