//! A proxy between r8 and the API server: it counts what is asked, and what is asked may befall a fault.
//!
//! It speaks HTTP without TLS to its clients, and hands on their credentials: the contexts of its kubeconfig are those
//! of the cluster's, save that a client certificate (`certificate`) cannot pass.

mod answer;
mod fault;

use std::convert::Infallible;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::config::{AuthInfo, KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use r8::manifest::read_documents;
use tokio::net::TcpListener;
use tokio::sync::{Notify, oneshot, watch};

pub use fault::{Fault, What};

use super::{Cluster, PATIENCE};

/// How long no new request comes before the answers of a round are given: see [`Proxy::in_rounds`].
const QUIET: Duration = Duration::from_millis(300);

/// A proxy that runs on a thread of its own, until it is dropped.
pub struct Proxy<'a> {
    cluster: &'a Cluster,
    folder: tempfile::TempDir,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

/// A request that came, in the order of their coming.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// As in `PATCH`.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Whether nothing is written by it because it says so.
    pub dry_run: bool,
    /// Whether it is a watch.
    pub watch: bool,
    /// Whether it reached the server.
    pub arrived: bool,
    /// The status that the client was answered with.
    pub status: Option<u16>,
    /// What befell it.
    pub fault: Option<What>,
    /// When it came: comes and goes of all requests are numbered.
    began: u64,
    /// When it was answered; never for a watch.
    ended: Option<u64>,
}

impl Request {
    /// Whether it changes something in the cluster.
    pub fn writes(&self) -> bool {
        !self.dry_run && !matches!(self.method.as_str(), "GET" | "HEAD")
    }
}

/// How many round trips deep: the longest chain of requests of which each came after the one before was answered.
pub fn depth(requests: &[Request]) -> usize {
    let mut spans: Vec<(u64, u64)> =
        requests.iter().filter_map(|request| Some((request.ended?, request.began))).collect();
    spans.sort_unstable();
    let (mut depth, mut end) = (0, None);
    for (ended, began) in spans {
        if end.is_none_or(|end| began > end) {
            depth += 1;
            end = Some(ended);
        }
    }
    depth
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Tells the requests of a round that it is over; none when answers are given at once.
    round: Option<Notify>,
    /// Whether requests that are held go on.
    released: watch::Sender<bool>,
}

struct State {
    requests: Vec<Request>,
    faults: Vec<Fault>,
    clock: u64,
    /// Requests of which the server has not answered all.
    open: usize,
    /// When the last request came.
    last: Instant,
}

