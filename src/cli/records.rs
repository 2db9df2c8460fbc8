//! What the commands on release records share: the way to the records, failures, Helm's tables.

use serde_json::Value;

use super::args::{Global, RecordOutput};
use super::columns::{self, Cut, Gap};
use super::connect;
use super::failure::{Failure, Fault};
use super::progress::Progress;
use super::report::Report;
use super::request::World;
use crate::cluster::records::{Driver, Records, RecordsError};
use crate::cluster::{Cluster, ClusterError, News};
use crate::findings::in_line;
use crate::manifest::yaml;
use crate::plan::Release;
use crate::record::RecordError;

/// What was read, and what is wrong with records that cannot be.
pub(super) struct Read<T> {
    pub found: T,
    pub broken: Vec<RecordsError>,
}

/// Reads records; tells of those that cannot be read.
pub(super) fn read<T>(
    global: &Global,
    world: &World<'_>,
    report: &mut Report<'_>,
    requests: impl AsyncFnOnce(Records<'_>) -> Result<Read<T>, RecordsError>,
) -> Result<T, Failure> {
    let driver = driver(world)?;
    let access = connect::access(global, world.variable);
    let read = {
        let progress = Progress::new(report, false);
        let say = |news: News<'_>| progress.tell(&news);
        let read = connect::within(connect::Limit::Look, async |deadline, stop| {
            let cluster = Cluster::connect(&access, &say, deadline, stop).await?;
            Ok::<_, ClusterError>(requests(cluster.records(driver)).await)
        });
        read?.map_err(|error| failure(&error))?
    };
    warn(&read.broken, report);
    Ok(read.found)
}

/// Tells what is wrong with records that are not what the command is about.
pub(super) fn warn(errors: &[RecordsError], report: &mut Report<'_>) {
    for error in errors {
        let fault = fault(error);
        report.message("warning", &fault.message, fault.hint.as_deref());
    }
}

/// Where records are kept.
pub(super) fn driver(world: &World<'_>) -> Result<Driver, Failure> {
    Driver::parse(&(world.variable)("HELM_DRIVER").unwrap_or_default()).map_err(|error| failure(&error))
}

/// The failure of a command that could not read or write records.
pub(super) fn failure(error: &RecordsError) -> Failure {
    match error {
        RecordsError::Cluster(error) => connect::failure(error),
        RecordsError::Driver(_) => Failure::Input(vec![fault(error)]),
        error if error.is_refusal() => Failure::Refused(vec![fault(error)]),
        error => Failure::Cluster(fault(error)),
    }
}

fn fault(error: &RecordsError) -> Fault {
    let source = std::error::Error::source(error).filter(|source| source.is::<RecordError>());
    let message = source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
    Fault { message, place: None, hint: error.hint() }
}

/// The failure of a command on a release, or a revision, that has no record.
pub(super) fn missing(release: &Release, revision: Option<u64>) -> Failure {
    let Release { name, namespace } = release;
    let (text, hint) = match revision {
        None => (
            format!("release {name} has no record in namespace {namespace}"),
            "`r8 list -A` shows the releases that there are; name another namespace with `-n`".to_owned(),
        ),
        Some(number) => (
            format!("release {namespace}/{name} has no revision {number}"),
            format!("`r8 history {name} -n {namespace}` shows those that there are"),
        ),
    };
    Failure::Cluster(Fault::new(text, Some(&hint)))
}

/// A value for programs, as Helm writes it.
pub(super) fn written(value: &Value, output: RecordOutput) -> Result<String, Failure> {
    match output {
        RecordOutput::Json => Ok(format!("{value}\n")),
        RecordOutput::Table | RecordOutput::Yaml => {
            let mut sorted = value.clone();
            sorted.sort_all_objects();
            yaml(&sorted).map_err(|error| Failure::Bug(error.to_string()))
        }
    }
}

/// Rows below each other, as Helm writes them: columns padded, a tab between them. Where that is wider than a line of
/// `columns`, two spaces stand for the tab, and the columns `cut` are shortened.
pub(super) fn table(rows: &[Vec<String>], cut: &[usize], columns: Option<usize>) -> String {
    // One line each, whatever a description holds.
    let one_line = |cell: &String| in_line(&cell.replace(['\n', '\r', '\t'], " ")).into_owned();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(one_line).collect()).collect();
    let cut: Vec<(usize, Cut)> = cut.iter().map(|column| (*column, Cut::End)).collect();
    let whole = columns::line(&columns::widths(&rows, &[], Gap::Tab, &[], None), Gap::Tab);
    let gap = if columns.is_some_and(|columns| whole > columns) { Gap::Spaces(2) } else { Gap::Tab };
    let widths = columns::widths(&rows, &[], gap, &cut, columns);
    columns::table(&rows, &widths, gap, &cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_stays_in_its_cell_and_turns_nothing_around() {
        let rows = [vec!["1".to_owned(), "a\nb\u{202e}c".to_owned()], vec!["2".to_owned(), "d".to_owned()]];
        assert_eq!(table(&rows, &[], None), "1\ta b\\u202ec\n2\td\n");
    }
}
