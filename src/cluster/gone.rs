//! Deleting what was found of a release, and seeing that it is gone.

use futures_util::future::{join_all, try_join_all};
use serde_json::Value;

use super::{Cluster, ClusterError, Finding, News};
use crate::manifest::ObjectKey;

impl Cluster<'_> {
    /// Deletes these objects at the same time, each only while it is the one that was found; gives what came of each.
    pub async fn remove<'k>(
        &self,
        finding: &Finding,
        keys: &'k [ObjectKey],
    ) -> Vec<(&'k ObjectKey, Result<(), ClusterError>)> {
        let deletes = keys.iter().map(|key| async move {
            let live = finding.found.objects.get(key).or_else(|| finding.found.others.get(key));
            let uid = live.and_then(|object| object["metadata"]["uid"].as_str());
            let result = self.delete_object(&finding.kinds, key, uid, false).await;
            if result.is_ok() {
                (self.say)(News::Deleted(key));
            }
            (key, result)
        });
        join_all(deletes).await
    }

    /// Those of these objects that are there, as they are.
    ///
    /// # Errors
    ///
    /// What every request can fail with.
    pub async fn standing(
        &self,
        finding: &Finding,
        keys: &[ObjectKey],
    ) -> Result<Vec<(ObjectKey, Value)>, ClusterError> {
        let reads = keys.iter().map(|key| async move {
            let served = self.served(&finding.kinds, key)?;
            Ok::<_, ClusterError>(self.read(served, key).await?.map(|object| (key.clone(), object)))
        });
        Ok(try_join_all(reads).await?.into_iter().flatten().collect())
    }

    /// Deletes an object as it is now, whichever was found: one that its maker made again.
    ///
    /// # Errors
    ///
    /// What every request can fail with.
    pub async fn remove_again(&self, finding: &Finding, key: &ObjectKey, live: &Value) -> Result<(), ClusterError> {
        self.delete_object(&finding.kinds, key, live["metadata"]["uid"].as_str(), false).await?;
        (self.say)(News::Deleted(key));
        Ok(())
    }
}
