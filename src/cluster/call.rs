//! Requests that are tried again: what a busy, restarting or cut-off API server answers is no answer.

use std::future::Future;
use std::time::Duration;

use kube::core::Status;
use tokio::time::{Instant, sleep};

use super::{Cluster, News};

/// The first and the longest pause between two tries.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

impl Cluster<'_> {
    /// Sends a request until it is answered, or the time of the command is over; `doing` says what it is for.
    ///
    /// 429, 500, 503 and 504 are no answers, nor is a connection that is cut; before the server has answered anything, a
    /// connection that cannot be made is one. A write is repeated blindly: those whose answer may be lost use
    /// [`Cluster::call_once`] and read.
    pub(super) async fn call<T, F>(&self, doing: &str, mut request: impl FnMut() -> F) -> kube::Result<T>
    where
        F: Future<Output = kube::Result<T>>,
    {
        let mut pause = PAUSES.0;
        loop {
            let error = match self.once(request()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if !self.pause(doing, &error, &mut pause).await {
                return Err(error);
            }
        }
    }

    /// Sends a request once, and notes that the server answers.
    pub(super) async fn once<T>(&self, request: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
        let answer = request.await;
        if matches!(answer, Ok(_) | Err(kube::Error::Api(_))) {
            self.answered.set(true);
        }
        answer
    }

    /// Waits before the next try; false when there is to be none.
    pub(super) async fn pause(&self, doing: &str, error: &kube::Error, pause: &mut Duration) -> bool {
        let (why, wait) = match error {
            kube::Error::Api(status) if matches!(status.code, 429 | 500 | 503 | 504) => {
                (said(status), retry_after(status).unwrap_or(*pause))
            }
            error if is_cut(error) && self.answered.get() => ("the connection is cut".to_owned(), *pause),
            _ => return false,
        };
        if Instant::now() + wait >= self.deadline {
            return false;
        }
        (self.say)(News::Again { doing, why: &why, wait });
        sleep(wait).await;
        *pause = (*pause * 2).min(PAUSES.1);
        true
    }
}

/// Whether the connection failed, so that nobody knows whether the request arrived.
pub(super) fn is_cut(error: &kube::Error) -> bool {
    matches!(error, kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_))
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
