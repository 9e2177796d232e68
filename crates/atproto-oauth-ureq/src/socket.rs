//! [`Socket`]: one connection, plain TCP or TLS over TCP.
//!
//! A server may answer before it has read the whole request, and then close the connection or read
//! no further. ureq reads a reply only after the request was sent, so it would lose such an answer.
//! A [`Socket`] notices it: from then on it discards what ureq sends, and hands over the answer.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustls::ClientConnection;
use ureq::unversioned::transport::{Buffers, LazyBuffers, NextTimeout, Transport};
use ureq::{Error, Timeout};

use crate::witness;

/// A connection. Its TLS session, if any, is established.
pub(crate) struct Socket {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    buffers: LazyBuffers,
    limits: Limits,
    /// Whether the server takes no more bytes. The connection is not used for a second request.
    is_cut_short: bool,
    /// Whether the connection failed, so that its end is no regular end of a reply.
    is_broken: bool,
    /// Whether bytes have arrived of which ureq does not know.
    has_news: bool,
}

/// The timeouts that the operating system has for a connection. Setting one is a system call.
#[derive(Default)]
struct Limits {
    read: Option<Duration>,
    write: Option<Duration>,
}

/// The end of the time for an operation of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Deadline {
    end: Instant,
    reason: Timeout,
}

impl Deadline {
    pub(crate) fn of(timeout: NextTimeout) -> Self {
        Self { end: Instant::now() + (*timeout.after).min(LONGEST), reason: timeout.reason }
    }

    /// The time that is left.
    ///
    /// # Errors
    ///
    /// Fails with a timeout if none is left.
    pub(crate) fn left(self) -> Result<Duration, Error> {
        Some(self.end.saturating_duration_since(Instant::now()))
            .filter(|left| !left.is_zero())
            .ok_or_else(|| self.passed())
    }

    /// The error of an operation that took longer.
    pub(crate) fn passed(self) -> Error {
        Error::Timeout(self.reason)
    }

    /// The earlier of this deadline and `time` from now.
    pub(crate) fn within(self, time: Duration) -> Self {
        Self { end: self.end.min(Instant::now() + time.min(LONGEST)), ..self }
    }
}

impl Limits {
    /// Sets the time that a write may wait.
    fn write(&mut self, stream: &TcpStream, time: Duration) -> io::Result<()> {
        set(&mut self.write, time, |time| stream.set_write_timeout(time))
    }

    /// Sets the time that a read may wait: `time`, or somewhat less, so that consecutive requests have the same.
    fn read(&mut self, stream: &TcpStream, time: Duration) -> io::Result<()> {
        let rounded = time.min(Duration::from_secs(time.as_secs().max(1)));
        set(&mut self.read, rounded, |time| stream.set_read_timeout(time))
    }
}

fn set(
    present: &mut Option<Duration>,
    time: Duration,
    set: impl FnOnce(Option<Duration>) -> io::Result<()>,
) -> io::Result<()> {
    if *present != Some(time) {
        set(Some(time))?;
        *present = Some(time);
    }
    Ok(())
}

impl Socket {
    /// Takes a connection whose TLS session, if any, is established.
    pub(crate) fn new(
        stream: TcpStream,
        tls: Option<ClientConnection>,
        buffers: LazyBuffers,
    ) -> Self {
        let tls = tls.map(Box::new);
        Self {
            stream,
            tls,
            buffers,
            limits: Limits::default(),
            is_cut_short: false,
            is_broken: false,
            has_news: false,
        }
    }

