//! What is meant by what was typed: texts read, names and namespace settled.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::args::{Global, Sources};
use super::failure::{Failure, Fault, Place};
use super::kubeconfig::{self, KubeconfigError};
use super::read::{self, Left};
use super::{secret, sources};
use crate::spec::{Identity, Unknown};
use crate::templates::{Catalog, File};
use crate::values::{Source, SourceName};

/// The most files and folders that are met below a folder of templates.
const MAX_ENTRIES: usize = 10_000;

/// What of the world outside a command reads; handed in, so that the same input gives the same output.
pub(super) struct World<'a> {
    pub stdin: &'a mut dyn Read,
    /// Where results go, for a command that has one after the other.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "only commands of the cluster go on for long"))]
    pub out: &'a mut dyn Write,
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// The command, as it was typed.
    pub command: &'static str,
    /// Whether the command asks a cluster, so that it needs more of the kubeconfig than the namespace.
    pub asks: bool,
    /// Whether results are coloured.
    pub color: bool,
    /// Whether lines on stderr can be taken back.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "only commands of the cluster take long"))]
    pub live: bool,
    /// How many characters a line of results may have; none where they do not go to a terminal.
    pub columns: Option<usize>,
    /// The same of messages.
    #[cfg_attr(not(feature = "cluster"), expect(dead_code, reason = "only commands of the cluster take long"))]
    pub line: Option<usize>,
}

/// Whose verb was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// r8's own, which reads `./values.yaml` when no values are given.
    Own,
    /// Helm's, which never does.
    Helm,
}

/// Where the namespace comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamespaceFrom {
    Flag,
    Kubeconfig,
    Fallback,
}

/// A settled request.
#[derive(Clone)]
pub(super) struct Request {
    pub sources: Vec<Source>,
    pub catalog: Catalog,
    /// The folder of the user's templates.
    pub templates: Option<String>,
    pub identity: Identity,
    pub namespace_from: NamespaceFrom,
    pub unknown: Unknown,
    /// The command, as it was typed.
    pub command: &'static str,
}

impl Request {
    /// Puts values below all others: `name` says in messages what they are.
    pub fn put_below(&mut self, name: &str, text: String) {
        self.sources.insert(0, Source { name: SourceName::File(name.to_owned()), text });
    }
}

/// Settles a request for the values that the flags name.
pub(super) fn settle(
    args: &Sources,
    global: &Global,
    verb: Verb,
    release: Option<String>,
    world: &mut World<'_>,
) -> Result<Request, Failure> {
    let mut files = sources::files(args)?;
    if files.is_empty() && !sources::sets_anything(args) {
        if verb == Verb::Helm || !args.files.is_empty() || !Path::new("values.yaml").is_file() {
            return Err(Failure::usage(
                "there are no values",
                "give them with `-f values.yaml`, or `-f -` to read stdin",
            ));
        }
        files.push("values.yaml".into());
    }
    settle_files(&files, "--values", args, global, release, world)
}

/// Settles a request for these files; `flag` is what named them.
pub(super) fn settle_files(
    files: &[String],
    flag: &str,
    args: &Sources,
    global: &Global,
    release: Option<String>,
    world: &mut World<'_>,
) -> Result<Request, Failure> {
    let catalog = catalog(args.templates.as_deref())?;
    let sources = sources::read_all(files, flag, args, world.stdin)?;
    let (namespace, namespace_from) = namespace(global, world.variable, world.asks)?;
    let unknown = if args.allow_unknown { Unknown::Warn } else { Unknown::Refuse };
    let identity = Identity { release, namespace };
    let (templates, command) = (args.templates.clone(), world.command);
    Ok(Request { sources, catalog, templates, identity, namespace_from, unknown, command })
}

/// The embedded templates and those of a folder.
pub(super) fn catalog(folder: Option<&str>) -> Result<Catalog, Failure> {
    let Some(folder) = folder else { return Ok(Catalog::embedded()) };
    let mut collected = Collected { files: Vec::new(), above: Vec::new(), entries: 0, left: Left::all() };
    collected.folder(Path::new(folder), "")?;
    let files = collected.files;
    if !files.iter().any(|file| File::is_read(&file.path)) {
        let hint = format!("`r8 templates eject {folder}` writes all templates there");
        return Err(Failure::usage(format!("there are no templates in `{folder}`"), hint));
    }
    Catalog::embedded().with_files(files).map_err(|error| Failure::templates(&error, Some(folder)))
}

/// The templates and key tables of a folder.
struct Collected {
    files: Vec<File>,
    /// The folders on the way, to find one that leads back.
    above: Vec<PathBuf>,
    /// Everything met so far.
    entries: usize,
    left: Left,
}

