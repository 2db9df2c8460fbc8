//! Messages for people: what, where with the line and a caret, how to repair.

use std::ffi::OsString;
use std::io::Write;

use super::excerpt::{Mark, excerpt, unsafe_to_print};
use super::failure::{Failure, Fault, reader_gone};
use super::read::plain;
use super::secret;
use crate::spec::{Problem, SpecError};
use crate::values::{self, MAX_LINES, Origin, Source, SourceName, ValuesError, ValuesWarning};

/// The most messages of one kind.
const MOST: usize = 20;

/// Writes messages, in colour or not.
///
/// A message that cannot be written changes nothing about the outcome: results go elsewhere, and the exit code stays.
pub(super) struct Report<'a> {
    pub out: &'a mut dyn Write,
    pub color: bool,
    /// How many warnings have been written.
    pub warned: usize,
}

/// One message before it is written.
#[derive(Default)]
struct Message<'a> {
    text: String,
    /// What stands behind `-->`.
    place: Option<String>,
    marks: Vec<Mark<'a>>,
    hint: Option<String>,
}

impl Report<'_> {
    /// Writes a failure; nothing for a reader that has gone.
    pub fn failure(&mut self, failure: &Failure) {
        match failure {
            Failure::Input(faults) => self.all(faults.iter().map(of_fault).collect()),
            Failure::Values(faults, errors, sources) => {
                self.warnings(&errors.warnings, &[], sources);
                let errors = errors.errors.iter().map(|error| of_values(error, sources));
                self.all(faults.iter().map(of_fault).chain(errors).collect());
            }
            Failure::Spec(texts, errors, sources) => {
                let texts = texts.iter().map(|error| of_values(error, sources));
                self.all(texts.chain(of_spec(&errors.errors, sources)).collect());
            }
            #[cfg(feature = "cluster")]
            Failure::Cluster(fault) => self.all(vec![of_fault(fault)]),
            #[cfg(feature = "cluster")]
            Failure::Refused(faults) => self.all(faults.iter().map(of_fault).collect()),
            #[cfg(feature = "cluster")]
            Failure::Interrupted => self.message("error", "interrupted", None),
            Failure::Bug(text) => {
                let text = secret::shown(text);
                self.message("internal error", &format!("{text}; this is a bug in r8"), None);
            }
            Failure::System(error) if reader_gone(error) => {}
            Failure::System(error) => {
                // The chain's own texts: a backtrace, which `{:?}` would resolve, costs 100 ms and says nothing to the user.
                self.message("error", &error.to_string(), None);
                for cause in error.chain().skip(1) {
                    let cause = cause.downcast_ref().map_or_else(|| cause.to_string(), plain);
                    self.line(&format!("cause: {}\n", clean(&cause)));
                }
            }
            Failure::Reported(_) => {}
        }
    }

    /// Writes warnings of the reader of values and of the release: the first ones, and how many more there are.
    pub fn warnings(&mut self, read: &[ValuesWarning], spec: &[SpecError], sources: &[Source]) {
        let shown = read.iter().take(MOST);
        let mut messages: Vec<Message<'_>> =
            shown.map(|warning| placed(warning.to_string(), warning.origin(), None, None, sources)).collect();
        messages.extend(of_spec(spec, sources).into_iter().take(MOST.saturating_sub(messages.len())));
        for message in &messages {
            self.write("warning", message);
        }
        let more = (read.len() + spec.len()).saturating_sub(messages.len());
        if more > 0 {
            self.warned += more;
            self.line(&format!("\n… and {more} more warnings\n"));
        }
    }

    /// Writes what the reader of the command line says; what it repeats of the words does not show a secret.
    pub fn usage(&mut self, text: &str, words: &[OsString]) {
        let mut text = text.to_owned();
        for word in words.iter().map(|word| word.to_string_lossy()) {
            // A word is repeated whole, or without its flag.
            let value = match word.strip_prefix("--") {
                Some(long) => long.split_once('=').map(|(_, value)| value),
                None => word.strip_prefix('-').and_then(|short| short.get(1..)),
            };
            for part in value.into_iter().chain([&*word]) {
                let shown = secret::shown(part);
                if shown != part {
                    text = text.replace(part, &shown);
                }
            }
        }
        self.line(&clean(&text));
    }

    /// Writes a message of one line, with a hint: `note: …`.
    pub fn message(&mut self, kind: &str, text: &str, hint: Option<&str>) {
        let message = Message { text: text.to_owned(), hint: hint.map(str::to_owned), ..Message::default() };
        self.write(kind, &message);
    }

    /// Writes a message about a place in the values, which is given by its origin and its path.
    pub fn at(&mut self, kind: &str, text: &str, place: Option<(Origin, &str)>, hint: &str, sources: &[Source]) {
        let hint = Some(hint.to_owned());
        let message = match place {
            Some((origin, path)) => placed(text.to_owned(), origin, Some(path), hint, sources),
            None => Message { text: text.to_owned(), hint, ..Message::default() },
        };
        self.write(kind, &message);
    }

    /// Writes a line that tells what happened.
    #[cfg(feature = "cluster")]
    pub fn event(&mut self, text: &str) {
        self.line(&format!("{}\n", clean(&secret::without_passwords(text)).replace('\n', "\u{fffd}")));
    }

    /// Writes an empty line between two failures.
    pub fn blank(&mut self) {
        self.line("\n");
    }

    fn all(&mut self, messages: Vec<Message<'_>>) {
        for (index, message) in messages.iter().take(MOST).enumerate() {
            if index > 0 {
                self.line("\n");
            }
            self.write("error", message);
        }
        if messages.len() > MOST {
            self.line(&format!("\n… and {} more\n", messages.len() - MOST));
        }
    }

    fn write(&mut self, kind: &str, message: &Message<'_>) {
        self.warned += usize::from(kind == "warning");
        let paint = self.paint(kind);
        // A line break of a value would begin a line that looks like one of r8's own.
        let words = clean(&secret::without_passwords(&message.text)).replace('\n', "\u{fffd}");
        let mut text = format!("{}{kind}{}: {words}\n", paint.0, paint.1);
        if let Some(place) = &message.place {
            text.push_str(&format!("  --> {}\n", clean(place)));
        }
        text.push_str(&excerpt(message.marks.clone(), paint));
        if let Some(hint) = &message.hint {
            let hint = clean(&secret::without_passwords(hint)).replace('\n', "\u{fffd}");
            text.push_str(&format!("hint: {hint}\n"));
        }
        self.line(&text);
    }

    fn line(&mut self, text: &str) {
        let _ = self.out.write_all(text.as_bytes());
    }

    fn paint(&self, kind: &str) -> (&'static str, &'static str) {
        match (self.color, kind) {
            (false, _) => ("", ""),
            (true, "warning") => ("\u{1b}[1;33m", "\u{1b}[0m"),
            (true, "note") => ("\u{1b}[1;36m", "\u{1b}[0m"),
            (true, _) => ("\u{1b}[1;31m", "\u{1b}[0m"),
        }
    }
}

