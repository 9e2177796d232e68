//! No TXT look-ups, since the crate was built without them.

use std::net::SocketAddr;
use std::time::Duration;

use atproto_sansio::{Phase, TransportError};

pub(crate) async fn look_up(
    _: &str,
    _: Duration,
    _: Option<SocketAddr>,
) -> Result<Vec<String>, TransportError> {
    Err(TransportError::new(Phase::Unsupported, "built without a DNS resolver"))
}
