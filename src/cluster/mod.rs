//! The cluster: connecting, what it says of a release, and the single actions of an apply. The only user of the
//! Kubernetes client.

mod access;
mod call;
mod capabilities;
mod causes;
mod credentials;
mod discovery;
mod error;
mod find;
mod follow;
mod gone;
mod inventory;
mod observe;
mod overlay;
pub mod records;
mod run;
mod watch;
mod wire;
mod write;

use std::cell::Cell;
use std::time::Duration;

use kube::Client;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use crate::manifest::ObjectKey;
use crate::readiness::Health;

pub use access::Access;
pub use capabilities::Capabilities;
pub use causes::Cause;
pub use error::ClusterError;
pub use find::Finding;
pub use observe::{Ground, Sight};
pub use run::{End, Ledger, Run, found_route, manifest};
pub use watch::Watch;

/// The field manager that r8 writes as: Helm's, so that both own the same fields.
pub const FIELD_MANAGER: &str = "helm";

/// A connection to one API server.
pub struct Cluster<'a> {
    client: Client,
    /// The server's address, for messages.
    server: String,
    /// Who is told what happens.
    say: &'a dyn Fn(News<'_>),
    /// When the time of the command is over.
    deadline: Instant,
    /// Turns true when the user stops the command.
    stop: Receiver<bool>,
    /// Whether the server has answered anything yet.
    answered: Cell<bool>,
}

/// Something that happened, for whoever watches.
#[derive(Debug)]
pub enum News<'a> {
    /// A request is tried again.
    Again {
        /// What it is for.
        doing: &'a str,
        /// Why it was no success.
        why: &'a str,
        /// How long the pause is.
        wait: Duration,
    },
    /// An object has been written.
    Written {
        /// The object.
        key: &'a ObjectKey,
        /// Whether it is new.
        created: bool,
    },
    /// Somebody else has deleted an object that is wanted: it is written again.
    Lost(&'a ObjectKey),
    /// The route has been written, as it is now.
    Routed(&'a serde_json::Value),
    /// An object has been deleted.
    Deleted(&'a ObjectKey),
    /// An object that has been deleted is still there.
    Standing(&'a ObjectKey),
    /// The state of a version has changed.
    Version {
        /// Its name.
        name: &'a str,
        /// Its state.
        health: &'a Health,
        /// Whether it counts as settled though nothing proves it.
        unproven: bool,
    },
    /// Still waiting.
    Waiting,
    /// The Iter8 controller has taken the route: it is left to it.
    LeftToController(&'a ObjectKey),
    /// Somebody else holds the lock of the release: it is watched whether they live.
    Locked {
        /// The revision that they make.
        number: u64,
        /// Who.
        holder: &'a str,
    },
    /// Objects of this kind cannot be watched now; that is tried again.
    Unwatched {
        /// The kind.
        kind: &'a str,
        /// Why.
        why: &'a str,
    },
    /// Objects of this kind may not be watched: they are read again and again.
    Polling(&'a str),
}
