//! Which line of a template writes a line of its text: the template is rendered once more, with a mark in each line.

use minijinja::value::Value;

use super::engine::engine;
use crate::templates::{Catalog, File};

/// Begins a mark: file and line with `:` between. Neither this nor [`END`] stands in any text for people.
const BEGIN: char = '\u{e000}';
/// Ends a mark.
const END: char = '\u{e001}';

/// Path and line, from 1, of the template that writes a line of `text`, which `path` has given with these names for a release of
/// so many versions; none where it cannot be told.
pub(super) fn origin(
    catalog: &Catalog,
    versions: usize,
    path: &str,
    names: Value,
    text: &str,
    line: usize,
) -> Option<(String, usize)> {
    let files: Vec<File> = catalog.files().into_iter().filter(|file| file.path.ends_with(".j2")).collect();
    let mark = |(index, file): (usize, &File)| File { path: file.path.clone(), text: marked(&file.text, index) };
    let catalog = catalog.clone().with_files(files.iter().enumerate().map(mark).collect()).ok()?;
    let written = engine(&catalog, versions).get_template(path).ok()?.render(names).ok()?;
    // A mark may stand in the way of a tag that trims blanks, or be part of what a filter reads.
    if without_marks(&written) != text {
        return None;
    }
    let (_, mark) = written.split('\n').nth(line.checked_sub(1)?)?.split_once(BEGIN)?;
    let (index, line) = mark.split_once(END)?.0.split_once(':')?;
    let file = files.get(index.parse::<usize>().ok()?)?;
    Some((file.path.clone(), line.parse().ok()?))
}

/// Where the reader of a template is.
#[derive(Clone, Copy)]
enum Inside {
    Text,
    /// A tag with what ends it.
    Tag(&'static str),
    /// Between `{% raw %}` and its end.
    Raw,
}

/// A template with a mark in each line that writes something, behind the tags at its beginning, whose line ends are trimmed.
fn marked(text: &str, file: usize) -> String {
    let mut marked = String::with_capacity(text.len() * 2);
    let mut inside = Inside::Text;
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let at = first_text(line, &mut inside);
        let (before, behind) = line.split_at(at.unwrap_or(line.len()));
        marked.push_str(before);
        if !behind.trim().is_empty() {
            marked.push_str(&format!("{BEGIN}{file}:{number}{END}"));
        }
        marked.push_str(behind);
    }
    marked
}

/// The byte behind the tags at the beginning of a line; none for a line that is inside a tag. `inside` goes on to its end.
fn first_text(line: &str, inside: &mut Inside) -> Option<usize> {
    let (mut at, mut found, mut leading) = (0, None, true);
    if !matches!(inside, Inside::Tag(_)) {
        found = Some(0);
    }
    loop {
        let rest = line.get(at..).unwrap_or_default();
        match *inside {
            Inside::Text => {
                let ends = [("{{", "}}"), ("{%", "%}"), ("{#", "#}")];
                let opened = ends.iter().filter_map(|(open, close)| Some((rest.find(open)?, *close))).min();
                let (length, close) = opened.unwrap_or((rest.len(), ""));
                leading &= rest.get(..length).is_some_and(|text| text.trim().is_empty()) && close != "}}";
                if opened.is_none() {
                    return found;
                }
                (at, *inside) = (at + length + 2, Inside::Tag(close));
            }
            Inside::Tag(close) => {
                let Some(length) = rest.find(close) else { return found.filter(|_| !leading) };
                let raw = rest.get(..length).is_some_and(|tag| tag.trim_matches(['-', '+', ' ']) == "raw");
                (at, *inside) = (at + length + 2, if raw && close == "%}" { Inside::Raw } else { Inside::Text });
                if leading {
                    found = Some(at);
                }
            }
            Inside::Raw => {
                leading = false;
                let Some(length) = rest.find("endraw") else { return found };
                (at, *inside) = (at + length, Inside::Tag("%}"));
            }
        }
    }
}

fn without_marks(text: &str) -> String {
    let mut parts = text.split(BEGIN);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(END).map_or(part, |(_, behind)| behind))
}

/// The line, from 1, with which the document of an index begins, of those that hold anything.
pub(super) fn document(text: &str, index: usize) -> Option<usize> {
    let is_content = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let mut begins = true;
    let mut starts = (1..).zip(text.lines()).filter_map(|(number, line)| {
        let separates = line.starts_with("---");
        let content = is_content(line.strip_prefix("---").unwrap_or(line));
        begins |= separates;
        (begins && content).then(|| {
            begins = false;
            number
        })
    });
    starts.nth(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_where_they_change_nothing() {
        let text = "a: 1\n\n  {% if x %}\n  - {{ y }}\n{{ z }}\n{% set a = [\n  1] %}\n{# b\nc #}\n{% raw %} {{ b }}\n{%x\n{% endraw %}d\n";
        let want = "<1>a: 1\n\n  {% if x %}\n<4>  - {{ y }}\n<5>{{ z }}\n{% set a = [\n  1] %}\n{# b\nc #}\n{% raw %}<10> {{ b }}\n<11>{%x\n<12>{% endraw %}d\n";
        let readable = marked(text, 3).replace("\u{e000}3:", "<").replace('\u{e001}', ">");
        assert_eq!(readable, want);
        assert_eq!(without_marks(&marked(text, 3)), text);
    }

    #[test]
    fn documents_begin_where_they_have_content() {
        let text = "# a\n---\n\na: 1\n--- # b\n# c\n---\n--- {b: 1}\n";
        assert_eq!([0, 1, 2].map(|index| document(text, index)), [Some(4), Some(8), None]);
    }
}
