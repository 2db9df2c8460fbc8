//! Release records: what Helm keeps of each revision of a release, read and written as Helm 3 and 4 do.

mod begin;
mod chart;
mod error;
mod fields;
mod history;
mod list;
mod manifests;
mod pack;
mod route;
mod time;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

pub use chart::Chart;
pub use error::RecordError;
pub use history::{Entry, current, deployed, last, next_number, pruned, rollback_target};
pub use list::{Filter, Order, listed};
pub use route::StoredRoute;
pub use time::Time;
pub use values::{coalesce, coalesce_tables};

use fields::{Fields, in_order, put, put_text};

/// The most bytes that an API server takes as the data of one Secret or ConfigMap.
pub const MAX_PACKED: usize = 1_048_576;

/// The labels of a record that are Helm's own (`pkg/storage/driver/util.go`).
pub const SYSTEM_LABELS: [&str; 6] = ["name", "owner", "status", "version", "createdAt", "modifiedAt"];

/// The order in which Helm writes fields.
const RECORD: [&str; 9] =
    ["name", "info", "chart", "config", "manifest", "hooks", "version", "namespace", "apply_method"];
const INFO: [&str; 8] =
    ["first_deployed", "last_deployed", "deleted", "description", "status", "rollback_revision", "notes", "resources"];

/// One revision of a release.
///
/// Fields that r8 does not know survive; Helm itself drops those that it does not know when it writes a record again.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// Release name.
    pub name: String,
    /// Namespace of the release.
    pub namespace: String,
    /// Number of the revision, from 1.
    pub number: u64,
    /// When and how it came about.
    pub info: Info,
    /// The chart; none in broken records, which Helm lists as `MISSING`.
    pub chart: Option<Chart>,
    /// The values as given, nulls included.
    pub config: Map<String, Value>,
    /// The objects, with `# Source:` lines.
    pub manifest: String,
    /// The chart's hooks, as they are.
    pub hooks: Vec<Value>,
    /// How its objects were written.
    pub apply_method: ApplyMethod,
    /// The user's labels; they stand on the Secret, not in the record.
    pub labels: BTreeMap<String, String>,
    /// What else the record holds.
    pub more: Map<String, Value>,
}

/// When and how a revision came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// When the release's first revision was made.
    pub first_deployed: Option<Time>,
    /// When this revision was made.
    pub last_deployed: Option<Time>,
    /// When the release was deleted.
    pub deleted: Option<Time>,
    /// One line about what happened.
    pub description: String,
    /// What became of it.
    pub status: Status,
    /// The revision that was rolled back to.
    pub rollback_revision: Option<u64>,
    /// The chart's notes.
    pub notes: String,
    /// What else it holds.
    pub more: Map<String, Value>,
}

/// What became of a revision: Helm's nine words (`pkg/release/common/status.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Nobody knows.
    Unknown,
    /// It is live.
    Deployed,
    /// Its objects are deleted, its record is kept.
    Uninstalled,
    /// A later revision has replaced it.
    Superseded,
    /// It did not come about.
    Failed,
    /// Its objects are being deleted.
    Uninstalling,
    /// The first revision is being made.
    PendingInstall,
    /// A later revision is being made.
    PendingUpgrade,
    /// A revision is being made from an earlier one.
    PendingRollback,
}

impl Status {
    /// All of them with their words.
    const ALL: [(Status, &str); 9] = [
        (Status::Unknown, "unknown"),
        (Status::Deployed, "deployed"),
        (Status::Uninstalled, "uninstalled"),
        (Status::Superseded, "superseded"),
        (Status::Failed, "failed"),
        (Status::Uninstalling, "uninstalling"),
        (Status::PendingInstall, "pending-install"),
        (Status::PendingUpgrade, "pending-upgrade"),
        (Status::PendingRollback, "pending-rollback"),
    ];

    /// Whether somebody is at work on it, or was when it was killed: the lock.
    pub fn is_pending(self) -> bool {
        matches!(self, Status::PendingInstall | Status::PendingUpgrade | Status::PendingRollback)
    }

