//! [`Service`]: a service of an account, to which its PDS forwards requests.

use std::fmt;
use std::str::FromStr;

use atproto_identity::Did;

use crate::error::InputError;
use crate::origin::shown;

/// A DID, `#` and the id of a service in its DID document, such as `did:web:api.bsky.app#bsky_appview`.
///
/// atproto «HTTP API (XRPC)», «Service Proxying».
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Service(String);

impl Service {
    /// Parses a service.
    ///
    /// # Errors
    ///
    /// [`InputError::Service`] if `text` does not have this form.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        let refused = || InputError::Service(shown(text));
        let (did, id) = text.split_once('#').ok_or_else(refused)?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte);
        if id.is_empty() || !id.bytes().all(fits) || Did::parse(did).is_err() {
            return Err(refused());
        }
        Ok(Self(text.to_owned()))
    }

    /// The service as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Service {
    type Err = InputError;

    fn from_str(text: &str) -> Result<Self, InputError> {
        Self::parse(text)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
