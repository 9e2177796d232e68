//! The names of the codes, and how serious each of them is.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::client::lint::code::FindingCode;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a finding either breaks a rule or does not")]
pub enum Severity {
    /// Authorization servers accept the client, but a part of its metadata is of no use, or some
    /// servers may read it differently.
    Warning,
    /// The metadata break a rule of the profile, and authorization servers refuse the client for it, or
    /// may refuse it.
    Error,
}

impl FindingCode {
    /// All codes, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
        Self::DocumentNotJson,
        Self::DocumentNotObject,
        Self::DocumentTooLarge,
        Self::DocumentStatus,
        Self::DocumentRedirect,
        Self::DocumentContentType,
        Self::DocumentUnreachable,
        Self::MemberDuplicate,
        Self::MemberWrongType,
        Self::ContactNotAddress,
        Self::ForbiddenField,
        Self::ClientIdNotUrl,
        Self::ClientIdNotHttps,
        Self::ClientIdHasPort,
        Self::ClientIdHasUserinfo,
        Self::ClientIdHasFragment,
        Self::ClientIdNoPath,
        Self::ClientIdTrailingSlash,
        Self::ClientIdDotSegments,
        Self::ClientIdNotCanonical,
        Self::ClientIdIpHost,
        Self::ClientIdLocalHost,
        Self::ClientIdQuery,
        Self::ClientIdMismatch,
        Self::LoopbackClientIdNotLocalhost,
        Self::LoopbackClientIdPort,
        Self::LoopbackClientIdPath,
        Self::LoopbackClientIdFragment,
        Self::LoopbackClientIdNotEncoded,
        Self::LoopbackClientIdUnknownParam,
        Self::LoopbackClientIdDuplicateScope,
        Self::ApplicationTypeUnknown,
        Self::GrantTypesMissingCode,
        Self::GrantTypesUnsupported,
        Self::GrantTypesDuplicate,
        Self::RefreshTokenGrantMissing,
        Self::ResponseTypesMissingCode,
        Self::ResponseTypesUnsupported,
        Self::ResponseTypesUnknown,
        Self::ScopeMissing,
        Self::ScopeMissingAtproto,
        Self::ScopeBadSeparator,
        Self::ScopeBadCharset,
        Self::ScopeDuplicate,
        Self::ScopeOpenid,
        Self::ScopeInvalidPermission,
        Self::ScopeNotDeclared,
        Self::RedirectUrisEmpty,
        Self::RedirectUriNotListed,
        Self::RedirectUriNotUrl,
        Self::RedirectUriNotCanonical,
        Self::RedirectUriDuplicate,
        Self::RedirectUriBadScheme,
        Self::RedirectUriHttpNonLoopback,
        Self::RedirectUriLocalhost,
        Self::RedirectUriNotPublic,
        Self::RedirectUriLoopbackOnWeb,
        Self::RedirectUriLoopbackHttps,
        Self::RedirectUriNotLoopback,
        Self::RedirectUriCustomSchemeOnWeb,
        Self::RedirectUriCustomSchemeMismatch,
        Self::RedirectUriCustomSchemeDoubleSlash,
        Self::RedirectUriCustomSchemeNoSlash,
        Self::RedirectUriCustomSchemeNoDot,
        Self::RedirectUriNativeHttpsOtherOrigin,
        Self::RedirectUriUserinfo,
        Self::RedirectUriFragment,
        Self::RedirectUriDefaultPort,
        Self::DpopNotBound,
        Self::AuthMethodMissing,
        Self::AuthMethodUnsupported,
        Self::AuthMethodDiffers,
        Self::AuthAlgMissing,
        Self::AuthAlgNone,
        Self::AuthAlgNotEs256,
        Self::AuthAlgUnknown,
        Self::AuthAlgOnPublic,
        Self::NativeConfidential,
        Self::JwksAndJwksUri,
        Self::JwksMissing,
        Self::JwksOnPublic,
        Self::JwksEmpty,
        Self::JwksPrivateMaterial,
        Self::JwksKidMissing,
        Self::JwksKidDuplicate,
        Self::JwksKeyNotPublished,
        Self::JwksNoEs256,
        Self::JwksCoordinateLength,
        Self::JwksKeyMalformed,
        Self::JwksKeyAlg,
        Self::JwksKeyUse,
        Self::JwksNotJson,
        Self::JwksNotObject,
        Self::JwksUriNotHttps,
        Self::JwksUriStatus,
        Self::JwksUriRedirect,
        Self::JwksUriContentType,
        Self::JwksUriTooLarge,
        Self::JwksUriUnreachable,
        Self::ClientUriNotHttps,
        Self::ClientUriOtherHost,
        Self::ClientUriNotParent,
        Self::LogoUriNotHttps,
        Self::TosUriNotHttps,
        Self::PolicyUriNotHttps,
        Self::PageNotUrl,
        Self::PageUserinfo,
        Self::PageLocalHost,
    ];

    /// Stable name of the code in snake case, such as `client_id_not_https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DocumentNotJson => "document_not_json",
            Self::DocumentNotObject => "document_not_object",
            Self::DocumentTooLarge => "document_too_large",
            Self::DocumentStatus => "document_status",
            Self::DocumentRedirect => "document_redirect",
            Self::DocumentContentType => "document_content_type",
            Self::DocumentUnreachable => "document_unreachable",
            Self::MemberDuplicate => "member_duplicate",
            Self::MemberWrongType => "member_wrong_type",
            Self::ContactNotAddress => "contact_not_address",
            Self::ForbiddenField => "forbidden_field",
            Self::ClientIdNotUrl => "client_id_not_url",
            Self::ClientIdNotHttps => "client_id_not_https",
            Self::ClientIdHasPort => "client_id_has_port",
            Self::ClientIdHasUserinfo => "client_id_has_userinfo",
            Self::ClientIdHasFragment => "client_id_has_fragment",
            Self::ClientIdNoPath => "client_id_no_path",
            Self::ClientIdTrailingSlash => "client_id_trailing_slash",
            Self::ClientIdDotSegments => "client_id_dot_segments",
            Self::ClientIdNotCanonical => "client_id_not_canonical",
            Self::ClientIdIpHost => "client_id_ip_host",
            Self::ClientIdLocalHost => "client_id_local_host",
            Self::ClientIdQuery => "client_id_query",
            Self::ClientIdMismatch => "client_id_mismatch",
            Self::LoopbackClientIdNotLocalhost => "loopback_client_id_not_localhost",
            Self::LoopbackClientIdPort => "loopback_client_id_port",
            Self::LoopbackClientIdPath => "loopback_client_id_path",
            Self::LoopbackClientIdFragment => "loopback_client_id_fragment",
            Self::LoopbackClientIdNotEncoded => "loopback_client_id_not_encoded",
            Self::LoopbackClientIdUnknownParam => "loopback_client_id_unknown_param",
            Self::LoopbackClientIdDuplicateScope => "loopback_client_id_duplicate_scope",
            Self::ApplicationTypeUnknown => "application_type_unknown",
            Self::GrantTypesMissingCode => "grant_types_missing_code",
            Self::GrantTypesUnsupported => "grant_types_unsupported",
            Self::GrantTypesDuplicate => "grant_types_duplicate",
            Self::RefreshTokenGrantMissing => "refresh_token_grant_missing",
            Self::ResponseTypesMissingCode => "response_types_missing_code",
            Self::ResponseTypesUnsupported => "response_types_unsupported",
            Self::ResponseTypesUnknown => "response_types_unknown",
            Self::ScopeMissing => "scope_missing",
            Self::ScopeMissingAtproto => "scope_missing_atproto",
            Self::ScopeBadSeparator => "scope_bad_separator",
            Self::ScopeBadCharset => "scope_bad_charset",
            Self::ScopeDuplicate => "scope_duplicate",
            Self::ScopeOpenid => "scope_openid",
            Self::ScopeInvalidPermission => "scope_invalid_permission",
            Self::ScopeNotDeclared => "scope_not_declared",
            Self::RedirectUrisEmpty => "redirect_uris_empty",
            Self::RedirectUriNotListed => "redirect_uri_not_listed",
            Self::RedirectUriNotUrl => "redirect_uri_not_url",
            Self::RedirectUriNotCanonical => "redirect_uri_not_canonical",
            Self::RedirectUriDuplicate => "redirect_uri_duplicate",
            Self::RedirectUriBadScheme => "redirect_uri_bad_scheme",
            Self::RedirectUriHttpNonLoopback => "redirect_uri_http_non_loopback",
            Self::RedirectUriLocalhost => "redirect_uri_localhost",
            Self::RedirectUriNotPublic => "redirect_uri_not_public",
            Self::RedirectUriLoopbackOnWeb => "redirect_uri_loopback_on_web",
            Self::RedirectUriLoopbackHttps => "redirect_uri_loopback_https",
            Self::RedirectUriNotLoopback => "redirect_uri_not_loopback",
            Self::RedirectUriCustomSchemeOnWeb => "redirect_uri_custom_scheme_on_web",
            Self::RedirectUriCustomSchemeMismatch => "redirect_uri_custom_scheme_mismatch",
            Self::RedirectUriCustomSchemeDoubleSlash => "redirect_uri_custom_scheme_double_slash",
            Self::RedirectUriCustomSchemeNoSlash => "redirect_uri_custom_scheme_no_slash",
            Self::RedirectUriCustomSchemeNoDot => "redirect_uri_custom_scheme_no_dot",
            Self::RedirectUriNativeHttpsOtherOrigin => "redirect_uri_native_https_other_origin",
            Self::RedirectUriUserinfo => "redirect_uri_userinfo",
            Self::RedirectUriFragment => "redirect_uri_fragment",
            Self::RedirectUriDefaultPort => "redirect_uri_default_port",
            Self::DpopNotBound => "dpop_not_bound",
            Self::AuthMethodMissing => "auth_method_missing",
            Self::AuthMethodUnsupported => "auth_method_unsupported",
            Self::AuthMethodDiffers => "auth_method_differs",
            Self::AuthAlgMissing => "auth_alg_missing",
            Self::AuthAlgNone => "auth_alg_none",
            Self::AuthAlgNotEs256 => "auth_alg_not_es256",
            Self::AuthAlgUnknown => "auth_alg_unknown",
            Self::AuthAlgOnPublic => "auth_alg_on_public",
            Self::NativeConfidential => "native_confidential",
            Self::JwksAndJwksUri => "jwks_and_jwks_uri",
            Self::JwksMissing => "jwks_missing",
            Self::JwksOnPublic => "jwks_on_public",
            Self::JwksEmpty => "jwks_empty",
            Self::JwksPrivateMaterial => "jwks_private_material",
            Self::JwksKidMissing => "jwks_kid_missing",
            Self::JwksKidDuplicate => "jwks_kid_duplicate",
            Self::JwksKeyNotPublished => "jwks_key_not_published",
            Self::JwksNoEs256 => "jwks_no_es256",
            Self::JwksCoordinateLength => "jwks_coordinate_length",
            Self::JwksKeyMalformed => "jwks_key_malformed",
            Self::JwksKeyAlg => "jwks_key_alg",
            Self::JwksKeyUse => "jwks_key_use",
            Self::JwksNotJson => "jwks_not_json",
            Self::JwksNotObject => "jwks_not_object",
            Self::JwksUriNotHttps => "jwks_uri_not_https",
            Self::JwksUriStatus => "jwks_uri_status",
            Self::JwksUriRedirect => "jwks_uri_redirect",
            Self::JwksUriContentType => "jwks_uri_content_type",
            Self::JwksUriTooLarge => "jwks_uri_too_large",
            Self::JwksUriUnreachable => "jwks_uri_unreachable",
            Self::ClientUriNotHttps => "client_uri_not_https",
            Self::ClientUriOtherHost => "client_uri_other_host",
            Self::ClientUriNotParent => "client_uri_not_parent",
            Self::LogoUriNotHttps => "logo_uri_not_https",
            Self::TosUriNotHttps => "tos_uri_not_https",
            Self::PolicyUriNotHttps => "policy_uri_not_https",
            Self::PageNotUrl => "page_not_url",
            Self::PageUserinfo => "page_userinfo",
            Self::PageLocalHost => "page_local_host",
        }
    }

    /// Severity of every finding with this code.
    pub const fn severity(self) -> Severity {
        let warns = matches!(
            self,
            Self::ClientIdQuery
                | Self::RefreshTokenGrantMissing
                | Self::ResponseTypesUnsupported
                | Self::ScopeInvalidPermission
                | Self::RedirectUriNotCanonical
                | Self::RedirectUriDuplicate
                | Self::AuthAlgNotEs256
                | Self::JwksOnPublic
                | Self::JwksKeyAlg
                | Self::JwksKeyUse
        );
        if warns { Severity::Warning } else { Severity::Error }
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes the [name](FindingCode::as_str).
impl Serialize for FindingCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}
