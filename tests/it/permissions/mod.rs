//! Tests: the grammar of permissions in both directions, their canonical form, and what they allow.

mod random;

use atproto_oauth_core::permission::{
    AccountAction, AccountAttribute, Allowed, IdentityAttribute, Operation, Permission,
    PermissionError, RepoAction,
};
use atproto_oauth_core::{ScopeFindingCode, Scopes};

/// Valid scopes, and their canonical forms.
const VALID: [(&str, &str); 79] = [
    ("atproto", "atproto"),
    ("transition:generic", "transition:generic"),
    ("transition:chat.bsky", "transition:chat.bsky"),
    ("transition:email", "transition:email"),
    // repo
    ("repo:*", "repo:*"),
    ("repo:a.b.c", "repo:a.b.c"),
    ("repo:app.bsky.feed.post", "repo:app.bsky.feed.post"),
    ("repo?collection=a.b.c", "repo:a.b.c"),
    ("repo?collection=*", "repo:*"),
    ("repo?collection=a.b.d&collection=a.b.c", "repo?collection=a.b.c&collection=a.b.d"),
    ("repo?collection=a.b.c&collection=a.b.c", "repo:a.b.c"),
    ("repo?collection=a.b.c&collection=*", "repo:*"),
    ("repo:a.b.c?", "repo:a.b.c"),
    ("repo:a.b.c?action=create", "repo:a.b.c?action=create"),
    ("repo:a.b.c?action=delete&action=create", "repo:a.b.c?action=create&action=delete"),
    ("repo:a.b.c?action=update&action=update", "repo:a.b.c?action=update"),
    ("repo:a.b.c?action=delete&action=update&action=create", "repo:a.b.c"),
    ("repo:*?action=delete", "repo:*?action=delete"),
    ("repo?action=create&collection=a.b.c", "repo:a.b.c?action=create"),
    (
        "repo?action=create&collection=a.b.d&collection=a.b.c",
        "repo?collection=a.b.c&collection=a.b.d&action=create",
    ),
    ("repo:a%2Eb.c", "repo:a.b.c"),
    ("repo:%2A", "repo:*"),
    ("repo?collection=a.b.c&", "repo:a.b.c"),
    ("repo?&collection=a.b.c", "repo:a.b.c"),
    // rpc
    ("rpc:a.b.c?aud=*", "rpc:a.b.c?aud=*"),
    ("rpc:a.b.c?aud=did:web:x.dev%23y", "rpc:a.b.c?aud=did:web:x.dev%23y"),
    ("rpc:a.b.c?aud=did:web:x.dev#y", "rpc:a.b.c?aud=did:web:x.dev%23y"),
    ("rpc:a.b.c?aud=did%3Aweb%3Ax.dev%23y", "rpc:a.b.c?aud=did:web:x.dev%23y"),
    ("rpc:*?aud=did:web:x.dev%23y", "rpc:*?aud=did:web:x.dev%23y"),
    ("rpc?aud=did:web:x.dev%23y&lxm=a.b.c", "rpc:a.b.c?aud=did:web:x.dev%23y"),
    ("rpc?lxm=a.b.d&lxm=a.b.c&aud=*", "rpc?lxm=a.b.c&lxm=a.b.d&aud=*"),
    ("rpc?lxm=a.b.c&lxm=*&aud=did:web:x.dev%23y", "rpc:*?aud=did:web:x.dev%23y"),
    ("rpc?lxm=a.b.c&lxm=a.b.c&aud=*", "rpc:a.b.c?aud=*"),
    (
        "rpc:a.b.c?aud=did:plc:z72i7hdynmk6r22z27h6tvur%23atproto_labeler",
        "rpc:a.b.c?aud=did:plc:z72i7hdynmk6r22z27h6tvur%23atproto_labeler",
    ),
    (
        "rpc:a.b.c?aud=did:web:api.bsky.app%23bsky_appview",
        "rpc:a.b.c?aud=did:web:api.bsky.app%23bsky_appview",
    ),
    ("rpc:a.b.c?aud=%2A", "rpc:a.b.c?aud=*"),
    // blob
    ("blob:*/*", "blob:*/*"),
    ("blob:image/*", "blob:image/*"),
    ("blob:image/png", "blob:image/png"),
    ("blob:image/svg+xml", "blob:image/svg+xml"),
    ("blob:IMAGE/PNG", "blob:image/png"),
    ("blob:Video/*", "blob:video/*"),
    ("blob?accept=image/png", "blob:image/png"),
    ("blob?accept=image/svg%2Bxml", "blob:image/svg+xml"),
    (
        "blob?accept=video/mp4&accept=image/svg%2Bxml",
        "blob?accept=image/svg%2Bxml&accept=video/mp4",
    ),
    ("blob?accept=video/*&accept=image/*", "blob?accept=image/*&accept=video/*"),
    ("blob?accept=image/png&accept=image/*", "blob:image/*"),
    ("blob?accept=image/png&accept=*/*", "blob:*/*"),
    ("blob?accept=image/png&accept=image/PNG", "blob:image/png"),
    ("blob:application/vnd.api+json", "blob:application/vnd.api+json"),
    ("blob:image%2Fpng", "blob:image/png"),
    ("blob:image/svg%2Bxml", "blob:image/svg+xml"),
    // account
    ("account:email", "account:email"),
    ("account:repo", "account:repo"),
    ("account:email?action=read", "account:email"),
    ("account:email?action=manage", "account:email?action=manage"),
    ("account:repo?action=manage", "account:repo?action=manage"),
    ("account?attr=email", "account:email"),
    ("account?attr=repo&action=manage", "account:repo?action=manage"),
    ("account?action=manage&attr=email", "account:email?action=manage"),
    ("account:%65mail", "account:email"),
    // identity
    ("identity:handle", "identity:handle"),
    ("identity:*", "identity:*"),
    ("identity:*?", "identity:*"),
    ("identity?attr=handle", "identity:handle"),
    ("identity?attr=*", "identity:*"),
    ("identity:%2A", "identity:*"),
    // include
    ("include:a.b.c", "include:a.b.c"),
    ("include:app.example.authBasic", "include:app.example.authBasic"),
    ("include?nsid=a.b.c", "include:a.b.c"),
    ("include:a.b.c?aud=did:web:x.dev%23y", "include:a.b.c?aud=did:web:x.dev%23y"),
    ("include:a.b.c?aud=did:web:x.dev#y", "include:a.b.c?aud=did:web:x.dev%23y"),
    ("include?aud=did:web:x.dev%23y&nsid=a.b.c", "include:a.b.c?aud=did:web:x.dev%23y"),
    ("include:a.b.c?", "include:a.b.c"),
    // A development network has such hosts.
    ("rpc:a.b.c?aud=did:web:pds.test%23y", "rpc:a.b.c?aud=did:web:pds.test%23y"),
    ("rpc:a.b.c?aud=did:web:localhost%23y", "rpc:a.b.c?aud=did:web:localhost%23y"),
    ("rpc:A.B.cD?aud=*", "rpc:A.B.cD?aud=*"),
    ("repo:com.example-site.a1.b", "repo:com.example-site.a1.b"),
    ("repo?collection=a.b.%63", "repo:a.b.c"),
];

