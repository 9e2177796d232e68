//! The `prompt` and `response_mode` parameters of the authorization request.
//!
//! OpenID Connect Core section 3.1.2.1; OAuth 2.0 Multiple Response Type Encoding Practices.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Page that the authorization server must show to the user: the `prompt` parameter.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Prompt {
    /// `none`: no page, the login succeeds or fails at once. Only for confidential clients.
    None,
    /// `login`: the user signs in again, even if the browser is signed in already.
    Login,
    /// `consent`: the user confirms the scopes again, even after an earlier consent.
    Consent,
    /// `select_account`: the user chooses an account.
    SelectAccount,
    /// `create`: the user signs up for a new account.
    Create,
}

/// Place of the callback parameters in the browser's redirect: the `response_mode` parameter.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResponseMode {
    /// `query`: in the query of the redirect URI, the default.
    #[default]
    Query,
    /// `fragment`: in the fragment of the redirect URI, which browsers send to no server.
    Fragment,
    /// `form_post`: in the form body of a `POST` to the redirect URI.
    FormPost,
}

impl Prompt {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
            Self::SelectAccount => "select_account",
            Self::Create => "create",
        }
    }
}

impl ResponseMode {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Fragment => "fragment",
            Self::FormPost => "form_post",
        }
    }
}

impl fmt::Display for ResponseMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
