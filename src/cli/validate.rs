//! `validate`: every check of `render`, nothing printed but the verdict.

use std::collections::BTreeMap;

use super::args::{self, Global};
use super::failure::{Failure, Fault};
use super::helm;
use super::render::{api_version, decode_values, warn_of_unread};
use super::report::{self, Report};
use super::request::{Request, Verb, World, settle, settle_files};
use super::target::{self, Aimed};
use crate::manifest::ObjectKey;
use crate::render::{ApiVersion, Options, RenderErrors, Rendered, Routing};
use crate::spec::{Problem, SpecErrors};

/// The most versions for which every set of ready ones is tried; beyond, the sets that [`ready_sets`] names.
const MAX_VERSIONS: usize = 10;

/// What was checked of one release.
struct Checked {
    release: String,
    versions: usize,
    /// The objects that `render` prints at most.
    objects: Vec<ObjectKey>,
    /// How many sets of ready versions were tried.
    sets: usize,
}

/// Runs the command; gives what is to be printed on stdout.
pub(super) fn run(
    args: &args::Validate,
    global: &Global,
    verb: Verb,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<String, Failure> {
    let releases = helm::without_chart(args.releases.clone(), verb, report);
    if !releases.is_empty() && !args.sources.files.is_empty() {
        return Err(Failure::usage(
            "a file is either a RELEASE of its own, or given with `-f` as a part of one",
            "check one release of several files with `r8 validate -f base.yaml -f production.yaml`",
        ));
    }
    if releases.iter().filter(|path| *path == "-").count() > 1 {
        return Err(Fault::new("`-` appears twice, and stdin can be read once", None).into());
    }
    let mut look = Look { args, global, aimed: target::of(args.target.as_deref())? };
    if releases.is_empty() {
        let request = settle(&args.sources, global, verb, args.name.clone(), world)?;
        let name = request.sources.first().map(report::name).unwrap_or_default();
        let warned = report.warned;
        warn_of_unread(&request.catalog, request.templates.as_deref(), report);
        let checked = look.check(&request, warned, world, report)?;
        return Ok(format!("{name}: {}\n{}{}\n", line(&checked), verdict(&[checked]), look.words()));
    }
    let mut printed = String::new();
    let (mut checked, mut failed) = (Vec::new(), Vec::new());
    let mut makers = BTreeMap::new();
    let mut told = false;
    for path in &releases {
        let file = std::slice::from_ref(path);
        let request = settle_files(file, "validate", &args.sources, global, args.name.clone(), world);
        let warned = report.warned;
        let found = request.and_then(|request| {
            // All releases have one folder of templates.
            if !std::mem::replace(&mut told, true) {
                warn_of_unread(&request.catalog, request.templates.as_deref(), report);
            }
            look.check(&request, warned, world, report)
        });
        match found.and_then(|found| alone(found, path, &mut makers, args.strict, report)) {
            Ok(found) => {
                printed.push_str(&format!("{path}: {}\n", line(&found)));
                checked.push(found);
            }
            Err(failure) => {
                if !failed.is_empty() {
                    report.blank();
                }
                report.failure(&failure);
                failed.push(failure.code());
            }
        }
    }
    // A refusal of the system is worse than invalid input: it says nothing about the release.
    let Some(code) = failed.iter().copied().min() else {
        return Ok(format!("{printed}{}{}\n", verdict(&checked), look.words()));
    };
    if releases.len() > 1 {
        report.message("error", &format!("{} of {} releases are invalid", failed.len(), releases.len()), None);
    }
    Err(Failure::Reported(code))
}

/// Warns of objects that a release makes and another one before it, too; `makers` are the objects so far, with the release
/// and the file. Several files of one release are its states.
fn alone<'a>(
    checked: Checked,
    path: &'a str,
    makers: &mut BTreeMap<ObjectKey, (String, &'a str)>,
    strict: bool,
    report: &mut Report<'_>,
) -> Result<Checked, Failure> {
    let mut shared: BTreeMap<&str, Vec<&ObjectKey>> = BTreeMap::new();
    for key in &checked.objects {
        match makers.get(key) {
            Some((release, _)) if *release == checked.release => {}
            Some((_, first)) => shared.entry(first).or_default().push(key),
            None => drop(makers.insert(key.clone(), (checked.release.clone(), path))),
        }
    }
    for (first, keys) in &shared {
        let more = match keys.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let one = keys.first().map(ToString::to_string).unwrap_or_default();
        let hint = "give one of them other names or another namespace, unless they go to different clusters";
        report.message("warning", &format!("{first} and {path} both make {one}{more}"), Some(hint));
    }
    if strict && !shared.is_empty() { Err(strictly()) } else { Ok(checked) }
}

fn strictly() -> Failure {
    Fault::new("there are warnings, which `--strict` takes for errors", None).into()
}

fn line(checked: &Checked) -> String {
    let (versions, objects) = (count(checked.versions, "version"), count(checked.objects.len(), "object"));
    let chosen = if checked.versions > MAX_VERSIONS { "chosen " } else { "" };
    let sets = format!("{} {chosen}sets of ready versions", checked.sets);
    format!("release {}: {versions}, {objects}, {sets}", checked.release)
}

fn verdict(checked: &[Checked]) -> String {
    let objects = checked.iter().map(|checked| checked.objects.len()).sum();
    format!("{}, {}: valid", count(checked.len(), "release"), count(objects, "object"))
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// How releases are looked at.
struct Look<'a> {
    args: &'a args::Validate,
    global: &'a Global,
    aimed: Option<Aimed>,
}

impl Look<'_> {
    /// Checks one release; `warnings` were written before it.
    fn check(
        &mut self,
        request: &Request,
        warnings: usize,
        world: &World<'_>,
        report: &mut Report<'_>,
    ) -> Result<Checked, Failure> {
        let (spec, rendered) = decode_values(request, report).map_err(|failure| match failure {
            Failure::Spec(texts, errors, sources) => Failure::Spec(texts, with_own_hint(errors), sources),
            other => other,
        })?;
        let versions = spec.application.versions.len();
        let sets = ready_sets(versions);
        if let Some(aimed) = &mut self.aimed {
            let options =
                Options { routing: Routing::Both, api_version: api_version(self.args.api_version), ready: None };
            let manifests = rendered.clone().select(&options);
            let manifests = manifests.map_err(|error| Failure::render(&error, request.templates.as_deref()))?;
            aimed.ask(&manifests, self.global, world, report)?;
            aimed.judge(request, &spec, rendered.route.as_ref(), &manifests, &sets, report)?;
        }
        if self.args.strict && report.warned > warnings {
            return Err(strictly());
        }
        let objects = every_print(&rendered, &sets, request.templates.as_deref())?;
        Ok(Checked { release: spec.name.to_string(), versions, objects, sets: sets.len() })
    }

    /// What stands behind a verdict.
    fn words(&self) -> String {
        self.aimed.as_ref().map(Aimed::words).unwrap_or_default()
    }
}

