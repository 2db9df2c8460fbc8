package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"sort"
	"strings"
	"time"

	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	envoyroute "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	networking "istio.io/api/networking/v1alpha3"
	"istio.io/istio/pilot/pkg/config/kube/gatewaycommon"
	"istio.io/istio/pilot/pkg/model"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/cluster"
	"istio.io/istio/pkg/config/constants"
	"istio.io/istio/pkg/config/schema/gvk"
	"istio.io/istio/pkg/kube/krt"
	"istio.io/istio/pkg/test"
)

// mesh is a control plane that has taken in `objects`.
type mesh struct {
	server  *xds.FakeDiscoveryServer
	objects *objects
	views   map[proxyName]*proxyView
}

type proxyName struct {
	namespace string
	// gateway is empty for a sidecar.
	gateway string
	// labels are those of a sidecar's pod, as a selector.
	labels string
}

// inMesh runs f against a control plane of its own.
func inMesh(objects *objects, f func(m *mesh) error) error {
	var failed error
	err := test.Wrap(func(t test.Failer) {
		defer func() {
			if cause := recover(); cause != nil {
				failed = fmt.Errorf("panic: %v", cause)
				fmt.Fprintf(os.Stderr, "%v\n%s", failed, debug.Stack())
			}
		}()
		m := &mesh{objects: objects, views: map[proxyName]*proxyView{}}
		m.server = xds.NewFakeDiscoveryServer(t, xds.FakeOptions{
			DefaultClusterName: constants.DefaultClusterName,
			KubernetesObjects:  objects.kubernetes,
			Configs:            objects.istio,
		})
		m.settle(t)
		failed = f(m)
	})
	// Every server leaves its collections there for good.
	*krt.GlobalDebugHandler = krt.DebugHandler{}
	if failed != nil {
		return failed
	}
	return err
}

