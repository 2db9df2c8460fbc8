//! What is meant by what was typed: texts read, names and namespace settled.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::args::Sources;
use super::failure::Failure;
use super::kubeconfig;
use crate::spec::{Identity, Unknown};
use crate::templates::{Catalog, File};
use crate::values::{Source, SourceName, set_file_paths};

/// What of the world outside a command reads; handed in, so that the same input gives the same output.
pub(super) struct World<'a> {
    pub stdin: &'a mut dyn Read,
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// Where the namespace comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamespaceFrom {
    Flag,
    Kubeconfig,
    Fallback,
}

/// A settled request.
pub(super) struct Request {
    pub sources: Vec<Source>,
    pub catalog: Catalog,
    pub identity: Identity,
    pub namespace_from: NamespaceFrom,
    pub unknown: Unknown,
}

/// Settles a request; `default_file` says whether `./values.yaml` is read when no values are given.
pub(super) fn settle(args: &Sources, release: Option<String>, world: &mut World<'_>) -> Result<Request, Failure> {
    let catalog = catalog(args.templates.as_deref())?;
    let sources = sources(args, world)?;
    let (namespace, namespace_from) = namespace(args, world)?;
    let unknown = if args.allow_unknown { Unknown::Warn } else { Unknown::Refuse };
    Ok(Request { sources, catalog, identity: Identity { release, namespace }, namespace_from, unknown })
}

/// The embedded templates and those of a folder.
pub(super) fn catalog(folder: Option<&str>) -> Result<Catalog, Failure> {
    let Some(folder) = folder else { return Ok(Catalog::embedded()) };
    let mut files = Vec::new();
    let root = Path::new(folder);
    collect(root, root, &mut files)
        .map_err(|error| Failure::Files(vec![format!("cannot read the templates in `{folder}`: {error}")]))?;
    Catalog::embedded().with_files(files).map_err(Failure::Templates)
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str)
            && (name.ends_with(".j2") || name.ends_with("environment.yaml"))
        {
            files.push(File { path: name.replace('\\', "/"), text: std::fs::read_to_string(&path)? });
        }
    }
    Ok(())
}

/// All texts in Helm's order: files, then each kind of `--set`, later ones over earlier ones.
fn sources(args: &Sources, world: &mut World<'_>) -> Result<Vec<Source>, Failure> {
    let mut problems = Vec::new();
    let mut sources = Vec::new();
    let mut paths: Vec<String> = Vec::new();
    for argument in &args.files {
        match comma_list(argument) {
            Some(list) => paths.extend(list),
            None => problems.push(format!("`--values {argument}` has a quote that is not closed")),
        }
    }
    let sets = [&args.set, &args.set_string, &args.set_json, &args.set_file, &args.set_literal];
    if paths.is_empty() && problems.is_empty() && sets.iter().all(|list| list.is_empty()) {
        if !Path::new("values.yaml").is_file() {
            let hint = "give it with `-f values.yaml`, or `-f -` to read stdin".into();
            return Err(Failure::Usage { message: "there are no values".into(), hint: Some(hint) });
        }
        paths.push("values.yaml".into());
    }
    for path in paths {
        match text(path.trim(), "--values", world) {
            Ok(text) if path.trim() == "-" => sources.push(Source { name: SourceName::Stdin, text }),
            Ok(text) => sources.push(Source { name: SourceName::File(path), text }),
            Err(problem) => problems.push(problem),
        }
    }
    let mut add = |list: &[String], name: fn(usize) -> SourceName| {
        sources
            .extend(list.iter().enumerate().map(|(index, text)| Source { name: name(index + 1), text: text.clone() }));
    };
    add(&args.set_json, SourceName::SetJson);
    add(&args.set, SourceName::Set);
    add(&args.set_string, SourceName::SetString);
    for (index, argument) in args.set_file.iter().enumerate() {
        let mut contents = Vec::new();
        // A mistake in the grammar is reported with its column when the argument is applied.
        for path in set_file_paths(argument).unwrap_or_default() {
            match text(&path, "--set-file", world) {
                Ok(text) => contents.push((path, text)),
                Err(problem) => problems.push(problem),
            }
        }
        sources.push(Source { name: SourceName::SetFile(index + 1, contents), text: argument.clone() });
    }
    for (index, argument) in args.set_literal.iter().enumerate() {
        sources.push(Source { name: SourceName::SetLiteral(index + 1), text: argument.clone() });
    }
    if problems.is_empty() { Ok(sources) } else { Err(Failure::Files(problems)) }
}