fn of_fault(fault: &Fault) -> Message<'_> {
    let mut message = Message { text: fault.message.clone(), hint: fault.hint.clone(), ..Message::default() };
    if let Some(place) = &fault.place {
        let numbers = place.line.into_iter().chain(place.column).map(|number| format!(":{number}"));
        message.place = Some(format!("{}{}", place.path, numbers.collect::<String>()));
        let lines = place.text.as_deref().map(lines).unwrap_or_default();
        let Some(number) = place.line else { return message };
        let line = lines.get((number as usize).saturating_sub(1)).copied().unwrap_or_default();
        let (column, length) = match place.column {
            Some(column) => (column, word(line, column)),
            None => (line.chars().take_while(|character| character.is_whitespace()).count() as u32 + 1, u32::MAX),
        };
        message.marks.extend(mark(&lines, number, column, length));
    }
    message
}

fn of_values<'a>(error: &ValuesError, sources: &'a [Source]) -> Message<'a> {
    let origin = error.origin();
    let mut message = placed(error.to_string(), origin, None, error.hint(), sources);
    if hides(&message.marks) {
        message.text = secret::without_quotes(&message.text);
    }
    if let Some((second, label)) = error.secondary() {
        let mut other = placed(String::new(), second, None, None, sources);
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

fn of_spec<'a>(errors: &[SpecError], sources: &'a [Source]) -> Vec<Message<'a>> {
    // The values are read again only where one of them must not be shown.
    let mut values = None;
    let mut messages = Vec::new();
    for error in errors.iter().take(MOST + 1) {
        let path = error.path();
        let Some(origin) = error.origin() else {
            // What stands in no source is an argument.
            let text = match &error.problem {
                Problem::Name { name, .. } => error.to_string().replace(name, &secret::shown(name)),
                _ => error.to_string(),
            };
            messages.push(Message { text, hint: error.hint(), ..Message::default() });
            continue;
        };
        let hint = by_flag(error, sources).or_else(|| error.hint());
        let mut message = placed(error.to_string(), origin, path.as_deref(), hint, sources);
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
    messages.extend(errors.iter().skip(MOST + 1).map(|_| Message::default()));
    messages
}

