package main

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	envoyroute "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"k8s.io/apimachinery/pkg/labels"
)

type httpRequest struct {
	ID        json.RawMessage   `json:"id,omitempty"`
	Namespace string            `json:"namespace"`
	Gateway   *gatewayReference `json:"gateway"`
	// Host is the Host header; a port in it is the port connected to.
	Host    string            `json:"host"`
	Port    uint32            `json:"port"`
	Path    string            `json:"path"`
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
	// Scheme is what the listener speaks; http if empty.
	Scheme string `json:"scheme"`
	// Labels are those of the pod that sends the request.
	Labels map[string]string `json:"labels"`
	// Follow goes on through the gateways that the request is sent to.
	Follow bool `json:"follow"`
}

type gatewayReference struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

type answer struct {
	ID             json.RawMessage `json:"id,omitempty"`
	Matched        bool            `json:"matched"`
	Why            string          `json:"why,omitempty"`
	Listener       string          `json:"listener,omitempty"`
	VirtualHost    string          `json:"virtualHost,omitempty"`
	Route          string          `json:"route,omitempty"`
	Clusters       []share         `json:"clusters"`
	Rewrite        string          `json:"rewrite,omitempty"`
	Mirrors        []mirror        `json:"mirrors"`
	DirectResponse uint32          `json:"directResponse,omitempty"`
	Redirect       *redirect       `json:"redirect,omitempty"`
}

type redirect struct {
	Status uint32 `json:"status"`
	Host   string `json:"host,omitempty"`
	Path   string `json:"path,omitempty"`
	// PathPrefix replaces the matched prefix.
	PathPrefix string `json:"pathPrefix,omitempty"`
}

var redirectStatus = map[envoyroute.RedirectAction_RedirectResponseCode]uint32{
	envoyroute.RedirectAction_MOVED_PERMANENTLY:  301,
	envoyroute.RedirectAction_FOUND:              302,
	envoyroute.RedirectAction_SEE_OTHER:          303,
	envoyroute.RedirectAction_TEMPORARY_REDIRECT: 307,
	envoyroute.RedirectAction_PERMANENT_REDIRECT: 308,
}

type destination struct {
	Cluster string `json:"cluster"`
	Host    string `json:"host"`
	Port    uint32 `json:"port"`
	Subset  string `json:"subset,omitempty"`
	Unknown bool   `json:"unknown,omitempty"`
}

type share struct {
	destination
	Weight uint32  `json:"weight"`
	Share  float64 `json:"share"`
	headerChanges
	HostRewrite string `json:"hostRewrite,omitempty"`
	// Sent and Next are there if the request asks to be followed.
	Sent *sentRequest `json:"sent,omitempty"`
	Next *answer      `json:"next,omitempty"`
	// levels change headers one after the other.
	levels []changer
}

type mirror struct {
	destination
	Percent float64 `json:"percent"`
}

type headerChanges struct {
	RequestSet     map[string]string `json:"requestSet,omitempty"`
	RequestAdd     map[string]string `json:"requestAdd,omitempty"`
	RequestRemove  []string          `json:"requestRemove,omitempty"`
	ResponseSet    map[string]string `json:"responseSet,omitempty"`
	ResponseAdd    map[string]string `json:"responseAdd,omitempty"`
	ResponseRemove []string          `json:"responseRemove,omitempty"`
}

func route(raw []json.RawMessage, requests []httpRequest) ([]answer, error) {
	objects, err := readObjects(raw)
	if err != nil {
		return nil, err
	}
	answers := make([]answer, 0, len(requests))
	err = inMesh(objects, func(m *mesh) error {
		for i := range requests {
			answered, err := m.answer(&requests[i])
			if err != nil {
				return fmt.Errorf("requests[%d]: %w", i, err)
			}
			answered.ID = requests[i].ID
			answers = append(answers, answered)
		}
		return nil
	})
	return answers, err
}

// answer follows a request from listener to clusters. Only a request it cannot judge is an error.
func (m *mesh) answer(asked *httpRequest) (answer, error) {
	request, err := asked.completed()
	if err != nil {
		return noAnswer(), err
	}
	name, address, port := proxyName{namespace: request.Namespace, labels: labels.Set(request.Labels).String()}, "", request.Port
	if request.Gateway != nil {
		name = proxyName{namespace: request.Gateway.Namespace, gateway: request.Gateway.Name}
	} else {
		address = m.objects.address(request.hostname(), request.Namespace)
	}
	view, err := m.view(name)
	if err != nil {
		return noAnswer(), err
	}
	if request.Gateway != nil {
		port = view.proxyPort(port)
	}
	if request.Follow {
		return m.follow(view, address, port, &request, mostHops)
	}
	return view.answer(address, port, &request)
}