/// Reads a file, or stdin for `-`.
pub(super) fn text(path: &str, flag: &str, world: &mut World<'_>) -> Result<String, String> {
    if path.contains("://") {
        return Err(format!("`{flag} {path}`: r8 does not fetch addresses; fetch it first and give it with `-f -`"));
    }
    let mut bytes = Vec::new();
    let read = if path == "-" {
        world.stdin.read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(path).map(|read| bytes = read)
    };
    read.map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("`{flag} {path}`: there is no such file"),
        ErrorKind::IsADirectory => format!("`{flag} {path}`: this is a directory; name a file"),
        _ => format!("`{flag} {path}`: {error}"),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(error.as_bytes().get(..good).unwrap_or_default()).into_owned();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("`{flag} {path}`: not UTF-8 at {path}:{line}:{column}")
    })
}

/// Splits a comma list as Go's CSV reader does: a part in double quotes may hold commas, `""` is a quote.
fn comma_list(text: &str) -> Option<Vec<String>> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                part.push('"');
            }
            '"' if quoted || part.is_empty() => quoted = !quoted,
            ',' if !quoted => parts.push(std::mem::take(&mut part)),
            _ => part.push(character),
        }
    }
    parts.push(part);
    (!quoted).then_some(parts)
}

fn namespace(args: &Sources, world: &World<'_>) -> Result<(String, NamespaceFrom), Failure> {
    let variable = |name: &str| (world.variable)(name).filter(|text| !text.is_empty());
    if let Some(namespace) = args.namespace.clone().or_else(|| variable("HELM_NAMESPACE")) {
        return Ok((namespace, NamespaceFrom::Flag));
    }
    let paths: Vec<PathBuf> = match (&args.kubeconfig, variable("KUBECONFIG")) {
        (Some(path), _) => vec![path.into()],
        (None, Some(list)) => std::env::split_paths(&list).collect(),
        (None, None) => variable("HOME").map(|home| Path::new(&home).join(".kube/config")).into_iter().collect(),
    };
    let mut texts = Vec::new();
    for path in &paths {
        match std::fs::read_to_string(path) {
            Ok(text) => texts.push(text),
            Err(error) if error.kind() == ErrorKind::NotFound && args.kubeconfig.is_none() => texts.push(String::new()),
            Err(error) => {
                return Err(Failure::Files(vec![format!("cannot read the kubeconfig {}: {error}", path.display())]));
            }
        }
    }
    let context = args.kube_context.clone().or_else(|| variable("HELM_KUBECONTEXT"));
    match kubeconfig::namespace(&texts, context.as_deref()) {
        Ok(Some(namespace)) => Ok((namespace, NamespaceFrom::Kubeconfig)),
        Ok(None) => Ok(("default".into(), NamespaceFrom::Fallback)),
        Err((index, message)) => {
            let path = paths.get(index).map(|path| path.display().to_string()).unwrap_or_default();
            Err(Failure::Usage {
                message: format!("{path} is no kubeconfig: {message}"),
                hint: Some("name the namespace with `-n`, then it is not read".into()),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comma_lists_are_split_as_helm_splits_them() {
        assert_eq!(comma_list("a,b"), Some(vec!["a".into(), "b".into()]));
        assert_eq!(comma_list("\"a,b\",c"), Some(vec!["a,b".into(), "c".into()]));
        assert_eq!(comma_list("\"a\"\"b\""), Some(vec!["a\"b".into()]));
        assert_eq!(comma_list("\"a"), None);
    }
}
