//! Below the client: credentials that are fetched anew when the server accepts them no more, and when it wants to be asked
//! again.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, StatusCode, header};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::client::{AuthError, Body};
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::credentials::Source;

/// How long before their end credentials are fetched anew.
const EARLY: SignedDuration = SignedDuration::from_secs(10);

/// How long a plugin is waited for when the time of the command is over.
const GRACE: Duration = Duration::from_secs(10);

/// The client of a configuration, and those that came after it.
struct Wire {
    config: Config,
    /// Where the credentials come from, where they do not stand in the configuration.
    source: Option<Source>,
    /// When nobody waits for a plugin any more.
    end: Instant,
    newest: Mutex<Newest>,
}

/// The newest client.
#[derive(Clone)]
struct Newest {
    /// How many have come before.
    turn: usize,
    client: Client,
    /// When its credentials are worth nothing any more; none where that is not known.
    expires: Option<Timestamp>,
}

/// A client that fetches its credentials anew, once for a request, where the server does not accept them any more: those
/// of a plugin, of a provider and of a file can be. A `Retry-After` is told as part of the answer's status.
///
/// No plugin is waited for after `end`.
pub(super) async fn client(config: Config, source: Option<Source>, end: Instant) -> kube::Result<Client> {
    let namespace = config.default_namespace.clone();
    let first = newest(&config, source.as_ref(), end, 0).await?;
    let wire = Arc::new(Wire { config, source, end, newest: Mutex::new(first) });
    let service = tower::service_fn(move |request: Request<Body>| Arc::clone(&wire).send(request));
    Ok(Client::new(service, namespace))
}

async fn newest(config: &Config, source: Option<&Source>, end: Instant, turn: usize) -> kube::Result<Newest> {
    let mut config = config.clone();
    let mut expires = None;
    if let Some(source) = source {
        let wrong = |why| kube::Error::Auth(AuthError::AuthExec(why));
        let fetched = source.fetch(&config.auth_info, end).await.map_err(wrong)?;
        (config.auth_info, expires) = (fetched.user, fetched.expires);
    }
    Ok(Newest { turn, client: Client::try_from(config)?, expires })
}

impl Wire {
    async fn send(self: Arc<Wire>, request: Request<Body>) -> kube::Result<Response<Body>> {
        let again = self.can_renew().then(|| copy(&request)).flatten();
        let mut newest = self.newest.lock().await.clone();
        if newest.expires.is_some_and(|expires| expires - EARLY < Timestamp::now()) {
            newest = self.renewed(newest.turn).await?;
        }
        let answer = newest.client.send(request).await?;
        let answer = match again {
            Some(again) if answer.status() == StatusCode::UNAUTHORIZED => {
                self.renewed(newest.turn).await?.client.send(again).await?
            }
            _ => answer,
        };
        told(answer).await
    }

    fn can_renew(&self) -> bool {
        self.source.is_some() || self.config.auth_info.auth_provider.is_some()
    }

    /// A client with other credentials than that of `turn`: requests that fail at the same time share one.
    async fn renewed(&self, turn: usize) -> kube::Result<Newest> {
        let mut newest = self.newest.lock().await;
        if newest.turn == turn {
            // What has been begun is ended after the time of the command, too.
            let end = self.end.max(Instant::now() + GRACE);
            *newest = self::newest(&self.config, self.source.as_ref(), end, turn + 1).await?;
        }
        Ok(newest.clone())
    }
}

/// A second request like the first; none where the body can be read only once.
fn copy(request: &Request<Body>) -> Option<Request<Body>> {
    let mut copy = Request::new(request.body().try_clone()?);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// An answer whose `Retry-After`, which the client does not look at, stands in its status too.
async fn told(answer: Response<Body>) -> kube::Result<Response<Body>> {
    let seconds = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
    let Some(seconds) = seconds.filter(|_| !answer.status().is_success()) else { return Ok(answer) };
    let (head, body) = answer.into_parts();
    let bytes = body.collect_bytes().await?;
    let own = serde_json::from_slice(&bytes).ok().filter(Value::is_object);
    // What is in front of an API server, and the server itself when it has no time at all, answer with a plain text.
    let mut status = own.unwrap_or_else(|| {
        let text = String::from_utf8_lossy(&bytes);
        json!({"status": "Failure", "message": text.trim(), "code": head.status.as_u16()})
    });
    status["details"]["retryAfterSeconds"] = seconds.into();
    Ok(Response::from_parts(head, status.to_string().into_bytes().into()))
}
