//! Messages for people: what, where with the line and a caret, how to repair.

use std::io::{self, Write};

use super::failure::Failure;
use crate::spec::SpecError;
use crate::values::{Origin, Source, SourceName};

/// The longest part of a line that is shown.
const WIDTH: usize = 120;
/// The most messages of one kind.
const MOST: usize = 20;
/// Parts of key names whose values are not shown.
const SECRET: [&str; 6] = ["password", "passwd", "secret", "token", "credential", "apikey"];

/// Writes messages, in colour or not.
pub(super) struct Report<'a> {
    pub out: &'a mut dyn Write,
    pub color: bool,
}

impl Report<'_> {
    /// Writes a failure; nothing for a reader that has gone.
    pub fn failure(&mut self, failure: &Failure) -> io::Result<()> {
        match failure {
            Failure::Usage { message, hint } => self.message("error", message, None, hint.as_deref()),
            Failure::Files(list) => list.iter().try_for_each(|text| self.message("error", text, None, None)),
            Failure::Values(errors, sources) => self.many(
                errors.0.iter().map(|error| (error.to_string(), Some((error.origin(), None)), error.hint())),
                sources,
            ),
            Failure::Spec(errors, sources) => self.many(errors.0.iter().map(located), sources),
            Failure::Templates(error) => {
                let place = error.place().map(|(file, line, column)| format!("{file}:{line}:{column}"));
                self.placed(&error.to_string(), place, error.hint())
            }
            Failure::Render(error) if error.is_input() => self.placed(&error.to_string(), None, error.hint()),
            Failure::Render(error) => {
                self.message("internal error", &format!("{error}; this is a bug in r8"), None, None)
            }
            Failure::System { error, .. } if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Failure::System { doing, error } => self.message("error", &format!("{doing}: {error}"), None, None),
            Failure::Reported => Ok(()),
        }
    }

    /// Writes warnings of the spec.
    pub fn warnings(&mut self, warnings: &[SpecError], sources: &[Source]) -> io::Result<()> {
        for warning in warnings {
            let (text, place, hint) = located(warning);
            self.excerpt("warning", &text, place, hint, sources)?;
        }
        Ok(())
    }

    /// Writes one warning with its place.
    pub fn warning(&mut self, text: &str, origin: Origin, sources: &[Source]) -> io::Result<()> {
        self.excerpt("warning", text, Some((origin, None)), None, sources)
    }

    /// Writes one line of a kind: `note: …`.
    pub fn message(&mut self, kind: &str, text: &str, place: Option<&str>, hint: Option<&str>) -> io::Result<()> {
        let (on, off) = self.paint(kind);
        writeln!(self.out, "{on}{kind}{off}: {}", clean(text))?;
        if let Some(place) = place {
            writeln!(self.out, "  --> {place}")?;
        }
        if let Some(hint) = hint {
            writeln!(self.out, "hint: {}", clean(hint))?;
        }
        Ok(())
    }

    fn placed(&mut self, text: &str, place: Option<String>, hint: Option<String>) -> io::Result<()> {
        self.message("error", text, place.as_deref(), hint.as_deref())
    }

    fn many<I>(&mut self, errors: I, sources: &[Source]) -> io::Result<()>
    where
        I: ExactSizeIterator<Item = Located>,
    {
        let count = errors.len();
        for (index, (text, place, hint)) in errors.take(MOST).enumerate() {
            if index > 0 {
                writeln!(self.out)?;
            }
            self.excerpt("error", &text, place, hint, sources)?;
        }
        if count > MOST {
            writeln!(self.out, "\n… and {} more", count - MOST)?;
        }
        Ok(())
    }

    fn excerpt(
        &mut self,
        kind: &str,
        text: &str,
        place: Option<(Origin, Option<String>)>,
        hint: Option<String>,
        sources: &[Source],
    ) -> io::Result<()> {
        let (on, off) = self.paint(kind);
        writeln!(self.out, "{on}{kind}{off}: {}", clean(text))?;
        if let Some((origin, path)) = place
            && origin.line > 0
            && let Some(source) = sources.get(origin.source as usize)
        {
            let used = origin.used.map(|(line, column)| format!(" (used at {line}:{column})")).unwrap_or_default();
            writeln!(self.out, "  --> {}:{}:{}{used}", name(source), origin.line, origin.column)?;
            let line = source.text.split('\n').nth(origin.line as usize - 1);
            if let Some(line) = line.filter(|line| !line.trim().is_empty()) {
                self.line(line, origin, path, (on, off))?;
            }
        }
        if let Some(hint) = hint {
            writeln!(self.out, "hint: {}", clean(&hint))?;
        }
        Ok(())
    }

    fn line(&mut self, line: &str, origin: Origin, path: Option<String>, (on, off): (&str, &str)) -> io::Result<()> {
        let characters: Vec<char> =
            masked(line.trim_end()).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let column = (origin.column as usize - 1).min(characters.len());
        let from = if column >= WIDTH { column - WIDTH / 2 } else { 0 };
        let shown: String = characters.iter().skip(from).take(WIDTH).collect();
        let length = (origin.length as usize).min((shown.chars().count() + from).saturating_sub(column)).max(1);
        let number = origin.line.to_string();
        let gap = " ".repeat(number.len());
        let path = path.map(|path| format!(" in `{path}`")).unwrap_or_default();
        writeln!(self.out, " {gap} |\n {number} | {shown}")?;
        let indent = " ".repeat(column - from);
        writeln!(self.out, " {gap} | {indent}{on}{}{off}{path}", "^".repeat(length))
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

type Located = (String, Option<(Origin, Option<String>)>, Option<String>);

fn located(error: &SpecError) -> Located {
    (error.to_string(), error.origin().map(|origin| (origin, error.path())), error.hint())
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

/// A text whose control characters cannot reach the terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

/// A line without what stands behind the first key that sounds like a secret, wherever in the line the key is.
fn masked(line: &str) -> String {
    let plain = line.to_ascii_lowercase();
    let reference = |key: &str| ["secretkey", "secretname", "keyref"].iter().any(|word| key.contains(word));
    let mut start = 0;
    for (end, _) in plain.match_indices([':', '=']) {
        let key = plain.get(start..end).unwrap_or_default().replace(['-', '_'], "");
        if SECRET.iter().any(|word| key.contains(word)) && !reference(&key) {
            let (shown, hidden) = line.split_at(end + 1);
            return shown.chars().chain(hidden.chars().map(|c| if c.is_whitespace() { c } else { '•' })).collect();
        }
        start = end + 1;
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_its_line_and_a_caret() {
        let sources = [Source { name: SourceName::File("over.yaml".into()), text: "a:\n  - weight: \"ten\"\n".into() }];
        let origin = Origin { source: 0, line: 2, column: 13, length: 5, used: None };
        let mut out = Vec::new();
        let mut report = Report { out: &mut out, color: false };
        let place = Some((origin, Some("a[0].weight".into())));
        report.excerpt("error", "wrong", place, Some("write `weight: 10`".into()), &sources).unwrap();
        let expected = "error: wrong\n  --> over.yaml:2:13\n   |\n 2 |   - weight: \"ten\"\n   |             ^^^^^ in \
                        `a[0].weight`\nhint: write `weight: 10`\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_secret_is_not_shown() {
        assert_eq!(masked("  dbPassword: hunter2"), "  dbPassword: •••••••");
        assert_eq!(masked("a: {nmae: x, password: y}"), "a: {nmae: x, password: ••");
        assert_eq!(masked("a.nmae=1,a.password=y"), "a.nmae=1,a.password=•");
        assert_eq!(masked("serving.kserve.io/secretKey: localMinIO"), "serving.kserve.io/secretKey: localMinIO");
    }
}