/// A message about a place in one of the sources.
fn placed<'a>(
    text: String,
    origin: Origin,
    path: Option<&str>,
    hint: Option<String>,
    sources: &'a [Source],
) -> Message<'a> {
    let mut message = Message { text, hint, ..Message::default() };
    let Some(source) = sources.get(origin.source as usize).filter(|_| origin.line > 0) else { return message };
    let used = origin.used.map(|(line, column)| format!(" (used at {line}:{column})")).unwrap_or_default();
    message.place = Some(format!("{}:{}:{}{used}", name(source), origin.line, origin.column));
    let lines = match source.name {
        SourceName::File(_) | SourceName::Stdin => lines(&source.text),
        _ => vec![source.text.as_str()],
    };
    let Some(mut mark) = mark(&lines, origin.line, origin.column, origin.length) else { return message };
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
    mark.label = path.map(|path| format!("in `{}`", clean(path).replace('\n', "\u{fffd}"))).unwrap_or_default();
    message.marks.push(mark);
    message
}

fn mark<'a>(lines: &[&'a str], number: u32, column: u32, length: u32) -> Option<Mark<'a>> {
    let index = (number as usize).checked_sub(1)?;
    let visible = secret::visible(lines, index);
    Some(Mark { number, line: lines.get(index)?, column, length, visible, sign: '^', label: String::new() })
}

/// Whether a mark is on the last key of a path, and not on its value.
fn is_key(mark: &Mark<'_>, path: &str) -> bool {
    let key = path.trim_end_matches(['"', ']']).rsplit(['.', '"', '[']).next().unwrap_or_default();
    let meant: String = mark.line.chars().skip(mark.column as usize - 1).collect();
    meant.trim_start_matches(['"', '\'']).starts_with(key)
}

