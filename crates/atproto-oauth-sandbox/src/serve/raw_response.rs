//! HTTP responses that hyper does not send (wrong framing, an incomplete body, a slow body),
//! written directly to the socket.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// A response that is written to the socket without hyper. The connection is closed after it.
#[derive(Clone, Debug)]
pub(super) struct RawResponse {
    /// The head of the response, and the part of its body that is sent.
    response: Response<Bytes>,
    /// Value of the generated `Content-Length` header, which may be more than the bytes sent.
    length: usize,
    /// Time over which the pieces of the body are spread.
    trickle: Duration,
}

/// Minimum pause between two pieces of a slow body.
const MIN_PAUSE: Duration = Duration::from_millis(20);

impl RawResponse {
    /// Whether the response has framing headers of its own. These may be wrong on purpose, and
    /// hyper would correct or refuse them.
    pub(super) fn is_needed(response: &Response<Bytes>) -> bool {
        let headers = response.headers();
        headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING)
    }

    /// Sends the complete body, spread over `trickle`.
    pub(super) fn whole(response: Response<Bytes>, trickle: Duration) -> Self {
        let length = response.body().len();
        Self { response, length, trickle }
    }

    /// Sends the first `at` bytes of the body, spread over `trickle`. The `Content-Length` is
    /// greater than the bytes sent, even if the body has no more bytes, so that the client sees a
    /// truncation.
    pub(super) fn cut(mut response: Response<Bytes>, at: usize, trickle: Duration) -> Self {
        let length = response.body().len();
        response.body_mut().truncate(at);
        let length = length.max(response.body().len().saturating_add(1));
        Self { response, length, trickle }
    }

    /// Writes the response to `stream` and closes the connection.
    pub(super) async fn write(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.write_all(&self.head()).await?;
        for (pause, piece) in self.pieces() {
            sleep(pause).await;
            stream.write_all(piece).await?;
        }
        stream.shutdown().await
    }

    /// Splits the body into pieces, each with the pause before it.
    fn pieces(&self) -> impl Iterator<Item = (Duration, &[u8])> {
        let body = self.response.body();
        let most = usize::try_from(self.trickle.as_millis() / MIN_PAUSE.as_millis());
        let count = most.unwrap_or(usize::MAX).max(1);
        let pieces = body.chunks(body.len().div_ceil(count).max(1));
        let pause = self.trickle / u32::try_from(pieces.len()).unwrap_or(u32::MAX).max(1);
        pieces.map(move |piece| (pause, piece))
    }

    fn head(&self) -> Vec<u8> {
        let status = self.response.status();
        let reason = status.canonical_reason().unwrap_or_default();
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
        let mut line = |name: &str, value: &[u8]| {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        };
        for (name, value) in self.response.headers() {
            line(name.as_str(), value.as_bytes());
        }
        if !Self::is_needed(&self.response) {
            line(CONTENT_LENGTH.as_str(), self.length.to_string().as_bytes());
        }
        if !self.response.headers().contains_key(CONNECTION) {
            line(CONNECTION.as_str(), b"close");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}
