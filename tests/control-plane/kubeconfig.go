package main

import (
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientapi "k8s.io/client-go/tools/clientcmd/api"
)

// The users of the token file; each has the context of its name.
const (
	admin  = "admin"
	nobody = "nobody"
)

func (s *apiServer) writeKubeconfig(path string) error {
	const cluster = "control-plane"
	config := clientapi.NewConfig()
	config.Clusters[cluster] = &clientapi.Cluster{Server: s.url, CertificateAuthorityData: s.ca}
	for user, token := range s.tokens {
		config.AuthInfos[user] = &clientapi.AuthInfo{Token: token}
		config.Contexts[user] = &clientapi.Context{Cluster: cluster, AuthInfo: user}
	}
	config.CurrentContext = admin
	return clientcmd.WriteToFile(*config, path)
}

// adminClient is not throttled.
func (s *apiServer) adminClient() *rest.Config {
	return &rest.Config{
		Host:            s.url,
		BearerToken:     s.tokens[admin],
		TLSClientConfig: rest.TLSClientConfig{CAData: s.ca},
		QPS:             -1,
	}
}