/// Texts that are no permissions.
const INVALID: [&str; 92] = [
    "",
    "atproto:",
    "atproto?",
    "Atproto",
    "ATPROTO",
    "transition",
    "transition:",
    "transition:other",
    "transition:generic?",
    "Transition:generic",
    "openid",
    "email",
    "x:y",
    "Repo:a.b.c",
    "re po:a.b.c",
    "\"repo:a.b.c",
    "repo:a.b.c\\",
    "repo:a.b.\u{e9}",
    // repo
    "repo",
    "repo:",
    "repo?",
    "repo:?",
    "repo:a",
    "repo:a.b",
    "repo:a.b.*",
    "repo:app.bsky.*",
    "repo:**",
    "repo:*.a.b",
    "repo:a.b.c,a.b.d",
    "repo:a.b.c?collection=a.b.d",
    "repo:a.b.c?collection=a.b.c",
    "repo:a.b.c?action=",
    "repo:a.b.c?action",
    "repo:a.b.c?action=read",
    "repo:a.b.c?action=Create",
    "repo:a.b.c?action=create,delete",
    "repo:a.b.c?action=*",
    "repo:a.b.c?limit=5",
    "repo:a.b.c?Action=create",
    "repo?collection=",
    "repo?collection=a.b.c&collection=a.b",
    "repo?collection=*&collection=a.b",
    "repo?action=create",
    "repo:a.b.c%",
    "repo:a.b.c%2",
    "repo:a.b.c%zz",
    "repo?collection=%ff",
    "repo:a.b.c?action=create?action=delete",
    "repo: a.b.c",
    // rpc
    "rpc",
    "rpc:a.b.c",
    "rpc:*",
    "rpc:*?aud=*",
    "rpc?aud=*",
    "rpc?lxm=a.b.c",
    "rpc?lxm=*&aud=*",
    "rpc:a.b.c?aud=",
    "rpc:a.b.c?aud=did:web:x.dev",
    "rpc:a.b.c?aud=did:web:x.dev%23",
    "rpc:a.b.c?aud=did:key:zQ3sh%23y",
    "rpc:a.b.c?aud=x.dev%23y",
    "rpc:a.b.c?aud=did:web:x.dev%23y%23z",
    "rpc:a.b.c?aud=*&aud=*",
    "rpc:a.b.c?aud=*&lxm=a.b.d",
    "rpc:a.b.*?aud=*",
    "rpc:a.b.c?aud=*&x=y",
    "rpc:a.b.c?aud=did:web:%23y",
    // blob
    "blob",
    "blob:",
    "blob:*",
    "blob:image",
    "blob:image/",
    "blob:/png",
    "blob:*/png",
    "blob:**/*",
    "blob:image/*/x",
    "blob:image/p*",
    "blob?accept=image/svg+xml",
    "blob:image/png?accept=image/gif",
    "blob:image/png;q=1",
    // account
    "account",
    "account:*",
    "account:handle",
    "account:status",
    "account:email?action=write",
    "account?attr=email&attr=repo",
    "account:email?action=read&action=manage",
    // identity
    "identity",
    "identity:email",
    "identity:*?attr=*",
    // include
    "include:a.b",
    "include:a.b.c?aud=*",
];

