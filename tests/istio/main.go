// Program istio answers, for the tests of r8, what Istio itself says of Kubernetes objects: whether
// its admission would take them, and which cluster a request really goes to. It stands for istiod
// and its webhook (`istio.io/istio`, the version in go.mod); no cluster, no Envoy, no network.
//
// It reads one JSON object per line on stdin and writes one per line on stdout, in order, until end
// of file. A reply is {"ok": …} or {"error": "text"}. Lines may be of any length. Logs go to stderr;
// the libraries' own are silent unless ISTIO_LOG is a level such as "debug".
//
// # validate
//
//	{"op":"validate","objects":[{"apiVersion":"networking.istio.io/v1beta1","kind":"VirtualService",…}]}
//	{"ok":{"results":[{"errors":["total destination weight = 0"],"warnings":[]}]}}
//
// One result per object, in order. Istio kinds of any served version: strict decode (an unknown
// field is an error), the webhook's ValidateConfig, and the schema and CEL rules of the CRDs. Gateway
// API kinds: the schema and CEL rules of the CRDs. Other kinds: "skipped": true.
//
// # route
//
//	{"op":"route","objects":[…],"requests":[{"id":1,"namespace":"default","host":"httpbin.default","port":80,
//	  "path":"/get","method":"GET","headers":{"traffic":"test"}}]}
//	{"ok":{"answers":[{"id":1,"matched":true,"listener":"0.0.0.0_80","virtualHost":"…","route":"httpbin-1",
//	  "clusters":[{"cluster":"outbound|80||httpbin-1.default.svc.cluster.local",
//	  "host":"httpbin-1.default.svc.cluster.local","port":80,"weight":100,"share":1,
//	  "responseAdd":{"app-version":"httpbin-1"}}],"mirrors":[]}]}}
//
// One control plane serves all requests of a call. A request comes from a sidecar in "namespace", or,
// with "gateway": {"namespace": …, "name": …}, arrives at the proxy of that Gateway (of the Gateway API,
// or Istio's own). "port" defaults to 80, "path" to "/", "method" to GET, "scheme" to http. "labels" are those of the pod
// that sends it.
//
// An answer's further members, each absent if empty: "why" (not matched: at which step), "rewrite" (the
// path after rewriting), "directResponse" (its status), "redirect" ("status", "host", "path", "pathPrefix"); of a cluster: "subset", "unknown" (true: the
// proxy has no such cluster, so Envoy answers 503), "requestSet", "requestAdd", "requestRemove",
// "responseSet", "responseAdd", "responseRemove", "hostRewrite". Header changes of the cluster and of the
// route, virtual host and table around it are merged, outermost last, as Envoy applies them.
//
// A request with "follow": true does not stop at the first proxy. Each cluster then has "sent", the request as
// it arrives there ("host", "path", "headers"), and, where its Service stands before the pods of one of Istio's
// Gateways, "next": the answer of that gateway to it.
//
// # status
//
//	{"op":"status","objects":[…]}
//	{"ok":{"statuses":[{"kind":"HTTPRoute","namespace":"test","name":"httpbin","status":{"parents":[…]}}]}}
//
// The status istiod writes to the given objects of the Gateway API, sorted by kind, namespace and name. A
// managed Gateway is not Programmed, since no pods run.
//
// # Objects
//
// Given as one would apply them. What the API server would add is added: namespace `default`, defaults of
// the CRDs, cluster IPs, target ports, Namespaces. Kinds that do not matter for routing are ignored. No
// endpoints are needed, since a route names clusters, not pods. Of a managed Gateway, the Service that
// Istio's deployment controller would make is added if absent.
//
// A sidecar's listener depends on the address the caller connects to: that of the Service named by "host"
// (an ExternalName is followed, as DNS does) or of the ServiceEntry. A host with no known address goes to
// the wildcard listener of the port, which exists only if a Service or ServiceEntry has that port and names
// or marks it as HTTP. So give what an ExternalName points to (`istio-ingressgateway`, `knative-local-gateway`),
// with named ports, and the Services behind a ServiceEntry's route. A port that is neither named nor marked is
// sniffed, and has a listener at its Service's own address.
//
// At a gateway, "port" is that of the Service before it, or the proxy's own. TLS is not spoken: "host" picks
// the server of an HTTPS port.
//
// # Build
//
// The CRDs are read from the module's source, so the module cache must be in place at run time, and
// `-trimpath` does not work.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	"r8.test/istio/early"
)

// A library's panic in a goroutine of its own cannot be recovered, so the work is done by a child
// process: its end is an error reply, and the next request gets a new one.
const workerArgument = "worker"

type reply struct {
	Ok    any    `json:"ok,omitempty"`
	Error string `json:"error,omitempty"`
}

func main() {
	run := supervise
	if len(os.Args) > 1 && os.Args[1] == workerArgument {
		run = work
	}
	if err := run(os.Stdin, early.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// eachLine calls f for each line that is not blank, until end of file.
func eachLine(in io.Reader, f func(line []byte) error) error {
	lines := bufio.NewReaderSize(in, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 {
			if err := f(trimmed); err != nil {
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

func supervise(in io.Reader, out io.Writer) error {
	var current *worker
	err := eachLine(in, func(line []byte) error {
		if current == nil {
			started, err := startWorker()
			if err != nil {
				return err
			}
			current = started
		}
		answer, err := current.ask(line)
		if err != nil {
			answer, err = json.Marshal(reply{Error: current.causeOfDeath()})
			current = nil
			if err != nil {
				return err
			}
			answer = append(answer, '\n')
		}
		_, err = out.Write(answer)
		return err
	})
	if current != nil {
		current.stdin.Close()
		err = errors.Join(err, current.command.Wait())
	}
	return err
}

type worker struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Reader
	stderr  *lastWords
}

func startWorker() (*worker, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command(path, workerArgument)
	stderr := &lastWords{}
	command.Stderr = stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &worker{command, stdin, bufio.NewReaderSize(stdout, 1<<16), stderr}, command.Start()
}

// ask fails only if the worker has ended.
func (w *worker) ask(line []byte) ([]byte, error) {
	if _, err := w.stdin.Write(append(line[:len(line):len(line)], '\n')); err != nil {
		return nil, err
	}
	return w.stdout.ReadBytes('\n')
}

func (w *worker) causeOfDeath() string {
	w.stdin.Close()
	err := w.command.Wait()
	if cause := w.stderr.cause(); cause != "" {
		return cause
	}
	return fmt.Sprintf("the worker ended without a reply: %v", err)
}

// lastWords passes a worker's stderr on and keeps its end.
type lastWords struct {
	mu   sync.Mutex
	kept []byte
}

func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	const most = 1 << 18
	l.kept = append(l.kept, p...)
	if len(l.kept) > most {
		l.kept = append([]byte(nil), l.kept[len(l.kept)-most:]...)
	}
	return os.Stderr.Write(p)
}

func (l *lastWords) cause() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range strings.Split(string(l.kept), "\n") {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
	}
	return ""
}
