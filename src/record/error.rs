//! What can be wrong with a record.

use thiserror::Error;

use super::MAX_PACKED;
use super::pack::MAX_UNPACKED;
use crate::manifest::ManifestError;

/// Why a record cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// The Secret or ConfigMap has no data under `release`.
    #[error("there is no data under `release`")]
    NoData,
    /// The data is no base64.
    #[error("the data is no base64")]
    Base64,
    /// The data cannot be unpacked.
    #[error("the data cannot be unpacked: {0}")]
    Gzip(String),
    /// The data is a bomb.
    #[error("the data is larger than {} MiB when unpacked", MAX_UNPACKED / 1024 / 1024)]
    Bomb,
    /// The data is no JSON.
    #[error("the data is no JSON: {0}")]
    Json(String),
    /// A field is something else than it must be.
    #[error("`{field}` must be {wanted}, found {found}")]
    Field {
        /// Path of the field.
        field: String,
        /// What it must be.
        wanted: &'static str,
        /// What it is.
        found: String,
    },
    /// A field is not there that must be.
    #[error("`{0}` is absent")]
    Absent(String),
    /// The record is another one's: it was copied, or renamed.
    #[error("it says that it is {0}")]
    Another(String),
    /// The manifest of the record is no YAML.
    #[error("the manifest is no YAML at {line}:{column}: {message}")]
    Yaml {
        /// Line of the manifest, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// Something in the manifest of the record is no object of a release.
    #[error("the manifest is wrong at line {line}: {problem}")]
    Object {
        /// Line of the manifest in which the document begins, from 1.
        line: usize,
        /// What is wrong.
        problem: ManifestError,
    },
    /// A record that no API server takes.
    #[error("the release record has {0} bytes, and an API server takes at most {MAX_PACKED}")]
    Full(usize),
}

impl RecordError {
    /// What the user can do next.
    pub fn hint(&self) -> &'static str {
        match self {
            RecordError::Full(_) => {
                "make the release smaller: fewer versions, or shorter `…Specification`s and annotations"
            }
            RecordError::Yaml { .. } | RecordError::Object { .. } => {
                "the record was changed by hand or made by another chart: `r8 get manifest NAME` shows it; \
                 another revision may be sound, see `r8 history NAME`"
            }
            RecordError::Another(_) => {
                "move it to where it belongs, or delete it with kubectl: the other revisions stay"
            }
            RecordError::NoData
            | RecordError::Base64
            | RecordError::Gzip(_)
            | RecordError::Bomb
            | RecordError::Json(_)
            | RecordError::Field { .. }
            | RecordError::Absent(_) => "restore it from a backup, or delete it with kubectl: the other revisions stay",
        }
    }
}
