//! Messages for people: what, where with the line and a caret, how to repair.

use std::ffi::OsString;
use std::io::Write;

use super::excerpt::excerpt;
use super::failure::{Failure, Fault, reader_gone};
use super::message::{Message, Texts, finding, of_fault, of_faults, of_spec, of_values, placed, words};
use super::read::plain;
use super::recorder::{self, Recorder};
use super::secret;
use crate::findings::{Finding, Place, in_line, visible};
use crate::spec::SpecError;
use crate::values::{Origin, Source, ValuesWarning};

pub(super) use super::message::name;

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
    /// Keeps what is told, for a document.
    pub recorder: Option<Recorder>,
}

impl<'a> Report<'a> {
    /// A report in which nothing stands yet.
    pub fn new(out: &'a mut dyn Write) -> Report<'a> {
        Report { out, color: false, warned: 0, recorder: None }
    }

    /// Writes a failure; nothing for a reader that has gone.
    pub fn failure(&mut self, failure: &Failure) {
        match failure {
            Failure::Input(faults) => self.all(of_faults(faults, self.most())),
            Failure::Values(faults, errors, sources) => {
                self.warnings(&errors.warnings, &[], sources);
                let texts = Texts::of(sources);
                let errors = errors.errors.iter().map(|error| of_values(error, &texts));
                self.all(faults.iter().map(of_fault).chain(errors).collect());
            }
            Failure::Spec(unread, errors, sources) => {
                let texts = Texts::of(sources);
                let unread = unread.iter().map(|error| of_values(error, &texts));
                self.all(unread.chain(of_spec(&errors.errors, &texts, self.most())).collect());
            }
            Failure::Rule(rule, fault) => self.all(vec![Message { rule, ..of_fault(fault) }]),
            #[cfg(feature = "cluster")]
            Failure::Cluster(fault) => self.all(vec![Message { rule: "cluster", ..of_fault(fault) }]),
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
                let mut causes = String::new();
                for cause in error.chain().skip(1) {
                    let cause = cause.downcast_ref().map_or_else(|| cause.to_string(), plain);
                    causes.push_str(&format!("cause: {}\n", in_line(&cause)));
                }
                let message = Message { rule: "system", text: error.to_string(), ..Message::default() };
                self.write_at("error", &message, None, causes);
            }
            Failure::Reported(_) => {}
        }
    }

    /// Writes warnings of the reader of values and of the release: the first ones, and how many more there are.
    pub fn warnings(&mut self, read: &[ValuesWarning], spec: &[SpecError], sources: &[Source]) {
        let (most, texts) = (self.most(), Texts::of(sources));
        let of_reader = |warning: &ValuesWarning| {
            let message = placed(warning.to_string(), warning.origin(), None, None, &texts);
            Message { rule: warning.rule(), ..message }
        };
        let mut messages: Vec<Message<'_>> = read.iter().take(most).map(of_reader).collect();
        messages.extend(of_spec(spec, &texts, most).into_iter().take(most.saturating_sub(messages.len())));
        self.first(&messages, read.len() + spec.len());
    }

    /// Writes warnings of a rule about files that are no values: the first ones, and how many more there are.
    pub fn warn(&mut self, rule: &'static str, faults: &[Fault]) {
        let known = faults.get(..self.most()).unwrap_or(faults);
        let mut messages = of_faults(known, known.len());
        messages.iter_mut().for_each(|message| message.rule = rule);
        self.first(&messages, faults.len());
    }

