//! The replayer reports each difference between the client and a transcript.

use atproto_dpop::{DpopKey, P256Keys, Proof as Claims};
use atproto_oauth_tests::replayer::proof::Proof;
use atproto_oauth_tests::replayer::{parse, replay};
use atproto_sansio::SystemEntropy;
use base64ct::{Base64UrlUnpadded, Encoding};

const GOOD: &str = "login $alice
> GET https://plc.directory/$alice
< 200 @did-document
> GET https://pds.example.com/.well-known/oauth-protected-resource
< 200 @resource-metadata
> GET https://pds.example.com/.well-known/oauth-authorization-server
< 200 @server-metadata
> POST https://pds.example.com/oauth/par  dpop.nonce=(none)
< 400 {\"error\":\"use_dpop_nonce\"}  dpop-nonce: n-1
> POST https://pds.example.com/oauth/par  dpop.nonce=n-1
< 201 @pushed  dpop-nonce: n-2
= https://pds.example.com/oauth/authorize?client_id=$client_id&request_uri=urn%3Apushed
    expires_in=299
";

fn outcome(text: &str) -> Result<usize, String> {
    replay(&parse::parse("inline", text))
}

#[test]
fn every_difference_from_a_transcript_is_reported() {
    assert_eq!(outcome(GOOD), Ok(5));
    let par = "> POST https://pds.example.com/oauth/par  dpop.nonce=n-1";
    let prm = "> GET https://pds.example.com/.well-known/oauth-protected-resource";
    for (from, to, complaint) in [
        (prm, "> GET https://pds.example.com/x", "unexpected request: GET"),
        (par, "> POST https://pds.example.com/other", "unexpected request: POST"),
        (
            "= https",
            "> GET https://pds.example.com/more\n< 200\n= https",
            "missing request: GET https://pds.example.com/more",
        ),
        (prm, &prm.replace("> ", ">? "), "this request is sent in every order: write `>`"),
        (par, &par.replace("n-1", "n-2"), "dpop.nonce is Some(\"n-1\"), not Some(\"n-2\")"),
        (par, &par.replace("n-1", "(none)"), "dpop.nonce is Some(\"n-1\"), not None"),
        (par, &par.replace("dpop.nonce=n-1", "dpop.ath=t"), "dpop.ath is None"),
        (par, &par.replace("dpop.nonce=n-1", "dpop.iat=60"), "iat of its proof is not"),
        (par, &par.replace("dpop.nonce=n-1", "form.scope=x"), "form.scope is Some"),
        (par, &par.replace("dpop.nonce=n-1", "header.x=y"), "header.x is None"),
        (par, &par.replace("dpop.nonce=n-1", "reach=Configured"), "reach is Some(\"Public\")"),
        (par, &par.replace("dpop.nonce=n-1", "body="), "body is Some"),
        ("urn%3Apushed", "urn%3Aother", "expected https://pds"),
        ("299", "300", "which lacks expires_in=300"),
        ("201 @pushed", "201 {}", "the outcome is error Authorization"),
        ("login $alice", "login $bob", "unexpected request: GET https://plc.directory/did:plc:z72"),
    ] {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from}");
        let failure = outcome(&text).expect_err(complaint);
        assert!(failure.contains(complaint), "{complaint}:\n{failure}");
        assert!(failure.starts_with("inline:1: "), "{failure}");
    }
    // The client sends both metadata requests concurrently; the blocking order is fixed.
    let (before, rest) = GOOD.split_at(GOOD.find(prm).unwrap());
    let lines: Vec<_> = rest.lines().collect();
    let swapped = [&lines[2..4], &lines[..2], &lines[4..]].concat().join("\n");
    let failure = outcome(&format!("{before}{swapped}\n")).unwrap_err();
    assert!(failure.contains("in the blocking order, the requests are those of the lines"));
}

#[test]
fn an_outcome_that_depends_on_the_order_is_reported() {
    // The account check and the code exchange both fail; the first reply decides the outcome. In
    // the blocking order, the retry of the token request comes first.
    let text = "after login/a_did
callback state=$state&iss=$iss&code=c-1
> POST https://pds.example.com/oauth/token
< 400 {\"error\":\"use_dpop_nonce\"}  dpop-nonce: n-2
>? POST https://pds.example.com/oauth/token
< 400 {\"error\":\"invalid_grant\"}
>? GET https://plc.directory/$alice
< 410
>? GET https://pds.example.com/.well-known/oauth-authorization-server
< 200 @server-metadata
= error Token
";
    let failure = outcome(text).unwrap_err();
    assert!(failure.contains("in the order: "), "{failure}");
}

#[test]
fn malformed_proofs_are_rejected() {
    let key = DpopKey::generate(&P256Keys, &mut SystemEntropy);
    let claims = Claims { jti: [7; 16], htm: "GET", htu: "x", iat: 1, nonce: None, ath: None };
    let good = key.prove(&claims, &P256Keys).unwrap().to_str().unwrap().to_owned();
    assert_eq!(Proof::read(&good).unwrap().thumbprint, key.thumbprint());
    let change = |part: usize, from: &str, to: &str| {
        let mut parts: Vec<String> = good.split('.').map(str::to_owned).collect();
        let text = String::from_utf8(Base64UrlUnpadded::decode_vec(&parts[part]).unwrap()).unwrap();
        assert!(text.contains(from), "{text}");
        parts[part] = Base64UrlUnpadded::encode_string(text.replace(from, to).as_bytes());
        Proof::read(&parts.join(".")).unwrap_err()
    };
    assert!(change(0, "dpop+jwt", "jwt").contains("header"));
    assert!(change(0, "ES256", "none").contains("header"));
    assert!(change(0, r#""typ""#, r#""kid":"x","typ""#).contains("header"));
    assert!(change(0, r#""kty""#, r#""use":"sig","kty""#).contains("jwk has"));
    assert!(change(1, "GET", "PUT").contains("signature"));
    let (first, _) = good.rsplit_once('.').unwrap();
    for broken in [first, "", "..", &format!("{good}.x"), &format!("{first}.AAAA")] {
        assert!(Proof::read(broken).is_err(), "{broken}");
    }
}
