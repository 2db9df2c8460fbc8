//! The record of a revision, as something to compare with.

use std::time::Duration;

use super::against::Objects;
use crate::cli::args::Global;
use crate::cli::failure::Failure;
use crate::cli::failure::Fault;
use crate::cli::progress::Progress;
use crate::cli::report::Report;
use crate::cli::request::{Request, World};
use crate::cli::{connect, records, render};
use crate::cluster::{Cluster, News};
use crate::plan::{Release, resources};
use crate::record::current;

/// The objects of a revision, as its record has them; asked for at most `timeout`.
pub(super) fn objects(
    number: Option<u64>,
    timeout: Duration,
    request: &Request,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Objects, Failure> {
    let (spec, _) = render::decode(request, &mut Report::new(&mut std::io::sink()))?;
    let release = Release { name: spec.name.to_string(), namespace: spec.namespace.to_string() };
    let (access, driver) = (connect::access(global, world.variable), records::driver(world)?);
    let progress = Progress::new(report, false);
    let say = |news: News<'_>| progress.tell(&news);
    let kept = connect::within(connect::Limit::Timeout(timeout), async |deadline, stop| {
        let cluster = Cluster::connect(&access, &say, deadline, stop).await?;
        let records = cluster.records(driver);
        let known = records.history(&release).await?;
        let entries: Vec<_> = known.iter().map(|known| known.entry).collect();
        let number = number.or_else(|| current(&entries).map(|entry| entry.number));
        match number {
            Some(number) => Ok((records.read(&release, number).await?, Some(number))),
            None => Ok((None, None)),
        }
    });
    let (kept, number) = kept?;
    let Some(kept) = kept else { return Err(records::missing(&release, number)) };
    let manifests = kept.revision.manifests(resources).map_err(|error| {
        let number = kept.revision.number;
        Failure::Cluster(Fault::new(format!("the manifest of revision {number} cannot be read: {error}"), None))
    })?;
    Ok(manifests.iter().map(|manifest| (manifest.key.clone(), manifest.object.clone())).collect())
}
