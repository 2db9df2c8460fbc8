//! Candidates that a cluster's release records tell: asked within two seconds, and none when it does not answer.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::cli::args::Global;
use crate::cli::connect;
use crate::cli::request::namespace;
use crate::cluster::records::{Driver, Known, Records, RecordsError};
use crate::cluster::{Cluster, News};
use crate::plan::Release;

/// How long a person waits for a list.
const LIMIT: Duration = Duration::from_secs(2);

type Variable<'v> = &'v dyn Fn(&str) -> Option<String>;

/// The releases of the namespace, and in which status each is.
pub(super) fn releases(global: &Global, variable: Variable<'_>) -> Vec<(String, String)> {
    let Ok((namespace, _)) = namespace(global, variable, true) else { return Vec::new() };
    let known = asked(global, variable, async |records| records.all(Some(&namespace)).await);
    // The oldest come first: the newest of a release is the one that stays.
    let newest: BTreeMap<String, String> =
        known.into_iter().map(|known| (known.release.name, known.entry.status.to_string())).collect();
    newest.into_iter().collect()
}

/// The revisions of a release, the newest first, and the status of each.
pub(super) fn revisions(name: Option<&str>, global: &Global, variable: Variable<'_>) -> Vec<(String, String)> {
    let (Some(name), Ok((namespace, _))) = (name, namespace(global, variable, true)) else { return Vec::new() };
    let release = Release { name: name.to_owned(), namespace };
    let known = asked(global, variable, async |records| records.history(&release).await);
    known.into_iter().rev().map(|known| (known.entry.number.to_string(), known.entry.status.to_string())).collect()
}

fn asked(
    global: &Global,
    variable: Variable<'_>,
    request: impl AsyncFnOnce(Records<'_>) -> Result<Vec<Known>, RecordsError>,
) -> Vec<Known> {
    let Ok(driver) = Driver::parse(&variable("HELM_DRIVER").unwrap_or_default()) else { return Vec::new() };
    let Ok(runtime) = connect::runtime() else { return Vec::new() };
    let access = connect::access(global, variable);
    let silent = |_: News<'_>| {};
    let (_running, stop) = watch::channel(false);
    let found = runtime.block_on(async {
        let asking = async {
            let cluster = Cluster::connect(&access, &silent, Instant::now() + LIMIT, &stop).await.ok()?;
            request(cluster.records(driver)).await.ok()
        };
        timeout(LIMIT, asking).await.ok().flatten()
    });
    // A credential plugin that still runs is not waited for.
    runtime.shutdown_background();
    found.unwrap_or_default()
}
