package main

import (
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	networking "istio.io/api/networking/v1alpha3"
)

// mostHops bounds how many proxies a request is followed through: more is a circle.
const mostHops = 8

// sentRequest is a request as a cluster gets it.
type sentRequest struct {
	Host string `json:"host"`
	Path string `json:"path"`
	// Headers are without the pseudo headers.
	Headers map[string]string `json:"headers"`
}

// follow answers a request and goes on with what is sent to the Service of a gateway.
func (m *mesh) follow(view *proxyView, address string, port uint32, request *httpRequest, hops int) (answer, error) {
	if hops == 0 {
		return noAnswer(), fmt.Errorf("the request is still on its way after %d proxies", mostHops)
	}
	result, err := view.answer(address, port, request)
	if err != nil {
		return result, err
	}
	for i := range result.Clusters {
		one := &result.Clusters[i]
		next := request.sentTo(one, result.Rewrite)
		one.Sent = &sentRequest{next.Host, next.Path, withoutPseudoHeaders(next.Headers)}
		gateway, target := m.objects.gatewayBehind(one.Host, one.Port)
		if gateway == nil || one.Unknown {
			continue
		}
		behind, err := m.view(*gateway)
		if err != nil {
			return result, err
		}
		answered, err := m.follow(behind, "", target, &next, hops-1)
		if err != nil {
			return result, err
		}
		one.Next = &answered
	}
	return result, nil
}

// sentTo is the request after the changes that Envoy makes on its way to a cluster: it removes headers before
// it sets and adds others.
func (asked *httpRequest) sentTo(cluster *share, rewrite string) httpRequest {
	next := *asked
	next.Headers = maps.Clone(asked.Headers)
	if cluster.HostRewrite != "" {
		next.Host = cluster.HostRewrite
	}
	if rewrite != "" {
		next.Path = rewrite
	}
	for _, name := range cluster.RequestRemove {
		delete(next.Headers, name)
	}
	maps.Copy(next.Headers, cluster.RequestSet)
	for name, value := range cluster.RequestAdd {
		if before, ok := next.Headers[name]; ok {
			value = before + "," + value
		}
		next.Headers[name] = value
	}
	next.setPseudoHeaders()
	return next
}

func withoutPseudoHeaders(headers map[string]string) map[string]string {
	kept := map[string]string{}
	for name, value := range headers {
		if !strings.HasPrefix(name, ":") {
			kept[name] = value
		}
	}
	return kept
}

// gatewayBehind finds a Gateway of Istio whose pods a Service stands before, and the port they are reached at;
// nil if the Service stands before other pods.
func (o *objects) gatewayBehind(host string, port uint32) (*proxyName, uint32) {
	service := o.serviceOf(host, "")
	if service == nil {
		return nil, 0
	}
	for _, one := range o.istio {
		gateway, ok := one.Spec.(*networking.Gateway)
		if !ok {
			continue
		}
		selector := labels.SelectorFromSet(gateway.Selector)
		if !selector.Empty() && selector.Matches(labels.Set(service.Spec.Selector)) {
			return &proxyName{namespace: one.Namespace, gateway: one.Name}, targetPort(service, port)
		}
	}
	return nil, 0
}

func targetPort(service *corev1.Service, port uint32) uint32 {
	for _, one := range service.Spec.Ports {
		if uint32(one.Port) == port {
			return uint32(one.TargetPort.IntValue())
		}
	}
	return port
}
