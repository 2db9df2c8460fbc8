//! `validate`: every check of `render`, nothing printed but the verdict.

use std::collections::BTreeMap;

use serde_json::json;

use super::Done;
use super::args::{self, Global};
use super::document::{self, Found};
use super::failure::{Failure, Fault};
use super::helm;
use super::recorder::Recorder;
use super::render::{api_version, decode_values, warn_of_unread};
use super::report::{self, Report};
use super::request::{Request, Verb, World, settle, settle_files};
use super::target::{self, Aimed};
use crate::findings::{Check, Finding, in_line};
use crate::manifest::ObjectKey;
use crate::render::{ApiVersion, Options, RenderErrors, Rendered, Routing};

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

/// One release that was to be checked.
struct Release {
    /// As it was typed.
    name: String,
    /// None where it is invalid.
    checked: Option<Checked>,
    /// What was found, where a document is to be printed.
    findings: Vec<Finding>,
}

/// Runs the command; gives what is to be printed on stdout, and the exit code.
pub(super) fn run(
    args: &args::Validate,
    global: &Global,
    verb: Verb,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let Some(form) = args.output.form() else {
        let mut releases = Vec::new();
        let words = check_all(args, global, verb, world, report, &mut releases)?;
        return Ok(text(&releases, &words).into());
    };
    document::begin(form, world, report);
    let mut releases = Vec::new();
    let (verdict, failed) = match check_all(args, global, verb, world, report, &mut releases) {
        Ok(words) => (format!("{}{words}", verdict(&releases)), None),
        Err(failure) if releases.is_empty() => ("nothing was checked".to_owned(), Some(failure)),
        Err(failure) => (sum(&releases), Some(failure)),
    };
    let recorder = report.recorder.as_ref();
    // A file that is missing is what the message is about.
    let typed = |name: &str| args.releases.iter().any(|path| path == name && path != "-");
    let file = |name: &str| recorder.and_then(|recorder| recorder.file(name)).or(typed(name).then(|| name.to_owned()));
    let checks = releases.into_iter().map(|release| of_release(release, &file)).collect();
    document::print(form, Found { command: "validate", checks, verdict, page: None, code: 0 }, failed, world, report)
}

/// Checks every release that is named, the valid and the invalid ones; fails when one of them is invalid, gives else what
/// stands behind the verdict.
fn check_all(
    args: &args::Validate,
    global: &Global,
    verb: Verb,
    world: &mut World<'_>,
    report: &mut Report<'_>,
    releases: &mut Vec<Release>,
) -> Result<String, Failure> {
    let paths = helm::without_chart(args.releases.clone(), verb, report);
    if !paths.is_empty() && !args.sources.files.is_empty() {
        return Err(Failure::usage(
            "a file is either a RELEASE of its own, or given with `-f` as a part of one",
            "check one release of several files with `r8 validate -f base.yaml -f production.yaml`",
        ));
    }
    if paths.iter().filter(|path| *path == "-").count() > 1 {
        return Err(Fault::new("`-` appears twice, and stdin can be read once", None).into());
    }
    let mut look = Look { args, global, aimed: target::of(args.target.as_deref())? };
    let mut makers = BTreeMap::new();
    let mut codes = Vec::new();
    // All releases have one folder of templates.
    let mut told = false;
    let several = paths.len();
    let targets: Vec<Option<&String>> = if paths.is_empty() { vec![None] } else { paths.iter().map(Some).collect() };
    for path in targets {
        let mark = report.recorder.as_ref().map_or(0, Recorder::mark);
        let request = match path {
            Some(path) => {
                let file = std::slice::from_ref(path);
                settle_files(file, "validate", &args.sources, global, args.name.clone(), world)
            }
            None => settle(&args.sources, global, verb, args.name.clone(), world),
        };
        let typed = path.or(args.sources.files.first()).cloned();
        let source = request.as_ref().ok().and_then(|request| request.sources.first()).map(report::name);
        let name = path.cloned().or(source).or(typed).unwrap_or_else(|| "values.yaml".to_owned());
        let warned = report.warned;
        let found = request.and_then(|request| {
            if !std::mem::replace(&mut told, true) {
                warn_of_unread(&request.catalog, request.templates.as_deref(), report);
            }
            look.check(&request, warned, world, report)
        });
        let found = found.and_then(|found| alone(found, &name, &mut makers, args.strict, report));
        let checked = found.map_err(|failure| {
            if !codes.is_empty() {
                report.blank();
            }
            report.failure(&failure);
            codes.push(failure.code());
        });
        let findings = report.recorder.as_mut().map(|recorder| recorder.since(mark)).unwrap_or_default();
        releases.push(Release { name, checked: checked.ok(), findings });
    }
    // A refusal of the system is worse than invalid input: it says nothing about the release.
    let Some(code) = codes.iter().copied().min() else { return Ok(look.words()) };
    if several > 1 {
        report.sum(&sum(releases));
    }
    Err(Failure::Reported(code))
}

