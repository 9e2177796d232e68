//! `templates`: the documents of a client.

use std::fs;

#[test]
fn the_templates_are_written_once() {
    // Rule L-04
    let folder = tempfile::tempdir().unwrap();
    let public = folder.path().join("public");
    let templates = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_atproto-oauth"));
        command.args(["templates", "--domain", "app.example.com", "--output"]).arg(&public);
        let output = command.args(arguments).env_clear().output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, told) = templates(&[]);
    assert_eq!(code, Some(0), "{told}");
    for name in ["client-metadata.json", "callback.html"] {
        assert!(told.contains(&format!("Wrote: {}\n", public.join(name).display())), "{told}");
    }
    let metadata = fs::read_to_string(public.join("client-metadata.json")).unwrap();
    assert_eq!(
        metadata,
        r#"{
  "application_type": "web",
  "client_id": "https://app.example.com/client-metadata.json",
  "client_uri": "https://app.example.com/",
  "dpop_bound_access_tokens": true,
  "grant_types": [
    "authorization_code",
    "refresh_token"
  ],
  "redirect_uris": [
    "https://app.example.com/callback.html"
  ],
  "response_types": [
    "code"
  ],
  "scope": "atproto transition:generic",
  "token_endpoint_auth_method": "none"
}
"#
    );
    // Neither file is written if one of them exists.
    fs::remove_file(public.join("client-metadata.json")).unwrap();
    fs::write(public.join("callback.html"), "mine").unwrap();
    let (code, told) = templates(&[]);
    assert!(code == Some(3) && told.contains("callback.html exists"), "{told}");
    assert!(!public.join("client-metadata.json").exists());
    assert_eq!(fs::read_to_string(public.join("callback.html")).unwrap(), "mine");
    assert_eq!(templates(&["--force"]).0, Some(0));
    assert_eq!(fs::read_to_string(public.join("client-metadata.json")).unwrap(), metadata);
}
