//! Records what happens to routes and versions in a namespace, each stored version of each object in one order.
//!
//! What is watched: routes, ConfigMaps (for the routemap, whose labels come and go), InferenceServices and Deployments.
//! Each kind is watched from its list's resourceVersion on, so that no version of an object is missed; resourceVersions
//! of one etcd are one order, whatever the kind. [`super::rules`] judges a recording.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, future::try_join_all};
use kube::api::{DynamicObject, WatchEvent, WatchParams};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{Cluster, Namespace, PATIENCE, client, named};

/// The kinds that are recorded, where they are served.
const KINDS: [&str; 5] = ["VirtualService", "HTTPRoute", "ConfigMap", "InferenceService", "Deployment"];

/// A recording that goes on, on a thread of its own: a test may block while r8 runs.
pub struct Recorder {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Recording>,
}

/// What was seen, in the order in which it happened.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// Every version of every object.
    pub events: Vec<Event>,
}

/// One version of one object.
#[derive(Clone, Debug)]
pub struct Event {
    /// Place in the order of all events.
    pub revision: u64,
    /// When the recorder saw it, from its start on.
    pub seen: Duration,
    /// What happened to the object.
    pub happened: Happened,
    /// The object after it; what it last was when it is deleted.
    pub object: Value,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Happened {
    /// It was there at the start of the recording.
    Found,
    /// It was created or changed.
    Written,
    /// It is gone.
    Deleted,
}

impl Recording {
    /// The routes as they were written, each specification once.
    pub fn routes(&self) -> Vec<&Value> {
        let mut routes: Vec<&Value> = Vec::new();
        for event in self.events.iter().filter(|event| event.happened == Happened::Written) {
            let route = &event.object;
            let is_route = matches!(named(route).0, "VirtualService" | "HTTPRoute");
            if is_route && routes.iter().all(|known| known["spec"] != route["spec"]) {
                routes.push(route);
            }
        }
        routes
    }
}

impl Recorder {
    /// Begins to record; on return everything is listed, and what happens from now on is recorded.
    ///
    /// # Panics
    ///
    /// When the cluster cannot be read.
    pub fn start(cluster: &Cluster, namespace: &str) -> Recorder {
        let (kubeconfig, namespace) = (cluster.kubeconfig().to_owned(), namespace.to_owned());
        let (stop, stopped) = oneshot::channel();
        let (ready, listed) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
            runtime.block_on(async {
                let namespace = Namespace { name: namespace, client: client(&kubeconfig, None).await };
                record(&namespace, ready, stopped).await
            })
        });
        if listed.recv().is_err() {
            let why = thread.join().expect_err("it ends early by a panic alone");
            std::panic::resume_unwind(why);
        }
        Recorder { stop, thread }
    }

    /// Ends the recording: what has happened until now is in it.
    ///
    /// # Panics
    ///
    /// When a watch broke, so that something may be missing.
    pub fn stop(self) -> Recording {
        let _ = self.stop.send(());
        self.thread.join().unwrap_or_else(|why| std::panic::resume_unwind(why))
    }
}

/// Events in the order of their arrival, which is an order for each kind.
struct Tape {
    start: Instant,
    events: Mutex<Vec<Event>>,
}

impl Tape {
    fn add(&self, happened: Happened, object: &DynamicObject) {
        let event = Event {
            revision: revision(object),
            seen: self.start.elapsed(),
            happened,
            object: serde_json::to_value(object).expect("objects are JSON"),
        };
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The objects of a kind that are there after all that was recorded, with the revision of each.
    fn now(&self, kind: &str) -> BTreeMap<String, u64> {
        let mut now = BTreeMap::new();
        for event in self.events() {
            let (of, name) = named(&event.object);
            match event.happened {
                _ if of != kind => {}
                Happened::Deleted => drop(now.remove(name)),
                Happened::Found | Happened::Written => drop(now.insert(name.to_owned(), event.revision)),
            }
        }
        now
    }
}

fn revision(object: &DynamicObject) -> u64 {
    number(object.metadata.resource_version.as_deref().expect("a stored object has a resourceVersion"))
}

fn number(revision: &str) -> u64 {
    revision.parse().expect("etcd's revisions are numbers")
}

async fn record(namespace: &Namespace, ready: mpsc::Sender<()>, stopped: oneshot::Receiver<()>) -> Recording {
    let tape = Arc::new(Tape { start: Instant::now(), events: Mutex::default() });
    let mut served = Vec::new();
    for kind in KINDS {
        match namespace.objects(kind).list(&Default::default()).await {
            Ok(list) => {
                for object in &list.items {
                    tape.add(Happened::Found, &complete(kind, object));
                }
                served.push((kind, list.metadata.resource_version.expect("a list has a resourceVersion")));
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => panic!("{kind} of {}: {error}", namespace.name),
        }
    }
    let kinds: Vec<&str> = served.iter().map(|(kind, _)| *kind).collect();
    let watches = try_join_all(served.into_iter().map(|(kind, from)| watch(namespace, kind, from, &tape)));
    // Whoever asked may be gone: then nobody wants the recording either.
    let _ = ready.send(());
    tokio::select! {
        broken = watches => panic!("the recording of {} has a gap: {:?}", namespace.name, broken.err()),
        () = async { let _ = stopped.await; caught_up(namespace, &kinds, &tape).await } => {}
    }
    let mut events = tape.events();
    events.sort_by_key(|event| event.revision);
    Recording { events }
}

/// Items of a list lack what the list says for all of them.
fn complete(kind: &str, object: &DynamicObject) -> DynamicObject {
    let mut object = object.clone();
    let types = object.types.get_or_insert_default();
    types.kind = kind.to_owned();
    object
}

/// Ends only when events may have been missed.
async fn watch(namespace: &Namespace, kind: &str, mut from: String, tape: &Tape) -> Result<(), kube::Error> {
    loop {
        let mut events = Box::pin(namespace.objects(kind).watch(&WatchParams::default(), &from).await?);
        while let Some(event) = events.next().await {
            match event {
                Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => {
                    from = revision(&object).to_string();
                    tape.add(Happened::Written, &object);
                }
                Ok(WatchEvent::Deleted(object)) => {
                    from = revision(&object).to_string();
                    tape.add(Happened::Deleted, &object);
                }
                Ok(WatchEvent::Bookmark(bookmark)) => from = bookmark.metadata.resource_version,
                Ok(WatchEvent::Error(status)) => return Err(kube::Error::Api(status)),
                // The connection ended; it goes on from the last event.
                Err(_) => break,
            }
        }
    }
}

/// Waits until the watches have told of everything that a list made now shows.
async fn caught_up(namespace: &Namespace, kinds: &[&str], tape: &Tape) {
    let all = async {
        for kind in kinds {
            loop {
                let list = namespace.objects(kind).list(&Default::default()).await.expect("it could be listed before");
                let wanted: BTreeMap<String, u64> = list
                    .items
                    .iter()
                    .map(|object| (object.metadata.name.clone().expect("an object has a name"), revision(object)))
                    .collect();
                if tape.now(kind) == wanted {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("the watches catch up in time");
}
