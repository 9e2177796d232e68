//! Construction of a network from servers and accounts, and the changes that tests make to them.

use std::time::Duration;

use atproto_dpop::P256Keys;
use atproto_identity::Handle;
use atproto_sansio::Keys;
use data_encoding::BASE32_NOPAD;

use crate::accounts::account::Account;
use crate::accounts::handles::{Dns, HandleAnswers};
use crate::accounts::repository::Repository;
use crate::names::Names;
use crate::origin::canonical;
use crate::sandbox::Sandbox;
use crate::server::habits::Habits;
use crate::server::{Server, ServerId};

/// Method by which a handle resolves to the DID of its account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the specification has no other method")]
pub enum ResolvedBy {
    /// A TXT record at `_atproto.<handle>`.
    Dns,
    /// A GET of `/.well-known/atproto-did` at the host of the handle.
    Https,
    /// Both methods.
    Both,
}

impl Sandbox {
    /// Creates the standard network with its [default names](Names):
    ///
    /// | account | DID | handle resolved by | server | issuer |
    /// |---|---|---|---|---|
    /// | `alice` | `did:plc` | DNS | `pds` | the same |
    /// | `carol` | `did:plc` | HTTPS | `pds` | the same |
    /// | `dave` | `did:plc` | both | `pds` | the same |
    /// | `wendy` | `did:web` | DNS | `pds` | the same |
    /// | `bob` | `did:plc` | DNS | `other_pds` | the same |
    /// | `rita` | `did:plc` | DNS | `entryway_pds` | `entryway` |
    /// | `sara` | `did:plc` | DNS | `other_entryway_pds` | `entryway` |
    ///
    /// The handles have the form `alice.example.com`, the passwords the form `alice-pass`.
    pub fn new(seed: u64) -> Self {
        Self::with_names(seed, Names::default())
    }

    /// Creates the standard network with other names. The table of [`new`](Self::new) lists its
    /// accounts and servers.
    ///
    /// # Panics
    ///
    /// Panics if a name is malformed, or if two servers have the same origin. An origin is like
    /// `https://pds.example.com`, a host like `example.com`.
    pub fn with_names(seed: u64, names: Names) -> Self {
        let mut sandbox = Self::empty(seed, names);
        let names = sandbox.names.clone();
        let pds = sandbox.add_server(&names.pds);
        let other_pds = sandbox.add_server(&names.other_pds);
        let entryway = sandbox.add_entryway(&names.entryway);
        let first = sandbox.add_server_behind(&names.entryway_pds, entryway);
        let second = sandbox.add_server_behind(&names.other_entryway_pds, entryway);
        let handle = |name: &str| format!("{name}{}", names.handles);
        sandbox.add_account(pds, &handle("alice"), ResolvedBy::Dns);
        sandbox.add_account(pds, &handle("carol"), ResolvedBy::Https);
        sandbox.add_account(pds, &handle("dave"), ResolvedBy::Both);
        sandbox.add_account(other_pds, &handle("bob"), ResolvedBy::Dns);
        sandbox.add_account(first, &handle("rita"), ResolvedBy::Dns);
        sandbox.add_account(second, &handle("sara"), ResolvedBy::Dns);
        let did = format!("did:web:{}", names.did_web);
        sandbox.add_account_with_did(pds, &handle("wendy"), ResolvedBy::Dns, &did);
        sandbox
    }

    /// Adds a PDS that is its own authorization server.
    ///
    /// # Panics
    ///
    /// Panics if `origin` is not an origin, like `https://pds.example.com`, or if another server
    /// has this origin.
    pub fn add_server(&mut self, origin: &str) -> ServerId {
        let id = ServerId(self.servers.len());
        self.add(origin, true, id)
    }

    /// Adds an authorization server that hosts no accounts.
    ///
    /// # Panics
    ///
    /// Panics if `origin` is not an origin, like `https://pds.example.com`, or if another server
    /// has this origin.
    pub fn add_entryway(&mut self, origin: &str) -> ServerId {
        let id = ServerId(self.servers.len());
        self.add(origin, false, id)
    }

    /// Adds a PDS whose authorization server is `entryway`.
    ///
    /// # Panics
    ///
    /// Panics if `origin` is not an origin, like `https://pds.example.com`, or if another server
    /// has this origin.
    pub fn add_server_behind(&mut self, origin: &str, entryway: ServerId) -> ServerId {
        self.add(origin, true, entryway)
    }

    fn add(&mut self, origin: &str, hosts_accounts: bool, issuer: ServerId) -> ServerId {
        let origin = canonical(origin);
        assert!(self.server_at(&origin).is_none(), "another server has the origin {origin}");
        let secret = self.entropy.bytes();
        self.servers.push(Server::new(&origin, hosts_accounts, issuer, secret));
        ServerId(self.servers.len() - 1)
    }

