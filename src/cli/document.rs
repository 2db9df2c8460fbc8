//! What a command prints for a machine: the document of everything that was found, also when the command fails.

use std::fs::File;
use std::io::Write;

use super::Done;
use super::failure::Failure;
use super::read;
use super::recorder::Recorder;
use super::report::Report;
use super::request::World;
use crate::findings::{Check, Finding, Findings, Form, Page, Severity};

/// The most of the summaries of one step on GitHub, 1 MiB.
const SUMMARY_LIMIT: usize = 1024 * 1024;

/// Prepares a report for a document of this form.
pub(super) fn begin(form: Form, world: &World<'_>, report: &mut Report<'_>) {
    let given = |name: &str| (world.variable)(name).filter(|value| !value.is_empty());
    let folder = std::env::current_dir().unwrap_or_default();
    report.recorder = Some(Recorder::new(form, folder, &given));
}

/// What a command has found so far.
pub(super) struct Found {
    /// The command's name.
    pub command: &'static str,
    pub checks: Vec<Check>,
    /// What came of it, in one line.
    pub verdict: String,
    /// The same as a page for people, where the command has one of its own.
    pub page: Option<Page>,
    /// The exit code of a command that did its work.
    pub code: u8,
}

/// Prints everything that was found, a failure included, in one form.
pub(super) fn print(
    form: Form,
    mut found: Found,
    failed: Option<Failure>,
    world: &World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    if let Some(failure) = &failed {
        report.failure(failure);
        found.code = failure.code();
    }
    let rest = report.recorder.as_mut().map(|recorder| recorder.since(0)).unwrap_or_default();
    // Everything but a refusal of input is a failure of the work itself.
    let complete = failed.as_ref().is_none_or(|failure| failure.code() == 2);
    let Found { command, checks, verdict, page, code } = found;
    let version = env!("CARGO_PKG_VERSION");
    let mut findings = Findings { command, version, verdict, complete, checks, rest };
    let summary = (world.variable)("GITHUB_STEP_SUMMARY").filter(|path| form == Form::Github && !path.is_empty());
    if let Some(path) = summary {
        let page = |limit| page.as_ref().map_or_else(|| findings.markdown(limit), |page| page.text(limit));
        if let Err(error) = append(&path, &page) {
            // What was found is worth more than where it is shown once more.
            let message = format!("cannot write the summary: {}", read::reason(&error));
            let (severity, rule) = (Severity::Warning, "system");
            findings.rest.push(Finding { severity, rule, message, hint: None, place: None, excerpt: String::new() });
        }
    }
    // What is said from now on is part of no document.
    report.recorder = None;
    let text = match page.filter(|_| form == Form::Markdown) {
        Some(page) => page.text(crate::findings::COMMENT_LIMIT),
        None => findings.write(form),
    };
    Ok(Done { text, code })
}

/// Appends a page to the summary of a step, as long as there is room.
fn append(path: &str, page: &dyn Fn(usize) -> String) -> std::io::Result<()> {
    let mut file = File::options().create(true).append(true).open(path)?;
    let used = usize::try_from(file.metadata()?.len()).unwrap_or(SUMMARY_LIMIT);
    file.write_all(page(SUMMARY_LIMIT.saturating_sub(used)).as_bytes())
}
