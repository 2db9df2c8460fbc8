//! Whether a route is asked at all: by the host and the port of a request.

use serde_json::Value;

use crate::route::HttpRequest;

/// The domain of the cluster's own names.
const DOMAIN: &str = ".svc.cluster.local";
/// Istio's word for every proxy that is no gateway.
const MESH: &str = "mesh";

/// Whether a route is asked about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressed {
    /// It is.
    Yes,
    /// It is, for senders of this namespace alone: the host is the bare name of a Service there.
    From(String),
    /// Nobody but the sender knows: the host is the bare name of a Service, whose full name the route has, in this namespace.
    /// Istio takes one for the other in the Service's own namespace, unless it is an ExternalName.
    Unsure(String),
    /// Its hosts are others.
    OtherHost(Vec<String>),
    /// It is attached to other ports.
    OtherPort(Vec<u64>),
}

/// The hosts that a route names; for one that names none the Services that it is attached to.
pub(super) fn hosts(route: &Value) -> Vec<String> {
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(|host| host.as_str().map(str::to_owned)).collect()
    };
    let named = texts(&route["spec"]["hosts"]);
    let named = if named.is_empty() { texts(&route["spec"]["hostnames"]) } else { named };
    if named.is_empty() { services(route).into_iter().map(|(host, _)| host).collect() } else { named }
}

/// The gateways of a VirtualService; the mesh alone when it names none. Names get the namespace that they have.
pub(super) fn gateways(list: &Value, namespace: &str) -> Vec<String> {
    let named = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    named
        .map(|name| if name == MESH || name.contains('/') { name.to_owned() } else { format!("{namespace}/{name}") })
        .collect()
}

/// The gateways that requests come through to a VirtualService.
pub(super) fn entrances(route: &Value, namespace: &str) -> Vec<String> {
    let named = gateways(&route["spec"]["gateways"], namespace);
    if named.is_empty() { vec![MESH.to_owned()] } else { named }
}

/// Whether a VirtualService is asked, by any of its gateways or by the one that is named.
pub(super) fn istio(route: &Value, namespace: &str, request: &HttpRequest, gateway: Option<&str>) -> Addressed {
    let hosts = hosts(route);
    let hostname = request.hostname();
    let mesh = gateway.is_none() && entrances(route, namespace).iter().any(|name| name == MESH);
    let full = |host: &String| {
        if host.contains(['.', '*']) { host.to_ascii_lowercase() } else { format!("{host}.{namespace}{DOMAIN}") }
    };
    match addressed(hosts.iter().map(full).collect(), &hostname, mesh) {
        Some(Addressed::From(namespace)) => Addressed::Unsure(namespace),
        Some(found) => found,
        None => Addressed::OtherHost(hosts),
    }
}

/// Whether an HTTPRoute is asked, by a gateway or by the mesh for a Service.
pub(super) fn gateway(route: &Value, request: &HttpRequest) -> Addressed {
    let services = services(route);
    let parents = route["spec"]["parentRefs"].as_array().map_or(0, Vec::len);
    let hostname = request.hostname();
    if parents > services.len() || parents == 0 {
        let named = hosts(route);
        let all = route["spec"]["hostnames"].as_array().is_none_or(Vec::is_empty);
        if all || addressed(named, &hostname, false).is_some() {
            return Addressed::Yes;
        }
    }
    // To the mesh the names of the Services count alone.
    let mut ports = Vec::new();
    for (host, port) in &services {
        let Some(found) = addressed(vec![host.clone()], &hostname, true) else { continue };
        match (port, request.port) {
            (Some(port), Some(sent)) if u64::from(sent) != *port => ports.push(*port),
            _ => return found,
        }
    }
    if ports.is_empty() { Addressed::OtherHost(hosts(route)) } else { Addressed::OtherPort(ports) }
}

/// The Services that an HTTPRoute is attached to, by their full names, with the port where one is named.
fn services(route: &Value) -> Vec<(String, Option<u64>)> {
    let home = route["metadata"]["namespace"].as_str().unwrap_or_default();
    let parents = route["spec"]["parentRefs"].as_array().into_iter().flatten();
    let services = parents.filter(|parent| parent["kind"] == "Service");
    let named = services.filter_map(|parent| {
        let namespace = parent["namespace"].as_str().unwrap_or(home);
        Some((format!("{}.{namespace}{DOMAIN}", parent["name"].as_str()?), parent["port"].as_u64()))
    });
    named.collect()
}

