//! `render`: the pipeline from values to printed manifests.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::args::{self, Output, Part};
use super::failure::Failure;
use super::report::Report;
use super::request::{NamespaceFrom, Request, World, settle};
use crate::manifest::{Manifest, Manifests, Role};
use crate::render::{ApiVersion, Options, Rendered, Routing, render};
use crate::spec::ReleaseSpec;
use crate::values;

/// Runs the command; gives what is to be printed on stdout.
pub(super) fn run(args: &args::Render, world: &mut World<'_>, report: &mut Report<'_>) -> Result<String, Failure> {
    let say = |error| Failure::stream("stderr", error);
    let name = release_name(args, report)?;
    let request = settle(&args.sources, name, world)?;
    let (spec, rendered) = decode(&request, report)?;
    let options = options(args, &spec)?;
    let mut manifests = rendered.select(&options).map_err(Failure::Render)?;
    if !args.only.is_empty() {
        manifests = manifests.filter(|manifest| args.only.contains(&part(manifest.role)));
    }
    if !args.show_only.is_empty() {
        manifests = show_only(&manifests, &args.show_only)?;
    }
    let ci = (world.variable)("CI").is_some_and(|value| !value.is_empty() && value != "false");
    let namespace = &spec.namespace;
    let from = match request.namespace_from {
        NamespaceFrom::Flag => None,
        NamespaceFrom::Kubeconfig => Some("the kubeconfig's context"),
        NamespaceFrom::Fallback => Some("the fallback"),
    };
    if let Some(from) = from {
        let kind = if ci { "warning" } else { "note" };
        let hint = ci.then_some("name it with `-n`, so that every machine renders the same");
        report.message(kind, &format!("namespace `{namespace}` is {from}"), None, hint).map_err(say)?;
    }
    let prints_route = manifests.iter().any(|manifest| manifest.role == Role::Route);
    if prints_route && spec.application.versions.len() > 1 && args.ready.is_none() {
        let text = "the route takes all versions for ready";
        let hint = "print `--only versions --only support` first, wait until they are ready, then `--only routing`; or name \
                    the ready ones with `--ready 0`";
        report.message("note", text, None, Some(hint)).map_err(say)?;
    }
    let printed = match &args.output_dir {
        Some(folder) => write_files(&manifests, folder),
        None => print(&manifests, args.output),
    };
    // The process ends now: giving back the memory of a thousand versions piece by piece would take a tenth of the run.
    std::mem::forget((spec, manifests));
    printed
}

/// Values, release, objects; warnings are written on the way.
pub(super) fn decode(request: &Request, report: &mut Report<'_>) -> Result<(ReleaseSpec, Rendered), Failure> {
    let sources = &request.sources;
    let values = values::load(sources).map_err(|errors| Failure::Values(errors, sources.clone()))?;
    let say = |error| Failure::stream("stderr", error);
    for warning in values.warnings() {
        report.warning(&warning.to_string(), warning.origin(), sources).map_err(say)?;
    }
    let (spec, warnings) = ReleaseSpec::decode(&values, &request.catalog, &request.identity, request.unknown)
        .map_err(|errors| Failure::Spec(errors, sources.clone()))?;
    report.warnings(&warnings, sources).map_err(say)?;
    let rendered = render(&spec, &request.catalog).map_err(Failure::Render)?;
    Ok((spec, rendered))
}

/// The release name; `template` of Helm pipelines names the chart too.
fn release_name(args: &args::Render, report: &mut Report<'_>) -> Result<Option<String>, Failure> {
    let is_chart = |name: &str| name == "release" || name == "iter8/release";
    match (&args.name, &args.chart) {
        (Some(name), Some(chart)) if is_chart(chart) => Ok(Some(name.clone())),
        (_, Some(chart)) => Err(Failure::Usage {
            message: format!("r8 renders the Iter8 chart `release` only, found `{chart}`"),
            hint: Some("give the release name alone: `r8 render NAME -f values.yaml`".into()),
        }),
        (Some(name), None) if is_chart(name) => {
            let text = format!("`{name}` is taken for the chart; the release name comes from the values");
            report.message("note", &text, None, None).map_err(|error| Failure::stream("stderr", error))?;
            Ok(None)
        }
        (name, None) => Ok(name.clone()),
    }
}

fn options(args: &args::Render, spec: &ReleaseSpec) -> Result<Options, Failure> {
    let ready = args.ready.as_deref().map(|text| ready(text, spec.application.versions.len())).transpose()?;
    let routing = match args.routing {
        args::Routing::Both => Routing::Both,
        args::Routing::Routemap => Routing::Routemap,
        args::Routing::Route => Routing::Route,
    };
    let api_version = match args.api_version {
        args::Version::V1beta1 => ApiVersion::V1beta1,
        args::Version::V1 => ApiVersion::V1,
    };
    Ok(Options { routing, api_version, ready })
}

