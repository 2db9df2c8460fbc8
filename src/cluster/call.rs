//! Requests that are tried again: what a busy, restarting or cut-off API server answers is no answer.

use std::future::Future;
use std::time::Duration;

use futures_util::future::{Either, select};
use kube::core::Status;
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout_at};

use super::error::chain;
use super::{Cluster, News};

/// The first and the longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// How long a request is tried that begins when the time of the command is over: one that ends what has been begun.
const GRACE: Duration = Duration::from_secs(10);

/// How often a request is tried again that the server fails at (500): what a webhook breaks stays broken.
const FAILURES: usize = 3;
/// How long an answer is waited for when the user has stopped the command.
const LAST: Duration = Duration::from_millis(500);

/// The tries of one request.
pub(super) struct Tries {
    pause: Duration,
    began: Instant,
    /// When there is no time for another one.
    end: Instant,
    /// Whether the request in flight ends though the user stops the command: the first try of a write does.
    firm: bool,
    /// How often the server has failed.
    failed: usize,
}

/// No answer came in the time that there was.
#[derive(Debug, Error)]
#[error("no answer within {} s", .0.as_secs_f64().round())]
pub(super) struct Late(pub Duration);

impl Cluster<'_> {
    /// Sends a request until it is answered, or the time of the command is over; `doing` says what it is for.
    ///
    /// 429, 503 and 504 are no answers, nor the first few 500s, nor is a connection that is cut; before the server has
    /// answered anything, a connection that cannot be made is one. Repeats blindly: a write whose answer may be lost is
    /// sent by [`Cluster::once`] and looked for by reading.
    pub(super) async fn call<T, F>(&self, doing: &str, mut request: impl FnMut() -> F) -> kube::Result<T>
    where
        F: Future<Output = kube::Result<T>>,
    {
        let mut tries = Tries { firm: false, ..self.tries() };
        loop {
            let error = match self.once(&tries, request()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if !self.again(&mut tries, doing, &error).await {
                return Err(error);
            }
        }
    }

    /// Begins to try a request.
    pub(super) fn tries(&self) -> Tries {
        let began = Instant::now();
        let end = if began < self.deadline { self.deadline } else { began + GRACE };
        Tries { pause: PAUSES.0, began, end, firm: true, failed: 0 }
    }

    /// Sends a request once, and notes that the server answers.
    pub(super) async fn once<T>(
        &self,
        tries: &Tries,
        request: impl Future<Output = kube::Result<T>>,
    ) -> kube::Result<T> {
        let late = || kube::Error::Service(Late(tries.began.elapsed()).into());
        let request = Box::pin(timeout_at(tries.end, request));
        let answer = if tries.firm {
            request.await
        } else {
            let mut stop = self.stop.clone();
            let stopped = Box::pin(async {
                // Nobody who could stop anything is left: nothing ends early.
                if stop.wait_for(|stop| *stop).await.is_err() {
                    std::future::pending::<()>().await;
                }
                sleep(LAST).await;
            });
            match select(request, stopped).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => return Err(late()),
            }
        };
        let Ok(answer) = answer else { return Err(late()) };
        if matches!(answer, Ok(_) | Err(kube::Error::Api(_))) {
            self.answered.set(true);
        }
        answer
    }

    /// Waits before the next try; false when there is to be none.
    pub(super) async fn again(&self, tries: &mut Tries, doing: &str, error: &kube::Error) -> bool {
        if matches!(error, kube::Error::Api(status) if status.code == 500) {
            tries.failed += 1;
            if tries.failed > FAILURES {
                return false;
            }
        }
        let (why, wait) = match error {
            kube::Error::Api(status) if matches!(status.code, 429 | 500 | 503 | 504) => {
                (said(status), retry_after(status).unwrap_or(tries.pause))
            }
            error if is_cut(error) && (self.answered.get() || !is_unconnected(error)) => {
                ("the connection is cut".to_owned(), tries.pause)
            }
            _ => return false,
        };
        self.pause(tries, doing, &why, wait).await
    }

    /// As [`Cluster::again`], for a write that another write of the object has outrun.
    pub(super) async fn again_on_newest(&self, tries: &mut Tries, doing: &str) -> bool {
        let wait = tries.pause;
        self.pause(tries, doing, "somebody else has just written it", wait).await
    }

    /// Says that a request is tried again, and waits; false when there is no time for it.
    async fn pause(&self, tries: &mut Tries, doing: &str, why: &str, wait: Duration) -> bool {
        if *self.stop.borrow() || Instant::now() + wait >= tries.end {
            return false;
        }
        (self.say)(News::Again { doing, why, wait });
        let mut stop = self.stop.clone();
        let (slept, stopped) = (Box::pin(sleep(wait)), Box::pin(stop.wait_for(|stop| *stop)));
        let slept = matches!(select(slept, stopped).await, Either::Left(_));
        tries.pause = (tries.pause * 2).min(PAUSES.1);
        tries.firm = false;
        slept
    }
}

/// Whether the connection failed, so that nobody knows whether the request arrived.
pub(super) fn is_cut(error: &kube::Error) -> bool {
    matches!(error, kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_))
}

/// Whether a write that failed so may have been done nevertheless.
pub(super) fn is_lost(error: &kube::Error) -> bool {
    is_cut(error) || matches!(error, kube::Error::Api(status) if matches!(status.code, 500 | 504))
}

/// Whether a write was based on a version of the object that is not the newest any more.
pub(super) fn is_outrun(error: &kube::Error) -> bool {
    let fields = |status: &Status| {
        let causes = status.details.iter().flat_map(|details| &details.causes);
        causes.into_iter().any(|cause| cause.reason == "FieldManagerConflict")
    };
    matches!(error, kube::Error::Api(status) if status.code == 409 && !fields(status))
}

/// Whether no connection could be made.
fn is_unconnected(error: &kube::Error) -> bool {
    // The type of that error belongs to a crate below the client.
    chain(error).any(|cause| cause.to_string().starts_with("client error (Connect)"))
}

fn said(status: &Status) -> String {
    let text = match status.code {
        429 => "it is busy",
        503 => "it is not available",
        504 => "it does not answer in time",
        _ => "it fails",
    };
    format!("{text} ({}{}{})", status.code, if status.message.is_empty() { "" } else { ": " }, status.message)
}

fn retry_after(status: &Status) -> Option<Duration> {
    let seconds = status.details.as_ref()?.retry_after_seconds;
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}
