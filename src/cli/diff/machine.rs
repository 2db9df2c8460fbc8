//! A difference for the machines that show it beside a pull request.

use serde_json::Map;

use super::Show;
use super::text::{Matched, counts, is_shown, object, step, told_matches, told_shifts, unrouted, word};
use crate::cli::document::{self, Found};
use crate::cli::failure::Failure;
use crate::cli::message::words;
use crate::cli::report::Report;
use crate::cli::request::World;
use crate::cli::{Done, wanted};
use crate::findings::{self, Check, Finding, Form, Page, Place, Section, Severity, block, code, html};
use crate::manifest::{ObjectKey, Role};
use crate::plan::{Plan, Refusal, Shift, Surprise, Warning, story};
use crate::route::Share;

/// Prints a plan in one form, with everything that was said before.
pub(super) fn print(
    form: Form,
    plan: &Plan,
    show: &Show,
    code: u8,
    world: &World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let recorder = report.recorder.as_mut();
    let (findings, file) = recorder.map(|recorder| (recorder.since(0), recorder.values())).unwrap_or_default();
    let verdict = counts(plan).trim_end().to_owned();
    let page = page(plan, &verdict, &findings, show)?;
    let check = Check { name: plan.release.name.clone(), file, facts: Map::new(), said: verdict.clone(), findings };
    let found = Found { command: "diff", checks: vec![check], verdict, page: Some(page), code };
    document::print(form, found, None, world, report)
}

/// Adds what an apply would refuse, as errors; people read it, too, where it ends the command.
pub(super) fn tell_refusals(plan: &Plan, aloud: bool, report: &mut Report<'_>) {
    for refusal in &plan.refusals {
        let (text, hint) = (wanted::words(refusal), refusal.hint());
        let place = of_refusal(plan, refusal, report);
        if aloud {
            report.remark("error", refusal.rule(), &text, Some(&hint), place);
        } else if let Some(recorder) = &mut report.recorder {
            recorder.add(Finding {
                severity: Severity::Error,
                rule: refusal.rule(),
                message: words(&text),
                hint: Some(hint),
                place,
                excerpt: String::new(),
            });
        }
    }
}

/// Where the values say what a warning is about: the entry of the version.
pub(in crate::cli) fn of_warning(plan: &Plan, warning: &Warning, report: &Report<'_>) -> Option<Place> {
    match warning {
        Warning::Interrupted(version) | Warning::Off(version) | Warning::PortGone { version, .. } => {
            of_version(plan, version, report)
        }
        Warning::Moved { index, .. } => at(&["application", "versions"], Some(*index), report),
    }
}

/// Where the values say what a surprise is about.
pub(super) fn of_surprise(plan: &Plan, surprise: &Surprise, report: &Report<'_>) -> Option<Place> {
    of_version(plan, surprise.version(), report)
}

fn of_refusal(plan: &Plan, refusal: &Refusal, report: &Report<'_>) -> Option<Place> {
    let of_object = |key: &ObjectKey| match plan.change(key).and_then(|change| change.role) {
        Some(Role::Version(index) | Role::Weights(index)) => at(&["application", "versions"], Some(index), report),
        _ => at(&["application"], None, report),
    };
    match refusal {
        Refusal::Owner { key, .. } | Refusal::Conflict { key, .. } => of_object(key),
        Refusal::Controller(_) => at(&["application"], None, report),
        Refusal::RouteRemoved(_) => at(&["application", "strategy"], None, report),
        Refusal::Environment { .. } => at(&["environment"], None, report),
    }
}

/// The entry of a version; one that goes is missing from their list.
fn of_version(plan: &Plan, version: &str, report: &Report<'_>) -> Option<Place> {
    let index = plan.members.iter().find(|member| member.name == version).and_then(|member| member.index);
    at(&["application", "versions"], index, report)
}

fn at(path: &[&str], index: Option<usize>, report: &Report<'_>) -> Option<Place> {
    report.recorder.as_ref()?.place(path, index)
}

/// What a reviewer reads: what moves, what is to be known, what an apply does, and every object, folded away.
fn page(plan: &Plan, verdict: &str, told: &[Finding], show: &Show) -> Result<Page, Failure> {
    let (name, namespace) = (code(&plan.release.name), code(&plan.release.namespace));
    let mut head = format!("### r8 diff: release {name} in namespace {namespace}\n\n**{verdict}**\n\n");
    let unrouted = unrouted(plan);
    if !unrouted.is_empty() {
        head.push_str(&format!("{}\n\n", findings::text(unrouted.trim_end())));
    }
    let mut sections = vec![Section::of(head)];
    if !plan.traffic.is_empty() {
        let (shown, same) = told_shifts(&plan.traffic);
        let mut rows: Vec<String> = shown.into_iter().map(row).collect();
        rows.extend((same > 0).then(|| findings::row(&[format!("{same} more"), "as before".into(), String::new()])));
        sections.push(table("| version | requests before | after |\n|---|---|---|\n", rows, "version"));
    }
    let (matched, same) = told_matches(plan);
    if !matched.is_empty() || same > 0 {
        let row = |rule: Matched| findings::row(&[findings::text(&rule.requests), findings::text(&rule.words())]);
        let mut rows: Vec<String> = matched.into_iter().map(row).collect();
        rows.extend((same > 0).then(|| findings::row(&[format!("{same} more"), "as before".into()])));
        sections.push(table("| requests that match | versions |\n|---|---|\n", rows, "row"));
    }
    let item = |finding: &Finding| findings::item(finding);
    if !told.is_empty() {
        let items = told.iter().map(item).collect();
        sections.push(Section { items, noun: "message", ..Section::default() });
    }
    let notes = story(plan);
    let of_step = |index: usize| {
        let what = step(plan, index);
        let what = what.split_once(": ").map_or(what.as_str(), |(_, what)| what);
        let mut item = format!("{}. {}\n", index + 1, findings::text(what.trim_end()));
        for note in notes.iter().filter(|note| note.step == index) {
            item.push_str(&format!("   - {}\n", findings::text(&note.text)));
        }
        item
    };
    if !plan.steps.is_empty() {
        sections.push(Section {
            before: "What `apply` does:\n\n".to_owned(),
            items: (0..plan.steps.len()).map(of_step).collect(),
            most: Some(findings::COMMENT_LIMIT / 4),
            noun: "step",
            behind: "\n".to_owned(),
        });
    }
    let mut objects = Vec::new();
    for change in plan.changes.iter().filter(|change| is_shown(change)) {
        let text = object(plan, change, show.unified, false)?;
        // The first line is the summary.
        let lines = text.split_once('\n').map_or("", |(_, lines)| lines);
        let title = format!("{} <code>{}</code>", word(change.action), html(&change.key.to_string()));
        objects.push(format!("<details>\n<summary>{title}</summary>\n\n{}\n</details>\n\n", block("diff", lines)));
    }
    sections.push(Section { items: objects, noun: "object", ..Section::default() });
    Ok(Page { sections })
}

fn table(before: &str, items: Vec<String>, noun: &'static str) -> Section {
    let most = Some(findings::COMMENT_LIMIT / 8);
    Section { before: before.to_owned(), items, most, noun, behind: "\n".to_owned() }
}

fn row(shift: &Shift) -> String {
    let share = |share: &Option<Share>| share.as_ref().map_or("–".to_owned(), ToString::to_string);
    let (before, after) = (share(&shift.before), share(&shift.after));
    let after = if before == after { after } else { format!("**{after}**") };
    findings::row(&[code(&shift.version), before, after])
}
