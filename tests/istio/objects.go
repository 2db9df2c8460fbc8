package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"istio.io/api/annotation"
	"istio.io/api/label"
	networking "istio.io/api/networking/v1alpha3"
	"istio.io/istio/pilot/pkg/config/kube/gatewaycommon"
	"istio.io/istio/pkg/config"
	"istio.io/istio/pkg/config/schema/gvk"
	kubelib "istio.io/istio/pkg/kube"
)

// objects are the given ones as a control plane sees them: decoded, and completed as the API server does.
type objects struct {
	kubernetes []runtime.Object
	istio      []config.Config
	services   map[types.NamespacedName]*corev1.Service
	gateways   map[types.NamespacedName]*gatewayv1.Gateway
	// namespaces are those of the given objects: true if the Namespace itself is given.
	namespaces map[string]bool
	given      map[objectName]bool
}

type objectName struct {
	group, kind, namespace, name string
}

func (n objectName) String() string {
	return fmt.Sprintf("%s %s/%s", n.kind, n.namespace, n.name)
}

// gatewayAPIVersions names the versions istiod watches; objects of other versions differ in nothing else.
var gatewayAPIVersions = map[string]string{
	"GatewayClass":     "v1",
	"Gateway":          "v1",
	"ListenerSet":      "v1",
	"HTTPRoute":        "v1",
	"GRPCRoute":        "v1",
	"TLSRoute":         "v1",
	"TCPRoute":         "v1",
	"BackendTLSPolicy": "v1",
	"ReferenceGrant":   "v1beta1",
}

func readObjects(raw []json.RawMessage) (*objects, error) {
	all := &objects{
		services:   map[types.NamespacedName]*corev1.Service{},
		gateways:   map[types.NamespacedName]*gatewayv1.Gateway{},
		namespaces: map[string]bool{},
		given:      map[objectName]bool{},
	}
	for i, one := range raw {
		var object unstructured.Unstructured
		if err := object.UnmarshalJSON(one); err != nil {
			return nil, fmt.Errorf("objects[%d]: %w", i, err)
		}
		kind := object.GroupVersionKind()
		clusterScoped := kind.Kind == "Namespace" || kind.Kind == "GatewayClass"
		if object.GetNamespace() == "" && !clusterScoped {
			object.SetNamespace(metav1.NamespaceDefault)
		}
		name := objectName{kind.Group, kind.Kind, object.GetNamespace(), object.GetName()}
		if all.given[name] {
			return nil, fmt.Errorf("objects[%d]: %s is given twice", i, name)
		}
		all.given[name] = true
		if err := all.add(kind, &object); err != nil {
			return nil, fmt.Errorf("objects[%d]: %s: %w", i, name, err)
		}
		if !clusterScoped {
			all.namespaces[object.GetNamespace()] = all.namespaces[object.GetNamespace()]
		}
	}
	all.addGatewayServices()
	for namespace, given := range all.namespaces {
		if !given {
			all.kubernetes = append(all.kubernetes, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
				Name: namespace, Labels: map[string]string{corev1.LabelMetadataName: namespace},
			}})
		}
	}
	all.assignClusterIPs()
	return all, nil
}

func (o *objects) add(kind schema.GroupVersionKind, object *unstructured.Unstructured) error {
	if version, ok := gatewayAPIVersions[kind.Kind]; ok && kind.Group == gatewayAPIGroup {
		object.SetAPIVersion(kind.Group + "/" + version)
		// Only the defaults matter here. An object that the API server would refuse is still decoded,
		// so that its caller sees the route it would have made: refusing is what `validate` is for.
		_ = checkAgainstCRD(object)
		return o.addKubernetes(object)
	}
	if istio, ok := istioSchema(kind); ok {
		raw, err := object.MarshalJSON()
		if err != nil {
			return err
		}
		decoded, err := decodeIstio(istio, raw)
		if err != nil {
			return err
		}
		o.istio = append(o.istio, *decoded)
		if decoded.GroupVersionKind == gvk.ServiceEntry {
			// The Gateway API's side of istiod reads it from Kubernetes, not from the store of Istio's kinds.
			object.SetAPIVersion(gvk.ServiceEntry.GroupVersion())
			return o.addKubernetes(object)
		}
		return nil
	}
	switch {
	case kind.Group == "" && (kind.Kind == "Service" || kind.Kind == "Namespace"),
		kind.Group == "discovery.k8s.io" && kind.Kind == "EndpointSlice":
		return o.addKubernetes(object)
	}
	return nil
}

