//! Properties of any text and of random permissions.

use atproto_oauth_core::Scopes;
use atproto_oauth_core::permission::{Operation, Permission, RepoAction};
use atproto_oauth_core::xrpc::Nsid;
use proptest::prelude::*;

/// Text near the grammar.
fn near_scope() -> impl Strategy<Value = String> {
    let part = || {
        prop::sample::select(vec![
            "repo",
            "rpc",
            "blob",
            "account",
            "identity",
            "include",
            ":",
            "?",
            "&",
            "=",
            "collection",
            "action",
            "lxm",
            "aud",
            "accept",
            "attr",
            "nsid",
            "a.b.c",
            "a.b.D",
            "*",
            "*/*",
            "image/*",
            "image/svg+xml",
            "create",
            "delete",
            "manage",
            "email",
            "handle",
            "did:web:x.dev%23y",
            "did:web:x.dev#y",
            "%2A",
            "%2B",
            "+",
            "%",
            "%c3%a9",
            "/",
            "#",
        ])
    };
    prop_oneof![
        prop::collection::vec(part(), 0..12).prop_map(|parts| parts.concat()),
        "[ -~]{0,40}",
        ".{0,20}",
    ]
}

fn valid_scope() -> impl Strategy<Value = String> {
    let nsid = || "[a-z][a-z0-9]{0,4}\\.[a-z]{1,4}\\.[a-zA-Z][a-zA-Z0-9]{0,4}";
    let nsids = |name: &'static str| {
        prop::collection::vec(
            prop_oneof![9 => nsid().prop_map(String::from), 1 => Just("*".to_owned())],
            1..4,
        )
        .prop_map(move |values| {
            values.iter().map(|value| format!("{name}={value}")).collect::<Vec<_>>().join("&")
        })
    };
    let actions =
        prop::collection::vec(prop::sample::select(vec!["create", "update", "delete"]), 0..4)
            .prop_map(|values| {
                values.iter().map(|value| format!("&action={value}")).collect::<String>()
            });
    let media = prop::sample::select(vec![
        "*/*",
        "image/*",
        "image/png",
        "IMAGE/gif",
        "a/b%2Bc",
        "video/mp4",
    ]);
    prop_oneof![
        (nsids("collection"), actions)
            .prop_map(|(names, actions)| format!("repo?{names}{actions}")),
        nsids("lxm")
            .prop_map(|names| format!("rpc?{names}&aud=did:plc:z72i7hdynmk6r22z27h6tvur%23x_y")),
        prop::collection::vec(media, 1..4).prop_map(|values| {
            let values: Vec<_> = values.iter().map(|value| format!("accept={value}")).collect();
            format!("blob?{}", values.join("&"))
        }),
        nsid().prop_map(|nsid| format!("include:{nsid}?aud=did:web:a.dev%23b")),
    ]
}

fn operations() -> impl Strategy<Value = Operation> {
    let nsid = || "[a-c]\\.[a-c]\\.[a-c]";
    prop_oneof![
        (nsid(), prop::sample::select(RepoAction::ALL.to_vec()))
            .prop_map(|(nsid, action)| Operation::repo(&nsid, action).unwrap()),
        nsid().prop_map(|nsid| Operation::rpc(&nsid, "did:web:x.dev#y").unwrap()),
        prop::sample::select(vec!["image/png", "image/gif", "video/mp4", "a/b+c"])
            .prop_map(|media| Operation::blob(media).unwrap()),
    ]
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_what_is_written_is_read_again(text in near_scope()) {
        if let Ok(permission) = Permission::parse(&text) {
            let written = permission.to_string();
            prop_assert_eq!(Permission::parse(&written).unwrap(), permission);
            let listed = Scopes::parse(&format!("atproto {written}")).is_ok();
            prop_assert!(listed || written == "atproto");
        }
        let _ = Scopes::lint(&text);
    }

    #[test]
    fn a_canonical_form_stays_and_allows_the_same(scope in valid_scope(), operation in operations()) {
        let permission = Permission::parse(&scope).unwrap();
        let written = permission.to_string();
        let again = Permission::parse(&written).unwrap();
        prop_assert_eq!(again.to_string(), written);
        prop_assert_eq!(again.allows(&operation), permission.allows(&operation));
    }

    #[test]
    fn normalization_is_idempotent_and_never_widens_a_grant(
        scopes in prop::collection::vec(prop_oneof![valid_scope(), "[!#-\\[\\]-~]{1,12}"], 0..6),
        operation in operations(),
    ) {
        let mut list = vec!["atproto".to_owned()];
        list.extend(scopes);
        list.dedup();
        let Ok(list) = Scopes::parse(&list.join(" ")) else { return Ok(()) };
        let normalized = list.normalized();
        prop_assert_eq!(normalized.normalized(), normalized.clone());
        prop_assert_eq!(normalized.allows(&operation), list.allows(&operation));
    }

    #[test]
    fn an_nsid_is_written_as_it_was_read(text in "[a-z.A-Z0-9-]{0,30}") {
        if let Ok(nsid) = Nsid::parse(&text) {
            prop_assert_eq!(nsid.to_string(), text.clone());
            prop_assert!(text.starts_with(nsid.group()));
        }
    }
}
