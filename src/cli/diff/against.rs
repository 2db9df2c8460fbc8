//! The difference to texts: to other values, to manifests that anything has rendered, to the record of a revision.

use serde_json::Value;

use super::manifests::{self, Text};
#[cfg(feature = "cluster")]
use super::revision;
use super::{Show, printed};
use crate::cli::args::{self, Global};
use crate::cli::failure::{Failure, Fault};
use crate::cli::read::{self, Left};
use crate::cli::report::Report;
use crate::cli::request::{Request, Verb, World};
use crate::cli::wanted;
use crate::cli::{Done, helm, secret, sources};
use crate::manifest::ObjectKey;
use crate::parallel;
use crate::plan::{Before, Wanted};
use crate::render::ApiVersion;
use crate::values::{Source, SourceName};

/// Objects by their keys.
pub(super) type Objects = Vec<(ObjectKey, Value)>;

/// What the values are compared with.
enum Base {
    /// Texts: values that are merged, or manifests.
    Texts(Vec<String>),
    /// A revision; without a number the newest that was live.
    #[cfg(feature = "cluster")]
    Revision(Option<u64>),
}

/// What the release was.
enum Old {
    Objects(Objects),
    /// Values that make its objects.
    Values(Box<Request>),
    /// What is no manifest; the values are looked at all the same.
    Wrong(Failure),
}

/// Runs the command.
pub(super) fn run(
    args: &args::Diff,
    show: &Show,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let base = base(args)?;
    let request = wanted::request(&args.change, Verb::Own, false, global, world, report)?;
    let old = match &base {
        Base::Texts(paths) => {
            let mut texts = texts(paths, &request, world)?;
            texts.retain(|text| !is_empty(&text.text));
            if texts.is_empty() {
                let paths = secret::shown(&paths.join(","));
                report.message("note", &format!("`--against {paths}` is empty: nothing is taken for live"), None);
            }
            match manifests::objects(&texts, request.identity.namespace.as_str(), report) {
                Ok(Some(objects)) => Old::Objects(objects),
                Ok(None) => Old::Values(Box::new(old_values(texts, args, &request)?)),
                Err(failure) => Old::Wrong(failure),
            }
        }
        #[cfg(feature = "cluster")]
        Base::Revision(number) => {
            let timeout = wanted::goal(&args.change).timeout;
            Old::Objects(revision::objects(*number, timeout, &request, global, world, report)?)
        }
    };
    let mut make = |api_version| wanted::made(&request, args.change.routing, api_version, report);
    let (before, made) = match old {
        Old::Objects(objects) => {
            let made = make(api_version(&objects));
            (Ok((objects, None)), made)
        }
        Old::Wrong(failure) => (Err(failure), make(ApiVersion::V1beta1)),
        Old::Values(old) => parallel::both(|| rendered(&old, args), || make(ApiVersion::V1beta1)),
    };
    let ((objects, other), made) = match (before, made) {
        (Ok(objects), Ok(made)) => (objects, made),
        (Err(first), Err(second)) => {
            report.failure(&first);
            report.blank();
            report.failure(&second);
            return Err(Failure::Reported(first.code().min(second.code())));
        }
        (Err(failure), _) | (_, Err(failure)) => return Err(failure),
    };
    if let Some(old) = other.filter(|old| *old != made.release.name) {
        let hint = format!("`apply` of the one deletes nothing of the other: `r8 delete {old}` does");
        let text = format!("the values name two releases: {old} before, {} after", made.release.name);
        report.message("warning", &text, Some(&hint));
    }
    let before = Before::new(objects).map_err(|error| {
        let text = format!("the route of the routemap in `--against` cannot be read: {error}");
        Fault::new(text, Some("add the route to the manifests, then it is not asked"))
    })?;
    if before.makes_route {
        report.message("note", "the route before is the one that the Iter8 controller makes of the routemap", None);
    }
    let wanted = Wanted { manifests: made.manifests, route: made.route };
    let plan = before.plan(&wanted, &made.release, &wanted::goal(&args.change));
    wanted::warn(&plan, report);
    printed(&plan, &made.release, show, world, report)
}

/// Whether what is named is a revision, and no file.
pub(super) fn is_release(path: &str) -> bool {
    path == "release" || path.starts_with("release:")
}