    /// Sends the first `amount` bytes of the output buffer.
    fn send(&mut self, amount: usize, deadline: Deadline) -> Result<(), Error> {
        let mut sent = 0;
        if let Some(tls) = &mut self.tls {
            let output = self.buffers.output().get(..amount).unwrap_or_default();
            tls.writer().write_all(output)?;
        }
        loop {
            let is_sent = match &self.tls {
                Some(tls) => !tls.wants_write(),
                None => sent == amount,
            };
            if is_sent {
                return Ok(());
            }
            self.limits.write(&self.stream, deadline.left()?.min(TICK))?;
            let outcome = match &mut self.tls {
                Some(tls) => tls.write_tls(&mut &self.stream),
                None => {
                    let rest = self.buffers.output().get(sent..amount).unwrap_or_default();
                    (&self.stream).write(rest)
                }
            };
            match outcome {
                Ok(0) => return Err(io::Error::from(ErrorKind::WriteZero).into()),
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The server does not read at the moment. Perhaps it has answered already.
                Err(error) if is_timeout(&error) => {
                    if self.is_answered() {
                        self.is_cut_short = true;
                        return Ok(());
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether the server has answered, or has closed the connection. Interim answers do not count.
    fn is_answered(&mut self) -> bool {
        loop {
            match self.receive_at_once() {
                Ok(0) => return true,
                Ok(_) => {
                    self.has_news = true;
                    if has_final_head(self.buffers.input()) {
                        return true;
                    }
                }
                Err(error) if is_timeout(&error) => return false,
                Err(_) => {
                    self.is_broken = true;
                    return true;
                }
            }
        }
    }

    /// Receives bytes that have arrived already; fails with `WouldBlock` if none have.
    fn receive_at_once(&mut self) -> io::Result<usize> {
        self.stream.set_nonblocking(true)?;
        let received = self.receive(None);
        self.stream.set_nonblocking(false)?;
        match received {
            Ok(received) => received,
            Err(error) => Err(error.into_io()),
        }
    }

    /// Receives bytes into the input buffer; 0 at the regular end of the connection.
    ///
    /// The outer result is a timeout of the deadline. An inner timeout may come earlier.
    fn receive(&mut self, deadline: Option<Deadline>) -> Result<io::Result<usize>, Error> {
        let limits = &mut self.limits;
        let mut wait = |stream: &TcpStream| -> Result<(), Error> {
            match deadline {
                Some(deadline) => Ok(limits.read(stream, deadline.left()?)?),
                None => Ok(()),
            }
        };
        let buffer = self.buffers.input_append_buf();
        if buffer.is_empty() {
            return Ok(Err(io::Error::other("the input buffer is full")));
        }
        let received = match &mut self.tls {
            None => {
                wait(&self.stream)?;
                (&self.stream).read(buffer)
            }
            Some(tls) => loop {
                match tls.reader().read(buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    received => break received,
                }
                wait(&self.stream)?;
                if let Err(error) = tls.read_tls(&mut &self.stream) {
                    break Err(error);
                }
                if let Err(error) = tls.process_new_packets() {
                    break Err(io::Error::new(ErrorKind::InvalidData, error));
                }
            },
        };
        if let Ok(count) = received {
            self.buffers.input_appended(count);
            witness::received(count);
        }
        Ok(received)
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let deadline = Deadline::of(timeout);
        deadline.left()?;
        witness::sends().map_err(|error| Error::Other(Box::new(error)))?;
        if !self.is_cut_short {
            match self.send(amount, deadline) {
                // The server may have answered before it closed the connection.
                Err(Error::Io(_)) => (self.is_cut_short, self.is_broken) = (true, true),
                outcome => outcome?,
            }
        }
        if self.is_cut_short {
            witness::cuts_short();
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        if std::mem::take(&mut self.has_news) && !self.buffers.input().is_empty() {
            return Ok(true);
        }
        witness::may_receive().map_err(|error| Error::Other(Box::new(error)))?;
        let deadline = Deadline::of(timeout);
        loop {
            return match self.receive(Some(deadline))? {
                // An attacker on the network path can cause these ends, so they must not make a
                // body without a declared length complete.
                Ok(0) if self.is_broken => Err(broken()),
                Err(error) if broke_off(&error) => Err(broken()),
                Ok(count) => Ok(count > 0),
                Err(error) if error.kind() == ErrorKind::Interrupted || is_timeout(&error) => {
                    continue;
                }
                Err(error) => Err(error.into()),
            };
        }
    }

    /// Whether the connection can be used again: it is whole, and nothing has arrived.
    fn is_open(&mut self) -> bool {
        !self.is_cut_short
            && !self.is_broken
            && matches!(self.receive_at_once(), Err(error) if is_timeout(&error))
    }

    fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("is_tls", &self.is_tls()).finish_non_exhaustive()
    }
}

/// Whether `input` begins with the head of a final answer, after any number of interim ones (1xx).
fn has_final_head(mut input: &[u8]) -> bool {
    loop {
        // `HTTP/1.1 2`: the first digit of the status is at index 9.
        match input.get(9) {
            None => return false,
            Some(b'1') => {}
            Some(_) => return true,
        }
        let Some(end) = input.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            return false;
        };
        input = input.split_at(end + 4).1;
    }
}

/// Whether an operation came to the end of its time. The platform decides which kind it reports.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

fn broke_off(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | UnexpectedEof)
}

fn broken() -> Error {
    io::Error::other("the connection closed before the end of the reply").into()
}

/// Time after which a blocked write looks for an answer.
const TICK: Duration = Duration::from_millis(50);

/// One year, the longest time, so that `Instant::now() + time` does not overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interim_answers_are_no_final_answer() {
        let early = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
        for rest in ["", "HTTP/1.1 ", "HTTP/1.1 1", "HTTP/1.1 102 Processing\r\n"] {
            assert!(!has_final_head(format!("{early}{rest}").as_bytes()), "{rest}");
        }
        for rest in ["HTTP/1.1 401", "HTTP/1.1 200 OK\r\n\r\n"] {
            assert!(has_final_head(format!("{early}{rest}").as_bytes()), "{rest}");
            assert!(has_final_head(rest.as_bytes()), "{rest}");
        }
    }
}
