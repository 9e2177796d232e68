//! The codes of findings in client metadata.

/// Code of a [`Finding`](crate::Finding): a stable name of the broken rule, for programs that
/// compare findings or leave some of them out.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum FindingCode {
    /// The document is not JSON: it is not UTF-8, malformed, or nested too deep.
    DocumentNotJson,
    /// The document is JSON, but not an object.
    DocumentNotObject,
    /// The document is larger than authorization servers read.
    DocumentTooLarge,
    /// The URL of the document has another status than 200.
    DocumentStatus,
    /// The URL of the document redirects, and authorization servers follow no redirect.
    DocumentRedirect,
    /// The `Content-Type` of the document is not `application/json`.
    DocumentContentType,
    /// The URL of the document did not answer, or can't be asked.
    DocumentUnreachable,
    /// A member occurs twice, so that servers may read different values.
    MemberDuplicate,
    /// A member has the wrong JSON type.
    MemberWrongType,
    /// An element of `contacts` is not an e-mail address.
    ContactNotAddress,
    /// A member that no AT Protocol client may have, such as `client_secret`.
    ForbiddenField,
    /// The `client_id` is not an absolute URL.
    ClientIdNotUrl,
    /// The `client_id` is not an https URL.
    ClientIdNotHttps,
    /// The `client_id` has a port.
    ClientIdHasPort,
    /// The `client_id` has a user name or password.
    ClientIdHasUserinfo,
    /// The `client_id` has a fragment.
    ClientIdHasFragment,
    /// The `client_id` has no path.
    ClientIdNoPath,
    /// The path of the `client_id` ends in a slash.
    ClientIdTrailingSlash,
    /// The path of the `client_id` has a segment `.` or `..`.
    ClientIdDotSegments,
    /// The `client_id` is not spelled in its canonical form.
    ClientIdNotCanonical,
    /// The host of the `client_id` is an IP address.
    ClientIdIpHost,
    /// The host of the `client_id` is a local or reserved name.
    ClientIdLocalHost,
    /// The `client_id` has a query, which the specification discourages.
    ClientIdQuery,
    /// The member `client_id` is not the URL of the document.
    ClientIdMismatch,
    /// The `client_id` of a loopback client does not begin with `http://localhost`.
    LoopbackClientIdNotLocalhost,
    /// The `client_id` of a loopback client has a port.
    LoopbackClientIdPort,
    /// The `client_id` of a loopback client has a path.
    LoopbackClientIdPath,
    /// The `client_id` of a loopback client has a fragment.
    LoopbackClientIdFragment,
    /// The query of a loopback `client_id` has a character that must be encoded.
    LoopbackClientIdNotEncoded,
    /// The query of a loopback `client_id` has a parameter other than `redirect_uri` and `scope`.
    LoopbackClientIdUnknownParam,
    /// The query of a loopback `client_id` has several `scope` parameters.
    LoopbackClientIdDuplicateScope,
    /// The `application_type` is neither `web` nor `native`.
    ApplicationTypeUnknown,
    /// The `grant_types` lack `authorization_code`.
    GrantTypesMissingCode,
    /// The `grant_types` have an element other than `authorization_code` and `refresh_token`.
    GrantTypesUnsupported,
    /// The `grant_types` have an element twice.
    GrantTypesDuplicate,
    /// The `grant_types` lack `refresh_token`, so that no session outlives its access token.
    RefreshTokenGrantMissing,
    /// The `response_types` lack `code`.
    ResponseTypesMissingCode,
    /// The `response_types` have an element other than `code`, which is never used.
    ResponseTypesUnsupported,
    /// The `response_types` have an element that no specification defines.
    ResponseTypesUnknown,
    /// The `scope` is missing or empty.
    ScopeMissing,
    /// The `scope` lacks `atproto`.
    ScopeMissingAtproto,
    /// The `scope` has a space at an end, or two in a row.
    ScopeBadSeparator,
    /// A scope has a character that RFC 6749 section 3.3 forbids.
    ScopeBadCharset,
    /// The `scope` has an element twice.
    ScopeDuplicate,
    /// A scope is one of OpenID Connect, which AT Protocol does not use.
    ScopeOpenid,
    /// A scope is not a permission of AT Protocol, so that it grants nothing.
    ScopeInvalidPermission,
    /// The `scope` lacks a scope that the client requests.
    ScopeNotDeclared,
    /// The client has no redirect URI.
    RedirectUrisEmpty,
    /// The `redirect_uris` lack a redirect URI of the client.
    RedirectUriNotListed,
    /// A redirect URI is not an absolute URL.
    RedirectUriNotUrl,
    /// A redirect URI is not spelled in its canonical form.
    RedirectUriNotCanonical,
    /// A redirect URI occurs twice.
    RedirectUriDuplicate,
    /// A redirect URI has a scheme that never leads back to a client, such as `javascript`.
    RedirectUriBadScheme,
    /// A redirect URI with http has a host other than a loopback address.
    RedirectUriHttpNonLoopback,
    /// A redirect URI has the host `localhost` in place of a loopback address.
    RedirectUriLocalhost,
    /// A redirect URI with https has an IP address, or a local or reserved name, as its host.
    RedirectUriNotPublic,
    /// A redirect URI of a web client is at a loopback address.
    RedirectUriLoopbackOnWeb,
    /// A redirect URI at a loopback address has the scheme https.
    RedirectUriLoopbackHttps,
    /// A redirect URI of a loopback client is not an http URL at a loopback address.
    RedirectUriNotLoopback,
    /// A redirect URI of a web client has a private-use scheme.
    RedirectUriCustomSchemeOnWeb,
    /// A private-use scheme is not the reversed host of the `client_id`.
    RedirectUriCustomSchemeMismatch,
    /// Two slashes follow a private-use scheme.
    RedirectUriCustomSchemeDoubleSlash,
    /// No slash follows a private-use scheme.
    RedirectUriCustomSchemeNoSlash,
    /// A private-use scheme has no dot.
    RedirectUriCustomSchemeNoDot,
    /// An https redirect URI of a native client has another origin than the `client_id`.
    RedirectUriNativeHttpsOtherOrigin,
    /// A redirect URI has a user name or password.
    RedirectUriUserinfo,
    /// A redirect URI has a fragment.
    RedirectUriFragment,
    /// A redirect URI writes the default port 443.
    RedirectUriDefaultPort,
    /// The member `dpop_bound_access_tokens` is not `true`.
    DpopNotBound,
    /// The `token_endpoint_auth_method` is missing, which stands for `client_secret_basic`.
    AuthMethodMissing,
    /// The `token_endpoint_auth_method` is neither `none` nor `private_key_jwt`.
    AuthMethodUnsupported,
    /// The document has another `token_endpoint_auth_method` than the client uses.
    AuthMethodDiffers,
    /// A confidential client has no `token_endpoint_auth_signing_alg`.
    AuthAlgMissing,
    /// The `token_endpoint_auth_signing_alg` of a confidential client is `none`.
    AuthAlgNone,
    /// The `token_endpoint_auth_signing_alg` is not `ES256`, which all servers know.
    AuthAlgNotEs256,
    /// The `token_endpoint_auth_signing_alg` is not an algorithm for signatures.
    AuthAlgUnknown,
    /// A public client has a `token_endpoint_auth_signing_alg`.
    AuthAlgOnPublic,
    /// A native client is confidential, although every copy of it would contain the key.
    NativeConfidential,
    /// The document has both `jwks` and `jwks_uri`.
    JwksAndJwksUri,
    /// A confidential client has neither `jwks` nor `jwks_uri`.
    JwksMissing,
    /// A public client has `jwks` or `jwks_uri`.
    JwksOnPublic,
    /// The JWK Set has no keys.
    JwksEmpty,
    /// A published key has a private part.
    JwksPrivateMaterial,
    /// A published key has no `kid`.
    JwksKidMissing,
    /// Two published keys have the same `kid`.
    JwksKidDuplicate,
    /// A key of the client is not published, or is published as revoked.
    JwksKeyNotPublished,
    /// No published key can verify `ES256` signatures.
    JwksNoEs256,
    /// A coordinate of a P-256 key is not 32 bytes in base64url.
    JwksCoordinateLength,
    /// A published key is not a JWK, or its point is not on the curve.
    JwksKeyMalformed,
    /// A P-256 key has no `alg`, or another one than `ES256`.
    JwksKeyAlg,
    /// A key has neither the `use` `sig` nor the `key_ops` of signatures.
    JwksKeyUse,
    /// The document at the `jwks_uri` is not JSON.
    JwksNotJson,
    /// The document at the `jwks_uri` is JSON, but not an object.
    JwksNotObject,
    /// The `jwks_uri` is not an https URL.
    JwksUriNotHttps,
    /// The `jwks_uri` has another status than 200.
    JwksUriStatus,
    /// The `jwks_uri` redirects, and authorization servers follow no redirect.
    JwksUriRedirect,
    /// The `Content-Type` at the `jwks_uri` is not `application/json`.
    JwksUriContentType,
    /// The document at the `jwks_uri` is larger than authorization servers read.
    JwksUriTooLarge,
    /// The `jwks_uri` did not answer, or can't be asked.
    JwksUriUnreachable,
    /// The `client_uri` is not an https URL.
    ClientUriNotHttps,
    /// The `client_uri` has another origin than the `client_id`.
    ClientUriOtherHost,
    /// The path of the `client_uri` is no parent of the path of the `client_id`.
    ClientUriNotParent,
    /// The `logo_uri` is not an https URL.
    LogoUriNotHttps,
    /// The `tos_uri` is not an https URL.
    TosUriNotHttps,
    /// The `policy_uri` is not an https URL.
    PolicyUriNotHttps,
    /// A page or the `jwks_uri` is not an absolute URL.
    PageNotUrl,
    /// A page or the `jwks_uri` has a user name or password.
    PageUserinfo,
    /// The host of a page or of the `jwks_uri` is an IP address, or a local or reserved name.
    PageLocalHost,
}

/// A rule that a value breaks: its code, and the rest of a sentence about the value.
///
/// The builder and the lint call the same functions, which return broken rules, so that each rule
/// exists once. The builder fails with the first of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Broken {
    pub(crate) code: FindingCode,
    /// The rule, and the way to keep it.
    pub(crate) why: &'static str,
}

impl Broken {
    pub(crate) const fn new(code: FindingCode, why: &'static str) -> Self {
        Self { code, why }
    }
}
