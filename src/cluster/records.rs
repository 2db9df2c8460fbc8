//! Release records in the cluster: Secrets, or ConfigMaps, that Helm and r8 share.
//!
//! Records are found by their labels and told apart by their names; only those that are needed are read.

mod driver;
mod error;
mod held;
mod lock;
mod many;

use std::collections::BTreeMap;
use std::time::SystemTime;

use k8s_openapi::ByteString;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, ObjectMeta, PostParams};
use kube::core::PartialObjectMeta;
use serde_json::{Value, json};

use super::call::{is_lost, is_outrun};
use super::{Cluster, ClusterError, FIELD_MANAGER};
use crate::manifest::ObjectKey;
use crate::plan::Release;
use crate::record::{Entry, RecordError, Revision, Status, Time, object_name, parse_object_name};

pub use driver::Driver;
pub use error::RecordsError;
pub use held::Held;
pub use lock::{Holder, Take, Watched};

/// How many records one answer may hold, without and with their data.
const PAGE: (u32, u32) = (500, 50);
/// How many records are read at the same time.
const AT_ONCE: usize = 16;

/// The records of a cluster.
#[derive(Clone, Copy)]
pub struct Records<'c> {
    cluster: &'c Cluster<'c>,
    driver: Driver,
}

/// A record of which only the metadata are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Which release it is of.
    pub release: Release,
    /// Its number, from its name, and its status, from its label.
    pub entry: Entry,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
    /// Who holds it, if r8 does.
    pub holder: Option<String>,
    /// Its resourceVersion.
    pub version: String,
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// What it says.
    pub revision: Revision,
    /// Who holds it, if r8 does.
    pub holder: Option<String>,
    /// Its resourceVersion.
    pub version: String,
}

impl<'c> Cluster<'c> {
    /// The records that `driver` keeps.
    pub fn records(&'c self, driver: Driver) -> Records<'c> {
        Records { cluster: self, driver }
    }
}

impl<'c> Records<'c> {
    /// What is known of all records of a release, the oldest first; nothing is read.
    ///
    /// # Errors
    ///
    /// What every request can fail with.
    pub async fn history(&self, release: &Release) -> Result<Vec<Known>, RecordsError> {
        let labels = format!("owner=helm,name={}", release.name);
        self.known(Some(&release.namespace), &labels).await
    }

    /// What is known of all records in a namespace, or everywhere, the oldest of each release first; nothing is read.
    ///
    /// # Errors
    ///
    /// What every request can fail with.
    pub async fn all(&self, namespace: Option<&str>) -> Result<Vec<Known>, RecordsError> {
        self.known(namespace, "owner=helm").await
    }

    async fn known(&self, namespace: Option<&str>, labels: &str) -> Result<Vec<Known>, RecordsError> {
        let api = self.api(namespace);
        let params = |token: Option<String>| page(labels, PAGE.0, token);
        let items: Vec<PartialObjectMeta<DynamicObject>> = self
            .pages(namespace, async |token| {
                let params = params(token);
                let list = self.cluster.call(&self.listing(namespace), || api.list_metadata(&params)).await?;
                Ok((list.metadata.continue_, list.items))
            })
            .await?;
        let mut known: Vec<Known> = items.iter().filter_map(|item| Known::from_metadata(&item.metadata)).collect();
        known.sort_by(|one, other| place(&one.release, one.entry).cmp(&place(&other.release, other.entry)));
        Ok(known)
    }

    /// Reads one record; none when it is not there.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Unreadable`], and what every request can fail with.
    pub async fn read(&self, release: &Release, number: u64) -> Result<Option<Kept>, RecordsError> {
        let key = self.key(&release.namespace, &object_name(&release.name, number));
        let (api, doing) = (self.api(Some(&release.namespace)), format!("read {key}"));
        let found = self.cluster.call(&doing, || api.get_opt(&key.name)).await;
        let found = found.map_err(|error| self.failed(error, &doing))?;
        found.map(|object| self.decode(&object)).transpose()
    }

    /// Creates a record.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Taken`] when its number is; [`RecordsError::Unwritable`] when it is too large; and what every
    /// request can fail with.
    pub async fn create(
        &self,
        revision: &Revision,
        holder: Option<&Holder>,
        now: SystemTime,
    ) -> Result<Kept, RecordsError> {
        let object = self.object(revision, holder, "createdAt", now)?;
        let api = self.api(Some(&revision.namespace));
        let params = params();
        let stored = self.put(&object, revision, || api.create(&params, &object)).await?;
        Ok(Kept { revision: revision.clone(), holder: holder.map(|holder| holder.to_string()), version: stored })
    }

