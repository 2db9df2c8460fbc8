//! The texts of the values: files and `--set…` arguments in the order in which Helm merges them.

use std::io::Read;

use super::args::Sources;
use super::failure::{Failure, Fault};
use super::read::{self, Left};
use super::secret;
use crate::values::{self, Source, SourceName, ValuesErrors, set_file_paths};

/// The paths that `--values` names, its comma lists split.
pub(super) fn files(args: &Sources) -> Result<Vec<String>, Failure> {
    listed(&args.files, "--values")
}

/// The paths that a flag names, its comma lists split.
pub(super) fn listed(arguments: &[String], flag: &str) -> Result<Vec<String>, Failure> {
    let mut paths = Vec::new();
    let mut faults = Vec::new();
    for argument in arguments {
        match comma_list(argument) {
            Ok(list) => paths.extend(list),
            Err(problem) => faults.push(Fault::new(format!("`{flag} {}` {problem}", secret::shown(argument)), None)),
        }
    }
    if faults.is_empty() { Ok(paths) } else { Err(Failure::Input(faults)) }
}

/// Whether any `--set…` is given.
pub(super) fn sets_anything(args: &Sources) -> bool {
    [&args.set, &args.set_string, &args.set_json, &args.set_file, &args.set_literal].iter().any(|list| !list.is_empty())
}

/// Reads everything in Helm's order: files, then each kind of `--set`, later ones over earlier ones.
///
/// # Errors
///
/// Every file that cannot be read, and the mistakes of the texts that can.
pub(super) fn read_all(
    files: &[String],
    flag: &str,
    args: &Sources,
    stdin: &mut dyn Read,
) -> Result<Vec<Source>, Failure> {
    let (mut sources, mut faults, mut left) = (Vec::new(), Vec::new(), Left::all());
    for path in files {
        let name = if path.trim() == "-" { SourceName::Stdin } else { SourceName::File(path.clone()) };
        match read::text(path, flag, stdin, &mut left) {
            Ok(text) => sources.push(Source { name, text }),
            Err(fault) => faults.push(fault),
        }
    }
    let mut add = |list: &[String], name: fn(usize) -> SourceName| {
        let source = |(index, text): (usize, &String)| Source { name: name(index + 1), text: text.clone() };
        sources.extend(list.iter().enumerate().map(source));
    };
    add(&args.set_json, SourceName::SetJson);
    add(&args.set, SourceName::Set);
    add(&args.set_string, SourceName::SetString);
    for (index, argument) in args.set_file.iter().enumerate() {
        let mut contents = Vec::new();
        // A mistake in the grammar is reported with its column when the argument is applied.
        for path in set_file_paths(argument).unwrap_or_default() {
            match read::text(&path, "--set-file", stdin, &mut left) {
                Ok(text) => contents.push((path, text)),
                Err(fault) => faults.push(fault),
            }
        }
        sources.push(Source { name: SourceName::SetFile(index + 1, contents), text: argument.clone() });
    }
    for (index, argument) in args.set_literal.iter().enumerate() {
        sources.push(Source { name: SourceName::SetLiteral(index + 1), text: argument.clone() });
    }
    if faults.is_empty() {
        return Ok(sources);
    }
    Err(Failure::Values(faults, alone(&sources), sources))
}

/// The mistakes and warnings that each source has by itself: together they cannot be read while one is missing.
fn alone(sources: &[Source]) -> ValuesErrors {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for (index, source) in (0..).zip(sources) {
        let (mut wrong, mut odd) = match values::load(std::slice::from_ref(source)) {
            Ok(values) => (Vec::new(), values.warnings().to_vec()),
            Err(found) => (found.errors, found.warnings),
        };
        wrong.iter_mut().for_each(|error| error.move_to(index));
        odd.iter_mut().for_each(|warning| warning.move_to(index));
        errors.append(&mut wrong);
        warnings.append(&mut odd);
    }
    ValuesErrors { errors, warnings, values: None }
}

/// Splits a comma list as Go's CSV reader does: a part in double quotes may hold commas, `""` is a quote.
fn comma_list(text: &str) -> Result<Vec<String>, &'static str> {
    let mut parts = Vec::new();
    // Nothing given is nothing named, as in Helm.
    let mut rest = if text.is_empty() { return Ok(parts) } else { text };
    loop {
        let (part, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted)?,
            None => {
                let (part, behind) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                if part.contains('"') {
                    return Err("has a quote in the middle of a name");
                }
                (part.to_owned(), behind)
            }
        };
        parts.push(part);
        match behind.strip_prefix(',') {
            Some(next) => rest = next,
            None => return Ok(parts),
        }
    }
}

/// The text up to the closing quote, and what stands behind it: nothing, or a comma.
fn quoted_part(text: &str) -> Result<(String, &str), &'static str> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let (before, behind) = rest.split_once('"').ok_or("has a quote that is not closed")?;
        part.push_str(before);
        match behind.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None if behind.is_empty() || behind.starts_with(',') => return Ok((part, behind)),
            None => return Err("has text behind a closing quote"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comma_lists_are_split_as_helm_splits_them() {
        let list = |text: &str| comma_list(text).map_err(|_| ());
        let parts = |parts: &[&str]| Ok(parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>());
        assert_eq!(list(""), parts(&[]));
        assert_eq!(list("a,b"), parts(&["a", "b"]));
        assert_eq!(list("a,"), parts(&["a", ""]));
        assert_eq!(list("\"a,b\",c"), parts(&["a,b", "c"]));
        assert_eq!(list("\"a\"\"b\""), parts(&["a\"b"]));
        for malformed in ["\"a", "a\"b", "\"a\"b"] {
            assert_eq!(list(malformed), Err(()), "{malformed}");
        }
    }
}
