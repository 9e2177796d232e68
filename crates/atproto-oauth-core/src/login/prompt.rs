//! What a server is asked to ask the user for, and how the browser brings the answer.
//!
//! OpenID Connect Core section 3.1.2.1; OAuth 2.0 Multiple Response Type Encoding Practices.

use serde::{Deserialize, Serialize};

/// What the server is asked to ask the user for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Prompt {
    /// Nothing: succeed at once or fail. Only confidential clients can.
    None,
    /// To sign in, even if already signed in.
    Login,
    /// To consent, even if already given.
    Consent,
    /// To choose an account.
    SelectAccount,
    /// To sign up.
    Create,
}

/// How the browser brings the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ResponseMode {
    /// In the query: the default.
    Query,
    /// In the fragment, which no server sees.
    Fragment,
    /// In the body of a POST.
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
