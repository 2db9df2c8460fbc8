//! What can go wrong between r8 and an API server.

use thiserror::Error;

use crate::manifest::ObjectKey;
use crate::plan::Conflict;

/// One failure, with what the user can do about it in [`ClusterError::hint`].
#[derive(Debug, Error)]
pub enum ClusterError {
    /// There is no usable kubeconfig.
    #[error("no way to the cluster: {0}")]
    Access(String),
    /// The server does not answer.
    #[error("cannot reach the API server {server}: {cause}")]
    Unreachable {
        /// Its address.
        server: String,
        /// The innermost cause.
        cause: String,
    },
    /// The server does not answer in time.
    #[error("no answer from the API server {server} within {seconds} s")]
    Slow {
        /// Its address.
        server: String,
        /// The limit.
        seconds: u64,
    },
    /// The server does not know the user, or no longer.
    #[error("the API server {server} does not accept the credentials: {message}")]
    Unauthorized {
        /// Its address.
        server: String,
        /// What the server says.
        message: String,
    },
    /// The credentials could not be got.
    #[error("cannot get credentials for the API server {server}: {cause}")]
    Credentials {
        /// Its address.
        server: String,
        /// The innermost cause.
        cause: String,
    },
    /// The user may not do it.
    #[error("cannot {verb}: {message}")]
    Forbidden {
        /// What was tried.
        verb: String,
        /// What the server says.
        message: String,
    },
    /// Kinds that the server does not serve.
    #[error("the cluster does not serve {}", .0.join(", "))]
    Kinds(Vec<String>),
    /// The server refuses an object.
    #[error("the API server refuses {key}: {message}")]
    Refused {
        /// The object.
        key: Box<ObjectKey>,
        /// What the server says.
        message: String,
    },
    /// Other managers own fields that have another value.
    #[error("{key}: {} owned by others: {}", if conflicts.len() == 1 { "a field is" } else { "fields are" }, listed(conflicts))]
    Conflict {
        /// The object.
        key: Box<ObjectKey>,
        /// Who owns what.
        conflicts: Vec<Conflict>,
    },
    /// Anything else that the server says.
    #[error("cannot {verb}: {message}")]
    Server {
        /// What was tried.
        verb: String,
        /// What the server says.
        message: String,
    },
}

impl ClusterError {
    /// What the user can do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            ClusterError::Access(_) => {
                Some("set KUBECONFIG, or name a file with `--kubeconfig` or a context with `--kube-context`".into())
            }
            ClusterError::Unreachable { .. } | ClusterError::Slow { .. } => {
                Some("check that `kubectl cluster-info` answers with the same context, or choose another with `--kube-context`".into())
            }
            ClusterError::Unauthorized { .. } | ClusterError::Credentials { .. } => {
                Some("log in again as for kubectl, or name another user's context with `--kube-context`".into())
            }
            ClusterError::Forbidden { .. } => Some("ask for the right, or use a context whose user has it".into()),
            ClusterError::Kinds(kinds) => Some(install(kinds)),
            ClusterError::Conflict { .. } => Some("`--force-conflicts` takes the fields".into()),
            ClusterError::Refused { .. } | ClusterError::Server { .. } => None,
        }
    }

    /// Sorts what the client reports; `verb` is what was tried, as in `list ConfigMaps`.
    pub(super) fn from_client(error: kube::Error, server: &str, verb: &str) -> ClusterError {
        let (server, verb) = (server.to_owned(), verb.to_owned());
        match error {
            kube::Error::Api(status) if status.code == 401 => {
                ClusterError::Unauthorized { server, message: status.message }
            }
            kube::Error::Api(status) if status.code == 403 => ClusterError::Forbidden { verb, message: status.message },
            kube::Error::Api(status) => ClusterError::Server { verb, message: status.message },
            kube::Error::Auth(error) => ClusterError::Credentials { server, cause: innermost(&error) },
            kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => {
                // An exec plugin fails inside the client's layers.
                let text = innermost(&error);
                let own = chain(&error).any(|cause| cause.to_string().contains("auth"));
                if own {
                    ClusterError::Credentials { server, cause: text }
                } else {
                    ClusterError::Unreachable { server, cause: text }
                }
            }
            other => ClusterError::Server { verb, message: innermost(&other) },
        }
    }
}

fn listed(conflicts: &[Conflict]) -> String {
    let one = |conflict: &Conflict| format!("`{}` by `{}`", conflict.field, conflict.manager);
    conflicts.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// The cause that says most: the last of the chain.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

/// Where the missing kinds come from.
fn install(kinds: &[String]) -> String {
    let known = [
        ("serving.kserve.io", "KServe"),
        ("networking.istio.io", "Istio"),
        ("gateway.networking.k8s.io", "the Gateway API's CRDs"),
    ];
    let names: Vec<&str> = known
        .iter()
        .filter(|(group, _)| kinds.iter().any(|kind| kind.contains(group)))
        .map(|(_, name)| *name)
        .collect();
    if names.is_empty() {
        "install what defines them, or choose another environment".into()
    } else {
        format!("install {}, or choose another environment", names.join(" and "))
    }
}