/// What the flag names, and whether the others go with it.
fn base(args: &args::Diff) -> Result<Base, Failure> {
    let paths = sources::listed(&args.against, "--against")?;
    #[cfg(feature = "cluster")]
    if args.change.reuse.which().is_some() {
        let hint = "leave one of them out; `--against release` compares with the values of the last revision";
        return Err(Failure::usage("`--against` does not go with the values of the last revision", hint));
    }
    let Some(named) = paths.iter().find(|path| is_release(path)) else {
        if paths.iter().all(String::is_empty) {
            return Err(Failure::usage("`--against` names nothing", "name a file, or `-` to read stdin"));
        }
        return Ok(Base::Texts(paths));
    };
    if paths.len() > 1 {
        let text = format!("`--against {named}` stands alone: a revision is not merged with files");
        return Err(Failure::usage(text, format!("a file of this name is given as `./{named}`")));
    }
    #[cfg(not(feature = "cluster"))]
    return Err(Failure::usage(
        format!("`--against {}`: records are in a cluster, and this r8 is built without it", secret::shown(named)),
        "name a file",
    ));
    #[cfg(feature = "cluster")]
    match named.split_once(':').map(|(_, number)| number.parse::<u64>()) {
        None => Ok(Base::Revision(None)),
        Some(Ok(number @ 1..)) => Ok(Base::Revision(Some(number))),
        Some(_) => {
            let text = format!("`--against {}`: this is no revision", secret::shown(named));
            Err(Failure::usage(text, "write `--against release:3`, or `release` for the last that was live"))
        }
    }
}

/// Reads what the flag names; stdin can be read once.
fn texts(paths: &[String], request: &Request, world: &mut World<'_>) -> Result<Vec<Text>, Failure> {
    let own = request.sources.iter().any(|source| source.name == SourceName::Stdin);
    let twice = paths.iter().filter(|path| path.trim() == "-").count() + usize::from(own) > 1;
    if twice {
        let hint = "write one of them to a file";
        return Err(Failure::usage("`-` appears twice, and stdin can be read once", hint));
    }
    let (mut texts, mut faults, mut left) = (Vec::new(), Vec::new(), Left::all());
    for path in paths {
        match read::text(path, "--against", world.stdin, &mut left) {
            Ok(text) => texts.push(Text { path: path.clone(), text }),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(texts) } else { Err(Failure::Input(faults)) }
}

/// Whether a text holds nothing, as what git has of a file that is not there yet: it has blank lines, comments and marks of
/// documents alone.
fn is_empty(text: &str) -> bool {
    let mut lines = text.trim_start_matches('\u{feff}').split(['\n', '\r']).map(str::trim);
    lines.all(|line| {
        let rest = line.strip_prefix("---").or(line.strip_prefix("...")).unwrap_or(line).trim_start();
        rest.is_empty() || rest.starts_with('#')
    })
}

/// The version of the routing objects' API that the objects before have: another one would be no news.
fn api_version(objects: &Objects) -> ApiVersion {
    let routing = ["networking.istio.io/v1", "gateway.networking.k8s.io/v1"];
    let is_v1 = objects.iter().any(|(_, object)| object["apiVersion"].as_str().is_some_and(|v| routing.contains(&v)));
    if is_v1 { ApiVersion::V1 } else { ApiVersion::V1beta1 }
}

/// A request for the values before: the same release, other texts.
fn old_values(texts: Vec<Text>, args: &args::Diff, request: &Request) -> Result<Request, Failure> {
    let source = |text: Text| {
        let name = if text.path.trim() == "-" { SourceName::Stdin } else { SourceName::File(text.path) };
        Source { name, text: text.text }
    };
    let mut old = Request { sources: texts.into_iter().map(source).collect(), ..request.clone() };
    if let Some(version) = helm::iter8_version(args.change.named.chart_version.as_deref())? {
        old.put_below("--version", format!("iter8Version: {version}\n"));
    }
    Ok(old)
}

/// The objects that the values before make, and the name of their release; of what they warn is no news.
fn rendered(request: &Request, args: &args::Diff) -> Result<(Objects, Option<String>), Failure> {
    let mut unheard = std::io::sink();
    let mut report = Report::new(&mut unheard);
    let made = wanted::made(request, args.change.routing, ApiVersion::V1beta1, &mut report)?;
    let objects = made.manifests.into_iter().map(|manifest| (manifest.key, manifest.object)).collect();
    Ok((objects, Some(made.release.name)))
}
