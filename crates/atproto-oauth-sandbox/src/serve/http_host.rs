//! HTTP/1.1 server for one or more hosts of the network: reads requests from a socket, passes each
//! request to the sandbox, and reproduces the outcome on the socket.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::answer;
use crate::faults::delivery::{Delivery, Outcome};
use crate::serve::clock::Shared;
use crate::serve::raw_response::RawResponse;

/// The hosts that one port serves.
#[derive(Debug)]
pub(super) enum Host {
    /// The one host with this origin; the `Host` header is ignored.
    Server(String),
    /// The hosts of all handles, chosen by the `Host` header; `localhost` and loopback addresses
    /// stand for this origin.
    Handles(String),
}

/// Outcome for which hyper must not send a response. hyper gets it as the error of the service.
#[derive(Clone, Debug)]
enum NoReply {
    /// The connection is closed without a response.
    Closed,
    /// The response is written to the socket without hyper.
    Raw(RawResponse),
}

/// Maximum size of a request body, in bytes. It is above the blob limit of a PDS (100 MiB), so that
/// the sandbox itself refuses a blob that is too large.
const LARGEST: usize = 101 * 1024 * 1024;

/// Pause after a failed `accept`, for example because no file descriptor is free.
const RETRY_DELAY: Duration = Duration::from_millis(20);

/// Accepts connections on `listener` until the runtime ends.
pub(super) fn serve(listener: TcpListener, host: Arc<Host>, shared: Arc<Shared>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(serve_connection(stream, Arc::clone(&host), Arc::clone(&shared)));
                }
                Err(_) => sleep(RETRY_DELAY).await,
            }
        }
    });
    Ok(())
}

/// Serves all requests of one connection.
async fn serve_connection(stream: TcpStream, host: Arc<Host>, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| reply(request, &host, &shared));
    let mut connection = http1::Builder::new()
        .auto_date_header(false) // `Date` would be the system's time, not the sandbox's
        .serve_connection(TokioIo::new(stream), service);
    let Err(error) = Pin::new(&mut connection).await else { return };
    if let Some(NoReply::Raw(response)) = error.source().and_then(|error| error.downcast_ref()) {
        let stream = connection.into_parts().io.into_inner();
        // A write error is ignored, because the client may have closed the connection.
        let _ = response.write(stream).await;
    }
}

async fn reply(
    request: Request<Incoming>,
    host: &Host,
    shared: &Shared,
) -> Result<Response<Full<Bytes>>, NoReply> {
    let (mut head, body) = request.into_parts();
    let Some(uri) = host.absolute(&head.uri, &head.headers) else {
        return Ok(plain(StatusCode::BAD_REQUEST));
    };
    head.uri = uri;
    // If the declared length is too large, the request is refused before its body is read.
    if body.size_hint().lower() > LARGEST as u64 {
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let body = match Limited::new(body, LARGEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE));
        }
        Err(_) => return Err(NoReply::Closed), // the client closed the connection
    };
    let Delivery { outcome, delay, trickle } = shared.exchange(Request::from_parts(head, body));
    // The timer has steps of a millisecond, and waits for the next one even without a delay.
    if !delay.is_zero() {
        sleep(delay).await;
    }
    match outcome {
        Outcome::Complete(response) if trickle.is_zero() && !RawResponse::is_needed(&response) => {
            Ok(response.map(Full::new))
        }
        Outcome::Complete(response) => Err(NoReply::Raw(RawResponse::whole(response, trickle))),
        Outcome::Truncated(response, at) => {
            Err(NoReply::Raw(RawResponse::cut(response, at, trickle)))
        }
        // The connection is accepted already, so a refusal can only be shown by closing it.
        Outcome::Closed | Outcome::Refused => Err(NoReply::Closed),
        // Waits until the client closes the connection, or the runtime ends.
        Outcome::Silence => match std::future::pending::<Infallible>().await {},
    }
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    answer::text(status.as_u16(), status.to_string()).map(Full::new)
}

impl Host {
    /// Returns the absolute URL of a request; `None` if its target or `Host` header is malformed.
    fn absolute(&self, target: &Uri, headers: &HeaderMap) -> Option<Uri> {
        let path = target.path_and_query().map_or("/", |path| path.as_str());
        match self {
            Self::Server(origin) => format!("{origin}{path}"),
            Self::Handles(origin) => {
                let named = headers.get(HOST)?.to_str().ok()?.parse::<Authority>().ok()?;
                match named.host() {
                    "localhost" | "127.0.0.1" | "[::1]" => format!("{origin}{path}"),
                    // The port in the `Host` header is dropped: it is the port of the socket, and
                    // the sandbox names the host of a handle without a port.
                    handle => format!("http://{}{path}", handle.to_ascii_lowercase()),
                }
            }
        }
        .parse()
        .ok()
    }
}

/// The error of a hyper service must implement `Error`, which requires `Display`.
impl fmt::Display for NoReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hyper must not send a response")
    }
}

impl Error for NoReply {}
