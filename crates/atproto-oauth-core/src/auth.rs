//! How a client authenticates to an authorization server.
//!
//! A public client says only who it is. atproto OAuth, «Types of Clients».

use serde::{Deserialize, Serialize};

use crate::form::Form;

/// How a session's client authenticates: the same way for as long as the session lives.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "method", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AuthMethod {
    /// A public client: `token_endpoint_auth_method` is `none`.
    None,
}

/// Who is asking, on one request.
#[derive(Clone, Debug)]
pub(crate) struct ClientAuth {
    pub(crate) client_id: String,
    pub(crate) method: AuthMethod,
}

impl ClientAuth {
    /// As a pending login or a session was begun, which is how it must go on.
    pub(crate) fn stored(client_id: &str, method: &AuthMethod) -> Self {
        Self { client_id: client_id.to_owned(), method: method.clone() }
    }

    pub(crate) fn apply(&self, form: &mut Form) {
        form.field("client_id", &self.client_id);
        match self.method {
            AuthMethod::None => {}
        }
    }
}