#[test]
fn permissions_are_read_and_written_in_canonical_form() {
    // Rules I-02, I-11, I-14, I-15, I-20 to I-27, I-30
    for (scope, canonical) in VALID {
        let permission =
            Permission::parse(scope).unwrap_or_else(|error| panic!("{scope}: {error}"));
        assert_eq!(permission.to_string(), canonical, "{scope}");
        assert_eq!(Permission::parse(canonical).unwrap(), permission, "{scope}");
    }
}

#[test]
fn a_broken_permission_is_an_error() {
    // Rules I-02, I-03, I-11 to I-15, I-20 to I-26, N-19 to N-21
    for scope in INVALID {
        assert!(Permission::parse(scope).is_err(), "{scope:?}");
    }
    for scope in ["atproto x:y", "atproto account:status"] {
        let scopes = Scopes::parse(scope).unwrap();
        assert_eq!(scopes.to_string(), scope, "an unknown permission stays in a list");
    }
}

#[test]
fn an_error_names_the_value_and_the_way_out() {
    for (scope, words) in [
        ("repo:app.bsky.*", "name each NSID, or use `*` alone"),
        ("rpc:a.b.c", "rpc:app.bsky.feed.getTimeline?aud="),
        ("rpc:a.b.c?aud=did:web:x.dev", "%23bsky_appview"),
        ("rpc:*?aud=*", "name the methods or the service"),
        ("blob?accept=image/svg+xml", "`image/svg xml`"),
        ("identity:*?attr=*", "remove one of them"),
        ("repo:a.b.c?limit=5", "no parameter `limit`"),
        ("x:y", "`x:y` is no known permission"),
        ("repo:a%", "`%25`"),
    ] {
        let error = Permission::parse(scope).unwrap_err().to_string();
        assert!(error.contains(words), "{scope}: {error}");
    }
    let unknown = Permission::parse("x:y").unwrap_err();
    assert_eq!(unknown, PermissionError::UnknownResource("x:y".to_owned()));
}

