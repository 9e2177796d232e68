//! `check-server`: whether a server and its authorization server follow the profile.

use std::time::Duration;

use atproto_oauth_core::{Client, Error, Origin};
use atproto_oauth_ureq::Driver;
use atproto_sansio::{Fetch, System, UnixTime};
use clap::Args;
use http::Method;

use crate::arguments::Network;
use crate::failure::{Failure, USAGE};
use crate::network;
use crate::output::Format;
use crate::servers::probe::{Probe, Seen};
use crate::servers::verdict::{self, Verdict};

#[derive(Args, Debug)]
pub(crate) struct CheckServer {
    /// Origin of a PDS or of an authorization server
    #[arg(value_name = "URL")]
    server: String,

    #[command(flatten)]
    format: Format,

    #[command(flatten)]
    network: Network,
}

/// A client and a driver for checks.
pub(super) struct Checker {
    pub(super) client: Client,
    pub(super) driver: Driver,
}

pub(crate) fn run(options: &CheckServer) -> Result<(), Failure> {
    let network = &options.network;
    let server = Origin::parse(&options.server, network.development).map_err(|error| {
        let help = "give the URL of the server alone, such as https://bsky.social";
        let failure = Failure::new(USAGE, format!("{}: {error}", options.server), help);
        network::explain(failure, network, &[&options.server])
    })?;
    let checker = Checker::new(network)?;
    verdict::print(&checker.of_server(&server), options.format)
}

impl Checker {
    pub(super) fn new(network: &Network) -> Result<Self, Failure> {
        Ok(Self { client: network::any_client(network)?, driver: network::driver(network)? })
    }

    /// Checks a PDS or an authorization server. A check that depends on one that has failed is left out.
    pub(super) fn of_server(&self, server: &Origin) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        let seen = self.probe(Method::GET, format!("{server}/xrpc/_health"));
        match &seen {
            Ok(seen) => {
                verdicts.push(Verdict::good("connection", format!("{server} answers")));
                verdicts.push(clock(seen, System::now()));
            }
            Err(error) => {
                verdicts.push(Verdict::bad(
                    "connection",
                    error.to_string(),
                    "check the name, the network and TLS; --ca-certificate names another authority",
                ));
                return verdicts;
            }
        }
        let discovered = match self.driver.run(self.client.discover(server.clone())) {
            Ok(discovered) => discovered,
            Err(error) => {
                let remedy =
                    "the operator of the server has to correct this: no client can log in there";
                verdicts.push(Verdict::bad("metadata", error.to_string(), remedy));
                return verdicts;
            }
        };
        let issuer = &discovered.server.issuer;
        verdicts.push(match discovered.is_named {
            true => Verdict::good(
                "metadata",
                format!("{server} names the issuer {issuer}, which follows the profile"),
            ),
            false => Verdict::warning(
                "metadata",
                format!("{server} has no protected resource metadata"),
                "that is right for an entryway only: a PDS has to name its authorization server",
            ),
        });
        verdicts.push(match &discovered.server.revocation_endpoint {
            Some(url) => Verdict::good("revocation", url.as_str()),
            None => Verdict::warning(
                "revocation",
                format!("{issuer} has no revocation endpoint"),
                "after a logout, tokens stay valid until they expire",
            ),
        });
        let par = &discovered.server.pushed_authorization_request_endpoint;
        verdicts.push(nonce(self.probe(Method::POST, par.to_string()), issuer));
        verdicts
    }

    fn probe(&self, method: Method, url: String) -> Result<Seen, Error> {
        let development = self.client.development();
        self.driver.run(Fetch::new(Probe { method, url, development }))
    }
}

/// Compares the server's clock with this one. A proof is refused if they differ too much.
fn clock(seen: &Seen, now: UnixTime) -> Verdict {
    const CHECK: &str = "clock";
    let Some(date) = seen.date else {
        let remedy =
            "the clocks can't be compared; a wrong one is noticed at the first request only";
        return Verdict::warning(CHECK, "the answer has no `Date`", remedy);
    };
    let (ahead, behind) = (now.since(date), date.since(now));
    let difference = ahead.max(behind);
    let direction = if ahead > behind { "ahead of" } else { "behind" };
    let text = format!("this clock is {} s {direction} that of the server", difference.as_secs());
    let remedy = "set the clock of this machine by NTP, or tell the operator of the server";
    if difference <= Duration::from_secs(5) {
        Verdict::good(CHECK, text)
    } else if difference <= Duration::from_secs(60) {
        Verdict::warning(CHECK, text, remedy)
    } else {
        Verdict::bad(CHECK, text, remedy)
    }
}

/// The answer to a pushed authorization request without parameters: a refusal with a nonce.
fn nonce(answer: Result<Seen, Error>, issuer: &Origin) -> Verdict {
    const CHECK: &str = "nonce";
    match answer {
        Ok(seen) if seen.status >= 500 => Verdict::bad(
            CHECK,
            format!("{issuer} answers a pushed authorization request with {}", seen.status),
            "try again later, or tell the operator of the server",
        ),
        Ok(seen) if seen.has_nonce => Verdict::good(CHECK, format!("{issuer} gives DPoP nonces")),
        Ok(seen) => Verdict::warning(
            CHECK,
            format!("{issuer} answers with {} and without `DPoP-Nonce`", seen.status),
            "logins work all the same if it gives one later; a strict client refuses such a server",
        ),
        Err(error) => Verdict::bad(
            CHECK,
            error.to_string(),
            "the endpoint for pushed authorization requests has to be reachable",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: u16, date: Option<u64>, has_nonce: bool) -> Seen {
        Seen { status, date: date.map(UnixTime::from_secs), has_nonce }
    }

    #[test]
    fn a_clock_is_judged_by_its_difference() {
        let now = UnixTime::from_secs(1_000_000);
        for (date, words) in [
            (Some(1_000_004), "Good"),
            (Some(999_970), "Warning"),
            (Some(1_000_300), "Bad"),
            (None, "Warning"),
        ] {
            let verdict = format!("{:?}", clock(&seen(200, date, false), now));
            assert!(verdict.contains(words), "{verdict}");
        }
        let verdict = format!("{:?}", clock(&seen(200, Some(1_000_300), false), now));
        assert!(verdict.contains("300 s behind that of the server"), "{verdict}");
    }

    #[test]
    fn a_nonce_is_expected_with_a_refusal() {
        let issuer = Origin::parse("https://pds.example.com", false).unwrap();
        for (status, has_nonce, words) in
            [(400, true, "Good"), (400, false, "Warning"), (502, true, "Bad")]
        {
            let verdict = format!("{:?}", nonce(Ok(seen(status, None, has_nonce)), &issuer));
            assert!(verdict.contains(words), "{verdict}");
        }
    }
}
