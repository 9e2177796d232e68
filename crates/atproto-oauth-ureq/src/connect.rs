//! Connections: TCP, TLS over TCP, and a layer above that records whether any byte was sent, stops a
//! request that is too late, and hears a server that answers before it has read the whole request.

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use atproto_sansio::{System, UnixTime};
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, RustlsConnector, TcpConnector, Transport,
};

/// Returns the chain of TCP, TLS and [`Watch`]. The chain has no proxy support.
pub(crate) fn connector() -> impl Connector {
    ().chain(TcpConnector::default()).chain(Tls(RustlsConnector::default())).chain(Watch)
}

/// Latest time to send a request, checked when its connection is established.
#[derive(Clone, Copy)]
pub(crate) struct Latest {
    start_by: Option<UnixTime>,
    /// Time after which too little time is left to wait for the reply.
    enough_until: Instant,
}

/// Records whether this thread sent any byte of a request since [`begin`](Self::begin).
///
/// ureq's errors do not say whether a request was sent. A connection does not know its call either,
/// because an idle connection of an earlier call may be reused. But ureq sends a request in the
/// thread of its caller, so a thread-local flag ([`SENT`]) is enough.
pub(crate) struct Witness {
    before: (bool, Option<Latest>),
}

/// ureq's TLS connector, with one TLS configuration for all calls.
///
/// ureq treats a call with its own timeouts as a call with its own TLS settings. It would then load
/// all roots again for each connection, and never resume a TLS session.
#[derive(Debug)]
struct Tls(RustlsConnector);

/// Wraps each established connection as [`Watched`].
#[derive(Debug)]
struct Watch;

/// A connection that sets [`SENT`] when it sends. Its TLS session, if any, is already established,
/// so bytes of a TLS handshake do not count.
#[derive(Debug)]
struct Watched<T> {
    inner: T,
    /// Whether the server no longer takes the request. The rest of the request is discarded, so that
    /// ureq goes on to read what the server has answered.
    is_deaf: bool,
}

impl Latest {
    /// The request may be sent until `start_by`, and as long as `least_time` of `timeout` is left.
    pub(crate) fn new(start_by: Option<UnixTime>, timeout: Duration, least_time: Duration) -> Self {
        let enough_until = Instant::now() + timeout.saturating_sub(least_time);
        Self { start_by, enough_until }
    }

    /// # Errors
    ///
    /// Fails with the reason if the request is too late.
    pub(crate) fn check(self) -> Result<(), &'static str> {
        if self.start_by.is_some_and(|latest| latest < System::now()) {
            return Err("the call came after its `start_by` time");
        }
        if self.enough_until < Instant::now() {
            return Err("too little time was left to wait for the reply");
        }
        Ok(())
    }
}

impl Witness {
    pub(crate) fn begin(latest: Latest) -> Self {
        Self { before: (SENT.replace(false), LATEST.replace(Some(latest))) }
    }

    pub(crate) fn saw_bytes(&self) -> bool {
        SENT.get()
    }
}

/// Restores the flag of the outer call, because the reader of an attached body may perform a call
/// itself.
impl Drop for Witness {
    fn drop(&mut self) {
        let (sent, latest) = self.before;
        SENT.set(sent);
        LATEST.set(latest);
    }
}

impl<In: Transport> Connector<In> for Tls {
    type Out = <RustlsConnector as Connector<In>>::Out;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        let details = ConnectionDetails {
            request_level: false,
            addrs: details.resolver.empty(),
            uri: details.uri,
            config: details.config,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: details.current_time.clone(),
            run_connector: details.run_connector.clone(),
            register_shutdown: details.register_shutdown.clone(),
        };
        self.0.connect(&details, chained)
    }
}

impl<In: Transport> Connector<In> for Watch {
    type Out = Watched<In>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|inner| Watched { inner, is_deaf: false }))
    }
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if self.is_deaf {
            return Ok(());
        }
        if !SENT.get()
            && let Some(latest) = LATEST.get()
        {
            latest.check().map_err(io::Error::other)?;
        }
        let is_begun = SENT.replace(true);
        // A server that has answered may leave the rest of the request unread. Some of the time is
        // kept to read the answer. A write that stops in the middle waits twice.
        let patience = timeout.after.saturating_sub(READING).max(*timeout.after / 2) / 2;
        let write = NextTimeout { after: patience.into(), ..timeout };
        match self.inner.transmit_output(amount, write) {
            // A server may answer before it has read the whole request, and close the connection.
            Err(Error::Io(_) | Error::Timeout(_)) if is_begun => {
                self.is_deaf = true;
                Ok(())
            }
            result => result,
        }
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout).map_err(|error| match error {
            // ureq takes these errors for the end of a body without a declared length. An attacker
            // on the network path can cause them, so they must not make a truncated body complete.
            Error::Io(error) if broke_off(&error) => {
                io::Error::other("the connection closed before the end of the reply").into()
            }
            error => error,
        })
    }

    fn is_open(&mut self) -> bool {
        !self.is_deaf && self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}

/// Time to read the answer of a server that does not read the whole request.
const READING: Duration = Duration::from_secs(2);

fn broke_off(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | UnexpectedEof)
}

thread_local! {
    /// Whether this thread sent any byte of the current call's request.
    static SENT: Cell<bool> = const { Cell::new(false) };
    /// Latest time to send the current call's request.
    static LATEST: Cell<Option<Latest>> = const { Cell::new(None) };
}
