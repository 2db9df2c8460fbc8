//! `history`: the revisions of a release.

use serde_json::{Value, json};

use super::Done;
use super::args::{self, Global, RecordOutput};
use super::failure::Failure;
use super::live;
use super::records::{Read, missing, read, table, written};
use super::report::Report;
use super::request::World;
use crate::cluster::records::Kept;
use crate::record::Revision;

/// Runs the command; gives what is to be printed on stdout.
pub(super) fn run(
    args: &args::History,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let release = live::release(&args.name, global, world)?;
    let kept = read(global, world, report, async |records| {
        let (found, broken) = records.revisions(&release).await?;
        Ok(Read { found, broken })
    })?;
    if kept.is_empty() {
        return Err(missing(&release, None));
    }
    let newest = kept.len().saturating_sub(args.max);
    let revisions: Vec<Revision> = kept.into_iter().skip(newest).map(|Kept { revision, .. }| revision).collect();
    Ok(Done::from(match args.output {
        RecordOutput::Table => rows(&revisions, args.show_rollback_revision, world.columns),
        other => written(&Value::Array(revisions.iter().map(document).collect()), other)?,
    }))
}

fn rows(revisions: &[Revision], rollback: bool, columns: Option<usize>) -> String {
    let head = ["REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION", "ROLLBACK", "DESCRIPTION"].map(str::to_owned);
    let cells = |revision: &Revision| {
        [
            revision.number.to_string(),
            revision.info.last_deployed.map(|time| time.short()).unwrap_or_default(),
            revision.info.status.to_string(),
            revision.chart_label(),
            revision.app_version().to_owned(),
            revision.info.rollback_revision.map(|number| number.to_string()).unwrap_or_default(),
            revision.info.description.clone(),
        ]
    };
    let with = |row: [String; 7]| {
        let cells = row.into_iter().enumerate();
        cells.filter(|(column, _)| rollback || *column != 5).map(|(_, cell)| cell).collect()
    };
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(revisions.iter().map(cells)).map(with).collect();
    // Chart, version and description.
    let cut = if rollback { [3, 4, 6] } else { [3, 4, 5] };
    table(&rows, &cut, columns)
}

/// A revision as Helm shows it to programs.
fn document(revision: &Revision) -> Value {
    let info = &revision.info;
    let mut document = json!({"revision": revision.number});
    if let Some(time) = info.last_deployed {
        document["updated"] = time.to_string().into();
    }
    document["status"] = info.status.as_str().into();
    document["chart"] = revision.chart_label().into();
    document["app_version"] = revision.app_version().into();
    if let Some(number) = info.rollback_revision {
        document["rollback_revision"] = number.into();
    }
    document["description"] = info.description.as_str().into();
    document
}
