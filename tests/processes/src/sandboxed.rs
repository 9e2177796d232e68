//! The sandbox on loopback sockets as the network of the sessions.

use std::io;
use std::time::Duration;

use atproto_oauth_sandbox::{By, Exchange, Fault, Sandbox, Seen, Served};
use serde_json::Value;
use url::Url;

use crate::Outcome;
use crate::network::{Account, Address, Answer, Network, Spend, hash};

/// A served sandbox. Tokens of one of its servers live for a second, so that each use renews them. The
/// tokens of the others are used for some seconds.
pub struct Sandboxed {
    served: Served,
    spends: Vec<Spend>,
}

/// A client renews tokens that live for less than 10 to 40 s, a random time for each check. These
/// tokens are used for four seconds at least, and end before the lease of a dead process does.
const LIFETIME: Duration = Duration::from_secs(45);

/// Lifetime with which a token is never fresh.
const SHORT: Duration = Duration::from_secs(1);

/// Delay of slow responses to refreshes.
const SLOW: Duration = Duration::from_millis(200);

/// Entries of the log at which the oldest are about to be dropped.
const FULL: usize = 9_000;

impl Sandboxed {
    /// Starts the sandbox.
    ///
    /// # Errors
    ///
    /// Fails if there are no free ports.
    pub fn start(seed: u64) -> io::Result<Self> {
        let served = Served::start(seed)?;
        let mut sandbox = served.sandbox();
        let names = sandbox.names().clone();
        for (origin, lifetime) in
            [(&names.pds, LIFETIME), (&names.entryway, LIFETIME), (&names.other_pds, SHORT)]
        {
            let server =
                sandbox.find_server(origin).ok_or_else(|| io::Error::other("no server"))?;
            sandbox.set_access_token_lifetime(server, lifetime);
        }
        drop(sandbox);
        Ok(Self { served, spends: Vec::new() })
    }

    fn spend(sandbox: &Sandbox, request: &Exchange) -> Option<Spend> {
        let is_refresh = request.by == By::Client
            && request.path() == "/oauth/token"
            && request.form("grant_type")? == "refresh_token";
        is_refresh.then_some(())?;
        let body: Value = serde_json::from_slice(&request.answer_body).ok()?;
        Some(Spend {
            token: hash(&request.form("refresh_token")?),
            at: request.at,
            answer: match request.status {
                Some(200) => Answer::Granted,
                _ => Answer::Refused,
            },
            next: body.get("refresh_token").and_then(Value::as_str).map(hash),
            is_reusable: request.url.origin().ascii_serialization() != sandbox.names().other_pds,
        })
    }
}

impl Network for Sandboxed {
    fn address(&self) -> Address {
        let plc = self.served.names().plc.parse().expect("the sandbox has a URL for each name");
        Address { plc, nameserver: self.served.nameserver(), hosts: self.served.hosts() }
    }

    fn accounts(&self) -> Vec<Account> {
        let sandbox = self.served.sandbox();
        let short_lived = sandbox.find_server(&sandbox.names().other_pds);
        let account = |handle: String| {
            let is_reusable = sandbox.server_of(&handle) != short_lived;
            Account { handle, is_reusable }
        };
        sandbox.accounts().into_iter().map(|info| account(info.handle)).collect()
    }

    fn approve(&self, url: &Url, handle: &str) -> Outcome<String> {
        Ok(self.served.sandbox().approve(url, handle)?)
    }

    fn slow_down(&self, is_slow: bool) {
        let mut sandbox = self.served.sandbox();
        sandbox.clear_faults();
        if is_slow {
            let slow = Fault::delay(SLOW).path("/oauth/token").form("grant_type", "refresh_token");
            sandbox.fault(slow.always());
        }
    }

    fn watch(&mut self) -> Outcome<()> {
        let mut sandbox = self.served.sandbox();
        if sandbox.log().len() >= FULL {
            return Err("the log of the sandbox is full between two looks at it".into());
        }
        let requests = sandbox.log().iter().filter_map(|seen| match seen {
            Seen::Request(request) => Self::spend(&sandbox, request),
            _ => None,
        });
        self.spends.extend(requests);
        sandbox.clear_log();
        Ok(())
    }

    fn spends(&mut self) -> Outcome<Vec<Spend>> {
        self.watch()?;
        Ok(self.spends.clone())
    }
}
