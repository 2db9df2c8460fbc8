//! What can go wrong between r8 and an API server.

use kube::client::AuthError;
use thiserror::Error;

use super::call::Late;
use super::records::RecordsError;
use crate::manifest::ObjectKey;
use crate::plan::Conflict;

/// One failure, with what the user can do about it in [`ClusterError::hint`].
#[derive(Debug, Error)]
pub enum ClusterError {
    /// There is no usable kubeconfig.
    #[error("no way to the cluster: {0}")]
    Access(String),
    /// A kubeconfig cannot be read, or is none.
    #[error("the kubeconfig `{file}` cannot be read: {why}")]
    Kubeconfig {
        /// Its path.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The context is not there, or not whole.
    #[error("{problem}")]
    Context {
        /// What is wrong with it.
        problem: String,
        /// The contexts that are there.
        known: Vec<String>,
    },
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
    /// The answer to a write is lost, and nobody can be asked whether it arrived.
    #[error("{cause}; nobody knows whether {key} is {done} already")]
    Lost {
        /// What befell the last try.
        cause: Box<ClusterError>,
        /// The object.
        key: Box<ObjectKey>,
        /// What was to be done: `written` or `deleted`.
        done: &'static str,
    },
    /// Somebody else sends requests to a version that was about to go.
    #[error("{route} was changed meanwhile and sends requests to {version}, which was about to be deleted")]
    Rerouted {
        /// The live route.
        route: Box<ObjectKey>,
        /// The version.
        version: String,
    },
    /// Something is wrong with the release's records, or with the lock.
    #[error(transparent)]
    Record(Box<RecordsError>),
    /// Anything else that the server says.
    #[error("cannot {verb}: {message}")]
    Server {
        /// What was tried.
        verb: String,
        /// What the server says.
        message: String,
    },
}

impl From<RecordsError> for ClusterError {
    fn from(error: RecordsError) -> ClusterError {
        match error {
            RecordsError::Cluster(error) => error,
            error => ClusterError::Record(Box::new(error)),
        }
    }
}

impl ClusterError {
    /// Whether it is a refusal: somebody else is at work on the release.
    pub fn is_refusal(&self) -> bool {
        matches!(self, ClusterError::Record(error) if error.is_refusal())
    }

    /// What the user can do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            ClusterError::Access(_) => {
                Some("set KUBECONFIG, or name a file with `--kubeconfig` or a context with `--kube-context`".into())
            }
            ClusterError::Kubeconfig { .. } => Some("name another file with `--kubeconfig`, or set KUBECONFIG".into()),
            ClusterError::Context { known, .. } if known.is_empty() => {
                Some("the kubeconfig has no contexts; name another file with `--kubeconfig`".into())
            }
            ClusterError::Context { known, .. } => {
                Some(format!("name one with `--kube-context`: {}", known.join(", ")))
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
            ClusterError::Lost { cause, .. } => cause.hint(),
            ClusterError::Rerouted { .. } => {
                Some("see that nobody else applies this release at the same time, then apply it again".into())
            }
            ClusterError::Record(error) => error.hint(),
            ClusterError::Refused { .. } | ClusterError::Server { .. } => None,
        }
    }

    /// The error of a write that may have been done nevertheless.
    pub(super) fn lost(self, key: &ObjectKey, done: &'static str) -> ClusterError {
        ClusterError::Lost { cause: Box::new(self), key: Box::new(key.clone()), done }
    }

    /// What keeps a connection from being prepared: certificates, keys, where credentials come from.
    pub(super) fn from_connecting(error: &kube::Error, server: &str) -> ClusterError {
        let cause = match chain(error).find_map(|cause| cause.downcast_ref()) {
            Some(error) => credentials(error),
            // The layers say which file, then what is wrong with it; each repeats the one below.
            None => chain(error).nth(1).map_or_else(|| error.to_string(), ToString::to_string),
        };
        ClusterError::Credentials { server: server.to_owned(), cause }
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
            kube::Error::Auth(error) => ClusterError::Credentials { server, cause: credentials(&error) },
            kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => {
                if let Some(Late(limit)) = chain(&error).find_map(|cause| cause.downcast_ref()) {
                    return ClusterError::Slow { server, seconds: limit.as_secs_f64().round() as u64 };
                }
                // Credentials that are fetched anew fail inside the client's layers.
                match chain(&error).find_map(|cause| cause.downcast_ref()) {
                    Some(error) => ClusterError::Credentials { server, cause: credentials(error) },
                    None => ClusterError::Unreachable { server, cause: innermost(&error) },
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

/// An error and its sources, the outermost first.
pub(super) fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// What a provider says, or what is wrong with it: neither its environment nor its output, which may be a token.
fn credentials(error: &AuthError) -> String {
    let out = match error {
        AuthError::AuthExecRun { out, .. } => out,
        // What `credentials` says of a plugin or a file.
        AuthError::AuthExec(why) => return why.clone(),
        error => return innermost(error),
    };
    let said = String::from_utf8_lossy(&out.stderr);
    match said.lines().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("{} ({})", line.trim(), out.status),
        None => format!("it fails ({})", out.status),
    }
}

/// The cause that says most: the last of the chain.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
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
