//! Replaces `txt.rs` if the feature `dns` is off: every TXT lookup fails with `Unsupported`.

use std::net::SocketAddr;
use std::time::Duration;

use atproto_sansio::{Phase, TransportError};

pub(crate) async fn look_up(
    _: &str,
    _: Duration,
    _: Option<SocketAddr>,
) -> Result<Vec<String>, TransportError> {
    let reason = "TXT lookups need the feature `dns` of `atproto-oauth-reqwest`";
    Err(TransportError::new(Phase::Unsupported, reason))
}