/// A request that the server has not answered; ends too when its client goes away.
struct Open<'a>(&'a Shared);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.state().open -= 1;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request, and gives its number and what befalls it.
    fn come(&self, method: &str, path: &str) -> (usize, Option<What>, Open<'_>) {
        let mut state = self.state();
        state.clock += 1;
        state.last = Instant::now();
        state.open += 1;
        let mut request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            dry_run: path.contains("dryRun="),
            watch: path.contains("watch="),
            arrived: false,
            status: None,
            fault: None,
            began: state.clock,
            ended: None,
        };
        // Each counts the request, and the first that it befalls acts.
        let befalling: Vec<What> =
            state.faults.iter_mut().filter_map(|fault| fault.befalls(&request).then_some(fault.what)).collect();
        request.fault = befalling.first().copied();
        let (number, fault) = (state.requests.len(), request.fault);
        state.requests.push(request);
        drop(state);
        self.changed.notify_all();
        (number, fault, Open(self))
    }

    fn note(&self, number: usize, note: impl FnOnce(&mut Request)) {
        if let Some(request) = self.state().requests.get_mut(number) {
            note(request);
        }
        self.changed.notify_all();
    }

    /// Waits for the end of the round, where there are rounds.
    async fn answered(&self, open: Open<'_>) {
        let over = self.round.as_ref().map(Notify::notified);
        drop(open);
        if let Some(over) = over {
            over.await;
        }
    }

    /// The client is about to get its answer.
    fn go(&self, number: usize, status: Option<u16>) {
        let mut state = self.state();
        state.clock += 1;
        let clock = state.clock;
        if let Some(request) = state.requests.get_mut(number) {
            request.status = status;
            request.ended = (!request.watch || status.is_none_or(|status| status >= 400)).then_some(clock);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Ends round after round: when all requests have the server's answer and no other has come for a while.
    async fn rounds(&self) {
        let Some(round) = &self.round else { return std::future::pending().await };
        loop {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let state = self.state();
            if state.open == 0 && state.last.elapsed() > QUIET {
                round.notify_waiters();
            }
        }
    }
}

impl<'a> Proxy<'a> {
    /// Starts one whose requests befall these faults.
    ///
    /// # Panics
    ///
    /// When there is no free port.
    pub fn start(cluster: &'a Cluster, faults: Vec<Fault>) -> Proxy<'a> {
        Proxy::begin(cluster, faults, None)
    }

    /// Starts one that answers in rounds: it holds each answer until no other request comes for a while, so that
    /// requests sent side by side are seen to be, however fast the server is. What follows from an answer is in a later
    /// round: the rounds are [`depth`], or more than that where a busy machine makes the client pause.
    ///
    /// # Panics
    ///
    /// As [`Proxy::start`] does.
    pub fn in_rounds(cluster: &'a Cluster) -> Proxy<'a> {
        Proxy::begin(cluster, Vec::new(), Some(Notify::new()))
    }

    fn begin(cluster: &'a Cluster, faults: Vec<Fault>, round: Option<Notify>) -> Proxy<'a> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        listener.set_nonblocking(true).expect("a socket can be told so");
        let port = listener.local_addr().expect("it is bound").port();
        let folder = tempfile::tempdir().expect("a folder can be made");
        write_kubeconfig(cluster.kubeconfig(), port, &folder.path().join("kubeconfig"));
        let state = State { requests: Vec::new(), faults, clock: 0, open: 0, last: Instant::now() };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            round,
            released: watch::Sender::new(false),
        });
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let (upstream, serving) = (cluster.kubeconfig().to_owned(), Arc::clone(&shared));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, &upstream, &serving) => {}
                    () = serving.rounds() => {}
                    _ = stopped => {}
                }
            });
        });
        Proxy { cluster, folder, shared, stop: Some(stop), thread: Some(thread) }
    }

    /// A kubeconfig whose contexts lead through the proxy.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// r8 as it is called here, through the proxy.
    pub fn r8(&self) -> Command {
        let mut command = self.cluster.r8();
        command.env("KUBECONFIG", self.kubeconfig());
        command
    }

    /// A client of the current context, through the proxy; it tries nothing twice.
    pub async fn client(&self) -> Client {
        client(config(&self.kubeconfig()).await)
    }

    /// From now on this fault befalls requests too; its counting begins now.
    pub fn inject(&self, fault: Fault) {
        self.shared.state().faults.push(fault);
    }

    /// Lets requests go on that are held, now and later.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }

    /// The requests until now.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.state().requests.clone()
    }

    /// Waits for the first request that is `wanted`, which may have come already.
    ///
    /// # Panics
    ///
    /// When none comes within [`PATIENCE`].
    pub fn wait_for(&self, wanted: impl Fn(&Request) -> bool) -> Request {
        let find = |state: &State| state.requests.iter().find(|request| wanted(request)).cloned();
        let waited =
            self.shared.changed.wait_timeout_while(self.shared.state(), PATIENCE, |state| find(state).is_none());
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        find(&state).unwrap_or_else(|| panic!("no such request within {PATIENCE:?}: {:#?}", state.requests))
    }
}

impl Drop for Proxy<'_> {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The cluster's kubeconfig with the proxy for a server; JSON is YAML.
fn write_kubeconfig(cluster: &Path, port: u16, path: &Path) {
    let text = std::fs::read_to_string(cluster).expect("the kubeconfig was written at the start");
    let mut documents = read_documents(&text).expect("a kubeconfig is YAML");
    for cluster in documents[0]["clusters"].as_array_mut().into_iter().flatten() {
        cluster["cluster"] = serde_json::json!({"server": format!("http://127.0.0.1:{port}")});
    }
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    serde_json::to_writer(file.expect("the folder is new"), &documents[0]).expect("a kubeconfig is JSON too");
}

async fn serve(listener: std::net::TcpListener, upstream: &Path, shared: &Arc<Shared>) {
    let listener = TcpListener::from_std(listener).expect("a runtime is there");
    // Whoever asks, asks with its own credentials.
    let mut config = config(upstream).await;
    config.auth_info = AuthInfo::default();
    let client = client(config);
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (client, shared) = (client.clone(), Arc::clone(shared));
        tokio::spawn(async move {
            let service = service_fn(|request: hyper::Request<Incoming>| answer::answer(&client, &shared, request));
            let connection = hyper::server::conn::http1::Builder::new();
            // An error is a connection that ended: the client's doing, or a fault.
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// The way of the current context. What is asked is asked once: the client's own retries would hide and multiply faults.
async fn config(kubeconfig: &Path) -> Config {
    let file = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig was written at the start");
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
    let mut config = config.expect("it has a current context");
    config.default_retry = false;
    config
}

fn client(config: Config) -> Client {
    Client::try_from(config).expect("its certificates are sound")
}
