//! [`DriverBuilder`]: reach, trusted roots, DNS, remote signer and `User-Agent` of a driver.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use atproto_keys::RingKeys;
use atproto_oauth_store::Store;
use atproto_sansio::{AddressCache, Notice, System};
use http::HeaderValue;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::agents::Agents;
use crate::driver::{Driver, Inner};
use crate::notices::Notices;
use crate::resolve::Lookup;
use crate::shared::Shared;
use crate::sign::RemoteSigner;
use crate::stores::Stores;
use crate::workers::Workers;

/// Builds a [`Driver`] with other settings than the default; see [`Driver::builder`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct DriverBuilder {
    system: System,
    pub(crate) development: bool,
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) overrides: Arc<BTreeMap<String, SocketAddr>>,
    pub(crate) resolved: Arc<BTreeMap<String, Vec<IpAddr>>>,
    pub(crate) lookup: Lookup,
    /// Time for which addresses are remembered.
    pub(crate) addresses_for: Duration,
    pub(crate) user_agent: HeaderValue,
    /// Most requests in flight to one server.
    pub(crate) requests_per_server: usize,
    nameserver: Option<SocketAddr>,
    remote_signer: RemoteSigner,
    notices: Notices,
    pub(crate) stores: Stores,
}

/// The error of [`DriverBuilder::root_certificate`]: no usable certificate in the given bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BadCertificate(());

impl DriverBuilder {
    pub(crate) fn new(system: System) -> Self {
        Self {
            system,
            development: false,
            roots: Vec::new(),
            overrides: Arc::default(),
            resolved: Arc::default(),
            lookup: Lookup::default(),
            addresses_for: AddressCache::LIFETIME,
            user_agent: HeaderValue::from_static(USER_AGENT),
            requests_per_server: 64,
            nameserver: None,
            remote_signer: RemoteSigner::default(),
            notices: Notices::default(),
            stores: Stores::default(),
        }
    }