/// What a person reads of valid releases.
fn text(releases: &[Release], words: &str) -> String {
    let line = |release: &Release| Some(format!("{}: {}\n", in_line(&release.name), line(release.checked.as_ref()?)));
    format!("{}{}{words}\n", releases.iter().filter_map(line).collect::<String>(), verdict(releases))
}

/// What a machine reads of a release; `file` says how it finds one.
fn of_release(release: Release, file: &dyn Fn(&str) -> Option<String>) -> Check {
    let facts = release.checked.as_ref().map(|checked| {
        json!({
            "release": checked.release, "versions": checked.versions, "objects": checked.objects.len(),
            "readySets": checked.sets,
        })
    });
    let facts = facts.and_then(|facts| facts.as_object().cloned()).unwrap_or_default();
    let said = release.checked.as_ref().map(line).unwrap_or_default();
    Check { file: file(&release.name), name: release.name, facts, said, findings: release.findings }
}

/// Warns of objects that a release makes and another one before it, too; `makers` are the objects so far, with the release
/// and the file. Several files of one release are its states.
fn alone(
    checked: Checked,
    path: &str,
    makers: &mut BTreeMap<ObjectKey, (String, String)>,
    strict: bool,
    report: &mut Report<'_>,
) -> Result<Checked, Failure> {
    let mut shared: BTreeMap<String, Vec<&ObjectKey>> = BTreeMap::new();
    for key in &checked.objects {
        match makers.get(key) {
            Some((release, _)) if *release == checked.release => {}
            Some((_, first)) => shared.entry(first.clone()).or_default().push(key),
            None => drop(makers.insert(key.clone(), (checked.release.clone(), path.to_owned()))),
        }
    }
    for (first, keys) in &shared {
        let more = match keys.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let one = keys.first().map(ToString::to_string).unwrap_or_default();
        let hint = "give one of them other names or another namespace, unless they go to different clusters";
        let text = format!("{first} and {path} both make {one}{more}");
        report.remark("warning", "shared-object", &text, Some(hint), None);
    }
    if strict && !shared.is_empty() { Err(Failure::strict()) } else { Ok(checked) }
}

fn line(checked: &Checked) -> String {
    let (versions, objects) = (count(checked.versions, "version"), count(checked.objects.len(), "object"));
    let chosen = if checked.versions > MAX_VERSIONS { "chosen " } else { "" };
    let sets = format!("{} {chosen}sets of ready versions", checked.sets);
    format!("release {}: {versions}, {objects}, {sets}", checked.release)
}

fn verdict(releases: &[Release]) -> String {
    let checked = releases.iter().filter_map(|release| release.checked.as_ref());
    let objects = checked.map(|checked| checked.objects.len()).sum();
    format!("{}, {}: valid", count(releases.len(), "release"), count(objects, "object"))
}

/// How many releases are invalid, of those that are.
fn sum(releases: &[Release]) -> String {
    let invalid = releases.iter().filter(|release| release.checked.is_none()).count();
    match releases.len() {
        1 => "the release is invalid".to_owned(),
        all => format!("{invalid} of {all} releases are invalid"),
    }
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
        let (spec, rendered) = decode_values(request, self.aimed.as_ref(), report)?;
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
            return Err(Failure::strict());
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
