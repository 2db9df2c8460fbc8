//! Below the client: credentials that are fetched anew when the server accepts them no more, and when it wants to be asked
//! again.

use std::sync::{Arc, Mutex, PoisonError};

use http::{Request, Response, StatusCode, header};
use kube::client::Body;
use kube::{Client, Config};
use serde_json::{Value, json};

/// The client of a configuration, and those that came after it.
struct Wire {
    config: Config,
    /// How many have come before, and the newest.
    newest: Mutex<(usize, Client)>,
}

/// A client that fetches its credentials anew, once for a request, where the server does not accept them any more: those
/// of a plugin, of a provider and of a file can be. A `Retry-After` is told as part of the answer's status.
pub(super) fn client(config: Config) -> kube::Result<Client> {
    let namespace = config.default_namespace.clone();
    let newest = Mutex::new((0, Client::try_from(config.clone())?));
    let wire = Arc::new(Wire { config, newest });
    let service = tower::service_fn(move |request: Request<Body>| Arc::clone(&wire).send(request));
    Ok(Client::new(service, namespace))
}

impl Wire {
    async fn send(self: Arc<Wire>, request: Request<Body>) -> kube::Result<Response<Body>> {
        let again = self.can_renew().then(|| copy(&request)).flatten();
        let (turn, client) = self.newest();
        let answer = client.send(request).await?;
        let answer = match again {
            Some(again) if answer.status() == StatusCode::UNAUTHORIZED => self.renewed(turn).await?.send(again).await?,
            _ => answer,
        };
        told(answer).await
    }

    fn can_renew(&self) -> bool {
        let user = &self.config.auth_info;
        user.exec.is_some() || user.token_file.is_some() || user.auth_provider.is_some()
    }

    fn newest(&self) -> (usize, Client) {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A client with other credentials than that of `turn`: requests that fail at the same time share one.
    async fn renewed(self: &Arc<Wire>, turn: usize) -> kube::Result<Client> {
        let wire = Arc::clone(self);
        // A plugin is a program that may take its time.
        let renewing = tokio::task::spawn_blocking(move || {
            let mut newest = wire.newest.lock().unwrap_or_else(PoisonError::into_inner);
            if newest.0 == turn {
                *newest = (turn + 1, Client::try_from(wire.config.clone())?);
            }
            Ok(newest.1.clone())
        });
        renewing.await.unwrap_or_else(|error| Err(kube::Error::Service(error.into())))
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
