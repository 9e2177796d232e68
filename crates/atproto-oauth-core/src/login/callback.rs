//! `GET <redirect_uri>?state=…&iss=…&code=…`: parses the callback, and checks it before use.
//!
//! The callback is untrusted input. If its `state` is not that of the pending login, or its `iss`
//! is not the issuer of the login's authorization server, the code is not sent to any server.
//!
//! RFC 6749 section 4.1.2; RFC 9207; atproto OAuth, «Callback and Access Token Request».

use std::borrow::Cow;
use std::fmt;

use atproto_sansio::{SecretString, UnixTime, printable};
use url::Url;
use url::form_urlencoded;

use crate::client::loopback::is_loopback;
use crate::endpoints::refusal::{is_about_client, is_web_page};
use crate::error::{AuthorityError, CallbackProblem, Denied, Error};
use crate::login::pending::Pending;
use crate::login::prompt::ResponseMode;
use crate::origin::shown;

/// Parsed parameters of the browser's callback, not checked yet. `Debug` omits `code` and `state`.
#[derive(Clone)]
pub struct CallbackParams {
    state: String,
    iss: Option<String>,
    answer: Answer,
    /// URL of the callback without its parameters; `None` if only the parameters are known.
    location: Option<Url>,
    place: Place,
}

/// Place of the protocol parameters in a callback, as far as the text shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Query,
    Fragment,
    Form,
    /// A text without `?` and `#`: the query alone, or a form.
    QueryOrForm,
    /// Partly in the query and partly in the fragment, so that no mode fits.
    Split,
    /// Pairs of a web framework.
    Unknown,
}

#[derive(Clone)]
enum Answer {
    Code(SecretString),
    Denied {
        error: String,
        description: Option<String>,
        uri: Option<String>,
    },
    /// A callback to reject; its problem is reported after its `state` has matched a login.
    Unusable(CallbackProblem),
}

/// Callback parameters of the protocol; all others are ignored.
const KNOWN: [&str; 7] =
    ["state", "iss", "code", "error", "error_description", "error_uri", "response"];

impl CallbackParams {
    /// Parses a callback that is a whole URL (`https://…?code=…`), a query (`?code=…`), a fragment
    /// (`#code=…`), the path of an HTTP request (`/callback?code=…`), or parameters alone
    /// (`code=…`), which are a query or a form body.
    ///
    /// If the text is a whole URL, it is compared with the redirect URI of the login, too. The
    /// place of the parameters is compared with the login's
    /// [`response_mode`](crate::Authorize::response_mode).
    ///
    /// ```
    /// use atproto_oauth_core::CallbackParams;
    ///
    /// let params = CallbackParams::parse("?state=abc&iss=https%3A%2F%2Fbsky.social&code=xyz")?;
    /// assert_eq!(params.state(), "abc");
    /// # Ok::<(), atproto_oauth_core::CallbackProblem>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Fails if the URL is malformed, a protocol parameter is repeated, or `state` is missing.
    pub fn parse(text: &str) -> Result<Self, CallbackProblem> {
        let text = text.trim();
        let location = if is_url(text) {
            let mut url = Url::parse(text).map_err(|_| CallbackProblem::Unreadable)?;
            url.set_query(None);
            url.set_fragment(None);
            Some(url)
        } else if text.starts_with(['/', '?', '#']) {
            // The path of an HTTP request line is dropped: no origin, so nothing to compare.
            None
        } else {
            let params = Self::from_pairs(form_urlencoded::parse(text.as_bytes()))?;
            return Ok(Self { place: Place::QueryOrForm, ..params });
        };
        // Query and fragment are both parsed, because either may hold the response: a redirect URI
        // may have its own query, and a browser may append an earlier page's fragment.
        let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (_, query) = before.split_once('?').unwrap_or((before, ""));
        let pairs = [query, fragment].map(|part| form_urlencoded::parse(part.as_bytes()));
        let is_known = |(name, _): (Cow<'_, str>, Cow<'_, str>)| KNOWN.contains(&name.as_ref());
        let place = match pairs.map(|mut pairs| pairs.any(is_known)) {
            [true, true] => Place::Split,
            [false, true] => Place::Fragment,
            [true | false, false] => Place::Query,
        };
        let params = Self::from_pairs(pairs.into_iter().flatten())?;
        Ok(Self { location, place, ..params })
    }

