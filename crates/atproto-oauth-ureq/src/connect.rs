//! Connections: TCP, TLS over it, and on top a witness of what was sent.

use std::cell::Cell;
use std::io;

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, RustlsConnector, TcpConnector, Transport,
};

/// TCP and TLS, without a proxy of any kind.
pub(crate) fn connector() -> impl Connector {
    ().chain(TcpConnector::default()).chain(Tls(RustlsConnector::default())).chain(Watch)
}

/// Tells whether any byte of a request was sent in this thread since it began to look.
///
/// ureq's errors don't say how far a request got. A connection can't tell whose request it
/// carries, as it may be an idle one of an earlier call; but a request is sent in the thread that
/// asks for it.
pub(crate) struct Witness {
    before: bool,
}

/// ureq's TLS, with one configuration for all calls.
///
/// A call with its own time-outs counts as having its own TLS settings. ureq would then read all
/// roots again for each connection, and never resume a TLS session.
#[derive(Debug)]
struct Tls(RustlsConnector);

#[derive(Debug)]
struct Watch;

/// A connection whose TLS session, if it needs one, is established.
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

/// The reader of an attached body may itself perform a call, so witnesses nest.
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
            // ureq takes these for the end of a body that has no declared length. A body that was
            // cut off by whoever sits on the line must not pass for a whole one.
            Error::Io(error) if broke_off(&error) => {
                io::Error::other("the connection broke off").into()
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
    static SENT: Cell<bool> = const { Cell::new(false) };
}
