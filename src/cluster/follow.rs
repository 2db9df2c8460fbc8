//! What happens to objects, as the API server tells it.

use std::time::Duration;

use futures_util::stream::{BoxStream, SelectAll, StreamExt};
use kube::core::{DynamicObject, Status};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;

use super::Cluster;
use super::discovery::Served;
use super::error::innermost;
use super::observe::json;
use crate::manifest::ObjectKey;

/// How long one watch lasts before it is asked for anew; shorter than the longest silence of a connection.
const WATCH_SECONDS: u32 = 50;

/// How often objects are read that may not be watched.
pub(super) const POLL: Duration = Duration::from_secs(2);

/// One thing that was seen.
#[derive(Debug)]
pub(super) enum Sighting {
    /// An object as it is.
    Is(ObjectKey, Box<Value>),
    /// An object that is gone, with its `uid`.
    Gone(ObjectKey, Option<String>),
    /// From here on everything that there is of one kind in one namespace is told, at the start or after a gap.
    Begins(String, String),
    /// Everything that there is has been told.
    Listed(String, String),
    /// Objects of this kind may not be watched.
    Forbidden(String),
    /// Objects of this kind cannot be watched now, and why.
    Failed(String, String),
    /// The server accepts the credentials no more; what it says.
    Unauthorized(String),
}

/// All that is followed.
pub(super) type Follow = SelectAll<BoxStream<'static, Sighting>>;

impl Cluster<'_> {
    /// Follows the objects of one kind in one namespace, or one of them; a watch that ends is taken up again.
    pub(super) fn follow(&self, served: &Served, namespace: &str, name: Option<&str>) -> BoxStream<'static, Sighting> {
        let mut config = watcher::Config::default().timeout(WATCH_SECONDS);
        if let Some(name) = name {
            config = config.fields(&format!("metadata.name={name}"));
        }
        let resource = served.resource.clone();
        let (group, kind, place) = (resource.group, resource.kind, namespace.to_owned());
        let key = move |object: &DynamicObject| ObjectKey {
            group: group.clone(),
            kind: kind.clone(),
            namespace: object.metadata.namespace.clone().unwrap_or_else(|| place.clone()),
            name: object.metadata.name.clone().unwrap_or_default(),
        };
        let (kind, place) = (served.resource.kind.clone(), namespace.to_owned());
        let typed = typed(served);
        let sighting = move |event: Result<Event<DynamicObject>, watcher::Error>| match event {
            Ok(Event::Apply(object) | Event::InitApply(object)) => {
                Some(Sighting::Is(key(&object), Box::new(typed(&object))))
            }
            Ok(Event::Delete(object)) => Some(Sighting::Gone(key(&object), object.metadata.uid)),
            Ok(Event::InitDone) => Some(Sighting::Listed(kind.clone(), place.clone())),
            Ok(Event::Init) => Some(Sighting::Begins(kind.clone(), place.clone())),
            // The watch is taken up again, slower each time.
            Err(error) => match status(&error) {
                Some(status) if status.code == 403 => Some(Sighting::Forbidden(kind.clone())),
                Some(status) if status.code == 401 => Some(Sighting::Unauthorized(status.message.clone())),
                // What was missed is listed: no news for anybody.
                Some(status) if status.code == 410 => None,
                Some(status) => Some(Sighting::Failed(kind.clone(), status.message.clone())),
                None => Some(Sighting::Failed(kind.clone(), innermost(&error))),
            },
        };
        let events = watcher(self.api(served, namespace), config).default_backoff();
        let sightings = events.filter_map(move |event| std::future::ready(sighting(event)));
        // To ask again what is forbidden would tell nothing new.
        let until_forbidden = sightings.scan(false, |over, sighting| {
            let ended = std::mem::replace(over, matches!(sighting, Sighting::Forbidden(_)));
            std::future::ready((!ended).then_some(sighting))
        });
        until_forbidden.boxed()
    }
}

/// Objects as JSON with their kind, which those of a list lack.
pub(super) fn typed(served: &Served) -> impl Fn(&DynamicObject) -> Value + Send + Sync + use<> {
    let resource = served.resource.clone();
    move |object| {
        let mut object = json(object);
        object["apiVersion"] = resource.api_version.as_str().into();
        object["kind"] = resource.kind.as_str().into();
        object
    }
}

/// The number of an object's version; 0 where it is none.
pub(super) fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What the server says.
fn status(error: &watcher::Error) -> Option<&Status> {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => Some(status),
        _ => None,
    }
}
