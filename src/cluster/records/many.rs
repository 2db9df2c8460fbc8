//! Many records at once: all of a release, or the newest of many releases in few requests.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};
use kube::api::DynamicObject;

use super::{AT_ONCE, Kept, Known, PAGE, Records, RecordsError, page};
use crate::plan::Release;
use crate::record::object_name;

impl Records<'_> {
    /// Every record of a release that can be read, the oldest first; and what is wrong with the others.
    ///
    /// # Errors
    ///
    /// What every request can fail with.
    pub async fn revisions(&self, release: &Release) -> Result<(Vec<Kept>, Vec<RecordsError>), RecordsError> {
        let namespace = Some(release.namespace.as_str());
        let labels = format!("owner=helm,name={}", release.name);
        let api = self.api(namespace);
        let params = |token: Option<String>| page(&labels, PAGE.1, token);
        let items: Vec<DynamicObject> = self
            .pages(namespace, async |token| {
                let params = params(token);
                let list = self.cluster.call(&self.listing(namespace), || api.list(&params)).await?;
                Ok((list.metadata.continue_, list.items))
            })
            .await?;
        let (mut kept, mut broken) = (Vec::new(), Vec::new());
        for item in &items {
            match self.decode(item) {
                Ok(record) => kept.push(record),
                Err(error) => broken.push(error),
            }
        }
        kept.sort_by_key(|record| record.revision.number);
        Ok((kept, broken))
    }

    /// Reads records, in their order; those that have gone meanwhile are left out, and what is wrong with others is told.
    ///
    /// # Errors
    ///
    /// What every request can fail with.
    pub async fn read_all(&self, known: &[Known]) -> Result<(Vec<Kept>, Vec<RecordsError>), RecordsError> {
        let reads = known.iter().map(|known| self.read(&known.release, known.entry.number));
        let mut answers = stream::iter(reads).buffered(AT_ONCE);
        let (mut kept, mut broken) = (Vec::new(), Vec::new());
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(record) => kept.extend(record),
                Err(error @ RecordsError::Unreadable { .. }) => broken.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok((kept, broken))
    }

    /// Reads the newest records of releases, in any order; those that have gone meanwhile are left out, and what is wrong
    /// with others is told. Many of them come with lists of what no later revision has superseded.
    ///
    /// # Errors
    ///
    /// What every request can fail with.
    pub async fn read_newest(
        &self,
        namespace: Option<&str>,
        known: &[Known],
    ) -> Result<(Vec<Kept>, Vec<RecordsError>), RecordsError> {
        if known.len() <= AT_ONCE {
            return self.read_all(known).await;
        }
        let api = self.api(namespace);
        let items: Vec<DynamicObject> = self
            .pages(namespace, async |token| {
                let params = page("owner=helm,status!=superseded", PAGE.1, token);
                let list = self.cluster.call(&self.listing(namespace), || api.list(&params)).await?;
                Ok((list.metadata.continue_, list.items))
            })
            .await?;
        let place = |item: &DynamicObject| Some((item.metadata.namespace.clone()?, item.metadata.name.clone()?));
        let items: BTreeMap<(String, String), DynamicObject> =
            items.into_iter().filter_map(|item| Some((place(&item)?, item))).collect();
        let (mut kept, mut broken, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for known in known {
            let name = object_name(&known.release.name, known.entry.number);
            match items.get(&(known.release.namespace.clone(), name)).map(|item| self.decode(item)) {
                Some(Ok(record)) => kept.push(record),
                Some(Err(error)) => broken.push(error),
                None => rest.push(known.clone()),
            }
        }
        let (more, more_broken) = self.read_all(&rest).await?;
        kept.extend(more);
        broken.extend(more_broken);
        Ok((kept, broken))
    }
}
