//! Whether an object takes requests, and whether with the spec that is stored now: read from its status alone.
//!
//! *Serving*: it takes requests, whichever spec is loaded. *Settled*: it serves, and what serves is the spec now stored.
//! What a status says may be older than the spec: `status.observedGeneration` of an InferenceService is that of a child
//! (kserve#6081), so it proves nothing. [`Track`] therefore remembers the status that stood at the last write.

mod deployment;
mod inference;
mod track;

use serde_json::Value;

pub use inference::child;
pub use track::Track;

/// What the status of one object, or of all objects of a version, says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether it takes requests now.
    pub serving: bool,
    /// Whether what serves is the spec that is stored now.
    pub settled: Settled,
    /// Why it never will be; none while it still may.
    pub failed: Option<String>,
    /// What it waits for, with the reason that its status gives; empty when it is settled.
    pub why: String,
}

/// Whether an object is settled, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Settled {
    /// No.
    No,
    /// It serves, and nothing can prove that it serves what is stored; it counts as settled when its status stays as it
    /// is for the time of `--settle`.
    Unproven,
    /// Yes.
    Yes,
}

impl Health {
    /// The state of an object that does not exist.
    pub fn absent() -> Health {
        Health { serving: false, settled: Settled::No, failed: None, why: "it does not exist".into() }
    }

    /// The state of a version that has no object with a status.
    pub fn trivial() -> Health {
        Health { serving: true, settled: Settled::Yes, failed: None, why: String::new() }
    }

    /// The state of several objects together: the worst of each.
    pub fn and(self, other: Health) -> Health {
        let why = match (self.settled == Settled::Yes, other.settled == Settled::Yes) {
            (false, false) if !self.why.is_empty() => self.why,
            (false, true) => self.why,
            _ => other.why,
        };
        Health {
            serving: self.serving && other.serving,
            settled: self.settled.min(other.settled),
            failed: self.failed.or(other.failed),
            why,
        }
    }
}

/// The condition of this type: its status, and the reason and message that explain it.
fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind)
}

fn is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == "True")
}

/// A condition in words, as in `Ready is False: RevisionFailed: the container exits`.
fn said(condition: &Value) -> String {
    let text = |key: &str| condition[key].as_str().unwrap_or_default().trim();
    let mut said = format!("{} is {}", text("type"), text("status"));
    for part in [text("reason"), text("message")] {
        if !part.is_empty() {
            said.push_str(": ");
            said.push_str(part);
        }
    }
    said
}

/// The state of an object of a kind that r8 knows nothing about: its generation, and its condition Ready or Available
/// where it has one.
fn other(object: &Value) -> Health {
    let status = &object["status"];
    let behind = match (object["metadata"]["generation"].as_i64(), status["observedGeneration"].as_i64()) {
        (Some(generation), Some(observed)) => observed < generation,
        _ => false,
    };
    let found = ["Ready", "Available"].iter().find_map(|kind| condition(object, kind));
    let good = found.is_none_or(|condition| condition["status"] == "True");
    let why = if behind {
        "its controller has not seen the change".to_owned()
    } else {
        found.filter(|_| !good).map(said).unwrap_or_default()
    };
    Health { serving: good, settled: if good && !behind { Settled::Yes } else { Settled::No }, failed: None, why }
}
