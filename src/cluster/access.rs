//! Which API server, and as whom: as kubectl and Helm decide it.

use std::cell::Cell;
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use tokio::sync::watch;
use tokio::time::Instant;

use super::credentials::{self, Source};
use super::{Cluster, ClusterError, News, wire};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(60);

/// What the user says of the way to the cluster; everything else comes from the kubeconfig.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Kubeconfig files, of which the first that says something wins; `~/.kube/config` when none.
    pub kubeconfig: Vec<PathBuf>,
    /// A context of it; its current context when none.
    pub context: Option<String>,
    /// The API server's address instead of the context's.
    pub server: Option<String>,
    /// A file of certificates that the server's is checked with.
    pub ca_file: Option<String>,
    /// The name that the server's certificate must have, instead of the address's.
    pub server_name: Option<String>,
    /// Whether the server's certificate is not checked at all.
    pub insecure: bool,
    /// A bearer token instead of the context's credentials.
    pub token: Option<String>,
    /// The user to act as.
    pub user: Option<String>,
    /// The groups to act as.
    pub groups: Vec<String>,
}

impl<'a> Cluster<'a> {
    /// Prepares a connection; nothing is sent yet. `say` is told what happens, requests end at the `deadline`, and none is
    /// tried again once `stop` is true.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Context`] for a context that is not there, [`ClusterError::Access`] without a usable kubeconfig
    /// outside a cluster, [`ClusterError::Credentials`] for certificates or keys that cannot be read.
    pub async fn connect(
        access: &Access,
        say: &'a dyn Fn(News<'_>),
        deadline: Instant,
        stop: &watch::Receiver<bool>,
    ) -> Result<Cluster<'a>, ClusterError> {
        let mut config = config(access).await?;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        credentials::check_own(&config.auth_info)
            .map_err(|cause| ClusterError::Credentials { server: server.clone(), cause })?;
        let source = Source::take(&mut config.auth_info);
        let made = wire::client(config, source, deadline).await;
        let client = made.map_err(|error| ClusterError::from_connecting(&error, &server))?;
        Ok(Cluster { client, server, say, deadline, stop: stop.clone(), answered: Cell::new(false) })
    }

    /// Gives the requests from now on another end than the credentials had.
    pub fn until(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }
}

async fn config(access: &Access) -> Result<Config, ClusterError> {
    let mut config = match (kubeconfig(&access.kubeconfig)?, &access.server) {
        (Some(kubeconfig), _) => {
            check_context(&kubeconfig, access)?;
            let options = KubeConfigOptions { context: access.context.clone(), cluster: None, user: None };
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| failed(&error))?
        }
        (None, Some(_)) => Config::new(Uri::default()),
        (None, None) => Config::incluster()
            .map_err(|_| ClusterError::Access("there is no kubeconfig, and this is no pod".into()))?,
    };
    if let Some(server) = &access.server {
        let wrong = |error| ClusterError::Access(format!("`{server}` is no address of a server: {error}"));
        config.cluster_url = server.parse().map_err(wrong)?;
    }
    if config.cluster_url.scheme().is_none() || config.cluster_url.host().is_none() {
        let text = format!("`{}` is no address of a server; write it as in `https://HOST:6443`", config.cluster_url);
        return Err(ClusterError::Access(text));
    }
    if let Some(path) = &access.ca_file {
        File::open(path).map_err(|error| ClusterError::Access(format!("`{path}`: {error}")))?;
        config.root_cert_file = Some(path.into());
    }
    if access.server_name.is_some() {
        config.tls_server_name.clone_from(&access.server_name);
    }
    if access.insecure {
        if access.ca_file.is_some() {
            let text = "`--kube-ca-file` says what to check the server with, `--kube-insecure-skip-tls-verify` not to";
            return Err(ClusterError::Access(text.into()));
        }
        config.accept_invalid_certs = true;
    }
    if let Some(token) = &access.token {
        // As with kubectl, a token given by the user wins over every credential of the context.
        config.auth_info = Default::default();
        config.auth_info.token = Some(token.clone().into());
    }
    if access.user.is_none() && !access.groups.is_empty() {
        return Err(ClusterError::Access("`--kube-as-group` needs the user of `--kube-as-user`".into()));
    }
    if access.user.is_some() {
        config.auth_info.impersonate = access.user.clone();
    }
    if !access.groups.is_empty() {
        config.auth_info.impersonate_groups = Some(access.groups.clone());
    }
    config.connect_timeout = Some(CONNECT);
    config.read_timeout = Some(ANSWER);
    // Tried again by `call`, which says so and keeps to the time of the command.
    config.default_retry = false;
    config.reset_reader_on_write = true;
    Ok(config)
}

/// The files as one; none when there is none, as in a pod.
fn kubeconfig(files: &[PathBuf]) -> Result<Option<Kubeconfig>, ClusterError> {
    if files.is_empty() {
        return match Kubeconfig::read() {
            Ok(kubeconfig) => Ok(Some(kubeconfig).filter(|kubeconfig| !kubeconfig.clusters.is_empty())),
            Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(KubeconfigError::FindPath) => Ok(None),
            Err(error) => Err(ClusterError::Kubeconfig { file: "~/.kube/config".into(), why: first_line(&error) }),
        };
    }
    let mut merged = Kubeconfig::default();
    for file in files {
        let read = Kubeconfig::read_from(file);
        merged = read.and_then(|read| merged.merge(read)).map_err(|error| {
            let why = match error {
                KubeconfigError::ReadConfig(error, _) => error.to_string(),
                error => first_line(&error),
            };
            ClusterError::Kubeconfig { file: file.display().to_string(), why }
        })?;
    }
    Ok(Some(merged))
}

/// Fails when the context, or what it names, is not there.
fn check_context(kubeconfig: &Kubeconfig, access: &Access) -> Result<(), ClusterError> {
    let known = || kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let Some(name) = access.context.as_ref().or(kubeconfig.current_context.as_ref()) else {
        return Err(ClusterError::Context { problem: "the kubeconfig has no current context".into(), known: known() });
    };
    let named = kubeconfig.contexts.iter().find(|context| context.name == *name);
    let Some(context) = named.and_then(|named| named.context.as_ref()) else {
        return Err(ClusterError::Context {
            problem: format!("the kubeconfig has no context `{name}`"),
            known: known(),
        });
    };
    let lacks = |what: &str, other: &str| {
        let problem = format!("context `{name}` names the {what} `{other}`, which the kubeconfig lacks");
        Err(ClusterError::Context { problem, known: known() })
    };
    if kubeconfig.clusters.iter().all(|cluster| cluster.name != context.cluster) {
        return lacks("cluster", &context.cluster);
    }
    match &context.user {
        Some(user) if kubeconfig.auth_infos.iter().all(|known| known.name != *user) => lacks("user", user),
        _ => Ok(()),
    }
}

fn failed(error: &KubeconfigError) -> ClusterError {
    ClusterError::Access(first_line(error))
}

/// What is wrong, without the excerpt of a file that holds keys.
fn first_line(error: &KubeconfigError) -> String {
    error.to_string().lines().next().unwrap_or_default().replace(": error: ", ": ")
}
