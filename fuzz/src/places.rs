//! Places: every node and every mistake is inside the text that it comes from.

use r8::spec::SpecError;
use r8::values::{Kind, Node, Origin, Source, SourceName, ValuesErrors};

/// Checks that there are mistakes, and that each has its place.
pub(crate) fn check_errors(errors: &ValuesErrors, sources: &[Source]) {
    assert!(!errors.errors.is_empty());
    for error in &errors.errors {
        let message = error.to_string();
        assert!(!message.is_empty());
        check(error.origin(), sources, &message);
        if let Some((origin, _)) = error.secondary() {
            check(origin, sources, &message);
        }
    }
}

/// Checks the places of mistakes or warnings of a release, those that were written anywhere.
pub(crate) fn check_release(errors: &[SpecError], sources: &[Source]) {
    for error in errors {
        let message = error.to_string();
        assert!(!message.is_empty());
        // A map that nobody wrote, the root of several sources, has no line.
        if let Some(origin) = error.origin().filter(|origin| origin.line > 0) {
            check(origin, sources, &message);
        }
    }
}

/// Checks the places of all nodes below a root.
pub(crate) fn check_node(root: &Node, sources: &[Source]) {
    let children: Vec<&Node> = match &root.kind {
        Kind::Map(map) => {
            map.values().for_each(|entry| check(entry.key, sources, "a key"));
            map.values().map(|entry| &entry.value).collect()
        }
        Kind::List(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    for child in children {
        check(child.origin, sources, "a node");
        check_node(child, sources);
    }
}

fn check(origin: Origin, sources: &[Source], what: &str) {
    let source = sources.get(origin.source as usize).unwrap_or_else(|| panic!("{what}: there is no {origin:?}"));
    let inside = |line: u32, column: u32| match source.name {
        // A lone carriage return breaks a line of YAML, and no line of the operating system.
        SourceName::File(_) | SourceName::Stdin => {
            stands_in(source.text.split('\n'), line, column)
                || stands_in(source.text.replace("\r\n", "\n").split(['\n', '\r']), line, column)
        }
        _ => line == 1 && (1..=source.text.chars().count() + 1).contains(&(column as usize)),
    };
    assert!(inside(origin.line, origin.column), "{what}: {origin:?} is outside {source:?}");
    if let Some((line, column)) = origin.used {
        assert!(inside(line, column), "{what}: used at {line}:{column}, outside {source:?}");
    }
}

/// Whether a place is in one of the lines; the end of a line is.
fn stands_in<'a>(mut lines: impl Iterator<Item = &'a str>, line: u32, column: u32) -> bool {
    let Some(line) = (line as usize).checked_sub(1).and_then(|index| lines.nth(index)) else { return false };
    (1..=line.chars().count() + 1).contains(&(column as usize))
}