func (o *objects) addKubernetes(object *unstructured.Unstructured) error {
	raw, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	typed, _, err := kubelib.IstioCodec.UniversalDeserializer().Decode(raw, nil, nil)
	if err != nil {
		return err
	}
	name := types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}
	switch typed := typed.(type) {
	case *corev1.Service:
		o.services[name] = typed
		completePorts(typed)
	case *gatewayv1.Gateway:
		o.gateways[name] = typed
	case *corev1.Namespace:
		o.namespaces[name.Name] = true
		if typed.Labels == nil {
			typed.Labels = map[string]string{}
		}
		typed.Labels[corev1.LabelMetadataName] = name.Name
	}
	o.kubernetes = append(o.kubernetes, typed)
	return nil
}

// completePorts gives each port a numeric target port: a named one needs a pod to be looked up in.
func completePorts(service *corev1.Service) {
	for i := range service.Spec.Ports {
		port := &service.Spec.Ports[i]
		if port.Protocol == "" {
			port.Protocol = corev1.ProtocolTCP
		}
		if port.TargetPort.IntValue() == 0 {
			port.TargetPort = intstr.FromInt32(port.Port)
		}
	}
}

// addGatewayServices adds the Service that Istio's deployment controller makes of each managed Gateway.
func (o *objects) addGatewayServices() {
	for name, gateway := range o.gateways {
		if !gatewaycommon.IsManaged(&gateway.Spec) {
			continue
		}
		service := types.NamespacedName{Namespace: name.Namespace, Name: managedServiceName(gateway)}
		if o.services[service] != nil {
			continue
		}
		added := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: service.Namespace, Name: service.Name},
			Spec: corev1.ServiceSpec{
				Type:     corev1.ServiceTypeLoadBalancer,
				Selector: map[string]string{label.IoK8sNetworkingGatewayGatewayName.Name: name.Name},
			},
		}
		ports := map[gatewayv1.PortNumber]bool{}
		for _, listener := range gateway.Spec.Listeners {
			if !ports[listener.Port] {
				ports[listener.Port] = true
				added.Spec.Ports = append(added.Spec.Ports, corev1.ServicePort{
					Name: fmt.Sprintf("%s-%d", strings.ToLower(string(listener.Protocol)), listener.Port),
					Port: listener.Port,
				})
			}
		}
		completePorts(added)
		o.services[service] = added
		o.kubernetes = append(o.kubernetes, added)
	}
}

func managedServiceName(gateway *gatewayv1.Gateway) string {
	if name := gateway.Annotations[annotation.GatewayNameOverride.Name]; name != "" {
		return name
	}
	return gatewaycommon.GetDefaultName(gateway.Name, &gateway.Spec, false)
}

// assignClusterIPs gives every Service that has none an address of 240.0.0.0/12, in the order given.
func (o *objects) assignClusterIPs() {
	used := map[string]bool{}
	for _, service := range o.services {
		used[service.Spec.ClusterIP] = true
	}
	next := netip.MustParseAddr("240.0.0.1")
	for _, object := range o.kubernetes {
		service, ok := object.(*corev1.Service)
		if !ok || service.Spec.Type == corev1.ServiceTypeExternalName || service.Spec.ClusterIP != "" {
			continue
		}
		for used[next.String()] {
			next = next.Next()
		}
		service.Spec.ClusterIP = next.String()
		used[service.Spec.ClusterIP] = true
	}
}

// address finds the IP a pod in `namespace` connects to for `host`; "" if nothing given tells.
func (o *objects) address(host, namespace string) string {
	// ExternalNames may form a circle.
	for range 8 {
		service := o.serviceOf(host, namespace)
		if service == nil {
			return o.serviceEntryAddress(host)
		}
		if service.Spec.Type != corev1.ServiceTypeExternalName {
			if service.Spec.ClusterIP == corev1.ClusterIPNone {
				return ""
			}
			return service.Spec.ClusterIP
		}
		host = strings.TrimSuffix(service.Spec.ExternalName, ".")
	}
	return ""
}

// serviceOf resolves `host` by a pod's search domains: NAME, NAME.NS, NAME.NS.svc, NAME.NS.svc.cluster.local.
func (o *objects) serviceOf(host, namespace string) *corev1.Service {
	host = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(host), "."), ".svc."+domain)
	host = strings.TrimSuffix(host, ".svc")
	parts := strings.Split(host, ".")
	switch len(parts) {
	case 1:
		return o.services[types.NamespacedName{Namespace: namespace, Name: parts[0]}]
	case 2:
		return o.services[types.NamespacedName{Namespace: parts[1], Name: parts[0]}]
	default:
		return nil
	}
}

func (o *objects) serviceEntryAddress(host string) string {
	for _, one := range o.istio {
		entry, ok := one.Spec.(*networking.ServiceEntry)
		if !ok || len(entry.Addresses) == 0 {
			continue
		}
		for _, candidate := range entry.Hosts {
			if candidate == host {
				return entry.Addresses[0]
			}
		}
	}
	return ""
}