// settle pushes until what istiod derives from the given objects stays the same. The first push tells the
// controller of the Gateway API about the Services; what that one makes of them arrives later.
func (m *mesh) settle(t test.Failer) {
	before, same := "", 0
	for range 200 {
		m.server.Discovery.ConfigUpdate(&model.PushRequest{Forced: true})
		m.server.EnsureSynced(t)
		after := m.derived()
		if after == before {
			same++
		} else {
			before, same = after, 0
		}
		if same == 3 {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatal("the control plane does not settle")
}

func (m *mesh) derived() string {
	var all []string
	for _, one := range m.server.Env().VirtualServiceController.MergedVirtualServices() {
		all = append(all, one.Key(), prototext.Format(one.Spec.(proto.Message)))
	}
	for _, one := range m.server.Store().List(gvk.Gateway, "") {
		all = append(all, one.Key(), prototext.Format(one.Spec.(proto.Message)))
	}
	sort.Strings(all)
	return strings.Join(all, "\n")
}

// proxyView is what one proxy is sent.
type proxyView struct {
	listeners []*listener.Listener
	tables    map[string]*envoyroute.RouteConfiguration
	clusters  map[string]bool
	// targetPorts maps, for a gateway, ports of its Services to those its proxy listens on.
	targetPorts map[uint32][]uint32
	// serverPorts are the ports a Gateway names.
	serverPorts map[uint32]bool
}

func (m *mesh) view(name proxyName) (*proxyView, error) {
	if seen, ok := m.views[name]; ok {
		return seen, nil
	}
	view := &proxyView{
		tables:      map[string]*envoyroute.RouteConfiguration{},
		clusters:    map[string]bool{},
		targetPorts: map[uint32][]uint32{},
	}
	proxy := &model.Proxy{
		Type:            model.SidecarProxy,
		ConfigNamespace: name.namespace,
		Metadata: &model.NodeMetadata{
			IstioVersion: "1.31.0",
			Namespace:    name.namespace,
			ClusterID:    cluster.ID(constants.DefaultClusterName),
		},
	}
	if name.labels != "" {
		chosen, err := labels.ConvertSelectorToLabelsMap(name.labels)
		if err != nil {
			return nil, err
		}
		proxy.Labels = chosen
		proxy.Metadata.Labels = chosen
	}
	if name.gateway != "" {
		pod, err := m.objects.gatewayPod(types.NamespacedName{Namespace: name.namespace, Name: name.gateway})
		if err != nil {
			return nil, err
		}
		proxy.Type = model.Router
		proxy.ConfigNamespace = pod.namespace
		proxy.Metadata.Namespace = pod.namespace
		proxy.Labels = pod.labels
		proxy.Metadata.Labels = pod.labels
		view.serverPorts = pod.serverPorts
	}
	proxy = m.server.SetupProxy(proxy)
	view.listeners = m.server.Listeners(proxy)
	for _, table := range m.server.RoutesFromListeners(proxy, view.listeners) {
		view.tables[table.Name] = table
	}
	for _, one := range m.server.Clusters(proxy) {
		view.clusters[one.Name] = true
	}
	for _, target := range proxy.ServiceTargets {
		port := uint32(target.Port.ServicePort.Port)
		view.targetPorts[port] = append(view.targetPorts[port], target.Port.TargetPort)
	}
	m.views[name] = view
	return view, nil
}

// proxyPort finds where a gateway's proxy listens for a connection to `port` of its Service. Where several
// Services share a proxy (knative's two do), a port the Gateway itself names goes first, then the lowest.
func (v *proxyView) proxyPort(port uint32) uint32 {
	targets := slices.Clone(v.targetPorts[port])
	if len(targets) == 0 {
		return port
	}
	slices.Sort(targets)
	for _, target := range targets {
		if v.serverPorts[target] {
			return target
		}
	}
	return targets[0]
}

// gatewayPod is any of the pods that serve a Gateway.
type gatewayPod struct {
	namespace   string
	labels      map[string]string
	serverPorts map[uint32]bool
}

// gatewayPod finds the pods by the Service before them.
func (o *objects) gatewayPod(name types.NamespacedName) (*gatewayPod, error) {
	pod := &gatewayPod{namespace: name.Namespace, serverPorts: map[uint32]bool{}}
	if gateway := o.gateways[name]; gateway != nil {
		service := o.services[types.NamespacedName{Namespace: name.Namespace, Name: managedServiceName(gateway)}]
		if !gatewaycommon.IsManaged(&gateway.Spec) {
			service = o.serviceOf(gateway.Spec.Addresses[0].Value, name.Namespace)
		}
		if service == nil {
			return nil, fmt.Errorf("the Service of Gateway %s is not among the objects", name)
		}
		for _, listener := range gateway.Spec.Listeners {
			pod.serverPorts[uint32(listener.Port)] = true
		}
		pod.namespace, pod.labels = service.Namespace, service.Spec.Selector
		return pod, nil
	}
	for _, one := range o.istio {
		gateway, ok := one.Spec.(*networking.Gateway)
		if !ok || one.NamespacedName() != name {
			continue
		}
		for _, server := range gateway.Servers {
			pod.serverPorts[server.GetPort().GetNumber()] = true
		}
		pod.labels = gateway.Selector
		selector := labels.SelectorFromSet(gateway.Selector)
		for _, object := range o.kubernetes {
			service, ok := object.(*corev1.Service)
			if ok && !selector.Empty() && selector.Matches(labels.Set(service.Spec.Selector)) {
				pod.namespace, pod.labels = service.Namespace, service.Spec.Selector
				break
			}
		}
		return pod, nil
	}
	return nil, fmt.Errorf("no Gateway %s among the objects", name)
}

// table finds the route table for a connection to `address` and `port`, and the listener that leads to it.
// An empty address is one no listener has of its own. `why` says what is missing.
func (v *proxyView) table(address string, port uint32, serverName string) (found *envoyroute.RouteConfiguration, listenerName, why string) {
	one := v.listener(address, port)
	if one == nil {
		return nil, "", fmt.Sprintf("no listener for port %d", port)
	}
	manager, err := connectionManager(one, serverName)
	if err != nil {
		return nil, one.Name, err.Error()
	}
	if manager == nil {
		return nil, one.Name, fmt.Sprintf("listener %s does not speak HTTP", one.Name)
	}
	if inline := manager.GetRouteConfig(); inline != nil {
		return inline, one.Name, ""
	}
	table := v.tables[manager.GetRds().GetRouteConfigName()]
	if table == nil {
		return nil, one.Name, fmt.Sprintf("no route table %q", manager.GetRds().GetRouteConfigName())
	}
	return table, one.Name, ""
}

func (v *proxyView) listener(address string, port uint32) *listener.Listener {
	for _, wanted := range []string{address, constants.UnspecifiedIP} {
		for _, one := range v.listeners {
			socket := one.GetAddress().GetSocketAddress()
			if wanted != "" && socket.GetAddress() == wanted && socket.GetPortValue() == port {
				return one
			}
		}
	}
	return nil
}

func connectionManager(of *listener.Listener, serverName string) (*hcm.HttpConnectionManager, error) {
	for _, chain := range append(of.FilterChains, of.DefaultFilterChain) {
		names := chain.GetFilterChainMatch().GetServerNames()
		if len(names) > 0 && bestDomain(names, serverName) == 0 {
			continue
		}
		for _, filter := range chain.GetFilters() {
			manager := &hcm.HttpConnectionManager{}
			if !filter.GetTypedConfig().MessageIs(manager) {
				continue
			}
			return manager, filter.GetTypedConfig().UnmarshalTo(manager)
		}
	}
	return nil, nil
}
