//! What a command has found, for the machines that show it beside the values: one file per form.
//!
//! Pure: findings in, text out. Everything that a form could take for its own syntax is escaped here; what must not be shown
//! has been left out before.

mod github;
mod gitlab;
mod json;
mod junit;
mod markdown;
mod rules;
mod sarif;
mod visible;

pub use json::list;
pub use markdown::{COMMENT_LIMIT, Page, Section, block, code, html, item, row, text};
pub use rules::{RULES, Rule};
pub use visible::{escape, in_line, is_hidden, visible};

use serde_json::{Map, Value};

/// The file that a form names which needs one, where nothing is known of any.
const NO_FILE: &str = "values.yaml";

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is done before it is repaired.
    Error,
    /// Allowed, and probably not meant.
    Warning,
    /// To be known.
    Note,
}

impl Severity {
    /// As messages begin: `error`, `warning`, `note`.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        }
    }
}

/// Where something is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A path with `/`, relative to where the machine looks; or what a person calls the source: `stdin`, `--set #1`.
    pub source: String,
    /// Whether the source is a file.
    pub is_file: bool,
    /// Line, from 1; none where the source is all that is known.
    pub line: Option<u32>,
    /// Column in characters, from 1; none where the line is all that is known.
    pub column: Option<u32>,
    /// How many characters are meant, on that line.
    pub length: Option<u32>,
}

impl Place {
    /// As `source:line:column`, so far as it is known.
    pub fn words(&self) -> String {
        let numbers = self.line.into_iter().chain(self.column).map(|number| format!(":{number}"));
        format!("{}{}", self.source, numbers.collect::<String>())
    }
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Name of the rule, one of [`RULES`].
    pub rule: &'static str,
    /// What is wrong, in one line; words of the values stand between backticks.
    pub message: String,
    /// How to repair it, in one line.
    pub hint: Option<String>,
    /// Where; none where nothing is known.
    pub place: Option<Place>,
    /// The lines that are meant, with carets; empty where there are none to show.
    pub excerpt: String,
}

impl Finding {
    /// Message and hint, and the place where no form has a field for it.
    fn words(&self, between: &str) -> String {
        let mut words = self.message.clone();
        if let Some(place) = self.place.as_ref().filter(|place| !place.is_file) {
            words.push_str(&format!(" ({})", in_line(&place.words())));
        }
        if let Some(hint) = &self.hint {
            words.push_str(&format!("{between}hint: {hint}"));
        }
        words
    }

    /// What a person reads on a terminal.
    fn whole(&self) -> String {
        let place = self.place.as_ref().map(|place| format!("  --> {}\n", in_line(&place.words()))).unwrap_or_default();
        let hint = self.hint.as_ref().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
        format!("{}: {}\n{place}{}{hint}", self.severity.word(), self.message, self.excerpt)
    }
}

/// One release that was looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What a person calls it: the file of its values as it was typed, or its name.
    pub name: String,
    /// The file that its findings belong to which have no place; none where there is none.
    pub file: Option<String>,
    /// What was found out about it, for programs; empty where nothing was.
    pub facts: Map<String, Value>,
    /// The same for people, in one line.
    pub said: String,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Check {
    /// Whether nothing was found that is an error.
    pub fn passed(&self) -> bool {
        self.count(Severity::Error) == 0
    }

    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// What a command has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// The command's name.
    pub command: &'static str,
    /// The version of r8.
    pub version: &'static str,
    /// What came out, in one line.
    pub verdict: String,
    /// Whether the command did its work, whatever it found.
    pub complete: bool,
    /// The releases.
    pub checks: Vec<Check>,
    /// What belongs to none of them.
    pub rest: Vec<Finding>,
}

/// A form for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// r8's own, versioned.
    Json,
    /// A comment on a pull request.
    Markdown,
    /// Workflow commands, which GitHub Actions shows as annotations.
    Github,
    /// GitLab's code quality report.
    Gitlab,
    /// JUnit's XML, one test case per release.
    Junit,
    /// SARIF 2.1.0.
    Sarif,
}

impl Findings {
    /// Writes them in one form; ends with a line break.
    pub fn write(&self, form: Form) -> String {
        match form {
            Form::Json => json::write(self),
            Form::Markdown => markdown::write(self).text(COMMENT_LIMIT),
            Form::Github => github::write(self),
            Form::Gitlab => gitlab::write(self),
            Form::Junit => junit::write(self),
            Form::Sarif => sarif::write(self),
        }
    }

    /// The same as Markdown of at most so many bytes.
    pub fn markdown(&self, limit: usize) -> String {
        markdown::write(self).text(limit)
    }

    /// Whether every release passed, and nothing else is wrong.
    pub fn passed(&self) -> bool {
        self.complete && self.checks.iter().all(Check::passed) && !is_wrong(&self.rest)
    }

    /// Every finding, with the file that stands for a place that it does not have.
    fn all(&self) -> impl Iterator<Item = (&Finding, &str)> {
        let of_checks = self.checks.iter().flat_map(|check| {
            let file = check.file.as_deref().unwrap_or(NO_FILE);
            check.findings.iter().map(move |finding| (finding, file))
        });
        of_checks.chain(self.rest.iter().map(|finding| (finding, NO_FILE)))
    }

    /// Every finding with its file, its line, and what tells it from the others as long as the values around it change.
    ///
    /// For forms that take nothing without a place: a finding of no file stands in the first line of its release's.
    fn located(&self) -> Vec<(&Finding, &str, u32, String)> {
        let mut told: std::collections::BTreeMap<u128, u32> = std::collections::BTreeMap::new();
        let located = self.all().map(|(finding, file)| {
            let place = finding.place.as_ref().filter(|place| place.is_file);
            let file = place.map_or(file, |place| place.source.as_str());
            let line = place.and_then(|place| place.line).unwrap_or(1);
            let hash = [finding.rule, file, &finding.message].iter().fold(FNV_OFFSET, |hash, text| fnv(hash, text));
            // The same words may be true of two places.
            let before = told.entry(hash).or_default();
            *before += 1;
            (finding, file, line, format!("{:032x}", fnv(hash, &before.to_string())))
        });
        located.collect()
    }
}

fn is_wrong(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

/// A number with its noun: `1 error`, `2 errors`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

const FNV_OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// FNV-1a of 128 bits: the same everywhere and in every version, as a fingerprint must be. A byte that no text has ends it.
fn fnv(hash: u128, text: &str) -> u128 {
    let bytes = text.bytes().chain(std::iter::once(0xff));
    bytes.fold(hash, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(FNV_PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_fnv_1a() {
        // The published value of "foobar", without the byte that ends a text.
        let hash = "foobar".bytes().fold(FNV_OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(FNV_PRIME));
        assert_eq!(format!("{hash:032x}"), "343e1662793c64bf6f0d3597ba446f18");
    }
}
