//! [`Freshness`]: whether a resolution may use cached results.

/// Whether a resolution may use cached results.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a result is either cached or fresh")]
pub enum Freshness {
    /// The result may come from the cache, at most nine minutes old.
    Cached,
    /// The result comes from the network. It is cached for later resolutions.
    Fresh,
}
