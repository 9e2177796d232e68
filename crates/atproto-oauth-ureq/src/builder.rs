//! The settings of a driver.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use atproto_oauth_core::exports::P256Keys;
use atproto_sansio::System;
use http::HeaderValue;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::agents::Agents;
use crate::driver::{Driver, Inner};
use crate::nameservers::Nameservers;
use crate::shared::Shared;
use crate::sign::RemoteSigner;

/// The settings of a [`Driver`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct DriverBuilder {
    system: System,
    pub(crate) development: bool,
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) overrides: Arc<BTreeMap<String, SocketAddr>>,
    pub(crate) user_agent: HeaderValue,
    nameservers: Nameservers,
    remote_signer: RemoteSigner,
}

/// Bytes that hold no usable certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BadCertificate(());

impl DriverBuilder {
    pub(crate) fn new(system: System) -> Self {
        Self {
            system,
            development: false,
            roots: Vec::new(),
            overrides: Arc::default(),
            user_agent: HeaderValue::from_static(USER_AGENT),
            nameservers: Nameservers::System,
            remote_signer: RemoteSigner::default(),
        }
    }

    /// Performs calls of [`Reach::Development`](atproto_sansio::Reach::Development), which reach
    /// private addresses. Without this they are blocked.
    pub fn development(mut self) -> Self {
        self.development = true;
        self
    }

    /// Trusts this certificate authority, in PEM or DER, *instead of* the public ones. Several
    /// may be given.
    ///
    /// # Errors
    ///
    /// There is no certificate in `bytes`, or one that can't be a root.
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
        // Left to itself, ureq skips what it can't parse and then trusts nobody.
        for certificate in &found {
            RootCertStore::empty().add(certificate.clone()).map_err(|_| BadCertificate(()))?;
        }
        self.roots.extend(found);
        Ok(self)
    }

    /// Connects to `address`, port included, for each request to `host`.
    ///
    /// It has no effect on calls of [`Reach::Public`](atproto_sansio::Reach::Public).
    pub fn host_override(mut self, host: &str, address: SocketAddr) -> Self {
        Arc::make_mut(&mut self.overrides).insert(host.to_ascii_lowercase(), address);
        self
    }

    /// Asks this DNS server for TXT records, instead of the system's.
    ///
    /// Addresses of hosts are always asked of the system.
    pub fn nameserver(mut self, address: SocketAddr) -> Self {
        self.nameservers = Nameservers::Fixed(address);
        self
    }

    /// Signs with keys that live elsewhere: is given the key's name and the message, and gives `r`
    /// and `s`, or says why not.
    pub fn sign_with(
        mut self,
        sign: impl Fn(&str, &[u8]) -> Result<[u8; 64], String> + Send + Sync + 'static,
    ) -> Self {
        self.remote_signer = RemoteSigner::new(sign);
        self
    }

    /// The `User-Agent` of requests that have none.
    pub fn user_agent(mut self, value: HeaderValue) -> Self {
        self.user_agent = value;
        self
    }

    /// The driver.
    pub fn build(self) -> Driver {
        let agents = Agents::new(&self);
        Driver::from_inner(Inner {
            system: self.system,
            agents,
            nameservers: self.nameservers,
            shared: Shared::default(),
            remote_signer: self.remote_signer,
        })
    }
}

/// The settings of [`Driver::default`].
impl Default for DriverBuilder {
    fn default() -> Self {
        Self::new(System::new(P256Keys))
    }
}

impl fmt::Display for BadCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no certificate that can be trusted as a root")
    }
}

impl std::error::Error for BadCertificate {}

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