impl Collected {
    /// Adds what is in a folder; `name` is its path below the first one.
    fn folder(&mut self, folder: &Path, name: &str) -> Result<(), Failure> {
        let fault = |path: &Path, reason: &str| Fault::new(format!("`--templates {}`: {reason}", path.display()), None);
        let refused = |path: &Path, error: &std::io::Error| {
            let reason = match error.kind() {
                ErrorKind::NotFound => "there is no such folder".to_owned(),
                ErrorKind::NotADirectory => "this is a file; name a folder".to_owned(),
                _ => read::reason(error),
            };
            fault(path, &reason)
        };
        let own = fs::canonicalize(folder).map_err(|error| refused(folder, &error))?;
        if self.above.contains(&own) {
            return Err(fault(folder, "this link leads back to a folder that it is in").into());
        }
        self.above.push(own);
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| refused(folder, &error))? {
            entries.push(entry.map_err(|error| refused(folder, &error))?);
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                let reason = format!("more than {MAX_ENTRIES} files and folders; name a folder of templates alone");
                return Err(fault(folder, &reason).into());
            }
        }
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            let Some(own) = entry.file_name().to_str().map(str::to_owned) else {
                return Err(fault(&path, "the name is not UTF-8").into());
            };
            if own.chars().any(char::is_control) {
                return Err(fault(&path, "the name has a control character").into());
            }
            let name = if name.is_empty() { own.clone() } else { format!("{name}/{own}") };
            if path.is_dir() {
                self.folder(&path, &name)?;
            } else if looks_like_a_template(&name) {
                self.files.push(File { path: name, text: String::new() });
            } else if File::is_read(&name) {
                // To open a pipe is to wait for its writer.
                if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
                    return Err(fault(&path, "this is no regular file").into());
                }
                let text = read::file(&path.display().to_string(), "--templates", &mut self.left)?;
                self.files.push(File { path: name, text });
            }
        }
        self.above.pop();
        Ok(())
    }
}

/// Whether a file in a folder of an environment was probably meant to be a template, and is not called like one.
fn looks_like_a_template(path: &str) -> bool {
    let endings = [".yaml", ".yml", ".jinja", ".jinja2", ".tpl"];
    !File::is_read(path) && path.contains('/') && endings.iter().any(|ending| path.ends_with(ending))
}

/// The namespace: the flag, `HELM_NAMESPACE`, the kube context's, `default`; `asks` as in [`World`].
pub(super) fn namespace(
    args: &Global,
    variable: &dyn Fn(&str) -> Option<String>,
    asks: bool,
) -> Result<(String, NamespaceFrom), Failure> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let variable = |name: &str| given(variable(name));
    if let Some(namespace) = given(args.namespace.clone()).or_else(|| variable("HELM_NAMESPACE")) {
        return Ok((namespace, NamespaceFrom::Flag));
    }
    let kubeconfig = given(args.kubeconfig.clone());
    let paths: Vec<PathBuf> = match (&kubeconfig, variable("KUBECONFIG")) {
        (Some(path), _) => vec![path.into()],
        (None, Some(list)) => std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect(),
        (None, None) => variable("HOME").map(|home| Path::new(&home).join(".kube/config")).into_iter().collect(),
    };
    let flag = if kubeconfig.is_some() { "--kubeconfig" } else { "KUBECONFIG" };
    let hint = match asks {
        true => "name another file with `--kubeconfig`, or set KUBECONFIG",
        false => "name the namespace with `-n`, then it is not read",
    };
    let mut texts = Vec::new();
    for path in &paths {
        // Of files that KUBECONFIG lists, those that are missing are passed over, as kubectl does.
        if kubeconfig.is_none() && !path.exists() {
            texts.push(String::new());
            continue;
        }
        let text = read::file(&path.display().to_string(), flag, &mut Left::all());
        texts.push(text.map_err(|fault| Fault { hint: fault.hint.or(Some(hint.into())), ..fault })?);
    }
    let context = given(args.kube_context.clone()).or_else(|| variable("HELM_KUBECONTEXT"));
    match kubeconfig::namespace(&texts, context.as_deref()) {
        Ok(Some(namespace)) => Ok((namespace, NamespaceFrom::Kubeconfig)),
        Ok(None) => Ok(("default".into(), NamespaceFrom::Fallback)),
        Err(KubeconfigError::UnknownContext(known)) => {
            let known = match known.as_slice() {
                [] if asks => "the kubeconfig has no contexts; name another file with `--kubeconfig`".to_owned(),
                [] => "the kubeconfig has no contexts; name the namespace with `-n`".to_owned(),
                known => format!("choose one of {}", known.join(", ")),
            };
            let context = secret::shown(&context.unwrap_or_default());
            Err(Failure::usage(format!("the kubeconfig has no context `{context}`"), known))
        }
        Err(KubeconfigError::Text { index, line, column, message }) => {
            let path = paths.get(index).map(|path| path.display().to_string()).unwrap_or_default();
            // The text is not shown: it holds the keys of clusters.
            let place = Place { path, line: Some(line), column: Some(column), length: None, text: None };
            Err(Fault { message: format!("not a kubeconfig: {message}"), place: Some(place), hint: Some(hint.into()) }
                .into())
        }
    }
}