/// Whether a mark lies in what is not shown.
fn hides(marks: &[Mark<'_>]) -> bool {
    marks.iter().any(|mark| mark.visible.is_some_and(|visible| mark.column as usize > visible))
}

/// How many characters the word at a column has.
fn word(line: &str, column: u32) -> u32 {
    let rest = line.chars().skip((column as usize).saturating_sub(1));
    rest.take_while(|character| character.is_alphanumeric() || matches!(character, '_' | '-')).count().max(1) as u32
}

/// The lines of a text as the reader of YAML counts them, up to the most that it reads and one more; a mark at the
/// beginning is not part of the first.
fn lines(text: &str) -> Vec<&str> {
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

/// A text that cannot act on the terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if unsafe_to_print(c) && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_writes_a_line_of_its_own() {
        let mut out = Vec::new();
        Report { out: &mut out, color: false, warned: 0 }.message("error", "`a\nerror: b`", Some("c\nd"));
        let expected = "error: `a\u{fffd}error: b`\nhint: c\u{fffd}d\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn more_warnings_than_anyone_reads_are_counted() {
        let text = format!("x-a:\n{}", "- {y: 1}\n".repeat(25));
        let sources = [Source { name: SourceName::Stdin, text }];
        let values = values::load(&sources).unwrap();
        let mut out = Vec::new();
        let mut report = Report { out: &mut out, color: false, warned: 0 };
        report.warnings(values.warnings(), &[], &sources);
        assert_eq!(report.warned, 25);
        let written = String::from_utf8(out).unwrap();
        assert_eq!(written.matches("warning: ").count(), 20);
        assert!(written.ends_with("\n… and 5 more warnings\n"), "{written}");
    }

    #[test]
    fn no_key_reaches_the_terminal_as_a_command() {
        let sources = [Source { name: SourceName::Stdin, text: "\"\\e[2J\": 1\n".into() }];
        let origin = Origin { source: 0, line: 1, column: 1, length: 1, used: None };
        let message = placed("\u{1b}".into(), origin, Some("a.\u{1b}[2J\n"), None, &sources);
        let mut out = Vec::new();
        Report { out: &mut out, color: false, warned: 0 }.write("error", &message);
        let expected =
            "error: \u{fffd}\n  --> stdin:1:1\n   |\n 1 | \"\\e[2J\": 1\n   | ^ in `a.\u{fffd}[2J\u{fffd}`\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    fn written(failure: &Failure) -> String {
        let mut out = Vec::new();
        Report { out: &mut out, color: false, warned: 0 }.failure(failure);
        String::from_utf8(out).unwrap()
    }

    fn of_texts(texts: &[&str]) -> String {
        let source = |text: &&str| Source { name: SourceName::File("v.yaml".into()), text: (*text).to_owned() };
        let sources: Vec<Source> = texts.iter().map(source).collect();
        let errors = values::load(&sources).unwrap_err();
        written(&Failure::Values(Vec::new(), errors, sources))
    }

    #[test]
    fn lines_end_where_the_reader_of_yaml_ends_them() {
        assert_eq!(lines("\u{feff}a\r\nb\rc\n"), ["a", "b", "c", ""]);
        let many = "\n".repeat(MAX_LINES) + "a\nb\n";
        assert_eq!((lines(&many).len(), lines(&many).last()), (MAX_LINES + 1, Some(&"a")));
        let want = "error: key `a` appears twice\n  --> v.yaml:3:1\n   |\n 2 | a: 1\n   | - first here\n 3 | a: 2\n   | ^\nhint: drop \
                    one of them\n";
        assert_eq!(of_texts(&["b: 漢\ra: 1\r\na: 2\r\n"]), want);
    }

    #[test]
    fn a_secret_below_its_key_is_not_shown() {
        let want = "error: key `•••••` appears twice\n  --> v.yaml:3:3\n   |\n 2 |   •••••\n   |   ----- first here\n 3 |   •••••\n   |   ^^^^^\nhint: \
                    drop one of them\n";
        assert_eq!(of_texts(&["tokens:\n  a: hunter2\n  a: hunter3\n"]), want);
    }

    #[test]
    fn the_causes_of_a_refusal_stand_below_it() {
        let error = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let failure = Failure::system("cannot write to stdout", error);
        assert_eq!(written(&failure), "error: cannot write to stdout\ncause: no storage space\n");
        assert_eq!(failure.code(), 1);
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure() {
        let failure = Failure::system("cannot write", std::io::ErrorKind::BrokenPipe.into());
        assert_eq!((written(&failure), failure.code()), (String::new(), 0));
    }
}
