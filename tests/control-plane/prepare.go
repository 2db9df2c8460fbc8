package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// pollInterval is short against the seconds of a start, long against a request.
const pollInterval = 50 * time.Millisecond

// prepare returns once the server is ready, namespace default exists, the users have their
// rights, and the CRDs and the webhook, if there is one, are in use.
func (s *apiServer) prepare(ctx context.Context, crds []crd, webhook *webhook, options options) error {
	client, err := kubernetes.NewForConfig(s.adminClient())
	if err != nil {
		return err
	}
	if err := poll(ctx, "/readyz", func(ctx context.Context) error {
		return client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	}); err != nil {
		return err
	}
	if err := createDefaultNamespace(ctx, client); err != nil {
		return err
	}
	if options.play {
		label := fmt.Appendf(nil, `{"metadata": {"labels": {%q: %q}}}`, playLabel, playReady)
		if _, err := client.CoreV1().Namespaces().Patch(ctx, metav1.NamespaceDefault, types.MergePatchType, label, metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	if err := bindRoles(ctx, client); err != nil {
		return err
	}
	if webhook != nil {
		if err := webhook.register(ctx, client); err != nil {
			return err
		}
	}
	extensions, err := apiextensions.NewForConfig(s.adminClient())
	if err != nil {
		return err
	}
	return applyCRDs(ctx, extensions, crds)
}

// createDefaultNamespace does not wait for the server to do it, which may be after /readyz.
func createDefaultNamespace(ctx context.Context, client kubernetes.Interface) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceDefault}}
	_, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
	return unlessExists(err)
}

// poll repeats check until it succeeds; the error names what was waited for and the last
// reason.
func poll(ctx context.Context, what string, check func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, pollInterval, startTimeout, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %w: %w", what, err, last)
	}
	return nil
}
