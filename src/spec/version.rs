//! One version: its weight, its matches, its objects, and what answers its requests.

use serde_json::{Map, Value};

use super::build::fields;
use super::error::Problem;
use super::object::Place;
use super::release::{Destination, Object, Version};
use super::walk::{Walk, join};
use crate::templates::{Configs, StrategyRule};
use crate::values::{Kind, Node};

/// Default weight, as in the Iter8 chart (`_helpers.tpl`, `normalize.versions`).
const DEFAULT_WEIGHT: u32 = 50;

/// What every version of one application has in common.
pub(super) struct Context<'a> {
    pub application: &'a Node,
    pub name: &'a str,
    pub namespace: &'a str,
    pub strategy: &'a str,
    pub rule: &'a StrategyRule,
}

impl Context<'_> {
    /// Builds the version of an index.
    pub fn version(&self, index: usize, node: &Node, walk: &mut Walk<'_>) -> Version {
        let metadata = node.get("metadata");
        let text = |key: &str| metadata.and_then(|metadata| metadata.get(key)).and_then(Node::as_str);
        let name = text("name").map_or_else(|| format!("{}-{index}", self.name), str::to_owned);
        let namespace = text("namespace").unwrap_or(self.namespace).to_owned();
        let path = format!("application.versions[{index}]");
        let fields = fields(node, Some(self.application), "application.versions[]", walk);
        let rules = walk.environment.objects().to_vec();
        let place = Place { node, name: &name, namespace: &namespace, path: &path };
        let objects: Vec<Object> = rules.iter().map(|rule| self.object(rule, &place, walk)).collect();
        let destination = self.destination(node, &objects, &fields, walk);
        let (weight, routemap_weight) = self.weight(index, node, &path, walk);
        let has_config = match self.rule.configs {
            Configs::None => false,
            Configs::All => true,
            Configs::Candidates => index > 0,
        };
        let matches = self.matches(index, node, &path, walk);
        Version { index, name, namespace, weight, routemap_weight, has_config, matches, fields, objects, destination }
    }

    fn weight(&self, index: usize, node: &Node, path: &str, walk: &mut Walk<'_>) -> (u32, Option<u32>) {
        let given = node.get("weight");
        let number = given.and_then(|node| match node.kind {
            Kind::Int(number) => u32::try_from(number).ok(),
            _ => None,
        });
        let path = join(path, "weight");
        let Some(rule) = &self.rule.weights else {
            self.ignored("weight", given, &path, walk);
            return (1, None);
        };
        // Mirroring sends every request to the primary: only the candidate's weight is read.
        if self.rule.configs == Configs::Candidates && index == 0 {
            self.ignored("weight", given, &path, walk);
            return (1, None);
        }
        let weight = number.unwrap_or(DEFAULT_WEIGHT);
        if weight > rule.max {
            let expected = format!("at most {}", rule.max);
            let problem = Problem::Range { key: "weight".into(), expected, found: weight.to_string() };
            walk.error(problem, given.map(|node| node.origin), &path, None);
        }
        (weight, Some(weight))
    }

    fn ignored(&self, key: &str, given: Option<&Node>, path: &str, walk: &mut Walk<'_>) {
        // Nobody knows what an unknown strategy reads.
        if let Some(given) = given.filter(|_| !self.strategy.is_empty()) {
            let problem = Problem::Ignored { key: key.into(), strategy: self.strategy.to_owned() };
            walk.warn(problem, Some(given.origin), path, None);
        }
    }

    fn matches(&self, index: usize, node: &Node, path: &str, walk: &mut Walk<'_>) -> Option<Value> {
        for key in ["match", "matches"] {
            let given = node.get(key);
            if self.rule.matches.as_deref() != Some(key) {
                if walk.environment.table.keys.contains_key(&join("application.versions[]", key)) {
                    self.ignored(key, given, &join(path, key), walk);
                }
                continue;
            }
            if index == 0 {
                if let Some(given) = given {
                    let problem = Problem::MatchOfPrimary { key: key.into() };
                    walk.error(problem, Some(given.origin), &join(path, key), Some("move it to a candidate".into()));
                }
                return None;
            }
            let rule = walk.environment.table.keys.get(&join("application.versions[]", key))?;
            return given.map(Node::to_json).or_else(|| rule.default.clone());
        }
        None
    }

    fn destination(
        &self,
        node: &Node,
        objects: &[Object],
        fields: &Map<String, Value>,
        walk: &Walk<'_>,
    ) -> Option<Destination> {
        let rule = walk.environment.table.destination.as_ref()?;
        let object = objects.iter().find(|object| object.slot == rule.object)?;
        let host = format!("{}{}.{}.svc.cluster.local", object.name, rule.suffix, object.namespace);
        let specification = walk
            .environment
            .objects()
            .iter()
            .find(|known| known.name == rule.object)
            .and_then(|known| node.get(&known.specification));
        let declared = specification.and_then(service_port);
        let port = declared.or_else(|| fields.get("port")?.as_u64()).and_then(|port| u16::try_from(port).ok());
        Some(Destination {
            name: object.name.clone(),
            namespace: object.namespace.clone(),
            host,
            port: port.unwrap_or(80),
        })
    }
}

/// The port that requests go to: of the Service's own ports the one named `http`, else the first; without any the chart's
/// key `ports[0].port` beside `spec`.
fn service_port(specification: &Node) -> Option<u64> {
    let number = |node: &Node| match node.get("port")?.kind {
        Kind::Int(port) => u64::try_from(port).ok(),
        _ => None,
    };
    let beside = specification.get("ports").and_then(Node::as_list).and_then(|ports| ports.first());
    let ports = specification.get("spec").and_then(|spec| spec.get("ports")).and_then(Node::as_list);
    let named = ports.and_then(|ports| {
        let http = ports.iter().find(|port| port.get("name").and_then(Node::as_str) == Some("http"));
        http.or_else(|| ports.first())
    });
    named.and_then(number).or_else(|| beside.and_then(number))
}
