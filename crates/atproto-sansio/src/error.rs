//! What a failed call tells the machine that asked for it.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;

/// A call that brought no reply: how far it got, and a sentence for people.
///
/// Only the machine knows what a lost reply means, so a driver reports the [`Phase`] and decides
/// nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TransportError {
    /// How far the call got.
    pub phase: Phase,
    /// What happened, for people: lower case, no secrets, no final full stop.
    pub detail: String,
}

/// How far a failed call got.
///
/// The distinction that matters is whether the peer may have acted on the request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a machine must decide on each of them")]
pub enum Phase {
    /// Surely not sent: no address, no connection, no TLS session, or too late to start.
    NotSent,
    /// Sent, or perhaps sent, and no whole reply came. When in doubt, this one.
    MaybeSent,
    /// A reply began and did not arrive whole.
    Truncated,
    /// The reply is larger than the call allowed.
    TooLarge,
    /// No whole reply within the call's time, and the request may have been sent.
    TimedOut,
    /// A policy forbids the call; nothing was sent.
    Blocked(Box<Rule>),
    /// This driver can't perform this kind of call; nothing was sent.
    Unsupported,
}

/// The rule that forbade a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// The host that was asked for; empty if the call names none.
    pub host: String,
    /// The address that it resolved to, if the address is the reason.
    pub address: Option<IpAddr>,
    /// The rule, for people.
    pub reason: &'static str,
}

impl Rule {
    /// The rule of a driver that performs no [`Development`](crate::Reach::Development) call.
    pub const NO_DEVELOPMENT: Self =
        Self::because("the driver was not built for development networks: see `development()`");

    /// A rule that forbids whatever was asked for; the engine adds the host.
    pub const fn because(reason: &'static str) -> Self {
        Self { host: String::new(), address: None, reason }
    }
}

impl TransportError {
    /// An error in `phase`, explained by `detail`.
    pub fn new(phase: Phase, detail: impl Into<String>) -> Self {
        Self { phase, detail: detail.into() }
    }

    /// A call that a policy forbids.
    pub fn blocked(rule: Rule) -> Self {
        let detail = rule.to_string();
        Self { phase: Phase::Blocked(Box::new(rule)), detail }
    }

    /// The same, with the host that was asked.
    pub(crate) fn about(self, host: &str) -> Self {
        match self.phase {
            Phase::Blocked(rule) if rule.host.is_empty() => {
                Self::blocked(Rule { host: host.to_owned(), ..*rule })
            }
            Phase::Blocked(_) => self, // its rule names the host
            phase => Self { detail: format!("{host}: {}", self.detail), phase },
        }
    }

    /// Whether another try may bring a reply.
    pub fn is_transient(&self) -> bool {
        match self.phase {
            Phase::NotSent | Phase::MaybeSent | Phase::Truncated | Phase::TimedOut => true,
            Phase::TooLarge | Phase::Blocked(_) | Phase::Unsupported => false,
        }
    }

    /// Whether the peer surely did not see the request.
    pub fn surely_not_sent(&self) -> bool {
        matches!(self.phase, Phase::NotSent | Phase::Blocked(_) | Phase::Unsupported)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match self.phase {
            Phase::NotSent => "the request was not sent",
            Phase::MaybeSent => "the request may have been sent, but no reply came",
            Phase::Truncated => "the reply broke off",
            Phase::TooLarge => "the reply is too large",
            Phase::TimedOut => "no reply in time",
            Phase::Blocked(_) => "the request was blocked",
            Phase::Unsupported => "this transport can't do that",
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
