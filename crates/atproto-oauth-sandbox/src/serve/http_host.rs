//! A host of the network on a socket: HTTP/1.1 in, an exchange, and out what becomes of it.

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
use crate::serve::by_hand::ByHand;
use crate::serve::clock::Shared;

/// Whom a port answers for.
#[derive(Debug)]
pub(super) enum Host {
    /// The one host with this origin, whatever the client calls it.
    Server(String),
    /// The hosts of handles, by their names; this origin for who asks for `localhost`.
    Handles(String),
}

/// Why there is no answer that hyper could send.
#[derive(Clone, Debug)]
enum Odd {
    /// The connection just ends.
    Closed,
    /// Something else writes it.
    Written(ByHand),
}

/// A PDS takes blobs of a hundred megabytes, and what is larger is to be refused by the sandbox.
const LARGEST: usize = 101 * 1024 * 1024;

/// A wait after which a file may be free for another connection.
const MOMENT: Duration = Duration::from_millis(20);

/// Answers at a port until the runtime ends.
pub(super) fn serve(listener: TcpListener, host: Arc<Host>, shared: Arc<Shared>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(converse(stream, Arc::clone(&host), Arc::clone(&shared)));
                }
                Err(_) => sleep(MOMENT).await,
            }
        }
    });
    Ok(())
}

/// One connection, from its first request to its end.
async fn converse(stream: TcpStream, host: Arc<Host>, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| reply(request, &host, &shared));
    let mut connection = http1::Builder::new()
        .auto_date_header(false) // the sandbox's clock, or none
        .serve_connection(TokioIo::new(stream), service);
    let Err(error) = Pin::new(&mut connection).await else { return };
    if let Some(Odd::Written(written)) = error.source().and_then(|error| error.downcast_ref()) {
        let stream = connection.into_parts().io.into_inner();
        // The client may be gone.
        let _ = written.write(stream).await;
    }
}

async fn reply(
    request: Request<Incoming>,
    host: &Host,
    shared: &Shared,
) -> Result<Response<Full<Bytes>>, Odd> {
    let (mut head, body) = request.into_parts();
    let Some(uri) = host.absolute(&head.uri, &head.headers) else {
        return Ok(plain(StatusCode::BAD_REQUEST));
    };
    head.uri = uri;
    // What declares itself too large is refused before it is sent.
    if body.size_hint().lower() > LARGEST as u64 {
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let body = match Limited::new(body, LARGEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE));
        }
        Err(_) => return Err(Odd::Closed), // the client went
    };
    let Delivery { outcome, delay, trickle } = shared.exchange(Request::from_parts(head, body));
    sleep(delay).await;
    match outcome {
        Outcome::Whole(response) if trickle.is_zero() && !ByHand::is_needed(&response) => {
            Ok(response.map(Full::new))
        }
        Outcome::Whole(response) => Err(Odd::Written(ByHand::whole(response, trickle))),
        Outcome::Cut(response, at) => Err(Odd::Written(ByHand::cut(response, at, trickle))),
        // Whoever has accepted a connection can't refuse it any more.
        Outcome::Broken | Outcome::Refused => Err(Odd::Closed),
        // Until the client goes, or the runtime ends.
        Outcome::Silence => match std::future::pending::<Infallible>().await {},
    }
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    answer::text(status.as_u16(), status.to_string()).map(Full::new)
}

impl Host {
    /// The URL that was asked for; `None` if there is none.
    fn absolute(&self, target: &Uri, headers: &HeaderMap) -> Option<Uri> {
        let path = target.path_and_query().map_or("/", |path| path.as_str());
        match self {
            Self::Server(origin) => format!("{origin}{path}"),
            Self::Handles(origin) => {
                let named = headers.get(HOST)?.to_str().ok()?.parse::<Authority>().ok()?;
                match named.host() {
                    "localhost" | "127.0.0.1" | "[::1]" => format!("{origin}{path}"),
                    // A handle has no port, so that of the socket is not its host's.
                    handle => format!("http://{}{path}", handle.to_ascii_lowercase()),
                }
            }
        }
        .parse()
        .ok()
    }
}

/// hyper wants to have it as an error, and gives it back.
impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no answer")
    }
}

impl Error for Odd {}
