//! The route that the cluster has.

use tokio::time::Instant;

use super::{Explained, Whence};
use crate::cli::args::Global;
use crate::cli::connect;
use crate::cli::failure::Failure;
use crate::cli::live::{self, Missed};
use crate::cli::progress::Progress;
use crate::cli::report::Report;
use crate::cli::request::World;
use crate::cluster::{Cluster, News};
use crate::route::in_force;

/// Finds the live route of a release, as `status` does.
pub(super) fn find(
    name: &str,
    global: &Global,
    world: &World<'_>,
    report: &mut Report<'_>,
) -> Result<Explained, Failure> {
    let release = live::release(name, global, world)?;
    let access = connect::access(global, world.variable);
    let progress = Progress::new(report, false);
    let say = |news: News<'_>| progress.tell(&news);
    let runtime = connect::runtime()?;
    let found = runtime.block_on(async {
        let stop = connect::stop();
        let cluster = Cluster::connect(&access, &say, Instant::now() + connect::LOOK, &stop).await?;
        let found = cluster.find(&release).await?.found;
        if found.is_empty() { Err(Missed::Nothing(Box::new(found))) } else { Ok(found) }
    });
    progress.end();
    drop(runtime);
    let found = found.map_err(|missed| missed.failure(&release))?;
    live::remark(&found, &release, report);
    let route = found.route().map(|(key, route)| (key.clone(), route.clone()));
    let not_in_force = route.as_ref().and_then(|(_, route)| in_force(route).err());
    Ok(Explained { release: (release.name, release.namespace), route, whence: Whence::Cluster { not_in_force } })
}