fn ready(text: &str, versions: usize) -> Result<Vec<usize>, Failure> {
    let usage = |item: &str| Failure::Usage {
        message: format!("`--ready` takes indexes of versions, 0 to {}, found `{item}`", versions.saturating_sub(1)),
        hint: Some("write `--ready 0,2`, or `--ready \"\"` for none".into()),
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

fn show_only(manifests: &Manifests, globs: &[String]) -> Result<Manifests, Failure> {
    let path = |manifest: &Manifest| format!("templates/{}", manifest.template);
    let matches = |glob: &str, path: &str| {
        glob_matches(glob, path) || path.strip_suffix(".j2").is_some_and(|path| glob_matches(glob, path))
    };
    for glob in globs {
        if !manifests.iter().any(|manifest| matches(glob, &path(manifest))) {
            let mut known: Vec<String> = manifests.iter().map(path).collect();
            known.dedup();
            return Err(Failure::Usage {
                message: format!("no document comes from a template that matches `{glob}`"),
                hint: Some(format!("there are {}", known.join(", "))),
            });
        }
    }
    Ok(manifests.filter(|manifest| globs.iter().any(|glob| matches(glob, &path(manifest)))))
}

/// Go's `filepath.Match`: `*` and `?` stop at `/`, `[a-c]` and `[^a]` are classes, `\` takes the next as it is.
fn glob_matches(glob: &str, text: &str) -> bool {
    fn inner(glob: &[char], text: &[char]) -> bool {
        match glob.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => {
                let segment = text.iter().position(|c| *c == '/').unwrap_or(text.len());
                (0..=segment).any(|skip| text.get(skip..).is_some_and(|text| inner(rest, text)))
            }
            Some(('[', rest)) => {
                let (Some((first, tail)), Some(end)) = (text.split_first(), rest.iter().position(|c| *c == ']')) else {
                    return false;
                };
                let (class, after) = rest.split_at(end);
                let (negated, class) = match class.split_first() {
                    Some(('^', class)) => (true, class),
                    _ => (false, class),
                };
                let range = |window: &[char]| matches!(window, [low, '-', high] if (low..=high).contains(&first));
                let found = class.contains(first) || class.windows(3).any(range);
                found != negated && *first != '/' && inner(after.get(1..).unwrap_or_default(), tail)
            }
            Some(('?', rest)) => text.split_first().is_some_and(|(c, tail)| *c != '/' && inner(rest, tail)),
            Some(('\\', rest)) => match (rest.split_first(), text.split_first()) {
                (Some((wanted, rest)), Some((found, tail))) => wanted == found && inner(rest, tail),
                _ => false,
            },
            Some((wanted, rest)) => text.split_first().is_some_and(|(c, tail)| c == wanted && inner(rest, tail)),
        }
    }
    inner(&glob.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}

fn print(manifests: &Manifests, output: Output) -> Result<String, Failure> {
    match output {
        Output::Yaml => manifests.to_yaml().map_err(|error| Failure::Render(error.into())),
        Output::Json => {
            let items: Vec<_> = manifests.iter().map(|manifest| &manifest.object).collect();
            Ok(format!("{:#}\n", json!({"apiVersion": "v1", "kind": "List", "items": items})))
        }
    }
}

/// Writes each document below `folder` to a file named after its template, without `.j2` so that kubectl takes it.
fn write_files(manifests: &Manifests, folder: &str) -> Result<String, Failure> {
    let mut files: Vec<(String, String)> = Vec::new();
    for manifest in manifests.iter() {
        let template = manifest.template.strip_suffix(".j2").unwrap_or(&manifest.template);
        let path = format!("{}/r8/templates/{template}", folder.trim_end_matches('/'));
        let text = manifest.to_yaml().map_err(|error| Failure::Render(error.into()))?;
        match files.iter_mut().find(|(known, _)| *known == path) {
            Some((_, all)) => all.push_str(&text),
            None => files.push((path, text)),
        }
    }
    let mut printed = String::new();
    for (path, text) in files {
        let failed = |error| Failure::System { doing: format!("cannot write {path}"), error };
        if let Some(parent) = Path::new(&path).parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let mut file = std::fs::File::create(&path).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        printed.push_str(&format!("wrote {path}\n"));
    }
    Ok(printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_in_go() {
        for (glob, path, matched) in [
            ("templates/kserve/*.j2", "templates/kserve/version.yaml.j2", true),
            ("templates/*", "templates/kserve/version.yaml.j2", false),
            ("templates/*/version.yaml", "templates/kserve/version.yaml", true),
            ("templates/kserv?/version.yaml", "templates/kserve/version.yaml", true),
            ("templates/[a-k]serve/version.yaml", "templates/kserve/version.yaml", true),
            ("templates/[^k]serve/version.yaml", "templates/kserve/version.yaml", false),
            ("", "a", false),
        ] {
            assert_eq!(glob_matches(glob, path), matched, "{glob}");
        }
    }
}