fn repo(collection: &str, action: RepoAction) -> Operation {
    Operation::repo(collection, action).unwrap()
}

#[test]
fn a_grant_allows_what_its_permissions_say() {
    // Rules I-33, I-40, I-41
    let post = || repo("app.bsky.feed.post", RepoAction::Create);
    let rpc = |method| Operation::rpc(method, "did:web:api.bsky.app#bsky_appview").unwrap();
    let email = |action| Operation::Account { attribute: AccountAttribute::Email, action };
    let png = || Operation::blob("image/png").unwrap();
    let handle = || Operation::Identity { attribute: IdentityAttribute::Handle };
    for (scopes, operation, allowed) in [
        ("", post(), Allowed::No),
        ("repo:app.bsky.feed.post", post(), Allowed::Yes),
        ("repo:app.bsky.feed.post?action=delete", post(), Allowed::No),
        ("repo:app.bsky.feed.like", post(), Allowed::No),
        ("repo:*?action=create", post(), Allowed::Yes),
        ("transition:generic", post(), Allowed::Yes),
        ("transition:chat.bsky", post(), Allowed::No),
        ("include:app.bsky.authFull", post(), Allowed::Maybe),
        ("include:app.bsky.authFull repo:app.bsky.feed.post", post(), Allowed::Yes),
        ("include:app.example.authFull", post(), Allowed::No),
        ("include:app.bsky.authFull", png(), Allowed::No),
        ("repo:app.bsky.feed.post?limit=1", post(), Allowed::No),
        ("rpc:app.bsky.a.b?aud=*", rpc("app.bsky.a.b"), Allowed::Yes),
        ("rpc:*?aud=did:web:api.bsky.app%23bsky_appview", rpc("app.bsky.a.b"), Allowed::Yes),
        ("rpc:*?aud=did:web:api.bsky.app%23bsky_chat", rpc("app.bsky.a.b"), Allowed::No),
        ("transition:generic", rpc("app.bsky.a.b"), Allowed::Yes),
        ("transition:generic", rpc("chat.bsky.a.b"), Allowed::No),
        ("transition:chat.bsky", rpc("chat.bsky.a.b"), Allowed::Yes),
        ("transition:chat.bsky", rpc("chat.bskyx.a.b"), Allowed::No),
        ("blob:image/*", png(), Allowed::Yes),
        ("blob:video/*", png(), Allowed::No),
        ("transition:generic", png(), Allowed::Yes),
        ("account:email", email(AccountAction::Read), Allowed::Yes),
        ("account:email", email(AccountAction::Manage), Allowed::No),
        ("account:email?action=manage", email(AccountAction::Read), Allowed::Yes),
        ("account:repo?action=manage", email(AccountAction::Read), Allowed::No),
        ("transition:email", email(AccountAction::Read), Allowed::Yes),
        ("transition:email", email(AccountAction::Manage), Allowed::No),
        ("transition:generic", email(AccountAction::Read), Allowed::No),
        ("identity:*", handle(), Allowed::Yes),
        ("identity:handle", handle(), Allowed::Yes),
        ("identity:handle", Operation::Identity { attribute: IdentityAttribute::Any }, Allowed::No),
    ] {
        let list = Scopes::parse(format!("atproto {scopes}").trim()).unwrap();
        assert_eq!(list.allows(&operation), allowed, "{scopes} {operation:?}");
        // The permission that an operation needs allows it.
        let needed = Scopes::parse(&format!("atproto {}", operation.needed())).unwrap();
        assert_eq!(needed.allows(&operation), Allowed::Yes);
    }
}