    /// Adds an account to `server` and returns its new `did:plc`. The password is the first label
    /// of the handle, followed by `-pass`.
    ///
    /// # Panics
    ///
    /// Panics if the server hosts no accounts, if `handle` is malformed, or if another account has
    /// this handle.
    pub fn add_account(&mut self, server: ServerId, handle: &str, by: ResolvedBy) -> String {
        let digits = BASE32_NOPAD.encode(&self.entropy.bytes::<15>()).to_ascii_lowercase();
        let did = format!("did:plc:{digits}");
        self.add_account_with_did(server, handle, by, &did);
        did
    }

    fn add_account_with_did(&mut self, server: ServerId, handle: &str, by: ResolvedBy, did: &str) {
        assert!(
            self.server(server).hosts_accounts,
            "the entryway {} hosts no accounts: use `add_server` or `add_server_behind`",
            self.server(server).origin
        );
        let handle = &handle.to_ascii_lowercase();
        self.check_free(handle, None);
        let name = handle.split('.').next().unwrap_or_default();
        let answers = HandleAnswers {
            dns: if by == ResolvedBy::Https { Dns::NoSuchName } else { Dns::did(did) },
            https: (by != ResolvedBy::Dns).then(|| did.to_owned()),
        };
        self.handles.insert(handle.to_owned(), answers);
        self.accounts.push(Account {
            did: did.to_owned(),
            handle: handle.to_owned(),
            password: format!("{name}-pass"),
            server,
            left: Vec::new(),
            repository: Repository::default(),
            signing_key: multikey(P256Keys.generate(&mut self.entropy).public()),
        });
    }

    /// Returns the server with this origin; `None` if the network has no such server.
    ///
    /// # Panics
    ///
    /// Panics if `origin` is not an origin, like `https://pds.example.com`.
    pub fn find_server(&self, origin: &str) -> Option<ServerId> {
        self.server_at(&canonical(origin))
    }

    /// Returns the PDS of the account whose handle or DID is `name`.
    pub fn server_of(&self, name: &str) -> Option<ServerId> {
        let account = self.accounts.iter().find(|account| account.is_called(name))?;
        Some(account.server)
    }

    /// Returns the DID of the account with this handle.
    pub fn did(&self, handle: &str) -> Option<&str> {
        let account = self.accounts.iter().find(|account| account.is_called(handle))?;
        Some(&account.did)
    }

    /// Returns the answers to the resolution of a handle, so that a test can change them.
    ///
    /// The handle may belong to no account. Its answers then are [`Dns::NoSuchName`] and a 404.
    pub fn handle_answers(&mut self, handle: &str) -> &mut HandleAnswers {
        let nothing = HandleAnswers { dns: Dns::NoSuchName, https: None };
        self.handles.entry(handle.to_ascii_lowercase()).or_insert(nothing)
    }

    /// Moves an account to another server, which may have another issuer. The DID document names
    /// the new server at once. The old server treats the account as deactivated.
    ///
    /// # Panics
    ///
    /// Panics if no account has the handle or DID `name`, if the account is on the server `to`
    /// already, or if this server hosts no accounts.
    pub fn migrate(&mut self, name: &str, to: ServerId) {
        assert!(
            self.server(to).hosts_accounts,
            "the entryway {} hosts no accounts: use `add_server` or `add_server_behind`",
            self.server(to).origin
        );
        let from = self.account_mut(name).server;
        assert!(from != to, "{name} is on the server {} already", self.server(to).origin);
        let account = self.account_mut(name);
        let from = std::mem::replace(&mut account.server, to);
        account.left.push(from);
    }

    /// Changes the handle of an account. The new handle resolves by DNS only; the old handle no
    /// longer resolves.
    ///
    /// # Panics
    ///
    /// Panics if no account has the handle or DID `name`, if `handle` is malformed, or if another
    /// account has this handle.
    pub fn rename(&mut self, name: &str, handle: &str) {
        let handle = &handle.to_ascii_lowercase();
        self.check_free(handle, Some(name));
        let account = self.account_mut(name);
        let old = std::mem::replace(&mut account.handle, handle.to_owned());
        let did = account.did.clone();
        self.handles.remove(&old);
        let answers = HandleAnswers { dns: Dns::did(&did), https: None };
        self.handles.insert(handle.to_owned(), answers);
    }

    fn account_mut(&mut self, name: &str) -> &mut Account {
        let known = self.accounts.iter().any(|account| account.is_called(name));
        assert!(known, "no account has the handle or DID {name:?}");
        let account = self.accounts.iter_mut().find(|account| account.is_called(name));
        account.expect("the account was found")
    }

    /// Panics if `handle` is malformed, or if an account other than `own` has it.
    fn check_free(&self, handle: &str, own: Option<&str>) {
        assert!(handle.parse::<Handle>().is_ok(), "{handle:?} is not a valid handle");
        let owner = self.accounts.iter().find(|account| account.is_called(handle));
        let is_own = |owner: &Account| own.is_some_and(|own| owner.is_called(own));
        assert!(owner.is_none_or(is_own), "another account has the handle {handle}");
    }

