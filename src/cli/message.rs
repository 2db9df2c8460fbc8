//! One message: its text, its place, the lines that it is about, and how to repair it.

use std::cell::OnceCell;
use std::sync::Arc;

use super::excerpt::{Mark, excerpt};
use super::failure::Fault;
use super::secret::{self, Lines};
use crate::findings::{Finding, Place, Severity, in_line};
use crate::spec::{Problem, SpecError};
use crate::values::{self, MAX_LINES, Origin, Source, SourceName, ValuesError};

/// One message before it is written.
#[derive(Default)]
pub(super) struct Message<'a> {
    /// Name of the rule; empty for one that goes by the kind.
    pub rule: &'static str,
    pub text: String,
    /// What stands behind `-->`.
    pub place: Option<Place>,
    /// What stands behind the place.
    pub used: String,
    pub marks: Vec<Mark<'a>>,
    pub hint: Option<String>,
}

/// Sources with their lines, each looked at once for many messages.
pub(super) struct Texts<'a> {
    sources: &'a [Source],
    lines: Vec<OnceCell<Lines<'a>>>,
}

impl<'a> Texts<'a> {
    /// Takes the sources that messages are about.
    pub fn of(sources: &'a [Source]) -> Texts<'a> {
        Texts { sources, lines: sources.iter().map(|_| OnceCell::new()).collect() }
    }

    /// The source of a place, and its lines; none for a place in no source.
    fn at(&self, origin: Origin) -> Option<(&'a Source, &Lines<'a>)> {
        let index = origin.source as usize;
        let source = self.sources.get(index).filter(|_| origin.line > 0)?;
        let split = || match source.name {
            SourceName::File(_) | SourceName::Stdin => lines(&source.text),
            _ => vec![source.text.as_str()],
        };
        Some((source, self.lines.get(index)?.get_or_init(|| Lines::of(split()))))
    }
}

/// A message for machines.
pub(super) fn finding(kind: &str, message: &Message<'_>) -> Finding {
    let (severity, rule) = match kind {
        "warning" => (Severity::Warning, "note"),
        "note" => (Severity::Note, "note"),
        "internal error" => (Severity::Error, "internal-error"),
        _ => (Severity::Error, "input"),
    };
    Finding {
        severity,
        rule: if message.rule.is_empty() { rule } else { message.rule },
        message: words(&message.text),
        hint: message.hint.as_deref().map(words),
        place: message.place.clone(),
        excerpt: excerpt(message.marks.clone(), ("", "")),
    }
}

/// A text of one line that shows no password: a line break of a value would begin a line that looks like one of r8's own.
pub(super) fn words(text: &str) -> String {
    in_line(&secret::without_passwords(text)).into_owned()
}

/// A message about a mistake outside the values.
pub(super) fn of_fault(fault: &Fault) -> Message<'_> {
    let text = fault.place.as_ref().and_then(|place| place.text.as_deref());
    of_line(fault, &Lines::of(text.map(lines).unwrap_or_default()))
}

/// Messages of several mistakes; those behind the first `most` are only counted.
pub(super) fn of_faults<'a>(faults: &'a [Fault], most: usize) -> Vec<Message<'a>> {
    // Many of them may lie in one long text.
    let mut known: Vec<(&Arc<str>, Lines<'_>)> = Vec::new();
    let message = |(index, fault): (usize, &'a Fault)| {
        if index >= most {
            return Message::default();
        }
        let Some(text) = fault.place.as_ref().and_then(|place| place.text.as_ref()) else { return of_fault(fault) };
        let at = known.iter().position(|(other, _)| Arc::ptr_eq(other, text)).unwrap_or(known.len());
        if at == known.len() {
            known.push((text, Lines::of(lines(text))));
        }
        known.get(at).map_or_else(|| of_fault(fault), |(_, lines)| of_line(fault, lines))
    };
    faults.iter().enumerate().map(message).collect()
}

