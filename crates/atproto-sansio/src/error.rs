//! [`TransportError`]: the error of a call, and how far the call got ([`Phase`]).

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::{Method, Uri};

use crate::text::printable;

/// Error of a call: how far the call got, and a sentence for a log.
///
/// Only the machine knows whether a request can be repeated, so a driver reports the [`Phase`] and
/// does not retry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TransportError {
    /// How far the call got.
    pub phase: Phase,
    /// Description of the failure for a log: lower case, no secrets, no final full stop.
    pub detail: String,
    /// Time after which a host that did not answer is asked again; until then, its calls fail with
    /// [`Phase::NotSent`].
    pub retry_after: Option<Duration>,
    /// Whether the driver did not turn to the host, for example because the time of the call ended in a queue. Such
    /// an error says nothing about the host, which therefore does not count as silent.
    pub is_untried: bool,
}

/// How far a failed call got: most important, whether the server may have acted on the request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a machine must decide on each of them")]
pub enum Phase {
    /// The request was not sent: no address, no connection, no TLS session, or too late to start.
    NotSent,
    /// The request was or may have been sent, and no response came. If a driver can't tell how far
    /// a request got, it reports this phase.
    MaybeSent,
    /// The response began, and the connection ended before the whole response had arrived.
    Truncated,
    /// The response is larger than the limit of the call.
    TooLarge,
    /// The whole response did not arrive within the timeout. The request may have been sent.
    TimedOut,
    /// The network policy forbids the call. Nothing was sent.
    Blocked(Box<Rule>),
    /// This driver can't perform this kind of call. Nothing was sent.
    Unsupported,
}

/// The rule of the network policy that a blocked call broke.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Host of the request; empty if the call has none.
    pub host: String,
    /// The forbidden address that the host resolved to; `None` if the URL itself broke the rule.
    pub address: Option<IpAddr>,
    /// Text of the rule for a log.
    pub reason: &'static str,
}

impl Rule {
    /// The rule of a driver that refuses [`Development`](crate::Reach::Development) calls, because
    /// it was not built for development networks.
    pub const NO_DEVELOPMENT: Self =
        Self::because("the driver was not built for development networks: see `development()`");

    /// A rule with only a reason. [`Respond::with`](crate::Respond::with) adds the host of the
    /// call.
    pub const fn because(reason: &'static str) -> Self {
        Self { host: String::new(), address: None, reason }
    }
}

impl TransportError {
    /// An error in `phase` with the description `detail`.
    pub fn new(phase: Phase, detail: impl Into<String>) -> Self {
        Self { phase, detail: detail.into(), retry_after: None, is_untried: false }
    }

    /// An error in [`Phase::NotSent`] of a call for which the driver did not turn to the host.
    pub fn untried(detail: impl Into<String>) -> Self {
        Self { is_untried: true, ..Self::new(Phase::NotSent, detail) }
    }

    /// An error in [`Phase::Blocked`], with the text of `rule` as its description.
    pub fn blocked(rule: Rule) -> Self {
        let detail = rule.to_string();
        Self::new(Phase::Blocked(Box::new(rule)), detail)
    }

    /// Puts the method, host, port and path of the call in front of `detail`, or the host into the
    /// rule of a blocked call. The query is left out, because it may hold a secret.
    pub(crate) fn about(self, method: &Method, uri: &Uri) -> Self {
        let host = uri.host().unwrap_or_default();
        match self.phase {
            Phase::Blocked(rule) if rule.host.is_empty() => {
                Self::blocked(Rule { host: host.to_owned(), ..*rule })
            }
            Phase::Blocked(_) => self, // its rule names the host
            phase => {
                let port = uri.port().map_or_else(String::new, |port| format!(":{port}"));
                let target = printable(format!("{method} {host}{port}{}", uri.path()));
                Self { detail: format!("{target}: {}", self.detail), phase, ..self }
            }
        }
    }

    /// The error of a call that had to succeed before a request could be sent: that request was
    /// surely not sent, whatever became of the call.
    pub(crate) fn before_sending(self) -> Self {
        match self.phase {
            Phase::MaybeSent | Phase::Truncated | Phase::TooLarge | Phase::TimedOut => {
                Self { phase: Phase::NotSent, ..self }
            }
            Phase::NotSent | Phase::Blocked(_) | Phase::Unsupported => self,
        }
    }

    /// Returns whether a repeated call can succeed: true for `NotSent`, `MaybeSent`, `Truncated`
    /// and `TimedOut`.
    pub fn is_transient(&self) -> bool {
        match self.phase {
            Phase::NotSent | Phase::MaybeSent | Phase::Truncated | Phase::TimedOut => true,
            Phase::TooLarge | Phase::Blocked(_) | Phase::Unsupported => false,
        }
    }

    /// Returns whether the server certainly did not receive the request: true for `NotSent`,
    /// `Blocked` and `Unsupported`.
    pub fn surely_not_sent(&self) -> bool {
        matches!(self.phase, Phase::NotSent | Phase::Blocked(_) | Phase::Unsupported)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::NotSent => "the request was not sent",
            Phase::MaybeSent => "the request may have been sent, but there is no usable reply",
            Phase::Truncated => "the reply broke off",
            Phase::TooLarge => "the reply is too large",
            Phase::TimedOut => "no reply in time",
            Phase::Blocked(_) => "the request was blocked",
            Phase::Unsupported => "the driver can't perform the call",
        };
        write!(f, "{phase}: {}", self.detail)
    }
}

impl Error for TransportError {}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{} ({address}): {}", self.host, self.reason),
            None if self.host.is_empty() => f.write_str(self.reason),
            None => write!(f, "{}: {}", self.host, self.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_method_host_port_and_path_without_the_query() {
        let uri = "http://localhost:2583/xrpc/a.b.c?cursor=secret".parse().unwrap();
        let error = TransportError::new(Phase::NotSent, "no address").about(&Method::POST, &uri);
        let text = "the request was not sent: POST localhost:2583/xrpc/a.b.c: no address";
        assert_eq!(error.to_string(), text);
        let error = TransportError::blocked(Rule::because("no")).about(&Method::POST, &uri);
        assert_eq!(error.to_string(), "the request was blocked: localhost: no");
    }
}
