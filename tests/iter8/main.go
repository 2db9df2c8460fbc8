// Command iter8 runs the real Iter8 controller, the one that r8's routemaps are written for, without what the original
// program runs beside it: its A/B/n and metrics servers listen on all interfaces.
//
//	iter8 --kubeconfig FILE [--namespace NAMESPACE]
//
// It watches one namespace, or all of them without --namespace, until its standard input ends: so it never outlives a
// test that was killed. Then it stops with exit code 0; a failure to start is told on standard error with exit code 1.
// The controller logs to standard error from ITER8_LOG on, by default only what is fatal.
//
// Its client is made from Helm's settings, so HELM_KUBECONTEXT and the like count.
//
// It is version 1.1 of the controller: it heeds routemaps labelled iter8.tools/version=v1.1 and no others, and says
// nothing of the others.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/iter8-tools/iter8/base/log"
	"github.com/iter8-tools/iter8/controllers"
	"github.com/iter8-tools/iter8/controllers/k8sclient"
	"github.com/sirupsen/logrus"
	"helm.sh/helm/v3/pkg/cli"
	"k8s.io/klog/v2"
)

// configuration is the one that the controller's chart ships, with both short names of a Service and HTTPRoutes.
const configuration = `defaultResync: 15m
clusterScoped: %t
resourceTypes:
  svc: {Group: "", Version: v1, Resource: services}
  service: {Group: "", Version: v1, Resource: services}
  cm: {Group: "", Version: v1, Resource: configmaps}
  deploy: {Group: apps, Version: v1, Resource: deployments, conditions: [Available]}
  isvc: {Group: serving.kserve.io, Version: v1beta1, Resource: inferenceservices, conditions: [Ready]}
  vs: {Group: networking.istio.io, Version: v1beta1, Resource: virtualservices}
  httproute: {Group: gateway.networking.k8s.io, Version: v1beta1, Resource: httproutes}
`

// queriesPerSecond is generous: five, the default, would make each event of a large release wait for the one before.
const queriesPerSecond = 100

func main() {
	kubeconfig := flag.String("kubeconfig", "", "talk to the cluster of `FILE`'s current context")
	namespace := flag.String("namespace", "", "watch only `NAMESPACE` (default all)")
	flag.Parse()
	if flag.NArg() > 0 || *kubeconfig == "" {
		fmt.Fprintln(os.Stderr, "error: expected --kubeconfig FILE and no arguments")
		os.Exit(2)
	}
	if err := run(*kubeconfig, *namespace); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run keeps the controller up until standard input ends.
func run(kubeconfig, namespace string) error {
	if err := setLogLevel(os.Getenv("ITER8_LOG")); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "iter8-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := setEnvironment(dir, kubeconfig, namespace); err != nil {
		return err
	}
	settings := cli.New()
	settings.QPS = queriesPerSecond
	client, err := k8sclient.New(settings)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	defer close(stop)
	if err := controllers.Start(stop, client); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// setEnvironment says everything that the controller reads from its environment.
func setEnvironment(dir, kubeconfig, namespace string) error {
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, configuration, namespace == ""), 0o600); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"KUBECONFIG":    kubeconfig,
		"CONFIG_FILE":   file,
		"POD_NAME":      "iter8-0", // only number 0 of its StatefulSet writes routes
		"POD_NAMESPACE": namespace,
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

func setLogLevel(name string) error {
	level := logrus.FatalLevel
	if name != "" {
		var err error
		if level, err = logrus.ParseLevel(name); err != nil {
			return err
		}
	}
	log.Logger.SetOutput(os.Stderr)
	log.Logger.SetLevel(level)
	if level < logrus.DebugLevel {
		klog.LogToStderr(false)
		klog.SetOutput(io.Discard)
	}
	return nil
}