    /// Whether its work is not done: pending, or being uninstalled.
    pub fn is_unfinished(self) -> bool {
        self.is_pending() || self == Status::Uninstalling
    }

    /// The word that Helm has for it.
    pub fn as_str(self) -> &'static str {
        Status::ALL.iter().find(|(status, _)| *status == self).map_or("unknown", |(_, word)| word)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Status {
    type Err = RecordError;

    fn from_str(word: &str) -> Result<Status, RecordError> {
        let known = Status::ALL.iter().find(|(_, known)| *known == word);
        known.map(|(status, _)| *status).ok_or_else(|| RecordError::Field {
            field: "info.status".into(),
            wanted: "one of Helm's words for a status",
            found: format!("{word:?}"),
        })
    }
}

/// How the objects of a revision were written; Helm goes on in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ApplyMethod {
    /// The record does not say: client-side, by Helm 3.
    #[default]
    Unsaid,
    /// Client-side.
    Client,
    /// Server-side, by the field manager `helm`.
    Server,
}

impl ApplyMethod {
    /// The word that a record has for it; empty where it says nothing.
    pub fn as_str(self) -> &'static str {
        match self {
            ApplyMethod::Unsaid => "",
            ApplyMethod::Client => "csa",
            ApplyMethod::Server => "ssa",
        }
    }
}

/// The name of the Secret or ConfigMap that holds a revision.
pub fn object_name(release: &str, number: u64) -> String {
    format!("sh.helm.release.v1.{release}.v{number}")
}

/// The release and the number in the name of a record's Secret or ConfigMap; none for another object's name.
pub fn parse_object_name(name: &str) -> Option<(&str, u64)> {
    let (release, number) = name.strip_prefix("sh.helm.release.v1.")?.rsplit_once(".v")?;
    number.parse().ok().map(|number| (release, number))
}

impl Revision {
    /// A revision that r8 makes: server-side, with no objects yet.
    pub fn new(
        name: &str,
        namespace: &str,
        number: u64,
        info: Info,
        chart: Option<Chart>,
        config: Map<String, Value>,
    ) -> Revision {
        Revision {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            number,
            info,
            chart,
            config,
            manifest: String::new(),
            hooks: Vec::new(),
            apply_method: ApplyMethod::Server,
            labels: BTreeMap::new(),
            more: Map::new(),
        }
    }

    /// Reads the data of a record: base64 of JSON, compressed or not. Its labels stand elsewhere.
    ///
    /// # Errors
    ///
    /// Every variant of [`RecordError`] that is not about a manifest.
    pub fn decode(data: &[u8]) -> Result<Revision, RecordError> {
        Revision::from_json(pack::unpack(data)?)
    }

    /// Packs it as Helm does.
    ///
    /// # Errors
    ///
    /// [`RecordError::Full`] when no API server takes it.
    pub fn encode(&self) -> Result<String, RecordError> {
        let packed = pack::pack(&self.to_json())?;
        if packed.len() > MAX_PACKED {
            return Err(RecordError::Full(packed.len()));
        }
        Ok(packed)
    }

    /// The record as JSON, its fields in Helm's order.
    pub fn to_json(&self) -> Value {
        let mut json = self.more.clone();
        put_text(&mut json, "name", &self.name);
        json.insert("info".into(), self.info.to_json());
        put(&mut json, "chart", self.chart.as_ref().map(Chart::to_json));
        put(&mut json, "config", Some(self.config.clone()).filter(|config| !config.is_empty()));
        put_text(&mut json, "manifest", &self.manifest);
        put(&mut json, "hooks", Some(self.hooks.clone()).filter(|hooks| !hooks.is_empty()));
        json.insert("version".into(), self.number.into());
        put_text(&mut json, "namespace", &self.namespace);
        put_text(&mut json, "apply_method", self.apply_method.as_str());
        Value::Object(in_order(json, &RECORD))
    }