    /// Invalidates all DPoP nonces that a server has handed out.
    pub fn reset_nonces(&mut self, at: ServerId) {
        let secret = self.entropy.bytes();
        self.server_mut(at).nonces.reset(secret);
    }

    /// Sets the interval at which a server rotates its DPoP nonces; one minute by default.
    ///
    /// A nonce is accepted for two to three intervals after it is handed out. The interval has no
    /// effect on a server whose [`Habits`] set a lifetime of nonces.
    pub fn set_nonce_rotation(&mut self, at: ServerId, rotation: Duration) {
        self.server_mut(at).nonces.rotation = rotation;
    }

    /// Sets whether a server uses DPoP nonces; `true` by default, as the AT Protocol OAuth profile
    /// demands. If `false`, the server hands out no nonces and ignores the nonce of a proof.
    pub fn require_nonces(&mut self, at: ServerId, required: bool) {
        self.server_mut(at).nonces.required = required;
    }

    /// Sets the behaviour of a server where servers differ: clock tolerance, nonces, and the names
    /// of errors. The habits of a new server are those of the reference server.
    pub fn set_habits(&mut self, at: ServerId, habits: Habits) {
        self.server_mut(at).habits = habits;
    }

    /// Sets the lifetime of the access tokens that a server issues after this; one hour by default.
    pub fn set_access_token_lifetime(&mut self, at: ServerId, lifetime: Duration) {
        self.server_mut(at).access_token_lifetime = lifetime;
    }

    /// Sets the clock of a server ahead of the network's clock. The `Date` headers of the
    /// server show the time of its own clock.
    pub fn set_server_clock_ahead(&mut self, at: ServerId, by: Duration) {
        let server = self.server_mut(at);
        (server.clock_ahead, server.clock_behind) = (by, Duration::ZERO);
    }

    /// Sets the clock of a server behind the network's clock. The `Date` headers of the
    /// server show the time of its own clock.
    pub fn set_server_clock_behind(&mut self, at: ServerId, by: Duration) {
        let server = self.server_mut(at);
        (server.clock_ahead, server.clock_behind) = (Duration::ZERO, by);
    }

    /// Empties a server's cache of client metadata and JWKS, so that it fetches them again.
    pub fn forget_clients(&mut self, at: ServerId) {
        self.server_mut(at).clients.forget();
    }

    /// Ends all sessions of an account on all servers, as if its owner had revoked the access of
    /// all apps. Authorization codes for the account that are not exchanged yet become invalid,
    /// too.
    ///
    /// # Panics
    ///
    /// Panics if no account has the handle or DID `name`.
    pub fn end_sessions(&mut self, name: &str) {
        let did = self.account_mut(name).did.clone();
        for server in &mut self.servers {
            server.grants.end_all(&did);
            server.pushed.forget_consent_of(&did);
        }
    }

    /// Returns whether `refresh_token` is the current refresh token of a session on this server that has
    /// not ended and not expired.
    pub fn is_current(&self, at: ServerId, refresh_token: &str) -> bool {
        let mut alive = self.server(at).grants.alive(self.clock(at));
        alive.any(|grant| grant.refresh_token.as_deref() == Some(refresh_token))
    }

    /// Returns the number of sessions on a server that have not ended and not expired.
    pub fn sessions(&self, at: ServerId) -> usize {
        self.server(at).grants.alive(self.clock(at)).count()
    }
}

/// Encodes a P-256 public key as a Multikey, as in DID documents: the compressed point with its
/// multicodec prefix, in base58btc.
fn multikey(point: &[u8; 64]) -> String {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let [x @ .., _] = point.as_chunks::<32>().0 else {
        unreachable!("a point has two coordinates of 32 bytes")
    };
    let parity = 2 + (point[63] & 1);
    let bytes = [0x80, 0x24, parity].into_iter().chain(x.as_flattened().iter().copied());
    let mut digits: Vec<u8> = Vec::new(); // the least significant digit first
    for byte in bytes {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let text = digits.iter().rev().filter_map(|digit| ALPHABET.get(usize::from(*digit)));
    std::iter::once('z').chain(text.map(|letter| char::from(*letter))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_p256_key_is_encoded_as_did_key_specifies() {
        // The Multikey of every compressed P-256 key begins with `zDna`.
        let key = multikey(P256Keys.generate(&mut crate::entropy::Seeded::new("test", 1)).public());
        assert!(key.starts_with("zDna") && key.len() == 49, "{key}");
    }

    #[test]
    fn names_are_normalized_to_their_form_in_requests() {
        let mut sandbox = Sandbox::new(1);
        let id = sandbox.add_server("HTTPS://PDS.Example.dev:443/");
        assert_eq!(sandbox.find_server("https://pds.example.dev"), Some(id));
        sandbox.add_account(id, "Erin.Example.dev", ResolvedBy::Dns);
        assert!(matches!(sandbox.look_up("_atproto.erin.example.dev"), Dns::Records(_)));
    }
}