    /// Takes clock, entropy, cache and keys of `system`, and leaves all other settings as they are; by
    /// default, they are of the operating system, a cache of this driver, and [`RingKeys`].
    ///
    /// Here the sessions of a client have keys of another backend, and a cache that keeps nothing:
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use atproto_oauth_ureq::store::MemoryStore;
    /// use atproto_oauth_ureq::{Client, OAuthClient, P256Keys, Scopes, System};
    /// use atproto_oauth_ureq::{Memo, Memory, Moment, Topic, bytes::Bytes};
    ///
    /// struct NoCache;
    ///
    /// impl Memory for NoCache {
    ///     fn get(&self, _: Topic, _: &str, _: Moment) -> Option<Bytes> {
    ///         None
    ///     }
    ///     fn put(&self, _: Topic, _: &str, _: Memo, _: Moment) {}
    ///     fn forget(&self, _: Topic, _: &str) {}
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let system = System::new(P256Keys).with_memory(Arc::new(NoCache));
    /// let client = Client::loopback(Scopes::parse("atproto")?).build()?;
    /// let app = OAuthClient::builder(client)
    ///     .store(MemoryStore::new())
    ///     .driver(|driver| driver.system(system))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn system(mut self, system: System) -> Self {
        self.system = system;
        self
    }

    /// Limits the requests in flight to one server; 64 by default. Further requests wait in the order in which
    /// they came, and their waiting time counts towards the timeout of the call.
    ///
    /// A server resets connections of which too many come at once. Without a limit, a program with many threads
    /// may lose requests to that.
    pub fn requests_per_server(mut self, count: NonZero<usize>) -> Self {
        self.requests_per_server = count.get();
        self
    }

    /// Allows calls of [`Reach::Development`](atproto_sansio::Reach::Development), which may
    /// connect to private addresses. Without this setting, the driver blocks them.
    pub fn development(mut self) -> Self {
        self.development = true;
        self
    }

    /// Trusts this certificate authority, in PEM or DER, *instead of* the public ones. Call it
    /// several times to trust several authorities.
    ///
    /// # Errors
    ///
    /// Fails if `bytes` contains no certificate, or one that cannot be a root.
    pub fn root_certificate(mut self, bytes: &[u8]) -> Result<Self, BadCertificate> {
        let found = match bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
            true => CertificateDer::pem_slice_iter(bytes)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| BadCertificate(()))?,
            false => vec![CertificateDer::from(bytes.to_vec())],
        };
        if found.is_empty() {
            return Err(BadCertificate(()));
        }
        // ureq silently skips a certificate that it cannot parse. The driver would then trust no
        // server at all, so unusable certificates are rejected here.
        for certificate in &found {
            RootCertStore::empty().add(certificate.clone()).map_err(|_| BadCertificate(()))?;
        }
        self.roots.extend(found);
        Ok(self)
    }

    /// Connects to `address` and its port for each request to `host`, instead of resolving `host`.
    ///
    /// The override does not apply to calls of [`Reach::Public`](atproto_sansio::Reach::Public).
    pub fn host_override(mut self, host: &str, address: SocketAddr) -> Self {
        Arc::make_mut(&mut self.overrides).insert(host.to_ascii_lowercase(), address);
        self
    }

    /// Resolves `host` to `addresses` for each request, instead of asking the system, whatever the
    /// reach of the request is.
    ///
    /// The addresses are checked like those of the system: a call of
    /// [`Reach::Public`](atproto_sansio::Reach::Public) to a host with a private address is blocked.
    /// So a program can test what it does with a host that leads into its own network. An override
    /// of the same host prevails ([`host_override`](Self::host_override)).
    pub fn resolve(mut self, host: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let addresses = addresses.into_iter().collect();
        Arc::make_mut(&mut self.resolved).insert(host.to_ascii_lowercase(), addresses);
        self
    }

    /// Asks `lookup` for the addresses of hosts, instead of the system.
    ///
    /// The addresses are checked like those of the system. `lookup` runs in a thread that may outlive
    /// the call, and may block. It receives the host in lower case, and is not asked for a host whose
    /// addresses are set or remembered, or that is an IP address.
    pub fn resolve_with(
        mut self,
        lookup: impl Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync + 'static,
    ) -> Self {
        self.lookup = Lookup::new(lookup);
        self
    }

    /// Remembers the addresses of a host for `time` after their lookup; 30 seconds by default. With
    /// [`Duration::ZERO`], each new connection resolves its host.
    ///
    /// A request over a kept connection resolves nothing. If no remembered address can be connected to, the
    /// addresses of the host are forgotten.
    pub fn remember_addresses(mut self, time: Duration) -> Self {
        self.addresses_for = time;
        self
    }

    /// Sends TXT queries to the nameserver at `address` instead of the system's nameservers.
    ///
    /// The setting does not apply to addresses of hosts: the system's resolver looks them up.
    pub fn nameserver(mut self, address: SocketAddr) -> Self {
        self.nameserver = Some(address);
        self
    }

    /// Signs with a remote key, such as one in a hardware module or a key service.
    ///
    /// `sign` receives the key id and the message. It returns the `r` and `s` of the `ES256`
    /// signature, 32 bytes each, or the reason for the failure. The message is not hashed yet.
    ///
    /// Most key services return the public key and the signature in DER, as the one of this example:
    ///
    /// ```
    /// use atproto_oauth_ureq::store::MemoryStore;
    /// use atproto_oauth_ureq::{Client, ClientKey, Jwk, OAuthClient, Scopes, signature_from_der};
    ///
    /// # fn build(
    /// #     public_key: &[u8],
    /// #     sign_at_service: fn(&str, &[u8]) -> Result<Vec<u8>, String>,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let client = Client::web("https://app.example.com/client.json", Scopes::parse("atproto")?)
    ///     .redirect_uri("https://app.example.com/callback")
    ///     .key(ClientKey::remote("the id of the key", Jwk::from_public_der(public_key)?))
    ///     .build()?;
    /// let sign = move |key_id: &str, message: &[u8]| {
    ///     let signature = sign_at_service(key_id, message)?;
    ///     signature_from_der(&signature).map_err(|error| error.to_string())
    /// };
    /// let app = OAuthClient::builder(client)
    ///     .store(MemoryStore::new())
    ///     .driver(|driver| driver.sign_with(sign))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn sign_with(
        mut self,
        sign: impl Fn(&str, &[u8]) -> Result<[u8; 64], String> + Send + Sync + 'static,
    ) -> Self {
        self.remote_signer = RemoteSigner::new(sign);
        self
    }

    /// Keeps the records of managed sessions in `store`. Without a store, the machines of
    /// [`Sessions`](atproto_oauth_core::Sessions) fail.
    ///
    /// An operation of the store that takes longer than ten seconds counts as failed, and may have been
    /// applied.
    pub fn store(mut self, store: impl Store + 'static) -> Self {
        self.stores = Stores::new(store);
        self
    }

    /// Calls `handler` with each [`Notice`] of a machine, whoever waits for the result of the machine.
    ///
    /// The machine goes on when `handler` returns, so `handler` should be quick. A panic of `handler`
    /// is ignored.
    pub fn on_notice(mut self, handler: impl Fn(&Notice) + Send + Sync + 'static) -> Self {
        self.notices = Notices::new(handler);
        self
    }

    /// Sets the `User-Agent` of requests that have none; `atproto-oauth-ureq/<version>` by default.
    pub fn user_agent(mut self, value: HeaderValue) -> Self {
        self.user_agent = value;
        self
    }

    /// Builds the driver.
    pub fn build(self) -> Driver {
        let workers = Workers::default();
        let agents = Agents::new(&self, &workers);
        Driver::from_inner(Inner {
            system: self.system,
            agents,
            nameserver: self.nameserver,
            shared: Shared::default(),
            remote_signer: self.remote_signer,
            notices: self.notices,
            stores: self.stores,
            workers,
        })
    }
}

/// The settings of [`Driver::default`]: the system's clock and entropy, and keys of [`RingKeys`].
impl Default for DriverBuilder {
    fn default() -> Self {
        Self::new(System::new(RingKeys))
    }
}

impl fmt::Display for BadCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no PEM or DER certificate that can be trusted as a root")
    }
}

impl std::error::Error for BadCertificate {}

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
