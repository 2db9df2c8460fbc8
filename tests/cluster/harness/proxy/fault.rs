//! Faults: which request one befalls, and what it is.

use std::time::Duration;

use serde_json::{Value, json};

use super::Request;

/// What befalls some requests.
#[derive(Clone, Debug)]
pub struct Fault {
    method: String,
    path: String,
    dry_runs: bool,
    whole: bool,
    first: usize,
    last: usize,
    /// What happens to them.
    pub(super) what: What,
    /// How many requests have matched.
    matched: usize,
}

/// One kind of fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// The request reaches the server later.
    Delay(Duration),
    /// The request reaches the server when the test says so: [`super::Proxy::release`].
    Hold,
    /// The server answers at once, and its answer arrives later.
    DelayAnswer(Duration),
    /// The connection ends before the request reaches the server.
    CutBefore,
    /// The connection ends when the server has answered: the answer is lost.
    CutAfter,
    /// The connection ends in the middle of the answer.
    CutBody,
    /// 429, with the seconds of a Retry-After; the request does not reach the server.
    TooMany(u64),
    /// This status and a text that says so; the request does not reach the server.
    Status(u16),
    /// This status in the place of the server's answer to what it has done.
    StatusAfter(u16),
    /// 409, as for a resourceVersion that is not the newest; the request does not reach the server.
    Modified,
    /// The answer comes in pieces of so many bytes, with a pause before each.
    Dribble(usize, Duration),
    /// A watch ends after so many events, as servers end it now and then.
    Close(usize),
    /// A watch tells after so many events that the ones that follow are lost: 410.
    Gone(usize),
}

impl Fault {
    /// Befalls the first request of a method (`*` is any) whose path and query contain `path`.
    pub fn on(method: &str, path: &str, what: What) -> Fault {
        let (method, path) = (method.to_owned(), path.to_owned());
        Fault { method, path, dry_runs: true, whole: false, first: 1, last: 1, what, matched: 0 }
    }

    /// Befalls the `nth` such request, counted from 1, and no other.
    pub fn nth(self, nth: usize) -> Fault {
        Fault { first: nth, last: nth, ..self }
    }

    /// Befalls the `nth` such request and all that follow.
    pub fn from(self, nth: usize) -> Fault {
        Fault { first: nth, last: usize::MAX, ..self }
    }

    /// Befalls all such requests whose path is the given one and nothing more.
    pub fn whole(self) -> Fault {
        Fault { whole: true, ..self.from(1) }
    }

    /// Passes over dry runs.
    pub fn real(self) -> Fault {
        Fault { dry_runs: false, ..self }
    }

    /// Whether it befalls this request; to be asked once for each.
    pub(super) fn befalls(&mut self, request: &Request) -> bool {
        let matches = (self.method == "*" || self.method == request.method)
            && if self.whole { request.path == self.path } else { request.path.contains(&self.path) }
            && (self.dry_runs || !request.dry_run);
        self.matched += usize::from(matches);
        matches && (self.first..=self.last).contains(&self.matched)
    }
}

/// The Status object that an API server answers with.
pub(super) fn status(code: u16) -> Value {
    let (reason, message) = match code {
        401 => ("Unauthorized", "Unauthorized"),
        409 => (
            "Conflict",
            "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest \
             version and try again",
        ),
        410 => ("Expired", "too old resource version"),
        429 => ("TooManyRequests", "the server has received too many requests and has asked us to try again later"),
        503 => ("ServiceUnavailable", "the server is currently unable to handle the request"),
        504 => ("Timeout", "the server was unable to return a response in the time allotted"),
        _ => ("InternalError", "an error on the server has prevented the request from succeeding"),
    };
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code})
}