func noAnswer() answer {
	return answer{Clusters: []share{}, Mirrors: []mirror{}}
}

// answer is what a proxy does with a request that is connected to `address` and `port`.
func (v *proxyView) answer(address string, port uint32, request *httpRequest) (answer, error) {
	result := noAnswer()
	table, listener, why := v.table(address, port, request.hostname())
	result.Listener = listener
	if table == nil {
		result.Why = why
		return result, nil
	}
	authority := request.Host
	if table.IgnorePortInHostMatching {
		authority = request.hostname()
	}
	host := virtualHost(table, authority)
	switch {
	case host == nil:
		result.Why = fmt.Sprintf("no virtual host of table %q has domain %q", table.Name, authority)
		return result, nil
	case host.Name == "allow_any" || host.Name == "block_all":
		result.Why = fmt.Sprintf("only the catch-all virtual host %q of table %q has domain %q", host.Name, table.Name, authority)
		return result, nil
	}
	result.VirtualHost = host.Name
	for _, candidate := range host.Routes {
		matched, err := matches(candidate.Match, request)
		if err != nil {
			return result, fmt.Errorf("route %q of virtual host %q: %w", candidate.Name, host.Name, err)
		}
		if matched {
			result.Matched = true
			result.Route = candidate.Name
			return result, v.act(&result, request, table, host, candidate)
		}
	}
	result.Why = fmt.Sprintf("no route of virtual host %q matches", host.Name)
	return result, nil
}

// hostname is the host without its port.
func (asked *httpRequest) hostname() string {
	if hostname, _, err := net.SplitHostPort(asked.Host); err == nil {
		return hostname
	}
	return asked.Host
}

func (asked *httpRequest) completed() (httpRequest, error) {
	request := *asked
	if request.Host == "" {
		return request, fmt.Errorf("`host` is required")
	}
	if request.Namespace == "" && request.Gateway == nil {
		return request, fmt.Errorf("`namespace` or `gateway` is required")
	}
	if _, text, err := net.SplitHostPort(request.Host); err == nil && request.Port == 0 {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return request, fmt.Errorf("`host`: %w", err)
		}
		request.Port = uint32(port)
	}
	if request.Port == 0 {
		request.Port = 80
	}
	if request.Path == "" {
		request.Path = "/"
	}
	if request.Method == "" {
		request.Method = "GET"
	}
	if request.Scheme == "" {
		request.Scheme = "http"
	}
	request.Headers = map[string]string{}
	for name, value := range asked.Headers {
		request.Headers[strings.ToLower(name)] = value
	}
	request.setPseudoHeaders()
	return request, nil
}

func (asked *httpRequest) setPseudoHeaders() {
	asked.Headers[":method"] = asked.Method
	asked.Headers[":authority"] = asked.Host
	asked.Headers[":path"] = asked.Path
	asked.Headers[":scheme"] = asked.Scheme
}

// act fills in what Envoy does with a request that matched `chosen`.
func (v *proxyView) act(
	result *answer, request *httpRequest, table *envoyroute.RouteConfiguration, host *envoyroute.VirtualHost, chosen *envoyroute.Route,
) error {
	switch action := chosen.Action.(type) {
	case *envoyroute.Route_DirectResponse:
		result.DirectResponse = action.DirectResponse.Status
		return nil
	case *envoyroute.Route_Redirect:
		to := action.Redirect
		result.Redirect = &redirect{redirectStatus[to.ResponseCode], to.HostRedirect, to.GetPathRedirect(), to.GetPrefixRewrite()}
		return nil
	case *envoyroute.Route_Route:
		rewritten, err := rewrittenPath(request.Path, chosen.Match, action.Route)
		if err != nil {
			return err
		}
		result.Rewrite = rewritten
		for _, policy := range action.Route.RequestMirrorPolicies {
			result.Mirrors = append(result.Mirrors, mirror{v.destination(policy.Cluster), percent(policy.RuntimeFraction)})
		}
		result.Clusters, err = v.shares(action.Route)
		if len(result.Clusters) == 0 && err == nil {
			result.Why = "the route has no cluster"
		}
		for i := range result.Clusters {
			one := &result.Clusters[i]
			one.levels = append(one.levels, chosen, host, table)
			for _, level := range one.levels {
				one.merge(level)
			}
		}
		return err
	default:
		return fmt.Errorf("action %T is not supported", chosen.Action)
	}
}

