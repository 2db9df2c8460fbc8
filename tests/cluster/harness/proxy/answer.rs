//! Answers one request: the server's answer, or what a fault makes of it.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::{Response, header};
use kube::Client;

use super::Shared;
use super::fault::{What, status};

type Error = Box<dyn std::error::Error + Send + Sync>;
type Body = UnsyncBoxBody<Bytes, Error>;

/// An error ends the connection without an answer.
pub(super) async fn answer(
    client: &Client,
    shared: &Shared,
    request: hyper::Request<Incoming>,
) -> Result<Response<Body>, Error> {
    let path = request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
    let (number, fault, open) = shared.come(request.method().as_str(), &path);
    let made = make(client, shared, number, fault, request).await;
    shared.answered(open).await;
    if let Some(What::DelayAnswer(delay)) = fault {
        tokio::time::sleep(delay).await;
    }
    shared.go(number, made.as_ref().ok().map(|response| response.status().as_u16()));
    made
}

async fn make(
    client: &Client,
    shared: &Shared,
    number: usize,
    fault: Option<What>,
    request: hyper::Request<Incoming>,
) -> Result<Response<Body>, Error> {
    match fault {
        Some(What::CutBefore) => return Err("cut before the request reached the server".into()),
        Some(What::Status(code)) => return Ok(refusal(code, None)),
        Some(What::Modified) => return Ok(refusal(409, None)),
        Some(What::TooMany(seconds)) => return Ok(refusal(429, Some(seconds))),
        Some(What::Delay(delay)) => tokio::time::sleep(delay).await,
        Some(What::Hold) => drop(shared.released.subscribe().wait_for(|released| *released).await),
        _ => {}
    }
    let (mut head, body) = request.into_parts();
    // They are about the connection to the proxy.
    for name in [header::HOST, header::CONNECTION, header::TRANSFER_ENCODING] {
        head.headers.remove(name);
    }
    let body = body.collect().await?.to_bytes();
    shared.note(number, |request| request.arrived = true);
    let response = client.send(hyper::Request::from_parts(head, body.into())).await?;
    let (mut head, body) = response.into_parts();
    for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
        head.headers.remove(name);
    }
    if shared.state().requests[number].watch && head.status.is_success() {
        let body = match fault {
            Some(What::Close(events)) => watched(body, events, None),
            Some(What::Gone(events)) => watched(body, events, Some(gone())),
            _ => body.map_err(Into::into).boxed_unsync(),
        };
        return Ok(Response::from_parts(head, body));
    }
    let bytes = body.collect().await?.to_bytes();
    let body = match fault {
        Some(What::CutAfter) => return Err("cut when the server had answered".into()),
        Some(What::StatusAfter(code)) => return Ok(refusal(code, None)),
        Some(What::CutBody) => {
            let half: Result<Frame<Bytes>, Error> = Ok(Frame::data(bytes.slice(..bytes.len() / 2)));
            let cut = Err("cut in the middle of the answer".into());
            BodyExt::boxed_unsync(StreamBody::new(stream::iter([half, cut])))
        }
        Some(What::Dribble(size, pause)) => dribble(bytes, size, pause),
        _ => whole(bytes),
    };
    Ok(Response::from_parts(head, body))
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn refusal(code: u16, retry_after: Option<u64>) -> Response<Body> {
    let mut response = Response::builder().status(code).header(header::CONTENT_TYPE, "application/json");
    if let Some(seconds) = retry_after {
        response = response.header(header::RETRY_AFTER, seconds);
    }
    response.body(whole(status(code).to_string().into())).expect("it is a response")
}

fn dribble(bytes: Bytes, size: usize, pause: Duration) -> Body {
    let pieces: Vec<Bytes> = bytes.chunks(size.max(1)).map(Bytes::copy_from_slice).collect();
    let pieces = stream::iter(pieces).then(move |piece| async move {
        tokio::time::sleep(pause).await;
        Ok::<_, Error>(Frame::data(piece))
    });
    BodyExt::boxed_unsync(StreamBody::new(pieces))
}

/// The first events of a watch, each a line, then what is left to be said.
fn watched(body: kube::client::Body, events: usize, last: Option<Bytes>) -> Body {
    let lines = stream::unfold((body, Vec::<u8>::new()), |(mut body, mut rest)| async move {
        loop {
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                return Some((Bytes::from(line), (body, rest)));
            }
            rest.extend_from_slice(&body.frame().await?.ok()?.into_data().ok()?);
        }
    });
    let all = lines.take(events).chain(stream::iter(last));
    BodyExt::boxed_unsync(StreamBody::new(all.map(|line| Ok::<_, Error>(Frame::data(line)))))
}

fn gone() -> Bytes {
    let event = serde_json::json!({"type": "ERROR", "object": status(410)});
    format!("{event}\n").into()
}
