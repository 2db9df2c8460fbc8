//! What commands share that find a release by its name alone: which one is meant, that it is not there, what is held.

use std::time::Duration;

use serde_json::Value;

use super::args::Global;
use super::connect;
use super::failure::{Failure, Fault};
use super::report::Report;
use super::request::{World, namespace};
use super::secret;
use crate::cluster::ClusterError;
use crate::manifest::ObjectKey;
use crate::plan::{Found, Release, finalizers, holder};
use crate::spec::{Namespace, ReleaseName};

/// The release of a name and of the namespace that flags, environment and kubeconfig give.
pub(super) fn release(name: &str, global: &Global, world: &World<'_>) -> Result<Release, Failure> {
    let refused = |what: &str, text: &str, why: &str| {
        let text = format!("`{}` is no {what}: {why}", secret::shown(text));
        Failure::Input(vec![Fault::new(text, None)])
    };
    let name = ReleaseName::parse(name).map_err(|why| refused("release name", name, why))?;
    let (text, _) = namespace(global, world.variable, world.asks)?;
    let namespace = Namespace::parse(&text).map_err(|why| refused("namespace", &text, why))?;
    Ok(Release { name: name.to_string(), namespace: namespace.to_string() })
}

/// Why a command could not look at a release.
pub(super) enum Missed {
    /// The cluster said no, or nothing.
    Cluster(ClusterError),
    /// The user has stopped it.
    Interrupted,
    /// There is no such release.
    Nothing(Box<Found>),
    /// It is one of a chart that r8 does not know.
    Foreign(String),
}

impl From<ClusterError> for Missed {
    fn from(error: ClusterError) -> Missed {
        Missed::Cluster(error)
    }
}

impl Missed {
    /// The failure that it is.
    pub fn failure(self, release: &Release) -> Failure {
        match self {
            Missed::Cluster(error) => connect::failure(&error),
            Missed::Interrupted => Failure::Interrupted,
            Missed::Nothing(found) => nothing(&found, release),
            Missed::Foreign(chart) => super::aim::refused(release, &chart),
        }
    }
}

fn nothing(found: &Found, release: &Release) -> Failure {
    let Release { name, namespace } = release;
    if let Some(first) = found.unowned.first() {
        let objects = match found.unowned.len() - 1 {
            0 => format!("{first} looks like its own and belongs to no release"),
            more => format!("{first} and {more} more look like its own and belong to no release"),
        };
        let text = format!("release {name} is not there; {objects}");
        let hint =
            format!("what `kubectl apply` has made is taken by `r8 apply {name} -n {namespace} --take-ownership`");
        return Failure::Cluster(Fault::new(text, Some(&hint)));
    }
    let (seen, hint) = if found.unlisted.is_empty() {
        let others: Vec<&str> = found.releases.iter().map(|other| other.as_str()).collect();
        let hint = match others.as_slice() {
            [] => "name another namespace with `-n`".to_owned(),
            others => format!("the releases there are {}; name another namespace with `-n`", others.join(", ")),
        };
        ("", hint)
    } else {
        let kinds = found.unlisted.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        (" that you may list", format!("ask for the right to list {kinds}, or use a context whose user has it"))
    };
    let text = format!("release {name} has no objects in namespace {namespace}{seen}");
    Failure::Cluster(Fault::new(text, Some(&hint)))
}

/// Says that the namespace goes, and which kinds may not be listed, so that objects of them are not known.
pub(super) fn remark(found: &Found, release: &Release, report: &mut Report<'_>) {
    if found.is_ending {
        let text = format!("namespace `{}` is being deleted, and all that is in it", release.namespace);
        report.message("note", &text, None);
    }
    if !found.unlisted.is_empty() {
        let kinds = found.unlisted.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        report.message("note", &format!("objects are unknown for {kinds}: you may not list them"), None);
    }
}

/// Says why an object that was deleted is still there, and who should see to it; `again` is the hint for afterwards.
pub(super) fn held(key: &ObjectKey, object: &Value, after: Duration, again: &str, report: &mut Report<'_>) {
    let (after, held) = (after.as_secs(), finalizers(object));
    if held.is_empty() {
        report.message("error", &format!("{key} is still there after {after} s, and no finalizer holds it"), None);
    }
    for finalizer in held {
        let (who, hint) = match holder(finalizer) {
            Some(who) => (who.to_owned(), format!("see that {who} runs; {again}")),
            None => ("whoever set it".to_owned(), format!("see that its controller runs; {again}")),
        };
        let text =
            format!("{key} is still there after {after} s: its finalizer `{finalizer}` is to be removed by {who}");
        report.message("error", &text, Some(&hint));
    }
}
