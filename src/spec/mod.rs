//! The typed release, and how it is decoded from values with the environment's key table.

mod build;
mod collision;
mod error;
mod forms;
mod kserve;
mod matches;
mod name;
mod object;
mod ports;
mod release;
mod traffic;
mod version;
mod walk;

pub use error::{Problem, SpecError, SpecErrors, SpecWarning};
pub use kserve::{KserveProblem, Mode};
pub use matches::MatchProblem;
pub use name::{Namespace, ReleaseName, label_key, label_value};
pub use release::{Application, Destination, Object, ReleaseSpec, Version};

/// What the schema of values shares with the checks.
pub(crate) mod rules {
    pub(crate) use super::collision::{CONFIG_SUFFIX, MAX_OBJECT_NAME, ROUTEMAP_SUFFIX};
    pub(crate) use super::kserve::{
        AUTOSCALER, AUTOSCALERS, COMPONENTS, CONTAINER, DEPLOYMENT_MODE, EXPLAINERS, KNATIVE_CLASS, MAX_SERVICE, MODES,
        PREDICTORS, ROLLOUT, ROLLOUT_FORM, STORAGE_URI, TYPES as STORAGE_TYPES,
    };
    pub(crate) use super::matches::{
        MAP_MATCHES, MAX_CONDITIONS, MAX_HEADER, MAX_MATCHES, MAX_NAME, MAX_PATH, MAX_QUERY, MAX_REGEX, METHODS,
        PSEUDO_HEADERS, STRING_MATCHES,
    };
}

use std::collections::HashSet;

use crate::templates::{Catalog, nearest};
use crate::values::{Kind, Node, Values};

/// What is known of a release from elsewhere than its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The release name given as an argument.
    pub release: Option<String>,
    /// The release namespace.
    pub namespace: String,
}

/// What to do with unknown keys below `application`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// Refuse them.
    Refuse,
    /// Warn of them.
    Warn,
}

impl ReleaseSpec {
    /// Decodes a release and checks everything that can be known without a cluster.
    ///
    /// # Errors
    ///
    /// All mistakes at once, in the order of the sources, with the warnings.
    pub fn decode(
        values: &Values,
        catalog: &Catalog,
        identity: &Identity,
        unknown: Unknown,
    ) -> Result<(ReleaseSpec, Vec<SpecWarning>), SpecErrors> {
        let root = values.root();
        let (environment, fault) = match environment(root, catalog) {
            Ok(environment) => (environment, None),
            // What does not depend on the environment is judged all the same, so that a file is repaired once.
            Err(fault) => (catalog.undecided(), Some(*fault)),
        };
        let given = root.get("application").and_then(Node::as_map).into_iter().flatten();
        let given = given.filter(|(_, entry)| entry.value.kind != Kind::Null);
        let mut walk = walk::Walk {
            environment: &environment,
            catalog,
            unknown,
            given: given.map(|(key, _)| key.clone()).collect(),
            errors: Vec::new(),
            warnings: Vec::new(),
        };
        walk.map(root, "", "");
        let spec = match fault {
            None => build::build(root, identity, &mut walk),
            Some(fault) => {
                walk.errors.push(fault);
                build::without_environment(root, identity, &mut walk);
                None
            }
        };
        let walk::Walk { mut errors, mut warnings, .. } = walk;
        for list in [&mut errors, &mut warnings] {
            list.sort_by_key(|error| error.origin.map(|origin| (origin.source, origin.line, origin.column)));
            once(list);
        }
        match spec {
            Some(spec) if errors.is_empty() => Ok((spec, warnings)),
            _ => Err(SpecErrors { errors, warnings }),
        }
    }
}

/// Checks the name of an object of a kind as the API server does.
///
/// # Errors
///
/// The rule that it breaks.
pub fn object_name(kind: &str, name: &str) -> Result<(), &'static str> {
    if kind == "Service" { name::service(name) } else { name::subdomain(name) }
}

/// Keeps the first of equal reports, which a value of the application's may give for every version.
fn once(list: &mut Vec<SpecError>) {
    let mut known = HashSet::new();
    list.retain(|error| known.insert((error.origin, error.path.clone(), error.problem.to_string())));
}

/// Finds the environment, which says how most other keys are judged.
fn environment(root: &Node, catalog: &Catalog) -> Result<crate::templates::Environment, Box<SpecError>> {
    let names = catalog.names();
    let error = |problem, origin, hint| Box::new(SpecError { problem, origin, path: None, hint: Some(hint) });
    let Some(node) = root.get("environment") else {
        let problem = Problem::Missing("environment".into());
        let table = catalog.undecided().table;
        let misspelt = walk::misspelt(root, "environment", |key| table.keys.contains_key(key));
        let (origin, hint) = match misspelt {
            Some((origin, hint)) => (Some(origin), hint),
            None => {
                let hint = format!("write `environment: NAME`, one of {}", names.join(", "));
                (walk::absent(root, "environment"), hint)
            }
        };
        return Err(error(problem, origin, hint));
    };
    let error = |problem, hint| {
        let path = Some("environment".into());
        Box::new(SpecError { path, ..*error(problem, Some(node.origin), hint) })
    };
    let Some(name) = node.as_str() else {
        let found = forms::describe(node);
        let problem = Problem::Type { key: "environment".into(), expected: "a string".into(), found };
        return Err(error(problem, format!("choose one of {}", names.join(", "))));
    };
    catalog.environment(name).map_err(|_| error(Problem::UnknownEnvironment(name.to_owned()), nearest(name, &names)))
}
