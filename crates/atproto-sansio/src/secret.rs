//! Secrets that `Debug` does not print and that are wiped from memory when dropped.

use std::fmt;

use zeroize::Zeroize;

/// Text that `Debug` does not print and that is wiped from memory when dropped.
///
/// The type has no `Display` and no comparison. Only [`expose`](Self::expose) reads the text, so
/// that a search for `expose` finds every use.
#[derive(Clone, Default)]
pub struct SecretString(String);

/// The 32 bytes of a private key. `Debug` does not print them, and they are wiped when dropped.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

impl SecretString {
    /// Moves `text` into a secret; a text that is borrowed is copied.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl SecretKey {
    /// Copies `bytes` into a secret. The caller must wipe its own copy.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The secret bytes.
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
