//! Building a network: servers and accounts, and what can be done to them.

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
use crate::server::{Server, ServerId};

/// How an account's handle is tied to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the specification knows no other")]
pub enum ResolvedBy {
    /// By a TXT record.
    Dns,
    /// By `/.well-known/atproto-did`.
    Https,
    /// By both.
    Both,
}

impl Sandbox {
    /// The standard network with its [default names](Names):
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
    /// Their handles are `alice.example.com` and so on, their passwords `alice-pass`.
    pub fn new(seed: u64) -> Self {
        Self::with_names(seed, Names::default())
    }

    /// The standard network with other names.
    ///
    /// # Panics
    ///
    /// A name is not one: an origin is like `https://pds.example.com`, a host like `example.com`.
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

    /// A PDS that is its own authorization server.
    ///
    /// # Panics
    ///
    /// The origin is not one, like `https://pds.example.com`, or another server has it.
    pub fn add_server(&mut self, origin: &str) -> ServerId {
        let id = ServerId(self.servers.len());
        self.add(origin, true, id)
    }

    /// An authorization server that hosts no accounts.
    ///
    /// # Panics
    ///
    /// The origin is not one, like `https://pds.example.com`, or another server has it.
    pub fn add_entryway(&mut self, origin: &str) -> ServerId {
        let id = ServerId(self.servers.len());
        self.add(origin, false, id)
    }

    /// A PDS whose authorization server is `entryway`.
    ///
    /// # Panics
    ///
    /// The origin is not one, like `https://pds.example.com`, or another server has it.
    pub fn add_server_behind(&mut self, origin: &str, entryway: ServerId) -> ServerId {
        self.add(origin, true, entryway)
    }

    fn add(&mut self, origin: &str, hosts_accounts: bool, issuer: ServerId) -> ServerId {
        let origin = canonical(origin);
        assert!(self.server_at(&origin).is_none(), "two servers can't have one origin");
        let secret = self.entropy.bytes();
        self.servers.push(Server::new(&origin, hosts_accounts, issuer, secret));
        ServerId(self.servers.len() - 1)
    }

    /// An account with a new `did:plc`, which is returned. Its password is `-pass` after the first
    /// label of its handle.
    ///
    /// # Panics
    ///
    /// The server hosts no accounts, `handle` is not one, or somebody has it.
    pub fn add_account(&mut self, server: ServerId, handle: &str, by: ResolvedBy) -> String {
        let digits = BASE32_NOPAD.encode(&self.entropy.bytes::<15>()).to_ascii_lowercase();
        let did = format!("did:plc:{digits}");
        self.add_account_with_did(server, handle, by, &did);
        did
    }

