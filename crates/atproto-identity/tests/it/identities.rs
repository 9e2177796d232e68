//! Tests of accounts and identities: the handle leads to the DID, and the DID claims the handle.

use atproto_identity::{
    Freshness, Identifier, Identity, IdentityError, IdentityErrorKind as Kind, ResolutionMethod,
    Resolver,
};
use atproto_sansio::Phase;

use crate::net::{self, Net};

const DID: &str = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb";
const PLC: &str = "https://plc.directory/did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
const NAME: &str = "_atproto.alice.com";
const TXT: &str = "TXT _atproto.alice.com";

fn document(names: &str) -> String {
    net::document(DID, names, "https://pds.com")
}

/// A network in which Alice's handle leads to her DID, and the document claims `names`.
fn alice(names: &str) -> Net {
    Net::default().txt(NAME, &[&format!("did={DID}")]).page(PLC, 200, document(names))
}

fn by(identifier: &str) -> Identifier {
    identifier.parse().unwrap()
}

fn identity(identifier: &str, net: &Net) -> Result<Identity, IdentityError> {
    net.in_any_order(|| Resolver::new().identity(by(identifier), Freshness::Fresh))
}

#[test]
fn a_handle_and_its_account_name_each_other() {
    for names in [
        r#"["at://alice.com"]"#,
        r#"["at://ALICE.com"]"#,
        r#"["https://x.com","at://no_handle","at://alice.com","at://other.com"]"#,
    ] {
        for identifier in ["alice.com", "ALICE.com", DID] {
            let identity = identity(identifier, &alice(names)).unwrap();
            assert_eq!(identity.did.as_str(), DID);
            assert_eq!(identity.handle.unwrap().as_str(), "alice.com");
            assert_eq!(identity.pds.as_str(), "https://pds.com/");
            assert_eq!(identity.document.did().as_str(), DID);
        }
    }
}

#[test]
fn a_trace_names_the_source_of_each_answer() {
    // Rule A-89
    let handle = || "alice.com".parse().unwrap();
    let claims = r#"["at://alice.com"]"#;
    let by_dns = alice(claims).in_any_order(|| Resolver::new().trace_handle(handle())).unwrap();
    assert_eq!((by_dns.did.as_str(), by_dns.at.as_str()), (DID, NAME));
    assert_eq!(by_dns.method, ResolutionMethod::Dns);

    let page = "https://alice.com/.well-known/atproto-did";
    let https = Net::default().page(page, 200, DID);
    let by_https = https.in_any_order(|| Resolver::new().trace_handle(handle())).unwrap();
    assert_eq!((by_https.did.as_str(), by_https.at.as_str()), (DID, page));
    assert_eq!(by_https.method, ResolutionMethod::Https);
    let error = Net::default().in_any_order(|| Resolver::new().trace_handle(handle()));
    assert!(matches!(error, Err(IdentityError::Unresolved { .. })));

    // The first directory fails, so that the second one answers.
    let directories = ["https://down.example.com", "https://plc.example.com/x?key"];
    let resolver = Resolver::new().with_directories(directories.map(|url| url.parse().unwrap()));
    let second = format!("https://plc.example.com/x/{DID}?key");
    let net = Net::default().page(&format!("https://down.example.com/{DID}"), 500, "").page(
        &second,
        200,
        document(claims),
    );
    let traced = net.in_any_order(|| resolver.trace_did(DID.parse().unwrap())).unwrap();
    assert_eq!(traced.url, format!("https://plc.example.com/x/{DID}"));
    assert_eq!(traced.document.did().as_str(), DID);

    let web = "did:web:web.example.com";
    let url = "https://web.example.com/.well-known/did.json";
    let net = Net::default().page(url, 200, net::document(web, "[]", "https://pds.com"));
    let traced = net.in_any_order(|| resolver.trace_did(web.parse().unwrap())).unwrap();
    assert_eq!((traced.url.as_str(), traced.document.did().as_str()), (url, web));
}