    /// Names the mode by which the parameters arrived, after [`from_pairs`](Self::from_pairs) or if
    /// the text given to [`parse`](Self::parse) does not show it: a web framework has read them
    /// from a query or from a form, or a script in the page has read them from the fragment.
    #[must_use]
    pub fn received_by(self, mode: ResponseMode) -> Self {
        let place = match mode {
            ResponseMode::Query => Place::Query,
            ResponseMode::Fragment => Place::Fragment,
            ResponseMode::FormPost => Place::Form,
        };
        Self { place, ..self }
    }

    /// Takes the parameters from a web framework, which has percent-decoded them, in any order.
    ///
    /// Pairs do not show whether they were in a query or in a form:
    /// [`received_by`](Self::received_by) names it, and is then compared with the login's
    /// [`response_mode`](crate::Authorize::response_mode).
    ///
    /// # Errors
    ///
    /// Fails if a protocol parameter is repeated or `state` is missing.
    pub fn from_pairs<N, V>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, CallbackProblem>
    where
        N: AsRef<str>,
        V: Into<String>,
    {
        let mut values: [Option<String>; KNOWN.len()] = Default::default();
        for (name, value) in pairs {
            let known = KNOWN.iter().zip(&mut values).find(|(known, _)| **known == name.as_ref());
            if let Some((known, slot)) = known
                && slot.replace(value.into()).is_some()
            {
                return Err(CallbackProblem::Repeated(known));
            }
        }
        let [state, iss, code, error, description, uri, response] =
            values.map(|value| value.filter(|value| !value.is_empty()));
        let state = match (state, &response) {
            (Some(state), _) => state,
            (None, Some(_)) => return Err(CallbackProblem::SignedResponse),
            (None, None) => return Err(CallbackProblem::Missing("state")),
        };
        let answer = match (response, code, error) {
            (Some(_), _, _) => Answer::Unusable(CallbackProblem::SignedResponse),
            (None, Some(_), Some(_)) => Answer::Unusable(CallbackProblem::CodeAndError),
            (None, Some(code), None) => Answer::Code(SecretString::new(code)),
            (None, None, Some(error)) => Answer::Denied { error, description, uri },
            (None, None, None) => Answer::Unusable(CallbackProblem::Missing("code")),
        };
        Ok(Self { state, iss, answer, location: None, place: Place::Unknown })
    }

    /// The `state` parameter: the key of the pending login in the caller's store.
    ///
    /// Take the pending login out of the store, so that a second callback can't use it. In a web
    /// application, compare the `state` with the cookie of the browser first; see
    /// [`Pending`](crate::Pending).
    pub fn state(&self) -> &str {
        &self.state
    }

    /// Returns the code if `state`, redirect URI, `iss` and expiry of `pending` fit the callback.
    ///
    /// A wrong `iss` fails before the code is returned, so that the code is never sent to an
    /// attacker's token endpoint (mix-up attack, RFC 9207).
    pub(crate) fn check(&self, pending: &Pending, now: UnixTime) -> Result<&SecretString, Error> {
        if self.state != pending.state {
            return Err(CallbackProblem::UnknownState.into());
        }
        if now >= pending.expires_at {
            return Err(CallbackProblem::Expired.into());
        }
        if let Some(location) = &self.location
            && !same_url_except_query(location, pending.redirect_uri())
        {
            let expected = shown(pending.redirect_uri.as_str());
            return Err(
                CallbackProblem::RedirectUri { expected, found: shown(location.as_str()) }.into()
            );
        }
        self.place.check(pending.response_mode)?;
        let expected = &pending.server.issuer;
        if let Some(found) = &self.iss
            && found != expected.as_str()
        {
            let (expected, found) = (expected.clone(), shown(found));
            return Err(AuthorityError::IssuerMismatch { expected, found }.into());
        }
        match &self.answer {
            Answer::Unusable(problem) => Err(problem.clone().into()),
            Answer::Denied { error, description, uri } => Err(Denied {
                error: printable(error),
                description: description.as_ref().map(printable),
                uri: uri.as_ref().filter(|uri| is_web_page(uri, &[])).cloned(),
                loopback_rejected: is_loopback(&pending.client_id) && is_about_client(error),
                unverified: self.iss.is_none(),
            }
            .into()),
            Answer::Code(_) if self.iss.is_none() => Err(CallbackProblem::Missing("iss").into()),
            Answer::Code(code) => Ok(code),
        }
    }
}

