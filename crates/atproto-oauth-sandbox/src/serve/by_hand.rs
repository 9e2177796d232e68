//! Answers that no good server would give, written to the socket as they are.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// An answer, after which the connection is closed.
#[derive(Clone, Debug)]
pub(super) struct ByHand {
    /// With as much of its body as arrives.
    response: Response<Bytes>,
    /// How long the body is said to be.
    length: usize,
    trickle: Duration,
}

/// A body trickles in pieces that are at least so far apart.
const BETWEEN: Duration = Duration::from_millis(20);

impl ByHand {
    /// Whether an answer has framing of its own, which may be wrong on purpose.
    pub(super) fn is_needed(response: &Response<Bytes>) -> bool {
        let headers = response.headers();
        headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING)
    }

    /// All of it, over some time.
    pub(super) fn whole(response: Response<Bytes>, trickle: Duration) -> Self {
        let length = response.body().len();
        Self { response, length, trickle }
    }

    /// Its first bytes. It is said to be longer even where it is not.
    pub(super) fn cut(mut response: Response<Bytes>, at: usize, trickle: Duration) -> Self {
        let length = response.body().len();
        response.body_mut().truncate(at);
        let length = length.max(response.body().len().saturating_add(1));
        Self { response, length, trickle }
    }

    pub(super) async fn write(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.write_all(&self.head()).await?;
        for (pause, piece) in self.pieces() {
            sleep(pause).await;
            stream.write_all(piece).await?;
        }
        stream.shutdown().await
    }

    /// The body in pieces, each after a pause.
    fn pieces(&self) -> impl Iterator<Item = (Duration, &[u8])> {
        let body = self.response.body();
        let most = usize::try_from(self.trickle.as_millis() / BETWEEN.as_millis());
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
