//! Who gets what by a route: read here apart from r8's own reading, by the headers and hosts that decide where a
//! request goes, never by the name that its answer carries.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// A version's object.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version {
    /// InferenceService or Deployment.
    pub kind: &'static str,
    /// Name of the object.
    pub name: String,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// What one version gets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// Of the requests that no match takes out, 0 to 1.
    pub part: f64,
    /// Whether it gets those of a match.
    pub matched: bool,
    /// Of the requests, copies, 0 to 1.
    pub mirrored: f64,
}

impl Share {
    /// Whether it gets anything at all.
    pub fn is_some(&self) -> bool {
        *self != Share::default()
    }

    /// Whether something of it is larger than it was.
    pub fn exceeds(&self, before: &Share) -> bool {
        let larger = |now: f64, then: f64| now > then + 1e-9;
        larger(self.part, before.part) || larger(self.mirrored, before.mirrored) || (self.matched && !before.matched)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}%", self.part * 100.0)?;
        if self.matched {
            f.write_str(" and a match")?;
        }
        if self.mirrored > 0.0 {
            write!(f, " and {:.1}% copied", self.mirrored * 100.0)?;
        }
        Ok(())
    }
}

/// What was read of a route.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Every version that the route names, with a share of nothing too.
    pub shares: BTreeMap<Version, Share>,
    /// What no proxy could do with it.
    pub faults: Vec<String>,
}

/// Reads a VirtualService or an HTTPRoute. Destinations in other namespaces are nobody's.
pub fn read(route: &Value) -> Reading {
    let mut reader = Reader { route, istio: route["kind"] == "VirtualService", reading: Reading::default() };
    reader.read();
    reader.reading
}

struct Reader<'a> {
    route: &'a Value,
    istio: bool,
    reading: Reading,
}

impl<'a> Reader<'a> {
    fn rules(&self) -> &'a [Value] {
        list(if self.istio { &self.route["spec"]["http"] } else { &self.route["spec"]["rules"] })
    }

    fn read(&mut self) {
        let mut all_taken = false;
        for (index, rule) in self.rules().iter().enumerate() {
            let destinations = list(if self.istio { &rule["route"] } else { &rule["backendRefs"] });
            let weights: Vec<f64> = destinations.iter().map(|one| self.weight(one, destinations.len())).collect();
            let total: f64 = weights.iter().sum();
            if total <= 0.0 {
                self.reading.faults.push(format!("the weights of rule {index} sum to 0"));
            }
            let (hop, takes_all) = (hop(rule).is_some(), self.takes_all(rule));
            for (destination, weight) in destinations.iter().zip(weights) {
                let Some(version) = self.version(destination) else { continue };
                let share = self.reading.shares.entry(version).or_default();
                if hop || all_taken || weight <= 0.0 || total <= 0.0 {
                    continue;
                }
                if takes_all {
                    share.part += weight / total;
                } else {
                    share.matched = true;
                }
            }
            if !all_taken {
                self.mirrors(rule);
            }
            all_taken |= takes_all;
        }
    }

    /// A missing weight is 0 to Istio, save for the only destination, and 1 to the Gateway API.
    fn weight(&self, destination: &Value, count: usize) -> f64 {
        if self.istio && count == 1 {
            return 1.0;
        }
        destination["weight"].as_f64().unwrap_or(if self.istio { 0.0 } else { 1.0 })
    }

    fn takes_all(&self, rule: &Value) -> bool {
        let matches = list(if self.istio { &rule["match"] } else { &rule["matches"] });
        let anything = |one: &Value| {
            let of_istio = serde_json::json!({"uri": {"prefix": "/"}});
            let of_gateways = serde_json::json!({"path": {"type": "PathPrefix", "value": "/"}});
            *one == of_istio || *one == of_gateways || one.as_object().is_some_and(serde_json::Map::is_empty)
        };
        matches.is_empty() || matches.iter().any(anything)
    }

    fn mirrors(&mut self, rule: &Value) {
        let mut copies = Vec::new();
        if rule["mirror"].is_object() {
            copies.push((&rule["mirror"], rule["mirrorPercentage"]["value"].as_f64()));
        }
        for mirror in list(&rule["mirrors"]) {
            copies.push((&mirror["destination"], mirror["percentage"]["value"].as_f64()));
        }
        for filter in list(&rule["filters"]) {
            if filter["type"] == "RequestMirror" {
                let mirror = &filter["requestMirror"];
                copies.push((&mirror["backendRef"], mirror["percent"].as_f64()));
            }
        }
        for (destination, percent) in copies {
            let host = destination["host"].as_str().or(destination["name"].as_str()).unwrap_or_default();
            if let Some(version) = self.of_host(host) {
                let share = self.reading.shares.entry(version).or_default();
                share.mirrored = share.mirrored.max(percent.unwrap_or(100.0) / 100.0);
            }
        }
    }

    /// The version that a destination leads to.
    fn version(&mut self, destination: &Value) -> Option<Version> {
        let set = &destination["headers"]["request"]["set"];
        if let Some(model) = header(set, "mm-vmodel-id") {
            return Some(Version { kind: "InferenceService", name: model.to_owned() });
        }
        // The split of a release behind Knative's gateway: the request comes back and takes the rule of its mark.
        if let Some(branch) = header(set, "branch") {
            let next = self.rules().iter().find(|rule| hop(rule) == Some(branch));
            let Some(next) = next else {
                self.reading.faults.push(format!("no rule takes the requests marked `{branch}`"));
                return None;
            };
            return list(&next["route"]).first().and_then(|destination| self.version(destination));
        }
        if let Some(host) = header(set, "host").or(header(set, ":authority")) {
            return self.of_host(host);
        }
        if destination["namespace"].as_str().is_some_and(|namespace| namespace != self.namespace()) {
            return None;
        }
        let host = destination["destination"]["host"].as_str().or(destination["name"].as_str());
        self.of_host(host.unwrap_or_default())
    }

    fn namespace(&self) -> &str {
        self.route["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    /// KServe makes the Service `NAME-predictor`, in old versions `NAME-predictor-default`; a Deployment's Service
    /// has its name.
    fn of_host(&self, host: &str) -> Option<Version> {
        let mut labels = host.split('.');
        let service = labels.next()?;
        if labels.next().is_some_and(|namespace| namespace != self.namespace()) {
            return None;
        }
        let model = service.strip_suffix("-predictor").or(service.strip_suffix("-predictor-default"));
        Some(match model {
            Some(name) => Version { kind: "InferenceService", name: name.to_owned() },
            None => Version { kind: "Deployment", name: service.to_owned() },
        })
    }
}

/// The mark that a rule takes the second time.
fn hop(rule: &Value) -> Option<&str> {
    match list(&rule["match"]) {
        [one] if one.as_object()?.len() == 1 && one["headers"].as_object()?.len() == 1 => {
            one["headers"]["branch"]["exact"].as_str()
        }
        _ => None,
    }
}

fn header<'a>(set: &'a Value, name: &str) -> Option<&'a str> {
    set.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
