//! `get`: what the record of a release says.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::Done;
use super::args::{Get, Global, RecordOutput, Which};
use super::failure::Failure;
use super::live;
use super::records::{Read, missing, read, written};
use super::report::Report;
use super::request::World;
use crate::record::{Chart, Revision, Time, coalesce};

/// Runs the command; gives what is to be printed on stdout.
pub(super) fn run(
    args: &Get,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let text = match args {
        Get::Values { which, all, output } => {
            let revision = revision(which, global, world, report)?;
            let (head, values) = match all {
                true => ("COMPUTED VALUES:\n", Value::Object(in_force(&revision))),
                false => ("USER-SUPPLIED VALUES:\n", given(&revision)),
            };
            let head = if *output == RecordOutput::Table { head } else { "" };
            format!("{head}{}", written(&values, *output)?)
        }
        Get::Manifest { which } => format!("{}\n", revision(which, global, world, report)?.manifest),
        Get::All { which } => everything(&revision(which, global, world, report)?)?,
    };
    Ok(Done::from(text))
}

/// The revision of that number, or the newest.
fn revision(which: &Which, global: &Global, world: &World<'_>, report: &mut Report<'_>) -> Result<Revision, Failure> {
    let release = live::release(&which.name, global, world)?;
    let found = read(global, world, report, async |records| {
        let number = match which.revision {
            // Helm takes 0 for the newest.
            None | Some(0) => records.history(&release).await?.last().map(|known| known.entry.number),
            number => number,
        };
        let found = match number {
            Some(number) => records.read(&release, number).await?,
            None => None,
        };
        Ok(Read { found, broken: Vec::new() })
    })?;
    let wanted = which.revision.filter(|number| *number > 0);
    found.map(|kept| kept.revision).ok_or_else(|| missing(&release, wanted))
}

/// The values as given; null where there are none, as Helm has it.
fn given(revision: &Revision) -> Value {
    if revision.config.is_empty() { Value::Null } else { revision.config.clone().into() }
}

fn in_force(revision: &Revision) -> Map<String, Value> {
    let nothing = Map::new();
    let defaults = revision.chart.as_ref().and_then(Chart::values).unwrap_or(&nothing);
    coalesce(revision.config.clone(), defaults)
}

/// Everything, as Helm prints it.
fn everything(revision: &Revision) -> Result<String, Failure> {
    let info = &revision.info;
    let chart = |text: fn(&Chart) -> &str| revision.chart.as_ref().map(text).unwrap_or_default();
    let mut out = format!("NAME: {}\n", revision.name);
    if let Some(time) = info.last_deployed {
        let _ = writeln!(out, "LAST DEPLOYED: {}", time.short());
    }
    let _ = write!(
        out,
        "NAMESPACE: {}\nSTATUS: {}\nREVISION: {}\nCHART: {}\nVERSION: {}\nAPP_VERSION: {}\nDESCRIPTION: {}\n",
        revision.namespace,
        info.status,
        revision.number,
        chart(Chart::name),
        chart(Chart::version),
        chart(Chart::app_version),
        info.description
    );
    out.push_str(&tests(&revision.hooks));
    let values = written(&given(revision), RecordOutput::Yaml)?;
    let computed = written(&Value::Object(in_force(revision)), RecordOutput::Yaml)?;
    let _ = write!(out, "USER-SUPPLIED VALUES:\n{values}\nCOMPUTED VALUES:\n{computed}\nHOOKS:\n");
    for hook in &revision.hooks {
        let _ = write!(out, "---\n# Source: {}\n{}\n", text(hook, "path"), text(hook, "manifest"));
    }
    let _ = write!(out, "MANIFEST:\n{}\n", revision.manifest);
    if !info.notes.is_empty() {
        let _ = write!(out, "NOTES:\n{}\n", info.notes.trim());
    }
    Ok(out)
}

/// What became of the chart's tests.
fn tests(hooks: &[Value]) -> String {
    let is_test =
        |hook: &&Value| hook["events"].as_array().is_some_and(|events| events.iter().any(|event| event == "test"));
    let tests: Vec<&Value> = hooks.iter().filter(is_test).collect();
    if tests.is_empty() {
        return "TEST SUITE: None\n".to_owned();
    }
    let mut out = String::new();
    for hook in tests {
        let run = &hook["last_run"];
        let Some(started) = Time::parse(text(run, "started_at")) else { continue };
        let completed = Time::parse(text(run, "completed_at")).map(|time| time.short()).unwrap_or_default();
        let _ = write!(
            out,
            "TEST SUITE:     {}\nLast Started:   {}\nLast Completed: {completed}\nPhase:          {}\n",
            text(hook, "name"),
            started.short(),
            text(run, "phase")
        );
    }
    out
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}
