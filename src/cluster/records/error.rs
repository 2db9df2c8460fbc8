//! What can go wrong with release records.

use thiserror::Error;

use super::super::ClusterError;
use crate::manifest::ObjectKey;
use crate::plan::Release;
use crate::record::{RecordError, Status, Time};

/// One failure, with what the user can do about it in [`RecordsError::hint`].
#[derive(Debug, Error)]
pub enum RecordsError {
    /// Anything that a request can fail with.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Records are kept where r8 does not look.
    #[error("`HELM_DRIVER` is `{0}`, and r8 keeps release records in Secrets or ConfigMaps only")]
    Driver(String),
    /// A record cannot be read.
    #[error("{key} is no release record that can be read")]
    Unreadable {
        /// The Secret or ConfigMap.
        key: Box<ObjectKey>,
        /// What is wrong with it.
        #[source]
        problem: RecordError,
    },
    /// A record cannot be written.
    #[error("the record of release {release} cannot be written")]
    Unwritable {
        /// The release.
        release: String,
        /// What is wrong with it.
        #[source]
        problem: RecordError,
    },
    /// Somebody else has made the revision.
    #[error("somebody else has just begun revision {number}: {key}")]
    Taken {
        /// The Secret or ConfigMap.
        key: Box<ObjectKey>,
        /// The revision's number.
        number: u64,
    },
    /// Somebody else has written the record.
    #[error("somebody else has written {key} meanwhile")]
    Outrun {
        /// The Secret or ConfigMap.
        key: Box<ObjectKey>,
    },
    /// Somebody else is at work on the release.
    #[error("release {} is locked: revision {number} is {status}{}{}", named(.release), begun(.since), by(.holder))]
    Locked {
        /// The release.
        release: Release,
        /// The revision that is pending.
        number: u64,
        /// How it is pending.
        status: Status,
        /// Since when.
        since: Option<Time>,
        /// Who is at work; none when it is Helm.
        holder: Option<String>,
    },
    /// The lock was taken away.
    #[error("release {} is not locked by this run any more: {}", named(.release), taken(.holder))]
    Lost {
        /// The release.
        release: Release,
        /// Who has it now, if r8 has it.
        holder: Option<String>,
    },
}

impl RecordsError {
    /// What the user can do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            RecordsError::Cluster(error) => error.hint(),
            RecordsError::Driver(_) => Some("unset it, or set it to `secret` or `configmap`".into()),
            RecordsError::Unreadable { problem, .. } | RecordsError::Unwritable { problem, .. } => {
                Some(problem.hint().into())
            }
            RecordsError::Taken { .. } | RecordsError::Outrun { .. } | RecordsError::Lost { .. } => {
                Some("wait until the other run has ended, then try again".into())
            }
            RecordsError::Locked { holder: Some(_), .. } => Some(
                "wait until it has ended; when it is dead, its lock is taken over after 60 s, or at once with `--take-lock`"
                    .into(),
            ),
            RecordsError::Locked { holder: None, .. } => Some(
                "wait until Helm has ended; when it is dead, take its lock with `--take-lock`, or use `helm rollback`"
                    .into(),
            ),
        }
    }

    /// Whether what the user gave is no record.
    pub fn is_input(&self) -> bool {
        matches!(self, RecordsError::Unwritable { .. })
    }

    /// Whether it is a refusal: somebody else is at work.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            RecordsError::Taken { .. }
                | RecordsError::Outrun { .. }
                | RecordsError::Locked { .. }
                | RecordsError::Lost { .. }
        )
    }
}

fn named(release: &Release) -> String {
    format!("{}/{}", release.namespace, release.name)
}

fn begun(since: &Option<Time>) -> String {
    since.map_or_else(String::new, |since| format!(" since {since}"))
}

fn by(holder: &Option<String>) -> String {
    holder.as_ref().map_or_else(String::new, |holder| format!(", by {holder}"))
}

fn taken(holder: &Option<String>) -> String {
    holder
        .as_ref()
        .map_or_else(|| "its record was written by another tool".into(), |holder| format!("{holder} has taken it"))
}