/// A message about a mistake in a text of these lines.
fn of_line<'a>(fault: &'a Fault, lines: &Lines<'a>) -> Message<'a> {
    let mut message = Message { text: fault.message.clone(), hint: fault.hint.clone(), ..Message::default() };
    if let Some(place) = &fault.place {
        let (line, column) = (place.line, place.column);
        message.place = Some(Place { source: place.path.clone(), is_file: true, line, column, length: place.length });
        let Some(number) = place.line else { return message };
        let line = lines.get((number as usize).saturating_sub(1)).unwrap_or_default();
        let (column, length) = match place.column {
            Some(column) => (column, place.length.unwrap_or_else(|| word(line, column))),
            None => (line.chars().take_while(|character| character.is_whitespace()).count() as u32 + 1, u32::MAX),
        };
        message.marks.extend(mark(lines, number, column, length));
    }
    message
}

/// A message about a text that is no values.
pub(super) fn of_values<'a>(error: &ValuesError, texts: &Texts<'a>) -> Message<'a> {
    let origin = error.origin();
    let mut message = placed(error.to_string(), origin, None, error.hint(), texts);
    message.rule = error.problem.rule();
    if hides(&message.marks) {
        message.text = secret::without_quotes(&message.text);
    }
    if let Some((second, label)) = error.secondary() {
        let mut other = placed(String::new(), second, None, None, texts);
        other.marks.iter_mut().for_each(|mark| (mark.sign, mark.label) = ('-', label.to_owned()));
        message.marks.append(&mut other.marks);
    }
    message
}

/// How to repair a value of the wrong type that a flag has set: by another flag, since quotes would be part of the value.
fn by_flag(error: &SpecError, sources: &[Source]) -> Option<String> {
    let Problem::Type { expected, .. } = &error.problem else { return None };
    let text = expected == "a string";
    match sources.get(error.origin()?.source as usize)?.name {
        SourceName::Set(_) if text => Some("set it with `--set-string`".into()),
        SourceName::SetString(_) | SourceName::SetLiteral(_) if !text => Some("set it with `--set`".into()),
        _ => None,
    }
}

/// Messages of a release; those behind the first `most` are only counted.
pub(super) fn of_spec<'a>(errors: &[SpecError], texts: &Texts<'a>, most: usize) -> Vec<Message<'a>> {
    let sources = texts.sources;
    // The values are read again only where one of them must not be shown.
    let mut values = None;
    let mut messages = Vec::new();
    for error in errors.iter().take(most + 1) {
        let (path, rule) = (error.path(), error.problem.rule());
        let Some(origin) = error.origin() else {
            // What stands in no source is an argument.
            let text = match &error.problem {
                Problem::Name { name, .. } => error.to_string().replace(name, &secret::shown(name)),
                _ => error.to_string(),
            };
            messages.push(Message { rule, text, hint: error.hint(), ..Message::default() });
            continue;
        };
        let hint = by_flag(error, sources).or_else(|| error.hint());
        let mut message = placed(error.to_string(), origin, path.as_deref(), hint, texts);
        message.rule = rule;
        if hides(&message.marks) {
            let values = values.get_or_insert_with(|| values::load(sources));
            let without = |text: String| match &*values {
                Ok(values) => secret::without_value(&text, values.root(), origin),
                Err(_) => secret::without_quotes(&text),
            };
            let Message { text, hint, .. } = &mut message;
            for text in std::iter::once(text).chain(hint) {
                *text = without(std::mem::take(text));
            }
        }
        messages.push(message);
    }
    // Those that are only counted need no text.
    messages.extend(errors.iter().skip(most + 1).map(|_| Message::default()));
    messages
}