/// Whether one of these hosts is meant; in the mesh also by the shorter names of a Service.
fn addressed(hosts: Vec<String>, hostname: &str, mesh: bool) -> Option<Addressed> {
    if hosts.iter().any(|host| covers(&host.to_ascii_lowercase(), hostname)) {
        return Some(Addressed::Yes);
    }
    let services = hosts.iter().filter_map(|host| host.strip_suffix(DOMAIN)).filter(|_| mesh);
    services.filter_map(|service| service.split_once('.')).find_map(|(name, namespace)| {
        if hostname == name {
            return Some(Addressed::From(namespace.to_owned()));
        }
        let rest = hostname.strip_prefix(name)?.strip_prefix('.')?.strip_prefix(namespace)?;
        (rest.is_empty() || rest == ".svc").then_some(Addressed::Yes)
    })
}

/// Whether a host, or one with a `*` before it, covers a name.
fn covers(host: &str, hostname: &str) -> bool {
    match host.strip_prefix('*') {
        Some(suffix) => hostname.len() > suffix.len() && hostname.ends_with(suffix) || suffix.is_empty(),
        None => host == hostname,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(url: &str) -> HttpRequest {
        HttpRequest::parse(url).unwrap()
    }

    fn by_istio(spec: Value, url: &str, gateway: Option<&str>) -> Addressed {
        istio(&json!({"spec": spec}), "models", &request(url), gateway)
    }

    #[test]
    fn a_virtual_service_is_asked_for_its_hosts() {
        let spec = json!({"hosts": ["shop.models.svc.cluster.local", "*.example.com"]});
        for url in [
            "http://shop.models.svc.cluster.local/",
            "http://Shop.models.svc/",
            "http://shop.models:81/",
            "http://a.example.com./",
        ] {
            assert_eq!(by_istio(spec.clone(), url, None), Addressed::Yes, "{url}");
        }
        assert_eq!(by_istio(spec.clone(), "http://shop/", None), Addressed::Unsure("models".into()));
        let others = Addressed::OtherHost(vec!["shop.models.svc.cluster.local".into(), "*.example.com".into()]);
        for url in ["http://example.com/", "http://shop.other/", "http://shop2/"] {
            assert_eq!(by_istio(spec.clone(), url, None), others, "{url}");
        }
    }

    #[test]
    fn the_shorter_names_of_a_service_are_the_meshs() {
        let spec = json!({"hosts": ["shop"], "gateways": ["public"]});
        let others = Addressed::OtherHost(vec!["shop".into()]);
        assert_eq!(by_istio(spec.clone(), "http://shop/", None), others);
        assert_eq!(by_istio(spec.clone(), "http://shop.models.svc.cluster.local/", None), Addressed::Yes);
        assert_eq!(by_istio(spec.clone(), "http://shop.models/", None), others);
        let spec = json!({"hosts": ["shop"], "gateways": ["public", "mesh"]});
        assert_eq!(by_istio(spec.clone(), "http://shop.models/", None), Addressed::Yes);
        assert_eq!(by_istio(spec, "http://shop.models/", Some("models/public")), others);
    }

    #[test]
    fn an_http_route_of_a_service_is_asked_for_its_names_and_port() {
        let route = |parents: Value| json!({"metadata": {"namespace": "models"}, "spec": {"hostnames": ["shop.example"], "parentRefs": parents}});
        let service = json!({"group": "", "kind": "Service", "name": "shop", "port": 80});
        let mesh = route(json!([service]));
        assert_eq!(gateway(&mesh, &request("http://shop.models/")), Addressed::Yes);
        assert_eq!(gateway(&mesh, &request("http://shop/")), Addressed::From("models".into()));
        assert_eq!(gateway(&mesh, &request("http://shop.models:81/")), Addressed::OtherPort(vec![80]));
        assert_eq!(gateway(&mesh, &request("http://shop.example/")), Addressed::OtherHost(vec!["shop.example".into()]));
        let both = route(json!([service, {"name": "public"}]));
        assert_eq!(gateway(&both, &request("http://shop.example/")), Addressed::Yes);
    }
}