    fn from_json(json: Value) -> Result<Revision, RecordError> {
        let mut fields = Fields::new("", json)?;
        let number = fields.number("version")?.filter(|number| *number > 0);
        let apply_method = match fields.text("apply_method")?.as_str() {
            "" => ApplyMethod::Unsaid,
            "csa" => ApplyMethod::Client,
            "ssa" => ApplyMethod::Server,
            other => return Err(fields.not("apply_method", "`ssa` or `csa`", &other.into())),
        };
        Ok(Revision {
            name: Some(fields.text("name")?).filter(|name| !name.is_empty()).ok_or_else(|| fields.absent("name"))?,
            namespace: fields.text("namespace")?,
            number: number.ok_or_else(|| fields.absent("version"))?,
            info: Info::from_json(fields.some("info")?)?,
            chart: fields.take("chart").map(Chart::from_json).transpose()?,
            config: fields.map("config")?.unwrap_or_default(),
            manifest: fields.text("manifest")?,
            hooks: fields.list("hooks")?.unwrap_or_default(),
            apply_method,
            labels: BTreeMap::new(),
            more: fields.rest(),
        })
    }

    /// The labels of its Secret or ConfigMap, but for the time of writing.
    pub fn object_labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.own_labels();
        labels.insert("name".into(), self.name.clone());
        labels.insert("owner".into(), "helm".into());
        labels.insert("status".into(), self.info.status.to_string());
        labels.insert("version".into(), self.number.to_string());
        labels
    }

    /// The user's labels among those of its Secret or ConfigMap.
    pub fn own_labels(&self) -> BTreeMap<String, String> {
        let own = self.labels.iter().filter(|(key, _)| !SYSTEM_LABELS.contains(&key.as_str()));
        own.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// The name of its Secret or ConfigMap.
    pub fn object_name(&self) -> String {
        object_name(&self.name, self.number)
    }

    /// Name and version of its chart, as Helm prints them.
    pub fn chart_label(&self) -> String {
        match self.chart.as_ref().filter(|chart| chart.has_metadata()) {
            Some(chart) => format!("{}-{}", chart.name(), chart.version()),
            None => "MISSING".into(),
        }
    }

    /// The version of what its chart installs, as Helm prints it.
    pub fn app_version(&self) -> &str {
        self.chart.as_ref().filter(|chart| chart.has_metadata()).map_or("MISSING", Chart::app_version)
    }

    /// Whether r8 made it.
    pub fn is_own(&self) -> bool {
        self.chart.as_ref().is_some_and(|chart| chart.name() == chart::OWN)
    }
}

impl Info {
    /// What came about just now, or is about to.
    pub fn new(status: Status, description: &str) -> Info {
        Info {
            first_deployed: None,
            last_deployed: None,
            deleted: None,
            description: description.to_owned(),
            status,
            rollback_revision: None,
            notes: String::new(),
            more: Map::new(),
        }
    }

    fn to_json(&self) -> Value {
        let mut json = self.more.clone();
        let time = |time: Option<Time>| time.map(|time| time.to_string());
        put(&mut json, "first_deployed", time(self.first_deployed));
        put(&mut json, "last_deployed", time(self.last_deployed));
        put(&mut json, "deleted", time(self.deleted));
        put_text(&mut json, "description", &self.description);
        put_text(&mut json, "status", self.status.as_str());
        put(&mut json, "rollback_revision", self.rollback_revision);
        put_text(&mut json, "notes", &self.notes);
        Value::Object(in_order(json, &INFO))
    }

    fn from_json(json: Value) -> Result<Info, RecordError> {
        let mut fields = Fields::new("info", json)?;
        let status = fields.text("status")?;
        if status.is_empty() {
            return Err(fields.absent("status"));
        }
        Ok(Info {
            first_deployed: fields.time("first_deployed")?,
            last_deployed: fields.time("last_deployed")?,
            deleted: fields.time("deleted")?,
            description: fields.text("description")?,
            status: status.parse()?,
            rollback_revision: fields.number("rollback_revision")?.filter(|number| *number > 0),
            notes: fields.text("notes")?,
            more: fields.rest(),
        })
    }
}

#[cfg(test)]
mod tests;
