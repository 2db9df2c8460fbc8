package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"
	"k8s.io/client-go/util/keyutil"
)

// The users; each has the context of its name.
const (
	admin = "admin"
	// reader may get, list and watch everything.
	reader = "reader"
	// nobody is bound to no role.
	nobody = "nobody"
	// secretless may do everything with what r8 writes, but for Secrets.
	secretless = "secretless"
	// certificate is an admin by client certificate.
	certificate = "certificate"
	// exec is the admin, whose token a program prints.
	exec = "exec"
	// expired has a token that the server does not know.
	expired = "expired"
)

// administrators is the group that may do everything.
const administrators = "system:masters"

// roles says what the users who are not administrators may do.
var roles = map[string][]rbacv1.PolicyRule{
	reader: {{
		APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch"},
	}},
	secretless: {
		{
			APIGroups: []string{""},
			Resources: []string{"namespaces", "services", "configmaps", "pods", "events"},
			Verbs:     []string{"*"},
		},
		{
			APIGroups: []string{"apps", "serving.kserve.io", "networking.istio.io", "gateway.networking.k8s.io"},
			Resources: []string{"*"},
			Verbs:     []string{"*"},
		},
	},
}

// credentials are made anew at every start.
type credentials struct {
	dir         string
	tokens      map[string]string
	authority   []byte // PEM; signs client certificates
	certificate []byte // PEM
	key         []byte // PEM
}

func makeCredentials(dir string) (*credentials, error) {
	c := &credentials{dir: dir, tokens: map[string]string{}}
	for _, user := range []string{admin, reader, nobody, secretless} {
		c.tokens[user] = rand.Text()
	}
	if err := c.makeCertificate(); err != nil {
		return nil, err
	}
	var lines strings.Builder
	for user, token := range c.tokens {
		groups := ""
		if user == admin {
			groups = "," + administrators
		}
		fmt.Fprintf(&lines, "%s,%s,%s%s\n", token, user, user, groups)
	}
	// The exec plugin of the kubeconfig; its answer has no expiry, so it is asked once.
	script := fmt.Sprintf("#!/bin/sh\nprintf '%%s\\n' '%s'\n",
		`{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"`+c.tokens[admin]+`"}}`)
	return c, errors.Join(
		os.WriteFile(c.tokenFile(), []byte(lines.String()), 0o600),
		os.WriteFile(c.authorityFile(), c.authority, 0o600),
		os.WriteFile(c.plugin(), []byte(script), 0o700),
	)
}

func (c *credentials) tokenFile() string     { return filepath.Join(c.dir, "tokens.csv") }
func (c *credentials) authorityFile() string { return filepath.Join(c.dir, "client-ca.crt") }
func (c *credentials) plugin() string        { return filepath.Join(c.dir, "print-token") }

// makeCertificate makes an authority for clients and one client of it.
func (c *credentials) makeCertificate() error {
	authorityKey, _, err := newKey()
	if err != nil {
		return err
	}
	authority, err := cert.NewSelfSignedCACert(cert.Config{CommonName: "control-plane-clients"}, authorityKey)
	if err != nil {
		return err
	}
	key, keyPEM, err := newKey()
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: certificate, Organization: []string{administrators}},
		NotBefore:    authority.NotBefore,
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	client, err := x509.CreateCertificate(rand.Reader, template, authority, key.Public(), authorityKey)
	if err != nil {
		return err
	}
	c.authority = pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: authority.Raw})
	c.certificate = pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: client})
	c.key = keyPEM
	return nil
}

func newKey() (crypto.Signer, []byte, error) {
	text, err := keyutil.MakeEllipticPrivateKeyPEM()
	if err != nil {
		return nil, nil, err
	}
	key, err := keyutil.ParsePrivateKeyPEM(text)
	if err != nil {
		return nil, nil, err
	}
	return key.(crypto.Signer), text, nil
}

// bindRoles gives the users their rights.
func bindRoles(ctx context.Context, client kubernetes.Interface) error {
	for user, rules := range roles {
		name := metav1.ObjectMeta{Name: "control-plane-" + user}
		role := &rbacv1.ClusterRole{ObjectMeta: name, Rules: rules}
		if _, err := client.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); unlessExists(err) != nil {
			return err
		}
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: name,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name.Name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}
		if _, err := client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); unlessExists(err) != nil {
			return err
		}
	}
	return nil
}

// unlessExists passes over what a data folder that was used before has already.
func unlessExists(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func unlessMissing(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// writeKubeconfig writes a kubeconfig with a context for each user.
func (s *apiServer) writeKubeconfig(path string) error {
	const cluster = "control-plane"
	users := map[string]*clientapi.AuthInfo{
		certificate: {ClientCertificateData: s.users.certificate, ClientKeyData: s.users.key},
		exec: {Exec: &clientapi.ExecConfig{
			APIVersion:      "client.authentication.k8s.io/v1",
			Command:         s.users.plugin(),
			InteractiveMode: clientapi.NeverExecInteractiveMode,
		}},
		expired: {Token: rand.Text()},
	}
	for user, token := range s.users.tokens {
		users[user] = &clientapi.AuthInfo{Token: token}
	}
	config := clientapi.NewConfig()
	config.Clusters[cluster] = &clientapi.Cluster{Server: s.url, CertificateAuthorityData: s.ca}
	config.AuthInfos = users
	for user := range users {
		config.Contexts[user] = &clientapi.Context{Cluster: cluster, AuthInfo: user}
	}
	config.CurrentContext = admin
	return clientcmd.WriteToFile(*config, path)
}