#[test]
fn an_upgrade_asks_for_what_is_missing_only() {
    // Rule I-43
    let scopes = Scopes::parse("atproto repo:a.b.c include:x.y.auth").unwrap();
    let have = repo("a.b.c", RepoAction::Update);
    let perhaps = repo("x.y.z", RepoAction::Update);
    let lack = repo("a.b.d", RepoAction::Delete);
    assert_eq!(scopes.upgraded(&[have.clone(), perhaps.clone()]), None);
    let upgraded = scopes.upgraded(&[have, lack.clone(), perhaps, lack]).unwrap();
    assert_eq!(
        upgraded.to_string(),
        "atproto repo:a.b.c include:x.y.auth repo:a.b.d?action=delete"
    );
}

#[test]
fn a_list_is_normalized_without_loss() {
    // Rule I-31
    for (text, normalized) in [
        ("atproto", "atproto"),
        ("transition:generic atproto", "atproto transition:generic"),
        ("x:y atproto repo?collection=a.b.c", "atproto x:y repo:a.b.c"),
        ("repo:a.b.c repo?collection=a.b.c atproto", "atproto repo:a.b.c"),
        ("atproto repo:a.b.*", "atproto repo:a.b.*"),
    ] {
        assert_eq!(Scopes::parse(text).unwrap().normalized().to_string(), normalized);
    }
}

#[test]
fn the_lint_finds_all_mistakes_at_once() {
    // Rules I-01, I-02, I-44
    let codes = |text: &str| -> Vec<&'static str> {
        Scopes::lint(text).iter().map(|finding| finding.code.as_str()).collect()
    };
    assert!(codes("atproto repo:app.bsky.feed.post?action=create").is_empty());
    for (text, code) in [
        ("atproto  a.b", "scope_malformed"),
        ("atproto ", "scope_malformed"),
        ("", "scope_malformed"),
        ("notatproto", "scope_missing_atproto"),
        ("atproto atproto", "scope_duplicate"),
        ("atproto openid", "scope_openid"),
        ("atproto repo:a\"b", "scope_bad_charset"),
        ("atproto repo:a.b", "scope_invalid_permission"),
        ("atproto repo:app.bsky.*", "scope_partial_wildcard"),
        ("atproto rpc:app.bsky.*?aud=*", "scope_partial_wildcard"),
        ("atproto rpc:a.b.c", "scope_rpc_without_aud"),
        ("atproto rpc:a.b.c?aud=did:web:x.dev", "scope_aud_without_service"),
        ("atproto x:y", "scope_unknown_permission"),
        ("atproto transition:chat.bsky", "scope_chat_without_generic"),
        ("atproto transition:generic", "scope_broad"),
        ("atproto transition:email", "scope_broad"),
        ("atproto repo:*", "scope_broad"),
        ("atproto rpc:*?aud=did:web:x.dev%23y", "scope_broad"),
        ("atproto rpc:a.b.c?aud=*", "scope_broad"),
        ("atproto repo?collection=a.b.c", "scope_not_canonical"),
    ] {
        let found = codes(text);
        assert!(found.contains(&code), "{text}: {found:?}");
    }
    assert_eq!(
        codes("repo:app.bsky.* rpc:a.b.c openid openid"),
        [
            "scope_missing_atproto",
            "scope_partial_wildcard",
            "scope_rpc_without_aud",
            "scope_openid",
            "scope_duplicate"
        ]
    );
}

#[test]
fn the_lint_of_a_request_tells_another_spelling_from_a_missing_scope() {
    // Rule I-32
    let declared = "atproto repo?collection=a.b.c";
    let asked = Scopes::parse("atproto repo:a.b.c blob:*/*").unwrap();
    let findings = asked.lint_request(declared);
    assert_eq!(findings.len(), 2);
    assert!(findings.iter().all(|finding| finding.code == ScopeFindingCode::NotDeclared));
    assert!(findings[0].message.contains("`repo?collection=a.b.c`"), "{}", findings[0]);
    assert!(findings[1].message.contains("add it there"), "{}", findings[1]);
    assert!(asked.lint_request("blob:*/* repo:a.b.c atproto").is_empty());
    assert_eq!(asked.lint_request("").len(), 3);
}
