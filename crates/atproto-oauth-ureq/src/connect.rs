//! Connections: TCP, TLS over TCP, and a layer above that records whether any byte was sent.

use std::cell::Cell;
use std::io;

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, RustlsConnector, TcpConnector, Transport,
};

/// Returns the chain of TCP, TLS and [`Watch`]. The chain has no proxy support.
pub(crate) fn connector() -> impl Connector {
    ().chain(TcpConnector::default()).chain(Tls(RustlsConnector::default())).chain(Watch)
}

/// Records whether this thread sent any byte of a request since [`begin`](Self::begin).
///
/// ureq's errors do not say whether a request was sent. A connection does not know its call either,
/// because an idle connection of an earlier call may be reused. But ureq sends a request in the
/// thread of its caller, so a thread-local flag ([`SENT`]) is enough.
pub(crate) struct Witness {
    before: bool,
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
struct Watched<T>(T);

impl Witness {
    pub(crate) fn begin() -> Self {
        Self { before: SENT.replace(false) }
    }

    pub(crate) fn saw_bytes(&self) -> bool {
        SENT.get()
    }
}

/// Restores the flag of the outer call, because the reader of an attached body may perform a call
/// itself.
impl Drop for Witness {
    fn drop(&mut self) {
        SENT.set(self.before);
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
        Ok(chained.map(Watched))
    }
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        SENT.set(true);
        self.0.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.0.await_input(timeout).map_err(|error| match error {
            // ureq takes these errors for the end of a body without a declared length. An attacker
            // on the network path can cause them, so they must not make a truncated body complete.
            Error::Io(error) if broke_off(&error) => {
                io::Error::other("the connection closed before the end of the reply").into()
            }
            error => error,
        })
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

fn broke_off(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | UnexpectedEof)
}

thread_local! {
    /// Whether this thread sent any byte of the current call's request.
    static SENT: Cell<bool> = const { Cell::new(false) };
}