func (v *proxyView) shares(action *envoyroute.RouteAction) ([]share, error) {
	switch clusters := action.ClusterSpecifier.(type) {
	case *envoyroute.RouteAction_Cluster:
		return []share{{
			destination: v.destination(clusters.Cluster), Weight: 100, Share: 1, HostRewrite: action.GetHostRewriteLiteral(),
		}}, nil
	case *envoyroute.RouteAction_WeightedClusters:
		sum := uint64(0)
		for _, one := range clusters.WeightedClusters.Clusters {
			sum += uint64(one.GetWeight().GetValue())
		}
		all := []share{}
		for _, one := range clusters.WeightedClusters.Clusters {
			weight := one.GetWeight().GetValue()
			// The route changes the host after the cluster has.
			added := share{destination: v.destination(one.Name), Weight: weight, HostRewrite: action.GetHostRewriteLiteral()}
			if added.HostRewrite == "" {
				added.HostRewrite = one.GetHostRewriteLiteral()
			}
			if sum > 0 {
				added.Share = float64(weight) / float64(sum)
			}
			added.levels = []changer{one}
			all = append(all, added)
		}
		return all, nil
	default:
		return nil, fmt.Errorf("cluster specifier %T is not supported", action.ClusterSpecifier)
	}
}

// destination splits a cluster's name: DIRECTION|PORT|SUBSET|HOST.
func (v *proxyView) destination(name string) destination {
	result := destination{Cluster: name, Unknown: !v.clusters[name]}
	if parts := strings.Split(name, "|"); len(parts) == 4 {
		port, _ := strconv.ParseUint(parts[1], 10, 32)
		result.Port, result.Subset, result.Host = uint32(port), parts[2], parts[3]
	}
	return result
}

// changer is any level of Envoy's routing that changes headers.
type changer interface {
	GetRequestHeadersToAdd() []*core.HeaderValueOption
	GetRequestHeadersToRemove() []string
	GetResponseHeadersToAdd() []*core.HeaderValueOption
	GetResponseHeadersToRemove() []string
}

// merge adds the changes of an outer level, which Envoy makes after those of the inner ones: it takes away what
// they have made of a header that it removes or sets.
func (h *headerChanges) merge(outer changer) {
	for _, name := range lowercased(outer.GetRequestHeadersToRemove()) {
		delete(h.RequestSet, name)
		delete(h.RequestAdd, name)
		h.RequestRemove = append(h.RequestRemove, name)
	}
	for _, name := range lowercased(outer.GetResponseHeadersToRemove()) {
		delete(h.ResponseSet, name)
		delete(h.ResponseAdd, name)
		h.ResponseRemove = append(h.ResponseRemove, name)
	}
	apply(outer.GetRequestHeadersToAdd(), &h.RequestSet, &h.RequestAdd)
	apply(outer.GetResponseHeadersToAdd(), &h.ResponseSet, &h.ResponseAdd)
}

func lowercased(names []string) []string {
	all := make([]string, 0, len(names))
	for _, name := range names {
		all = append(all, strings.ToLower(name))
	}
	return all
}

// apply adds what one level sets and adds. Envoy sets before it adds, whatever stands first.
func apply(options []*core.HeaderValueOption, set, add *map[string]string) {
	overwrites := func(option *core.HeaderValueOption) bool {
		return option.AppendAction == core.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD ||
			option.AppendAction == core.HeaderValueOption_OVERWRITE_IF_EXISTS
	}
	for _, option := range options {
		if name := strings.ToLower(option.Header.Key); overwrites(option) {
			delete(*add, name)
			put(set, name, option.Header.Value)
		}
	}
	for _, option := range options {
		if name, value := strings.ToLower(option.Header.Key), option.Header.Value; !overwrites(option) {
			if before, ok := (*add)[name]; ok {
				value = before + "," + value
			}
			put(add, name, value)
		}
	}
}

func put(into *map[string]string, name, value string) {
	if *into == nil {
		*into = map[string]string{}
	}
	(*into)[name] = value
}
