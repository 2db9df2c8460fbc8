// Command control-plane runs a real Kubernetes control plane in one process: etcd, the API
// server, and the controllers that r8's tests rely on.
//
// It stands for the cluster that r8 talks to: authentication, RBAC, admission, defaulting,
// validation, server-side apply and custom resources are Kubernetes' own. So are the
// controllers of Deployments, ReplicaSets and namespaces and the garbage collector: a
// Deployment makes ReplicaSets and Pods and reports its rollout, a namespace is gone some five
// seconds after it is deleted, and what is owned goes with its owner.
//
//	control-plane [--dir DIR] [--crds PATH[,PATH…]] [--play] [--webhook] [--until-eof]
//
// # What is not there
//
// No scheduler, no kubelet, no KServe, no Istio. Pods have no node and stay Pending, and custom
// resources have no status, until somebody patches the status subresource. Tests that play a
// rollout patch the pods: the status of a Deployment is the Deployment controller's own, which
// writes again what anybody else puts there.
//
// Where the way to readiness does not matter, a namespace is labelled
// control-plane.r8.test/play=ready: every pod in it is ready at once, every InferenceService has
// its model loaded, in each of KServe's modes, and every HTTPRoute is accepted. With --play,
// namespace default is labelled so.
//
// With --webhook, the InferenceServices of namespaces labelled
// control-plane.r8.test/webhook=kserve pass a mutating webhook that changes them as KServe's
// does.
//
// # Data, ports, users
//
// All data, keys and logs lie below DIR, by default a temporary folder that is removed at the
// end (and kept if the start fails, for its logs). A DIR that was used before keeps its
// objects, not its ports and tokens. Each PATH is a file or a folder of .yaml, .yml and .json
// files whose CustomResourceDefinitions are applied; objects of other kinds are passed over.
//
// All servers listen on free ports of 127.0.0.1. Once namespace default exists and every CRD
// is established and listed by discovery, one line appears on standard output:
//
//	export KUBECONFIG=/tmp/control-plane-123/kubeconfig
//
// The kubeconfig has one context for each user:
//
//	admin        may do everything (group system:masters); the current context
//	certificate  the same, by client certificate
//	exec         is admin; a credential plugin prints the token
//	reader       may get, list and watch everything
//	secretless   may do everything with the kinds that r8 writes, nothing with Secrets
//	nobody       may do nothing
//	expired      has a token that the server does not know
//
// It runs until SIGINT or SIGTERM, or with --until-eof until its standard input ends, so that
// it never outlives a test that was killed. Then it stops with exit code 0; any failure is
// told on standard error with exit code 1.
//
// A plain "go build" is right: the version is set in code (see version.go). The module also
// names kubectl, kube-apiserver and etcd as tools: "go build -o DIR
// k8s.io/kubernetes/cmd/kubectl". Only kubectl's command "version" needs more, -ldflags
// "-X k8s.io/component-base/version.gitVersion=v1.36.3".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	options := parse(os.Args[1:])
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if options.untilEOF {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	if err := run(ctx, options); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

type options struct {
	dir      string // "" stands for a temporary folder
	crds     []string
	play     bool
	webhook  bool
	untilEOF bool
}

func parse(arguments []string) options {
	var o options
	flags := flag.NewFlagSet("control-plane", flag.ExitOnError)
	flags.StringVar(&o.dir, "dir", "", "keep all data below `DIR` (default a temporary folder, removed at the end)")
	flags.Func("crds", "apply the CRDs of these files or folders, `PATH[,PATH…]`; repeatable", func(paths string) error {
		o.crds = append(o.crds, strings.Split(paths, ",")...)
		return nil
	})
	flags.BoolVar(&o.play, "play", false, "label namespace default "+playLabel+"="+playReady)
	flags.BoolVar(&o.webhook, "webhook", false, "start the mutating webhook, for namespaces labelled "+webhookLabel+"="+webhookKServe)
	flags.BoolVar(&o.untilEOF, "until-eof", false, "stop when standard input ends")
	_ = flags.Parse(arguments)
	if flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "error: unexpected argument %q\n", flags.Arg(0))
		os.Exit(2)
	}
	return o
}

// run keeps the control plane up until ctx ends, and returns an error only if it was not ctx
// that ended it.
func run(ctx context.Context, options options) (err error) {
	crds, err := readCRDs(options.crds)
	if err != nil {
		return err
	}
	dir, remove, err := dataDir(options.dir)
	if err != nil {
		return err
	}
	defer func() {
		if err == nil {
			err = remove()
		} else {
			err = fmt.Errorf("%w\nhint: the logs are in %s", err, dir)
		}
	}()

	etcd, err := startEtcd(dir)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer etcd.Close()
	server, err := startAPIServer(dir, etcd.Clients[0].Addr())
	if err != nil {
		return fmt.Errorf("kube-apiserver: %w", err)
	}
	defer quietly(dir, server.stop)

	// A part that dies ends the rest with its own error.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	go func() {
		select {
		case err := <-etcd.Err():
			fail(stopped{"etcd", err})
		case err := <-server.failed:
			fail(stopped{"kube-apiserver", err})
		case <-ctx.Done():
		}
	}()

	if err := serve(ctx, server, dir, crds, options); err != nil && ctx.Err() == nil {
		return err
	}
	if cause := (stopped{}); errors.As(context.Cause(ctx), &cause) {
		return cause
	}
	return nil
}

// serve prepares server, starts what stands beside it, says so, and waits for the end.
func serve(ctx context.Context, server *apiServer, dir string, crds []crd, options options) error {
	var webhook *webhook
	if options.webhook {
		var err error
		if webhook, err = startWebhook(); err != nil {
			return fmt.Errorf("webhook: %w", err)
		}
		defer webhook.stop()
	}
	// A start makes much garbage in few seconds; memory is not what is short then.
	usual := debug.SetGCPercent(200)
	if err := server.prepare(ctx, crds, webhook, options); err != nil {
		return err
	}
	debug.SetGCPercent(usual)
	// After the CRDs, so that the garbage collector knows them from the start.
	stop, err := startControllers(server.adminClient(), crds)
	if err != nil {
		return fmt.Errorf("controllers: %w", err)
	}
	defer quietly(dir, stop)
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := server.writeKubeconfig(kubeconfig); err != nil {
		return err
	}
	fmt.Printf("export KUBECONFIG=%s\n", kubeconfig)
	<-ctx.Done()
	return nil
}

// stopped says that a part ended although nobody asked it to.
type stopped struct {
	part  string
	cause error
}

func (s stopped) Error() string { return fmt.Sprintf("%s stopped: %v", s.part, s.cause) }

// quietly runs stop with standard error in a file: the API server's client of etcd complains
// there, in a log of its own, of every request that the end cuts off.
func quietly(dir string, stop func()) {
	file, fileErr := os.OpenFile(filepath.Join(dir, "stop.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	stderr, err := unix.Dup(unix.Stderr)
	if errors.Join(fileErr, err) == nil {
		_ = unix.Dup2(int(file.Fd()), unix.Stderr)
		defer func() { _ = unix.Dup2(stderr, unix.Stderr) }()
	}
	stop()
}

// dataDir makes sure of dir, or of a temporary folder in its place; remove undoes the latter.
func dataDir(dir string) (path string, remove func() error, err error) {
	if dir == "" {
		dir, err = os.MkdirTemp("", "control-plane-")
		return dir, func() error { return os.RemoveAll(dir) }, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", nil, err
	}
	return dir, func() error { return nil }, os.MkdirAll(dir, 0o700)
}