    /// Writes a record again, if it still is what was read.
    ///
    /// # Errors
    ///
    /// [`RecordsError::Outrun`] when somebody else has written it; otherwise as [`Records::create`].
    pub async fn update(&self, kept: &Kept, holder: Option<&Holder>, now: SystemTime) -> Result<Kept, RecordsError> {
        let revision = &kept.revision;
        let mut object = self.object(revision, holder, "modifiedAt", now)?;
        object.metadata.resource_version = Some(kept.version.clone());
        let api = self.api(Some(&revision.namespace));
        let (name, params) = (revision.object_name(), params());
        let stored = self.put(&object, revision, || api.replace(&name, &params, &object)).await?;
        Ok(Kept { revision: revision.clone(), holder: holder.map(|holder| holder.to_string()), version: stored })
    }

    /// Deletes a record; one that is gone is no failure.
    ///
    /// # Errors
    ///
    /// What every request can fail with.
    pub async fn delete(&self, release: &Release, number: u64) -> Result<(), RecordsError> {
        let key = self.key(&release.namespace, &object_name(&release.name, number));
        let (api, doing) = (self.api(Some(&release.namespace)), format!("delete {key}"));
        let params = DeleteParams::default();
        match self.cluster.call(&doing, || api.delete(&key.name, &params)).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(self.failed(error, &doing)),
        }
    }

    /// Sends a write until it is answered; one whose answer is lost is looked for by reading. Gives the resourceVersion.
    async fn put<F>(
        &self,
        object: &DynamicObject,
        revision: &Revision,
        mut request: impl FnMut() -> F,
    ) -> Result<String, RecordsError>
    where
        F: Future<Output = kube::Result<DynamicObject>>,
    {
        let key = self.key(&revision.namespace, &revision.object_name());
        let doing = format!("write {key}");
        let is_new = object.metadata.resource_version.is_none();
        let (mut tries, mut lost) = (self.cluster.tries(), false);
        loop {
            let error = match self.cluster.once(&tries, request()).await {
                Ok(stored) => return Ok(version_of(&stored.metadata)),
                Err(error) => error,
            };
            let gone = matches!(&error, kube::Error::Api(status) if status.code == 404) && !is_new;
            if is_outrun(&error) || gone {
                if lost && let Some(version) = self.has_arrived(object, &key).await? {
                    return Ok(version);
                }
                let (key, number) = (Box::new(key), revision.number);
                return Err(if is_new { RecordsError::Taken { key, number } } else { RecordsError::Outrun { key } });
            }
            lost |= is_lost(&error);
            if !self.cluster.again(&mut tries, &doing, &error).await {
                let error = ClusterError::from_client(error, &self.cluster.server, &doing);
                return Err(if lost { error.lost(&key, "written") } else { error }.into());
            }
        }
    }

    /// The resourceVersion of the record, when it is as `object` has it.
    async fn has_arrived(&self, object: &DynamicObject, key: &ObjectKey) -> Result<Option<String>, RecordsError> {
        let (api, doing) = (self.api(Some(&key.namespace)), format!("read {key}"));
        let found = self.cluster.call(&doing, || api.get_opt(&key.name)).await;
        let found = found.map_err(|error| self.failed(error, &doing))?;
        let same = |live: &DynamicObject| {
            live.data["data"] == object.data["data"] && lock::holder(&live.metadata) == lock::holder(&object.metadata)
        };
        Ok(found.filter(same).map(|live| version_of(&live.metadata)))
    }

    /// The object that holds a record, as Helm makes it.
    fn object(
        &self,
        revision: &Revision,
        holder: Option<&Holder>,
        clock_label: &str,
        now: SystemTime,
    ) -> Result<DynamicObject, RecordsError> {
        let unwritable = |problem| RecordsError::Unwritable { release: revision.name.clone(), problem };
        let packed = revision.encode().map_err(unwritable)?;
        let mut labels = revision.object_labels();
        labels.insert(clock_label.to_owned(), Time::from(now).unix().to_string());
        let data = match self.driver {
            Driver::Secret => json!({
                "type": "helm.sh/release.v1",
                "data": {"release": ByteString(packed.into_bytes())},
            }),
            Driver::ConfigMap => json!({"data": {"release": packed}}),
        };
        let metadata = ObjectMeta {
            name: Some(revision.object_name()),
            namespace: Some(revision.namespace.clone()),
            labels: Some(labels),
            annotations: holder.map(|holder| lock::annotations(holder, now)),
            ..ObjectMeta::default()
        };
        let mut object = DynamicObject::new("", &self.resource());
        object.metadata = metadata;
        object.data = data;
        Ok(object)
    }

