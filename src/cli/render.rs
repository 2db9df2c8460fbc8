//! `render`: the pipeline from values to printed manifests.

use serde_json::json;

use super::args::{self, Global, Output, Part};
use super::failure::{self, Failure, Fault};
use super::files;
use super::glob::Glob;
use super::helm;
use super::report::Report;
use super::request::{NamespaceFrom, Request, Verb, World, settle};
use super::secret;
use super::target::{self, Aimed};
use super::validate::ready_sets;
use crate::findings::Place;
use crate::manifest::{Manifest, Manifests, Role};
use crate::render::{ApiVersion, Options, Rendered, Routing, render};
use crate::spec::{Problem, ReleaseSpec, SpecError};
use crate::templates::Catalog;
use crate::values::{self, ValuesErrors};

/// The most files that nothing reads and that are named.
const MOST_UNREAD: usize = 20;

/// Runs the command; gives what is to be printed on stdout.
pub(super) fn run(
    args: &args::Render,
    global: &Global,
    verb: Verb,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<String, Failure> {
    let output_dir = args.print.output_dir.as_deref().filter(|folder| !folder.is_empty());
    if output_dir.is_some() && args.print.output == Output::Json {
        let hint = "leave `-o json` out, or write one file: `r8 render -o json > FILE`";
        return Err(Failure::usage("`--output-dir` writes YAML files, `-o json` prints one List", hint));
    }
    let globs = globs(&args.print.show_only)?;
    let iter8_version = helm::iter8_version(args.named.chart_version.as_deref())?;
    let name = helm::release_name(&args.named, verb, report)?;
    let mut request = settle(&args.sources, global, verb, name, world)?;
    if let Some(version) = iter8_version {
        // Below everything else: a default of the chart.
        request.put_below("--version", format!("iter8Version: {version}\n"));
    }
    let mut aimed = target::of(args.print.target.as_deref())?;
    warn_of_unread(&request.catalog, request.templates.as_deref(), report);
    let (spec, rendered) = decode_values(&request, aimed.as_ref(), report)?;
    let options = options(&args.print, &spec)?;
    let route = aimed.is_some().then(|| rendered.route.clone()).flatten();
    let manifests = rendered.select(&options).map_err(|error| Failure::render(&error, request.templates.as_deref()))?;
    if let Some(aimed) = &mut aimed {
        aimed.ask(&manifests, global, world, report)?;
        let sets = ready_sets(spec.application.versions.len());
        aimed.judge(&request, &spec, route.as_ref(), &manifests, &sets, report)?;
    }
    let manifests = filter(manifests, &args.print.only, &globs)?;
    let ci = (world.variable)("CI").is_some_and(|value| !value.is_empty() && value != "false");
    note_namespace(spec.namespace.as_str(), request.namespace_from, ci, report);
    let prints_route = manifests.iter().any(|manifest| manifest.role == Role::Route);
    if prints_route && spec.application.versions.len() > 1 && options.ready.is_none() {
        let recipe = "`r8 render … --only versions --only support | kubectl apply -f -`, then `kubectl wait`, then `r8 render … \
                      --only routing | kubectl apply -f -`";
        let hint = if cfg!(feature = "cluster") {
            format!("`r8 apply` writes it when they are; or run {recipe}; or name the ready ones with `--ready 0`")
        } else {
            format!("run {recipe}; or name the ready ones with `--ready 0`")
        };
        report.message("note", "the route takes all versions for ready", Some(&hint));
    }
    let printed = match output_dir {
        Some(folder) if args.release_name => write_files(&manifests, &format!("{folder}/{}", spec.name)),
        Some(folder) => write_files(&manifests, folder),
        None => print(&manifests, args.print.output),
    };
    // The process ends now: giving back the memory of a thousand versions piece by piece would take a tenth of the run.
    std::mem::forget((spec, manifests));
    printed
}

/// Warns of files of the user's that no release reads: the first ones, and how many more there are.
pub(super) fn warn_of_unread(catalog: &Catalog, folder: Option<&str>, report: &mut Report<'_>) {
    let unread = catalog.unread();
    let folder = folder.unwrap_or_default().trim_end_matches('/');
    for (path, hint) in unread.iter().take(MOST_UNREAD) {
        let (text, file) = (format!("nothing reads the template `{folder}/{path}`"), format!("{folder}/{path}"));
        let place = Place { source: file, is_file: true, line: None, column: None, length: None };
        report.remark("warning", "unread-template", &text, Some(hint), Some(place));
    }
    if let Some(more @ 1..) = unread.len().checked_sub(MOST_UNREAD) {
        let text = format!("nothing reads {more} more files in `{folder}`");
        report.remark("warning", "unread-template", &text, None, None);
    }
}

/// Values, release, objects; warnings are written on the way, those of the templates first.
pub(super) fn decode(request: &Request, report: &mut Report<'_>) -> Result<(ReleaseSpec, Rendered), Failure> {
    warn_of_unread(&request.catalog, request.templates.as_deref(), report);
    decode_values(request, None, report)
}

/// As [`decode`], without a word about templates that nothing reads, nor about what the target decides.
pub(super) fn decode_values(
    request: &Request,
    aimed: Option<&Aimed>,
    report: &mut Report<'_>,
) -> Result<(ReleaseSpec, Rendered), Failure> {
    let sources = &request.sources;
    if let Some(recorder) = &mut report.recorder {
        recorder.read(sources);
    }
    let (values, texts) = match values::load(sources) {
        Ok(values) => (values, None),
        // What stands twice hides nothing else that is wrong.
        Err(mut errors) => match errors.values.take() {
            Some(values) => (*values, Some(errors)),
            None => return Err(Failure::Values(Vec::new(), errors, sources.clone())),
        },
    };
    let decoded = ReleaseSpec::decode(&values, &request.catalog, &request.identity, request.unknown);
    let of_spec = decoded.as_ref().map_or_else(|errors| &errors.warnings, |(_, warnings)| warnings);
    match aimed {
        None => report.warnings(values.warnings(), of_spec, sources),
        Some(aimed) => {
            let is_told = |warning: &&SpecError| !aimed.speaks_for(warning.problem.rule());
            let told: Vec<SpecError> = of_spec.iter().filter(is_told).cloned().collect();
            report.warnings(values.warnings(), &told, sources);
        }
    }
    let (spec, texts) = match (decoded, texts) {
        (Ok((spec, _)), texts) => (spec, texts),
        (Err(mut errors), texts) => {
            for error in errors.errors.iter_mut().filter(|error| error.problem == Problem::NoName) {
                error.hint = Some(name_hint(request.command));
            }
            let texts = texts.map(|texts| texts.errors).unwrap_or_default();
            return Err(Failure::Spec(texts, errors, sources.clone()));
        }
    };
    if let Some(texts) = texts {
        // Its warnings have been written.
        let texts = ValuesErrors { warnings: Vec::new(), ..texts };
        return Err(Failure::Values(Vec::new(), texts, sources.clone()));
    }
    let rendered =
        render(&spec, &request.catalog).map_err(|error| Failure::render(&error, request.templates.as_deref()))?;
    Ok((spec, rendered))
}

/// The ways that a command has for a release name.
fn name_hint(command: &str) -> String {
    let given = match command {
        // Its arguments are files.
        "validate" | "lint" => "give it with `--name NAME`".to_owned(),
        _ => format!("give it as an argument, `r8 {command} NAME -f …`"),
    };
    format!("{given}, or write `application.metadata.name: NAME`")
}

fn note_namespace(namespace: &str, from: NamespaceFrom, ci: bool, report: &mut Report<'_>) {
    let from = match from {
        NamespaceFrom::Flag => return,
        NamespaceFrom::Kubeconfig => "the kubeconfig's context",
        NamespaceFrom::Fallback => "the fallback",
    };
    let kind = if ci { "warning" } else { "note" };
    let hint = ci.then_some("name it with `-n`, so that every machine renders the same");
    report.message(kind, &format!("namespace `{namespace}` is {from}"), hint);
}

fn options(args: &args::Print, spec: &ReleaseSpec) -> Result<Options, Failure> {
    let ready = args.ready.as_deref().map(|text| ready(text, spec.application.versions.len())).transpose()?;
    let routing = routing(args.routing);
    Ok(Options { routing, api_version: api_version(args.api_version), ready })
}

/// Which version of the API a flag names.
pub(super) fn api_version(flag: args::Version) -> ApiVersion {
    match flag {
        args::Version::V1beta1 => ApiVersion::V1beta1,
        args::Version::V1 => ApiVersion::V1,
    }
}

/// What of the routing a flag names.
pub(super) fn routing(flag: args::Routing) -> Routing {
    match flag {
        args::Routing::Both => Routing::Both,
        args::Routing::Routemap => Routing::Routemap,
        args::Routing::Route => Routing::Route,
    }
}

/// The versions that `--ready` names.
pub(super) fn ready(text: &str, versions: usize) -> Result<Vec<usize>, Failure> {
    let usage = |item: &str| {
        let range = if versions == 1 { "0".to_owned() } else { format!("0 to {}", versions.saturating_sub(1)) };
        let item = secret::shown(item);
        Failure::usage(
            format!("`--ready` takes indexes of versions, {range}, found `{item}`"),
            format!("write `--ready {}`, or `--ready \"\"` for none", if versions > 2 { "0,2" } else { "0" }),
        )
    };
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let index = |item: &str| item.trim().parse().ok().filter(|index| *index < versions).ok_or_else(|| usage(item));
    text.split(',').map(index).collect()
}

fn part(role: Role) -> Part {
    match role {
        Role::Version(_) => Part::Versions,
        Role::Support | Role::Weights(_) => Part::Support,
        Role::Routemap | Role::Route => Part::Routing,
    }
}

fn globs(texts: &[String]) -> Result<Vec<(&str, Glob)>, Failure> {
    let hint = "`*` and `?` stop at `/`, `[a-c]` and `[^a]` are classes, `\\` takes the next character as it is";
    let malformed = |number: usize, text: &str, (before, problem): (usize, &str)| -> Failure {
        let column = Some(before as u32 + 1);
        let place = failure::Place {
            path: format!("--show-only #{number}"),
            line: Some(1),
            column,
            length: None,
            text: Some(text.into()),
        };
        Fault { place: Some(place), ..Fault::new(format!("a malformed pattern: {problem}"), Some(hint)) }.into()
    };
    let mut globs = Vec::with_capacity(texts.len());
    for (number, text) in (1..).zip(texts) {
        globs.push((text.as_str(), Glob::parse(text).map_err(|problem| malformed(number, text, problem))?));
    }
    Ok(globs)
}

/// The documents that `--only` and `--show-only` leave.
fn filter(manifests: Manifests, only: &[Part], globs: &[(&str, Glob)]) -> Result<Manifests, Failure> {
    let manifests =
        if only.is_empty() { manifests } else { manifests.filter(|manifest| only.contains(&part(manifest.role))) };
    if globs.is_empty() {
        return Ok(manifests);
    }
    let path = |manifest: &Manifest| format!("templates/{}", manifest.template);
    let matches =
        |glob: &Glob, path: &str| glob.matches(path) || path.strip_suffix(".j2").is_some_and(|path| glob.matches(path));
    for (text, glob) in globs {
        if !manifests.iter().any(|manifest| matches(glob, &path(manifest))) {
            let mut known: Vec<String> = manifests.iter().map(path).collect();
            known.dedup();
            let known = if known.is_empty() {
                "there are no documents".into()
            } else {
                format!("the documents come from {}", known.join(", "))
            };
            let text = secret::shown(text);
            return Err(Failure::usage(format!("no document comes from a template that matches `{text}`"), known));
        }
    }
    Ok(manifests.filter(|manifest| globs.iter().any(|(_, glob)| matches(glob, &path(manifest)))))
}

fn print(manifests: &Manifests, output: Output) -> Result<String, Failure> {
    match output {
        Output::Yaml => manifests.to_yaml().map_err(|error| Failure::render(&error.into(), None)),
        Output::Json => {
            let items: Vec<_> = manifests.iter().map(|manifest| &manifest.object).collect();
            Ok(format!("{:#}\n", json!({"apiVersion": "v1", "kind": "List", "items": items})))
        }
    }
}

/// Writes each document below `folder` to a file named after its template, without `.j2` so that kubectl takes it.
fn write_files(manifests: &Manifests, folder: &str) -> Result<String, Failure> {
    let mut texts: Vec<(String, String)> = Vec::new();
    for manifest in manifests.iter() {
        let template = manifest.template.strip_suffix(".j2").unwrap_or(&manifest.template);
        let path = format!("{}/r8/templates/{template}", folder.trim_end_matches('/'));
        let text = manifest.to_yaml().map_err(|error| Failure::render(&error.into(), None))?;
        match texts.iter_mut().find(|(known, _)| *known == path) {
            Some((_, all)) => all.push_str(&text),
            None => texts.push((path, text)),
        }
    }
    files::write_all(&texts)?;
    Ok(texts.iter().map(|(path, _)| format!("wrote {path}\n")).collect())
}