/// Evaluates everything that `render` could print; gives the objects of the longest print.
fn every_print(rendered: &Rendered, sets: &[Vec<usize>], templates: Option<&str>) -> Result<Vec<ObjectKey>, Failure> {
    let failed = |error: RenderErrors| Failure::render(&error, templates);
    let mut objects = Vec::new();
    for routing in [Routing::Both, Routing::Routemap, Routing::Route] {
        for api_version in [ApiVersion::V1beta1, ApiVersion::V1] {
            let options = Options { routing, api_version, ready: None };
            let manifests = rendered.clone().select(&options).map_err(failed)?;
            manifests.to_yaml().map_err(|error| failed(error.into()))?;
            if manifests.len() > objects.len() {
                objects = manifests.iter().map(|manifest| manifest.key.clone()).collect();
            }
        }
    }
    // Of all objects, the route alone depends on which versions are ready; its shape is the same in both versions of the API.
    for (route, ready) in rendered.route.iter().flat_map(|route| sets.iter().map(move |ready| (route, ready))) {
        let manifest = route.at(&route.in_force(|index| ready.contains(&index)));
        let manifest = manifest.map_err(|error| Failure::Bug(error.to_string()))?;
        manifest.to_yaml().map_err(|error| failed(error.into()))?;
    }
    Ok(objects)
}

/// The sets of ready versions that are tried: all there are, or, for many versions, those that differ at an end: all, none,
/// the first or the last alone, all but the first or the last.
pub(super) fn ready_sets(versions: usize) -> Vec<Vec<usize>> {
    if versions <= MAX_VERSIONS {
        let set = |bits: usize| (0..versions).filter(|index| bits & (1 << index) != 0).collect();
        return (0..1 << versions).map(set).collect();
    }
    let last = versions - 1;
    vec![(0..versions).collect(), vec![], vec![0], vec![last], (1..versions).collect(), (0..last).collect()]
}

/// The mistakes with the way that this command has for a release name.
fn with_own_hint(mut errors: SpecErrors) -> SpecErrors {
    for error in &mut errors.errors {
        if error.problem == Problem::NoName {
            error.hint = Some("give it with `--name NAME`, or write `application.metadata.name: NAME`".into());
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_ready_versions_is_tried_up_to_the_limit() {
        assert_eq!(ready_sets(2), [vec![], vec![0], vec![1], vec![0, 1]]);
        assert_eq!(ready_sets(10).len(), 1024);
        assert_eq!(ready_sets(11).len(), 6);
    }
}