#[test]
fn a_handle_that_its_account_does_not_claim_is_refused() {
    // Rule A-85
    for (names, claimed) in [
        ("[]", None),
        ("null", None),
        (r#"["at://bob.com","at://alice.com"]"#, Some("bob.com")),
        (r#"["at://handle.invalid"]"#, Some("handle.invalid")),
        (r#"["alice.com"]"#, None),
    ] {
        let resolver = Resolver::new();
        let account =
            alice(names).in_any_order(|| resolver.account(by("alice.com"), Freshness::Fresh));
        for error in [identity("alice.com", &alice(names)).unwrap_err(), account.unwrap_err()] {
            let IdentityError::HandleMismatch { input, did, declared } = error else {
                unreachable!("{error}");
            };
            assert_eq!((input.as_str(), did.as_str()), ("alice.com", DID));
            assert_eq!(declared.as_ref().map(AsRef::as_ref), claimed);
        }
    }
}

#[test]
fn an_account_without_a_verified_handle_is_still_an_account() {
    // Rule A-86
    let claims = r#"["at://alice.com"]"#;
    let document = Net::default().page(PLC, 200, document(claims));
    for net in [
        alice("[]"),
        alice(r#"["at://handle.invalid"]"#),
        alice(r#"["at://laptop.local"]"#),
        document.clone(),
        document.clone().txt(NAME, &[&format!("did={OTHER}")]),
        document.clone().txt(NAME, &[&format!("did={DID}"), &format!("did={OTHER}")]),
        document.clone().fails(TXT, Phase::TimedOut),
    ] {
        let identity = identity(DID, &net).unwrap();
        assert_eq!((identity.did.as_str(), identity.handle), (DID, None));
    }
}

#[test]
fn a_login_takes_the_fewest_requests() {
    let net = alice(r#"["at://alice.com"]"#);
    let resolver = Resolver::new();
    let plc = format!("GET {PLC}");

    let run = net.in_turn(resolver.account(by(DID), Freshness::Fresh));
    assert_eq!(run.asked, [plc.as_str()]);
    let account = run.result.unwrap();
    assert_eq!((account.did.as_str(), account.pds.as_str()), (DID, "https://pds.com/"));
    assert_eq!(account.document.handle().unwrap().as_str(), "alice.com");

    let run = net.in_turn(resolver.account(by("alice.com"), Freshness::Fresh));
    assert_eq!(run.asked, [TXT, &plc]);
    assert_eq!(run.result.unwrap(), account);

    let run = net.in_turn(resolver.identity(by("alice.com"), Freshness::Fresh));
    assert_eq!(run.asked, [TXT, &plc]);
    let run = net.in_turn(resolver.identity(by(DID), Freshness::Fresh));
    assert_eq!(run.asked, [&plc, TXT]);
}

#[test]
fn an_account_needs_a_server() {
    let bare = format!(r#"{{"id":"{DID}","alsoKnownAs":["at://alice.com"]}}"#);
    let net = alice("[]").page(PLC, 200, bare);
    assert_eq!(identity("alice.com", &net).unwrap_err().kind(), Kind::NoPds);
    assert_eq!(identity(DID, &net).unwrap_err().kind(), Kind::NoPds);

    let bad = document(r#"["at://alice.com"]"#).replace("https://pds.com", "http://localhost:2583");
    let net = alice("[]").page(PLC, 200, bad);
    assert_eq!(identity("alice.com", &net).unwrap_err().kind(), Kind::InvalidPdsEndpoint);
}

#[test]
fn a_server_at_a_private_host_may_be_an_attack() {
    // Rule M-04
    for (pds, security) in [
        ("https://169.254.169.254", true),
        ("http://10.0.0.1:8080", true),
        ("https://localhost", true),
        ("https://pds.internal/path", true),
        ("https://pds.com/path", false),
        ("http://pds.com", false),
        ("pds", false),
    ] {
        let net = alice("[]").page(PLC, 200, net::document(DID, "[]", pds));
        let error = identity(DID, &net).unwrap_err();
        assert_eq!(error.kind(), Kind::InvalidPdsEndpoint, "{pds}");
        assert_eq!((error.is_security(), error.blocked()), (security, security), "{pds}");
    }
}

#[test]
fn an_account_with_two_servers_is_refused() {
    // Rule A-74
    let first = net::document(DID, "[]", "https://first.com");
    let (_, entry) = first.split_once("[{").unwrap();
    let second = document("[]").replace("[{", &format!("[{{{},{{", entry.trim_end_matches("]}")));
    let error = identity(DID, &alice("[]").page(PLC, 200, second)).unwrap_err();
    assert_eq!(error.kind(), Kind::Malformed);
    assert!(error.to_string().contains("two service entries with the id #atproto_pds"), "{error}");
}
