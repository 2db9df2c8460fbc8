package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/keyutil"
	basecompatibility "k8s.io/component-base/compatibility"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	apioptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

const (
	// startTimeout is generous: a machine that also compiles must not fail a test.
	startTimeout = 2 * time.Minute
	// stopTimeout bounds the wait for open watches; their clients are gone or about to go.
	stopTimeout = 3 * time.Second
)

// apiServer is a kube-apiserver that runs in this process.
type apiServer struct {
	url    string
	ca     []byte // PEM
	users  *credentials
	failed <-chan error // one value when the server ends
	stop   func()
}

// startAPIServer starts kube-apiserver on a free loopback port; it is not ready yet on return.
func startAPIServer(dir string, etcd net.Addr) (*apiServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	files := serverFiles{dir}
	if err := files.write(); err != nil {
		return nil, err
	}
	users, err := makeCredentials(dir)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	completed, err := complete(ctx, files.arguments(users, listener, etcd), files.log(), listener)
	if err != nil {
		cancel()
		return nil, err
	}
	ca, err := os.ReadFile(files.certificate())
	if err != nil {
		cancel()
		return nil, err
	}

	failed, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		failed <- app.Run(ctx, completed)
	}()
	return &apiServer{
		url:    "https://" + listener.Addr().String(),
		ca:     ca,
		users:  users,
		failed: failed,
		stop: func() {
			cancel()
			select {
			case <-ended:
			case <-time.After(stopTimeout):
			}
		},
	}, nil
}

// complete does what the command kube-apiserver does with its flags before it runs, except
// that the log goes to a file and signals are left to main.
func complete(ctx context.Context, arguments []string, logFile string, listener net.Listener) (none apioptions.CompletedOptions, err error) {
	options := apioptions.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range options.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	if err := flags.Parse(arguments); err != nil {
		return none, err
	}
	options.SecureServing.Listener = listener

	if err := options.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return none, err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	log, err := os.Create(logFile)
	if err != nil {
		return none, err
	}
	gates := options.GenericServerRunOptions.ComponentGlobalsRegistry.FeatureGateFor(basecompatibility.DefaultKubeComponent)
	streams := &logsapi.LoggingOptions{ErrorStream: log, InfoStream: log}
	if err := logsapi.ValidateAndApplyWithOptions(options.Logs, streams, gates); err != nil {
		return none, err
	}
	completed, err := options.Complete(ctx)
	if err != nil {
		return none, err
	}
	return completed, utilerrors.NewAggregate(completed.Validate())
}

// serverFiles knows the places of the API server's own files.
type serverFiles struct{ dir string }

func (f serverFiles) certificates() string { return filepath.Join(f.dir, "certificates") }

// certificate is written by the API server itself; the CA that signed it follows in the file.
func (f serverFiles) certificate() string {
	return filepath.Join(f.certificates(), "apiserver.crt")
}
func (f serverFiles) serviceAccountKey() string { return filepath.Join(f.dir, "service-account.key") }
func (f serverFiles) log() string               { return filepath.Join(f.dir, "kube-apiserver.log") }

func (f serverFiles) arguments(users *credentials, listener net.Listener, etcd net.Addr) []string {
	return []string{
		"--etcd-servers=http://" + etcd.String(),
		"--cert-dir=" + f.certificates(),
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port=" + strconv.Itoa(listener.Addr().(*net.TCPAddr).Port),
		// Loopback addresses may not stand in an endpoint, and nobody looks for this one.
		"--endpoint-reconciler-type=none",
		"--service-account-issuer=https://control-plane.r8.test",
		"--service-account-key-file=" + f.serviceAccountKey(),
		"--service-account-signing-key-file=" + f.serviceAccountKey(),
		"--token-auth-file=" + users.tokenFile(),
		"--client-ca-file=" + users.authorityFile(),
		"--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.0.0.0/16",
		// Without its controller no namespace gets the service account that pods would need.
		"--disable-admission-plugins=ServiceAccount",
	}
}

// write makes the key that signs the tokens of service accounts.
func (f serverFiles) write() error {
	key, err := keyutil.MakeEllipticPrivateKeyPEM()
	if err != nil {
		return err
	}
	return os.WriteFile(f.serviceAccountKey(), key, 0o600)
}

// adminClient is not throttled.
func (s *apiServer) adminClient() *rest.Config {
	return &rest.Config{
		Host:            s.url,
		BearerToken:     s.users.tokens[admin],
		TLSClientConfig: rest.TLSClientConfig{CAData: s.ca},
		QPS:             -1,
	}
}