impl Place {
    /// Rejects parameters in another place than the login agreed on; `None` if the pending login
    /// does not say, because an older version stored it.
    fn check(self, agreed: Option<ResponseMode>) -> Result<(), CallbackProblem> {
        let found = match self {
            Self::Query => "the query",
            Self::Fragment => "the fragment",
            Self::Form => "a form",
            Self::QueryOrForm => "a query or form",
            Self::Split => "both the query and the fragment",
            Self::Unknown => return Ok(()),
        };
        let fits = |mode| match mode {
            ResponseMode::Query => matches!(self, Self::Query | Self::QueryOrForm),
            ResponseMode::Fragment => self == Self::Fragment,
            ResponseMode::FormPost => matches!(self, Self::Form | Self::QueryOrForm),
        };
        match agreed {
            None if self != Self::Split => Ok(()),
            Some(mode) if fits(mode) => Ok(()),
            None | Some(_) => {
                let expected = agreed.unwrap_or_default();
                Err(CallbackProblem::ResponseMode { expected, found })
            }
        }
    }
}

/// A URL has `:` before any `=` or `&`; in form parameters `:` is percent-encoded.
fn is_url(text: &str) -> bool {
    text.find([':', '=', '&']).is_some_and(|index| text.split_at(index).1.starts_with(':'))
}

/// Compares scheme, host, port and path. The query is left out, because the callback has the query
/// of the redirect URI among its parameters.
fn same_url_except_query(location: &Url, redirect_uri: &Url) -> bool {
    let mut expected = redirect_uri.clone();
    expected.set_query(None);
    expected.set_fragment(None);
    *location == expected
}

impl fmt::Debug for CallbackParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallbackParams")
            .field("iss", &self.iss)
            .field("answer", &self.answer)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(_) => f.write_str("Code(..)"),
            Self::Denied { error, .. } => write!(f, "Denied({error:?})"),
            Self::Unusable(problem) => write!(f, "Unusable({problem:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_a_callback_are_read() {
        // Rule D-53
        for text in [
            "https://app.example.com/cb?state=s&iss=i&code=c",
            "https://app.example.com/cb#state=s&iss=i&code=c",
            "https://app.example.com/cb?own=x#state=s&iss=i&code=c",
            "com.example.app:/cb?state=s&iss=i&code=c",
            "?state=s&iss=i&code=c",
            "#state=s&iss=i&code=c",
            "state=s&iss=i&code=c&unknown=1&unknown=2",
            " code=c&iss=i&state=s\n",
            "/cb?state=s&iss=i&code=c",
            "https://app.example.com/cb?state=s&iss=i&code=c#_=_",
        ] {
            let params = CallbackParams::parse(text).unwrap_or_else(|error| {
                unreachable!("{text}: {error}");
            });
            assert_eq!((params.state(), params.iss.as_deref()), ("s", Some("i")), "{text}");
            assert!(matches!(&params.answer, Answer::Code(code) if code.expose() == "c"), "{text}");
        }
    }

    #[test]
    fn a_parameter_is_there_once() {
        // Rules D-40, D-42
        for name in ["state", "iss", "code", "error", "response"] {
            let text = format!("state=s&{name}=1&{name}=1");
            assert!(matches!(CallbackParams::parse(&text), Err(CallbackProblem::Repeated(_))));
        }
        let both = "https://app.example.com/cb?state=s&iss=i&code=c#state=s&iss=i&code=d";
        assert!(matches!(CallbackParams::parse(both), Err(CallbackProblem::Repeated(_))));
        for text in ["", "code=c&iss=i", "state=&code=c&iss=i", "https://[", "?"] {
            assert!(CallbackParams::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn debug_does_not_show_the_code() {
        let params = CallbackParams::parse("state=s&iss=i&code=very-secret").unwrap();
        assert!(!format!("{params:?}").contains("very-secret"));
    }
}
