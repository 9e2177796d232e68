//! The grammar that all permissions share: `resource[:positional][?name=value&…]`.
//!
//! atproto «Permissions», «Scope String Syntax».

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::origin::shown;
use crate::permission::error::PermissionError;

/// A scope, taken apart and decoded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Syntax {
    pub(super) resource: String,
    /// The text after the first colon.
    positional: Option<String>,
    params: Vec<(String, String)>,
}

impl Syntax {
    /// The first `?` begins the parameters; a colon after it belongs to them.
    pub(super) fn parse(scope: &str) -> Result<Self, PermissionError> {
        let fits = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if scope.is_empty() || !scope.bytes().all(fits) {
            return Err(PermissionError::Character);
        }
        let (front, params) = scope.split_once('?').unwrap_or((scope, ""));
        let (resource, positional) = match front.split_once(':') {
            Some((resource, positional)) => (resource, Some(decode(positional)?)),
            None => (front, None),
        };
        let pairs = params.split('&').filter(|pair| !pair.is_empty());
        let params = pairs.map(|pair| {
            let no_value = || PermissionError::NoValue(shown(pair));
            let (name, value) = pair.split_once('=').ok_or_else(no_value)?;
            // A plus sign is a space, as in forms.
            Ok((decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?))
        });
        Ok(Self {
            resource: resource.to_owned(),
            positional,
            params: params.collect::<Result<_, _>>()?,
        })
    }

    /// Checks that `names` has the names of all parameters.
    pub(super) fn only(
        &self,
        resource: &'static str,
        names: &[&str],
    ) -> Result<(), PermissionError> {
        match self.params.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            Some((name, _)) => {
                Err(PermissionError::UnknownParameter { resource, name: shown(name) })
            }
            None => Ok(()),
        }
    }

    /// The values of a named parameter.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &str> {
        let params = self.params.iter().filter(move |(own, _)| own == name);
        params.map(|(_, value)| value.as_str())
    }

    /// The values of the parameter that may stand after the colon.
    pub(super) fn values(&self, name: &'static str) -> Result<Vec<&str>, PermissionError> {
        let named: Vec<_> = self.named(name).collect();
        match &self.positional {
            Some(_) if !named.is_empty() => Err(PermissionError::Both { name }),
            Some(value) => Ok(vec![value]),
            None => Ok(named),
        }
    }

    /// The value of the parameter that may stand after the colon, if it is given.
    pub(super) fn value(&self, name: &'static str) -> Result<Option<&str>, PermissionError> {
        one(name, self.values(name)?)
    }

    /// The value of a named parameter, if it is given.
    pub(super) fn named_value(&self, name: &'static str) -> Result<Option<&str>, PermissionError> {
        one(name, self.named(name).collect())
    }
}

fn one<'a>(name: &'static str, values: Vec<&'a str>) -> Result<Option<&'a str>, PermissionError> {
    match values.as_slice() {
        [] => Ok(None),
        [value] => Ok(Some(value)),
        _ => Err(PermissionError::Several { name }),
    }
}

fn decode(text: &str) -> Result<String, PermissionError> {
    let malformed = || PermissionError::Percent(shown(text));
    let digits = |rest: &str| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !text.split('%').skip(1).all(digits) {
        return Err(malformed());
    }
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| malformed())?;
    Ok(decoded.into_owned())
}

/// Writes a permission. One of `values` stands after the colon; several are parameters called `name`.
pub(super) fn write(
    f: &mut fmt::Formatter<'_>,
    resource: &str,
    (name, values): (&str, &[String]),
    params: &[(&str, &str)],
) -> fmt::Result {
    f.write_str(resource)?;
    let named: &[String] = match values {
        [value] => {
            write!(f, ":{}", utf8_percent_encode(value, &POSITIONAL))?;
            &[]
        }
        several => several,
    };
    let named = named.iter().map(|value| (name, value.as_str()));
    for (index, (name, value)) in named.chain(params.iter().copied()).enumerate() {
        let separator = if index == 0 { '?' } else { '&' };
        write!(f, "{separator}{name}={}", utf8_percent_encode(value, &PARAM))?;
    }
    Ok(())
}

/// Characters that are encoded in a parameter. A plus sign is one of them, because it would be read as a
/// space.
const PARAM: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b':')
    .remove(b'/')
    .remove(b',')
    .remove(b'@');

/// Characters that are encoded after the colon.
const POSITIONAL: AsciiSet = PARAM.remove(b'+');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_question_mark_ends_the_front_and_its_first_colon_the_resource() {
        // Rules I-10, I-11
        let syntax = Syntax::parse("rpc?aud=did:web:x%23y&lxm=a.b.c").unwrap();
        assert_eq!((syntax.resource.as_str(), syntax.positional.as_deref()), ("rpc", None));
        assert_eq!(syntax.named("aud").collect::<Vec<_>>(), ["did:web:x#y"]);
        let syntax = Syntax::parse("x:a:b#c/d.e&f?g=h?i").unwrap();
        assert_eq!(syntax.positional.as_deref(), Some("a:b#c/d.e&f"));
        assert_eq!(syntax.named("g").collect::<Vec<_>>(), ["h?i"]);
        for (scope, positional) in [("x", None), ("x:", Some("")), ("x?", None), ("x:?", Some(""))]
        {
            let syntax = Syntax::parse(scope).unwrap();
            assert_eq!((syntax.resource.as_str(), syntax.positional.as_deref()), ("x", positional));
        }
    }

    #[test]
    fn a_plus_sign_is_a_space_in_a_parameter_only() {
        // Rule I-14
        let syntax = Syntax::parse("x:a+b%2B?c=d+e%2Bf").unwrap();
        assert_eq!(syntax.positional.as_deref(), Some("a+b+"));
        assert_eq!(syntax.named("c").collect::<Vec<_>>(), ["d e+f"]);
    }

    #[test]
    fn malformed_text_is_an_error() {
        // Rules I-03, I-14
        for scope in ["x:%", "x:%4", "x:%zz", "x:%+1", "x?a=%ff", "x?%=1", "x:%c3%28"] {
            assert!(matches!(Syntax::parse(scope), Err(PermissionError::Percent(_))), "{scope}");
        }
        for scope in ["", "x y", "x\"", "x\\", "x\u{e9}", "x\n"] {
            assert_eq!(Syntax::parse(scope), Err(PermissionError::Character), "{scope:?}");
        }
        assert!(matches!(Syntax::parse("x?a"), Err(PermissionError::NoValue(_))));
    }
}
