//! Which API server, and as whom: as kubectl and Helm decide it.

use std::cell::Cell;
use std::time::Duration;

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Cluster, ClusterError, News, wire};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(60);

/// What the user says of the way to the cluster; everything else comes from the kubeconfig.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// A kubeconfig file; `KUBECONFIG`, else `~/.kube/config`, when none.
    pub kubeconfig: Option<String>,
    /// A context of it; its current context when none.
    pub context: Option<String>,
    /// The API server's address instead of the context's.
    pub server: Option<String>,
    /// A file of certificates that the server's is checked with.
    pub ca_file: Option<String>,
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
    /// [`ClusterError::Access`] without a usable kubeconfig outside a cluster, [`ClusterError::Credentials`] for certificates or
    /// keys that cannot be read.
    pub async fn connect(
        access: &Access,
        say: &'a dyn Fn(News<'_>),
        deadline: Instant,
        stop: &watch::Receiver<bool>,
    ) -> Result<Cluster<'a>, ClusterError> {
        let config = config(access).await?;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = wire::client(config).map_err(|error| ClusterError::from_client(error, &server, "connect"))?;
        Ok(Cluster { client, server, say, deadline, stop: stop.clone(), answered: Cell::new(false) })
    }
}

async fn config(access: &Access) -> Result<Config, ClusterError> {
    let failed = |error: &dyn std::error::Error| ClusterError::Access(error.to_string());
    let kubeconfig = match &access.kubeconfig {
        Some(path) => Some(Kubeconfig::read_from(path).map_err(|error| failed(&error))?),
        None => match Kubeconfig::read() {
            Ok(kubeconfig) if !kubeconfig.clusters.is_empty() => Some(kubeconfig),
            Ok(_) => None,
            Err(kube::config::KubeconfigError::ReadConfig(error, _))
                if error.kind() == std::io::ErrorKind::NotFound =>
            {
                None
            }
            Err(kube::config::KubeconfigError::FindPath) => None,
            Err(error) => return Err(failed(&error)),
        },
    };
    let parse = |server: &str| {
        let wrong = |error| ClusterError::Access(format!("`{server}` is no address of a server: {error}"));
        server.parse().map_err(wrong)
    };
    let mut config = match (kubeconfig, &access.server) {
        (Some(kubeconfig), _) => {
            let options = KubeConfigOptions { context: access.context.clone(), cluster: None, user: None };
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| failed(&error))?
        }
        (None, Some(server)) => Config::new(parse(server)?),
        (None, None) => Config::incluster()
            .map_err(|_| ClusterError::Access("there is no kubeconfig, and this is no pod".into()))?,
    };
    if let Some(server) = &access.server {
        config.cluster_url = parse(server)?;
    }
    if let Some(path) = &access.ca_file {
        config.root_cert_file = Some(path.into());
    }
    if let Some(token) = &access.token {
        // As with kubectl, a token given by the user wins over every credential of the context.
        config.auth_info = Default::default();
        config.auth_info.token = Some(token.clone().into());
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