    /// Writes warnings, and how many there are beside the first ones; of `all`, those that a machine may want are here.
    fn first(&mut self, messages: &[Message<'_>], all: usize) {
        let (told, kept) = messages.split_at(messages.len().min(MOST));
        for message in told {
            self.write("warning", message);
        }
        if all > told.len() {
            self.warned += all - told.len();
            self.line(&format!("\n… and {} more warnings\n", all - told.len()));
        }
        self.keep("warning", kept, all - messages.len());
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
        self.line(&visible(&text));
    }

    /// Writes a message of one line, with a hint: `note: …`.
    pub fn message(&mut self, kind: &str, text: &str, hint: Option<&str>) {
        let message = Message { text: text.to_owned(), hint: hint.map(str::to_owned), ..Message::default() };
        self.write(kind, &message);
    }

    /// Writes a message about a place in the values, which is given by its origin and its path.
    pub fn at(
        &mut self,
        (kind, rule): (&str, &'static str),
        text: &str,
        place: Option<(Origin, &str)>,
        hint: &str,
        sources: &[Source],
    ) {
        let hint = Some(hint.to_owned());
        let message = match place {
            Some((origin, path)) => placed(text.to_owned(), origin, Some(path), hint, &Texts::of(sources)),
            None => Message { text: text.to_owned(), hint, ..Message::default() },
        };
        self.write(kind, &Message { rule, ..message });
    }

    /// Writes a message of one line about a rule, with a hint; a machine reads where it belongs.
    pub fn remark(&mut self, kind: &str, rule: &'static str, text: &str, hint: Option<&str>, place: Option<Place>) {
        let message = Message { rule, text: text.to_owned(), hint: hint.map(str::to_owned), ..Message::default() };
        self.write_at(kind, &message, place, String::new());
    }

    /// Writes what comes of all that was said before; for a machine it is said already.
    pub fn sum(&mut self, text: &str) {
        let paint = self.paint("error");
        self.line(&format!("{}error{}: {text}\n", paint.0, paint.1));
    }

    /// Writes a line that tells what happened.
    #[cfg(feature = "cluster")]
    pub fn event(&mut self, text: &str) {
        self.line(&format!("{}\n", words(text)));
    }

    /// Writes an empty line between two failures.
    pub fn blank(&mut self) {
        self.line("\n");
    }

    /// How many messages of one kind are needed.
    fn most(&self) -> usize {
        if self.recorder.is_some() { recorder::MOST } else { MOST }
    }

    fn all(&mut self, messages: Vec<Message<'_>>) {
        let (told, more) = messages.split_at(messages.len().min(MOST));
        for (index, message) in told.iter().enumerate() {
            if index > 0 {
                self.line("\n");
            }
            self.write("error", message);
        }
        if !more.is_empty() {
            self.line(&format!("\n… and {} more\n", more.len()));
        }
        let kept = more.len().min(self.most() - told.len());
        self.keep("error", more.get(..kept).unwrap_or_default(), more.len() - kept);
    }

    /// Keeps messages that no person reads, and how many there are still.
    fn keep(&mut self, kind: &str, messages: &[Message<'_>], more: usize) {
        for message in messages {
            let finding = finding(kind, message);
            self.recorder.iter_mut().for_each(|recorder| recorder.add(finding.clone()));
        }
        if more > 0 {
            let message = Message { rule: "more", text: format!("and {more} more"), ..Message::default() };
            let finding = finding(kind, &message);
            self.recorder.iter_mut().for_each(|recorder| recorder.add(finding.clone()));
        }
    }

    fn write(&mut self, kind: &str, message: &Message<'_>) {
        self.write_at(kind, message, message.place.clone(), String::new());
    }

    /// Writes a message with what stands below it; a machine is told another place than a person.
    fn write_at(&mut self, kind: &str, message: &Message<'_>, place: Option<Place>, below: String) {
        self.warned += usize::from(kind == "warning");
        if let Some(recorder) = &mut self.recorder {
            recorder.add(Finding { place, ..finding(kind, message) });
        }
        let paint = self.paint(kind);
        let mut text = format!("{}{kind}{}: {}\n", paint.0, paint.1, words(&message.text));
        if let Some(place) = &message.place {
            text.push_str(&format!("  --> {}{}\n", in_line(&place.words()), message.used));
        }
        text.push_str(&excerpt(message.marks.clone(), paint));
        if let Some(hint) = &message.hint {
            text.push_str(&format!("hint: {}\n", words(hint)));
        }
        self.line(&format!("{text}{below}"));
    }

    fn line(&mut self, text: &str) {
        if self.recorder.as_ref().is_some_and(|recorder| recorder.silent) {
            return;
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::message::lines;
    use crate::values::{self, MAX_LINES, SourceName};

    #[test]
    fn no_value_writes_a_line_of_its_own() {
        let mut out = Vec::new();
        Report::new(&mut out).message("error", "`a\nerror: b`", Some("c\nd"));
        let expected = "error: `a\\nerror: b`\nhint: c\\nd\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn more_warnings_than_anyone_reads_are_counted() {
        let text = format!("x-a:\n{}", "- {y: 1}\n".repeat(25));
        let sources = [Source { name: SourceName::Stdin, text }];
        let values = values::load(&sources).unwrap();
        let mut out = Vec::new();
        let mut report = Report::new(&mut out);
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
        let message = placed("\u{1b}".into(), origin, Some("a.\u{1b}[2J\n"), None, &Texts::of(&sources));
        let mut out = Vec::new();
        Report::new(&mut out).write("error", &message);
        let expected = "error: \\u001b\n  --> stdin:1:1\n   |\n 1 | \"\\e[2J\": 1\n   | ^ in `a.\\u001b[2J\\n`\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    fn written(failure: &Failure) -> String {
        let mut out = Vec::new();
        Report::new(&mut out).failure(failure);
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