    fn add_account_with_did(&mut self, server: ServerId, handle: &str, by: ResolvedBy, did: &str) {
        assert!(
            self.server(server).hosts_accounts,
            "a server that only issues tokens has no accounts"
        );
        let handle = &handle.to_ascii_lowercase();
        assert!(handle.parse::<Handle>().is_ok(), "{handle:?} is no handle");
        assert!(self.did(handle).is_none(), "{handle} is somebody's handle");
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

    /// The server at an origin.
    ///
    /// # Panics
    ///
    /// The origin is not one: `https://pds.example.com`.
    pub fn find_server(&self, origin: &str) -> Option<ServerId> {
        self.server_at(&canonical(origin))
    }

    /// The server that hosts the account with this handle or DID.
    pub fn server_of(&self, name: &str) -> Option<ServerId> {
        let account = self.accounts.iter().find(|account| account.is_called(name))?;
        Some(account.server)
    }

    /// The DID of the account with this handle.
    pub fn did(&self, handle: &str) -> Option<&str> {
        let account = self.accounts.iter().find(|account| account.is_called(handle))?;
        Some(&account.did)
    }

    /// What a handle resolves to, to be changed. A handle that nobody has can be made to answer too.
    pub fn handle_answers(&mut self, handle: &str) -> &mut HandleAnswers {
        let nothing = HandleAnswers { dns: Dns::NoSuchName, https: None };
        self.handles.entry(handle.to_ascii_lowercase()).or_insert(nothing)
    }

    /// Moves an account to another server, which may have another issuer. Its DID document names the
    /// new one at once; the old server knows it as deactivated.
    ///
    /// # Panics
    ///
    /// There is no such account.
    pub fn migrate(&mut self, name: &str, to: ServerId) {
        let account = self.account_mut(name);
        let from = std::mem::replace(&mut account.server, to);
        account.left.push(from);
    }

    /// Gives an account another handle, resolved by DNS. The old one resolves to nothing.
    ///
    /// # Panics
    ///
    /// There is no such account.
    pub fn rename(&mut self, name: &str, handle: &str) {
        let handle = &handle.to_ascii_lowercase();
        let account = self.account_mut(name);
        let old = std::mem::replace(&mut account.handle, handle.to_owned());
        let did = account.did.clone();
        self.handles.remove(&old);
        let answers = HandleAnswers { dns: Dns::did(&did), https: None };
        self.handles.insert(handle.to_owned(), answers);
    }

    fn account_mut(&mut self, name: &str) -> &mut Account {
        let account = self.accounts.iter_mut().find(|account| account.is_called(name));
        account.expect("an account is named by its handle or DID")
    }

    /// All DPoP nonces that a server has given become worthless.
    pub fn reset_nonces(&mut self, at: ServerId) {
        let secret = self.entropy.bytes();
        self.server_mut(at).nonces.reset(secret);
    }

    /// A server's nonces are good for two to three times as long as this. One minute at first.
    pub fn set_nonce_rotation(&mut self, at: ServerId, rotation: Duration) {
        self.server_mut(at).nonces.rotation = rotation;
    }

    /// Whether a server asks for nonces and gives them, as the profile demands.
    pub fn require_nonces(&mut self, at: ServerId, required: bool) {
        self.server_mut(at).nonces.required = required;
    }

    /// How long the access tokens that a server issues from now on are good. One hour at first.
    pub fn set_access_token_lifetime(&mut self, at: ServerId, lifetime: Duration) {
        self.server_mut(at).access_token_lifetime = lifetime;
    }

    /// A server's clock runs ahead of everybody else's; its `Date` headers too.
    pub fn set_server_clock_ahead(&mut self, at: ServerId, by: Duration) {
        let server = self.server_mut(at);
        (server.clock_ahead, server.clock_behind) = (by, Duration::ZERO);
    }

    /// A server's clock runs behind everybody else's; its `Date` headers too.
    pub fn set_server_clock_behind(&mut self, at: ServerId, by: Duration) {
        let server = self.server_mut(at);
        (server.clock_ahead, server.clock_behind) = (Duration::ZERO, by);
    }

    /// A server forgets the client metadata that it has fetched.
    pub fn forget_clients(&mut self, at: ServerId) {
        self.server_mut(at).clients.forget();
    }

    /// Ends all sessions that an account has anywhere, as when its owner signs all apps out. Codes
    /// that it has consented to are worth nothing either.
    ///
    /// # Panics
    ///
    /// There is no such account.
    pub fn end_sessions(&mut self, name: &str) {
        let did = self.account_mut(name).did.clone();
        for server in &mut self.servers {
            server.grants.end_all(&did);
            server.pushed.forget_consent_of(&did);
        }
    }

    /// How many sessions a server has that have not ended.
    pub fn sessions(&self, at: ServerId) -> usize {
        self.server(at).grants.alive(self.clock(at)).count()
    }
}

/// A P-256 key as DID documents write it: its compressed point in base58btc (Multikey).
fn multikey(point: &[u8; 64]) -> String {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let [x @ .., _] = point.as_chunks::<32>().0 else { unreachable!("a point has two halves") };
    let parity = 2 + (point[63] & 1);
    let bytes = [0x80, 0x24, parity].into_iter().chain(x.as_flattened().iter().copied());
    let mut digits: Vec<u8> = Vec::new(); // the least first
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
    fn a_key_is_written_as_the_specification_of_did_key_writes_it() {
        // Any P-256 key in this form begins so.
        let key = multikey(P256Keys.generate(&mut crate::entropy::Seeded::new("test", 1)).public());
        assert!(key.starts_with("zDna") && key.len() == 49, "{key}");
    }

    #[test]
    fn names_are_read_as_requests_name_them() {
        let mut sandbox = Sandbox::new(1);
        let id = sandbox.add_server("HTTPS://PDS.Example.dev:443/");
        assert_eq!(sandbox.find_server("https://pds.example.dev"), Some(id));
        sandbox.add_account(id, "Erin.Example.dev", ResolvedBy::Dns);
        assert!(matches!(sandbox.look_up("_atproto.erin.example.dev"), Dns::Records(_)));
    }
}
