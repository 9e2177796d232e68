//! DNS for drivers that look TXT records up over their own sockets.
//!
//! A driver asks [`nameservers`] for the servers and a [`Lookup`] for the exchanges: which server is
//! sent which message, over UDP or TCP, and how long its answer may take. The driver has the sockets
//! and the clock.
//!
//! RFC 1035; RFC 5452 for the checks that detect a forged answer; RFC 7766 for TCP.

mod lookup;
mod message;
mod servers;

#[cfg(feature = "std")]
pub use crate::system::nameservers::nameservers;
pub use lookup::{Exchange, Lookup, Step, Transport};
pub use message::{Answer, Question};
#[cfg(all(feature = "std", windows))]
pub(crate) use servers::PORT;
pub use servers::of_resolv_conf;