    fn decode(&self, object: &DynamicObject) -> Result<Kept, RecordsError> {
        let data = object.data.get("data").and_then(|data| data.get("release")).unwrap_or(&Value::Null);
        let packed = match (self.driver, data) {
            (_, Value::Null) => Err(RecordError::NoData),
            (Driver::Secret, data) => {
                serde_json::from_value(data.clone()).map(|ByteString(bytes)| bytes).map_err(|_| RecordError::Base64)
            }
            (Driver::ConfigMap, data) => data.as_str().map(|text| text.as_bytes().to_vec()).ok_or(RecordError::Base64),
        };
        let revision = packed.and_then(|packed| Revision::decode(&packed)).and_then(|revision| {
            let metadata = &object.metadata;
            // Everything that is done with it would be done to the other one.
            let is_own = metadata.name.as_deref() == Some(&revision.object_name())
                && metadata.namespace.as_deref().is_none_or(|namespace| namespace == revision.namespace);
            let said = || format!("revision {} of {}/{}", revision.number, revision.namespace, revision.name);
            if is_own { Ok(revision) } else { Err(RecordError::Another(said())) }
        });
        let mut revision = revision.map_err(|problem| {
            let metadata = &object.metadata;
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let key = self.key(&text(&metadata.namespace), &text(&metadata.name));
            RecordsError::Unreadable { key: Box::new(key), problem }
        })?;
        revision.labels = object.metadata.labels.clone().unwrap_or_default();
        Ok(Kept { revision, holder: lock::holder(&object.metadata), version: version_of(&object.metadata) })
    }

    /// Lists page by page; begins anew when the list has grown too old between two pages.
    async fn pages<T>(
        &self,
        namespace: Option<&str>,
        mut page: impl AsyncFnMut(Option<String>) -> kube::Result<(Option<String>, Vec<T>)>,
    ) -> Result<Vec<T>, RecordsError> {
        let (mut items, mut token) = (Vec::new(), None);
        loop {
            match page(token.take()).await {
                Ok((next, more)) => {
                    items.extend(more);
                    token = next.filter(|token| !token.is_empty());
                    if token.is_none() {
                        return Ok(items);
                    }
                }
                Err(kube::Error::Api(status)) if status.code == 410 && !items.is_empty() => items.clear(),
                Err(error) => return Err(self.failed(error, &self.listing(namespace))),
            }
        }
    }

    fn api(&self, namespace: Option<&str>) -> Api<DynamicObject> {
        let client = self.cluster.client.clone();
        match namespace {
            Some(namespace) => Api::namespaced_with(client, namespace, &self.resource()),
            None => Api::all_with(client, &self.resource()),
        }
    }

    fn resource(&self) -> ApiResource {
        ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", self.driver.kind()))
    }

    fn key(&self, namespace: &str, name: &str) -> ObjectKey {
        ObjectKey {
            group: String::new(),
            kind: self.driver.kind().to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    fn listing(&self, namespace: Option<&str>) -> String {
        let place = namespace.map_or_else(|| "all namespaces".to_owned(), |namespace| format!("namespace {namespace}"));
        format!("list release records ({}s) in {place}", self.driver.kind())
    }

    fn failed(&self, error: kube::Error, doing: &str) -> RecordsError {
        ClusterError::from_client(error, &self.cluster.server, doing).into()
    }
}

impl Known {
    /// Whether somebody is at work on the release, or was: a pending record, or one that r8 is deleting. Helm heeds no
    /// deletion of its own.
    pub fn is_locked(&self) -> bool {
        self.entry.status.is_pending() || (self.entry.status.is_unfinished() && self.holder.is_some())
    }

    /// What is known of an object; none for one that has not the name of a record.
    fn from_metadata(metadata: &ObjectMeta) -> Option<Known> {
        let (name, number) = parse_object_name(metadata.name.as_deref()?)?;
        let labels = metadata.labels.clone().unwrap_or_default();
        let status = labels.get("status").and_then(|status| status.parse().ok()).unwrap_or(Status::Unknown);
        let namespace = metadata.namespace.clone().unwrap_or_default();
        Some(Known {
            release: Release { name: name.to_owned(), namespace },
            entry: Entry { number, status },
            labels,
            holder: lock::holder(metadata),
            version: version_of(metadata),
        })
    }
}

/// Where a record stands among others.
fn place(release: &Release, entry: Entry) -> (&str, &str, u64) {
    (&release.namespace, &release.name, entry.number)
}

fn page(labels: &str, limit: u32, token: Option<String>) -> ListParams {
    ListParams { continue_token: token, ..ListParams::default().labels(labels).limit(limit) }
}

fn params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.into()), ..PostParams::default() }
}

fn version_of(metadata: &ObjectMeta) -> String {
    metadata.resource_version.clone().unwrap_or_default()
}
