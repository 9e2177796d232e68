//! Errors of permissions.

use thiserror::Error;

use crate::origin::shown;

/// The rule that a scope breaks, so that it is no permission.
///
/// A broken permission grants nothing: a server ignores it or refuses the login.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum PermissionError {
    /// The scope has a character outside of printable ASCII, or `"` or `\`, or it is empty.
    #[error(
        "a scope is printable ASCII without spaces, quotes and backslashes: encode other characters as \
         %XX (RFC 6749 section 3.3)"
    )]
    Character,
    /// A `%` is not followed by two hexadecimal digits, or the encoded bytes are not UTF-8.
    #[error(
        "`{0}` has a `%` without two hexadecimal digits of UTF-8 after it: write `%25` for `%`"
    )]
    Percent(String),
    /// A parameter has no `=`.
    #[error("the parameter `{0}` has no value: write `{0}=…`")]
    NoValue(String),
    /// The resource is none that this version knows.
    #[error(
        "`{0}` is no known permission: the resources are repo, rpc, blob, account, identity and include"
    )]
    UnknownResource(String),
    /// The resource has no parameter of this name.
    #[error("the permission `{resource}` has no parameter `{name}`")]
    UnknownParameter {
        /// The resource.
        resource: &'static str,
        /// The name that was given.
        name: String,
    },
    /// A value that the permission needs is missing.
    #[error("the permission `{resource}` needs `{name}`: write `{example}`")]
    Missing {
        /// The resource.
        resource: &'static str,
        /// The parameter.
        name: &'static str,
        /// A complete permission.
        example: &'static str,
    },
    /// The value after the colon is given again as a named parameter.
    #[error("`{name}` is given twice: after the colon and as a parameter; remove one of them")]
    Both {
        /// The parameter.
        name: &'static str,
    },
    /// The parameter has several values, but takes one.
    #[error("`{name}` takes one value: ask for the others with permissions of their own")]
    Several {
        /// The parameter.
        name: &'static str,
    },
    /// The value is not allowed for the parameter.
    #[error("`{value}` is no value of `{name}`: {expected}")]
    Value {
        /// The parameter.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// The allowed values.
        expected: &'static str,
    },
    /// `rpc` is given for all methods of all services.
    #[error(
        "an `rpc` permission can't be for all methods of all services: name the methods or the service"
    )]
    BothWildcards,
}

impl PermissionError {
    pub(super) fn unknown_resource(scope: &str) -> Self {
        Self::UnknownResource(shown(scope))
    }

    pub(super) fn value(name: &'static str, value: &str, expected: &'static str) -> Self {
        Self::Value { name, value: shown(value), expected }
    }
}
