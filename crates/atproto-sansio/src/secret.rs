//! Values that must not be seen.

use std::fmt;

use zeroize::Zeroize;

/// Text that never appears in `Debug` and is wiped when dropped.
///
/// There is no `Display` and no comparison; [`expose`](Self::expose) is the one way in, so that
/// each use can be found by searching for it.
#[derive(Clone, Default)]
pub struct SecretString(String);

/// The 32 bytes of a private key: redacted in `Debug`, wiped when dropped.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

impl SecretString {
    /// Takes `text` over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl SecretKey {
    /// Takes `bytes` over; the caller wipes its own copy.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes themselves.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Drop for SecretString {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretString(..)")
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}
