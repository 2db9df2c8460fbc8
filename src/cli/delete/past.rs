//! What the records of a release that is deleted say of it: where its objects may lie, and whether it was routed.

use std::collections::BTreeSet;

use crate::cli::aim::foreign;
use crate::cluster::ClusterError;
use crate::cluster::records::{Kept, Known, Records};
use crate::manifest::{Manifest, Role};
use crate::plan::{Recorded, resources};
use crate::record::{Entry, Revision, Status, deployed};
use crate::route::Route;

/// The deployed revision and every later one; all of them where none is deployed. Those that cannot be read say nothing.
pub(super) struct Past(Vec<Kept>);

impl Past {
    /// Reads those of the records that matter.
    pub async fn read(records: &Records<'_>, known: &[Known]) -> Result<Past, ClusterError> {
        let entries: Vec<Entry> = known.iter().map(|known| known.entry).collect();
        let first = deployed(&entries).map_or(0, |entry| entry.number);
        let needed: Vec<Known> = known.iter().filter(|known| known.entry.number >= first).cloned().collect();
        Ok(Past(records.read_all(&needed).await?.0))
    }

    /// The namespaces of everything that was written.
    pub fn namespaces(&self) -> BTreeSet<String> {
        self.manifests().into_iter().map(|manifest| manifest.key.namespace).collect()
    }

    /// Everything that was written.
    pub fn manifests(&self) -> Vec<Manifest> {
        let all = self.0.iter().filter_map(|kept| kept.revision.manifests(resources).ok());
        all.flat_map(|all| all.iter().cloned().collect::<Vec<_>>()).collect()
    }

    /// The chart that r8 does not know and that made the last revision.
    pub fn foreign(&self) -> Option<String> {
        self.0.last().and_then(|kept| foreign(&kept.revision))
    }

    /// What the last record says of the route.
    pub fn route(&self) -> Recorded {
        self.0.last().map_or(Recorded::Nothing, |kept| route_of(&kept.revision))
    }

    /// The last record: it locks the release.
    pub async fn last(&mut self, records: &Records<'_>, last: &Known) -> Result<Option<Kept>, ClusterError> {
        match self.0.pop_if(|kept| kept.revision.number == last.entry.number) {
            Some(kept) => Ok(Some(kept)),
            None => Ok(records.read(&last.release, last.entry.number).await?),
        }
    }
}

/// What a record says of the route.
fn route_of(revision: &Revision) -> Recorded {
    let routes = |manifest: &Manifest| match manifest.role {
        Role::Route => true,
        // One that names the versions alone is there without a route as well.
        Role::Routemap => {
            let text = manifest.object["data"]["strSpec"].as_str().unwrap_or_default();
            !matches!(Route::parse(text), Ok(None))
        }
        _ => false,
    };
    match revision.manifests(resources) {
        Ok(manifests) if manifests.iter().any(routes) => Recorded::Route,
        // A change that did not end may have taken the route away; a deletion is none.
        Ok(_) if revision.info.status == Status::Deployed || revision.info.deleted.is_some() => Recorded::NoRoute,
        _ => Recorded::Nothing,
    }
}