/// A message about a place in one of the sources.
pub(super) fn placed<'a>(
    text: String,
    origin: Origin,
    path: Option<&str>,
    hint: Option<String>,
    texts: &Texts<'a>,
) -> Message<'a> {
    let mut message = Message { text, hint, ..Message::default() };
    let Some((source, lines)) = texts.at(origin) else { return message };
    message.used = origin.used.map(|(line, column)| format!(" (used at {line}:{column})")).unwrap_or_default();
    message.place = Some(place(source, origin));
    let Some(mut mark) = mark(lines, origin.line, origin.column, origin.length) else { return message };
    if path.is_some_and(|path| secret::sounds_secret(path) && !is_key(&mark, path)) {
        // The value may stand elsewhere than beside its key: behind an anchor.
        let column = origin.column as usize - 1;
        mark.visible = Some(mark.visible.map_or(column, |visible| visible.min(column)));
    }
    if mark.visible.is_none()
        && let Some(hint) = &mut message.hint
    {
        // The text as it was written: the value of `1.10` is 1.1.
        let written: String = mark.line.chars().skip(origin.column as usize - 1).take(origin.length as usize).collect();
        if !written.contains(['"', '\\']) {
            *hint = hint.replace("\"…\"", &format!("\"{written}\""));
        }
    }
    mark.label = path.map(|path| format!("in `{}`", in_line(path))).unwrap_or_default();
    message.marks.push(mark);
    message
}

/// A place in a source.
pub(super) fn place(source: &Source, origin: Origin) -> Place {
    Place {
        source: name(source),
        is_file: matches!(source.name, SourceName::File(_)),
        line: Some(origin.line),
        column: Some(origin.column),
        length: Some(origin.length),
    }
}

fn mark<'a>(lines: &Lines<'a>, number: u32, column: u32, length: u32) -> Option<Mark<'a>> {
    let index = (number as usize).checked_sub(1)?;
    let visible = lines.visible(index);
    Some(Mark { number, line: lines.get(index)?, column, length, visible, sign: '^', label: String::new() })
}

/// Whether a mark is on the last key of a path, and not on its value.
fn is_key(mark: &Mark<'_>, path: &str) -> bool {
    let key = path.trim_end_matches(['"', ']']).rsplit(['.', '"', '[']).next().unwrap_or_default();
    let meant: String = mark.line.chars().skip(mark.column as usize - 1).collect();
    meant.trim_start_matches(['"', '\'']).starts_with(key)
}

/// Whether a mark reaches into what is not shown.
fn hides(marks: &[Mark<'_>]) -> bool {
    let end = |mark: &Mark<'_>| (mark.column as usize).saturating_sub(1).saturating_add(mark.length as usize);
    marks.iter().any(|mark| mark.visible.is_some_and(|visible| end(mark) > visible))
}

/// How many characters the word at a column has.
fn word(line: &str, column: u32) -> u32 {
    let rest = line.chars().skip((column as usize).saturating_sub(1));
    rest.take_while(|character| character.is_alphanumeric() || matches!(character, '_' | '-')).count().max(1) as u32
}

/// The lines of a text as the reader of YAML counts them, up to the most that it reads and one more; a mark at the
/// beginning is not part of the first.
pub(super) fn lines(text: &str) -> Vec<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(['\n', '\r']).filter(|_| lines.len() < MAX_LINES) {
        let (line, behind) = rest.split_at(end);
        lines.push(line);
        rest = behind.strip_prefix("\r\n").or_else(|| behind.get(1..)).unwrap_or_default();
    }
    lines.extend(rest.split(['\n', '\r']).next());
    lines
}

/// What a person calls a source.
pub(super) fn name(source: &Source) -> String {
    match &source.name {
        SourceName::File(path) => path.clone(),
        SourceName::Stdin => "stdin".into(),
        SourceName::Set(number) => format!("--set #{number}"),
        SourceName::SetString(number) => format!("--set-string #{number}"),
        SourceName::SetJson(number) => format!("--set-json #{number}"),
        SourceName::SetFile(number, _) => format!("--set-file #{number}"),
        SourceName::SetLiteral(number) => format!("--set-literal #{number}"),
    }
}
