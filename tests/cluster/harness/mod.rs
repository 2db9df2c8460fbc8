//! The cluster that the tests talk to, started once for the test program.
//!
//! It is the first of these that is there:
//!
//! 1. `R8_TEST_KUBECONFIG`: the current context of that file, a cluster that runs already. CRDs that it lacks are
//!    applied; the namespaces of the tests stay, labelled `app.kubernetes.io/part-of=r8-tests`.
//! 2. `KUBEBUILDER_ASSETS`: the programs `kube-apiserver` and `etcd` of that folder. No controller runs: namespaces
//!    stay Terminating, Deployments make no Pods.
//! 3. Go: the control plane of `tests/control-plane`, built on first use into `target/parts`.
//!
//! With none of them a test is skipped and says so; with `CI` set that is a failure. Whatever was started ends with
//! the test program, however that ends: it reads from a pipe that only the test program holds.
//!
//! CRDs come from `$R8_SHARED/crds` (`../shared/crds`), the published ones, else from `testdata/crds`, our own.

mod assets;
mod crds;
mod istio;
mod iter8;
mod namespace;
mod player;
mod proxy;
mod recorder;
mod rules;
mod sequence;
mod start;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

pub use istio::assert_istio_takes;
pub use iter8::Iter8;
pub use namespace::{Ask, Namespace, named};
pub use player::Player;
pub use proxy::{Fault, Proxy, Request, What, depth};
pub use recorder::{Event, Happened, Recorder, Recording};
pub use rules::{Reading, Rules, assert_traffic_rules, read, violations};
pub use sequence::{Sequence, Wait, files};

/// The longest that a test waits for something that must come.
///
/// It bounds how long a failure takes, not a success: a machine that also compiles must not fail a test.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Where the cluster is, and what keeps it up.
pub struct Cluster {
    kubeconfig: PathBuf,
    origin: Origin,
    /// Held, never written to: its end stops what was started.
    _input: Option<ChildStdin>,
}

/// Where a cluster comes from; decides what it has beside the API server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Origin {
    /// `R8_TEST_KUBECONFIG`; taken to have Kubernetes' controllers, and no others.
    Existing,
    /// `KUBEBUILDER_ASSETS`; has no controllers.
    Assets,
    /// `tests/control-plane`; has all that its own documentation says.
    ControlPlane,
}

/// Why there is no cluster.
enum Absence {
    /// Nothing to start one with.
    NoMeans,
    /// It was started and failed.
    Failed(String),
}

/// The cluster, started by whoever asks first; none when the test is to be skipped.
///
/// # Panics
///
/// When it cannot be started; with `CI` set also when there is nothing to start.
pub fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Result<Cluster, Absence>> = OnceLock::new();
    match CLUSTER.get_or_init(start::start) {
        Ok(cluster) => Some(cluster),
        Err(Absence::Failed(why)) => panic!("{why}"),
        Err(Absence::NoMeans) => {
            let why = "no cluster: install Go, or set KUBEBUILDER_ASSETS or R8_TEST_KUBECONFIG";
            assert!(std::env::var_os("CI").is_none(), "{why}");
            eprintln!("skipped: {why}");
            None
        }
    }
}

/// The cluster, if it has what only `tests/control-plane` has: users, webhook, readiness when asked.
///
/// # Panics
///
/// As [`cluster`] does.
pub fn control_plane() -> Option<&'static Cluster> {
    let cluster = cluster()?;
    if cluster.origin != Origin::ControlPlane {
        eprintln!("skipped: needs the control plane of tests/control-plane");
        return None;
    }
    Some(cluster)
}

/// The cluster, if Kubernetes' own controllers run in it.
///
/// # Panics
///
/// As [`cluster`] does.
pub fn cluster_with_controllers() -> Option<&'static Cluster> {
    let cluster = cluster()?;
    if cluster.origin == Origin::Assets {
        eprintln!("skipped: needs Kubernetes' controllers, KUBEBUILDER_ASSETS has none");
        return None;
    }
    Some(cluster)
}

/// A control plane of the test's own, without CRDs: it stands for a cluster that somebody has.
///
/// # Panics
///
/// When it cannot be started.
pub fn cluster_of_somebody() -> Cluster {
    start::own(&[]).unwrap_or_else(|why| panic!("{why}"))
}

impl Cluster {
    /// A kubeconfig whose current context may do everything.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Where it comes from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// A client of the current context; one for each test, since it belongs to the test's runtime.
    pub async fn client(&self) -> Client {
        client(&self.kubeconfig, None).await
    }

    /// A client of the context of a user (`reader`, `nobody`, … : see `tests/control-plane/main.go`).
    pub async fn client_of(&self, user: &str) -> Client {
        client(&self.kubeconfig, Some(user)).await
    }

    /// r8 as it is called here: this cluster, and nothing of the caller's environment that it would heed.
    pub fn r8(&self) -> Command {
        self.command(Path::new(env!("CARGO_BIN_EXE_r8")))
    }

    /// A program that talks to this cluster, without what the caller's environment says to Helm.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("HELM_") || name == "CI") {
                command.env_remove(name);
            }
        }
        command.env("KUBECONFIG", &self.kubeconfig);
        command
    }
}

/// Starts a program with pipes for its streams, and gives it all of its input.
pub fn fed(command: &mut Command, input: &str) -> Child {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program was just built");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads its input");
    child
}

async fn client(kubeconfig: &Path, context: Option<&str>) -> Client {
    let file = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig was written at the start");
    let options = KubeConfigOptions { context: context.map(str::to_owned), ..KubeConfigOptions::default() };
    let config = Config::from_custom_kubeconfig(file, &options).await.expect("it has this context");
    Client::try_from(config).expect("its certificates are sound")
}

/// Asks again and again until there is an answer.
///
/// # Panics
///
/// When none comes within [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}
