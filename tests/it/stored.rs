//! Stored logins and sessions can be read again, also those of later versions of the library.

use atproto_oauth_core::{Error, InputError, Pending, Session, xrpc};
use atproto_oauth_sandbox::Sandbox;
use atproto_oauth_tests::replayer::network::Network;
use serde_json::{Value, json};

/// Returns a pending login and a session as stored JSON.
fn written() -> [Value; 2] {
    let mut network = Network::with_secret_tokens();
    let client = network.client();
    let pending = network.pending(&client).to_json().unwrap();
    let session = network.session(&client).to_json().unwrap();
    [pending, session].map(|json| serde_json::from_str(json.expose()).unwrap())
}

/// Parses a pending login (`index` 0) or a session (1), and serializes it again.
fn again(index: usize, json: &str) -> Result<Value, InputError> {
    let written = match index {
        0 => Pending::from_json(json)?.to_json()?,
        _ => Session::from_json(json)?.to_json()?,
    };
    Ok(serde_json::from_str(written.expose()).unwrap())
}

#[test]
fn a_stored_value_can_be_read_again() {
    for (index, value) in written().iter().enumerate() {
        assert_eq!(again(index, &value.to_string()).unwrap(), *value);
    }
}

#[test]
fn members_of_a_later_version_are_kept() {
    for (index, mut value) in written().into_iter().enumerate() {
        value["later"] = json!({"nested": [1, "two", null]});
        assert_eq!(again(index, &value.to_string()).unwrap(), value);
    }
}

#[test]
fn a_store_may_add_a_byte_order_mark_and_zero_fractions() {
    // Rule P-14
    for (index, value) in written().into_iter().enumerate() {
        let mut changed = value.clone();
        for (_, member) in changed.as_object_mut().unwrap() {
            if let Some(number) = member.as_u64() {
                *member = serde_json::from_str(&format!("{number}.0")).unwrap();
            }
        }
        assert_ne!(changed, value);
        assert_eq!(again(index, &format!("\u{feff}{changed}")).unwrap(), value);
        for version in ["1.5", "-1.0", "-1", "1e300"] {
            changed["version"] = serde_json::from_str(version).unwrap();
            assert!(again(index, &changed.to_string()).is_err(), "{version}");
        }
    }
}

#[test]
fn the_depth_of_a_stored_value_is_bounded() {
    // Rule J-24
    for (index, value) in written().into_iter().enumerate() {
        let nested = |depth: usize| {
            let later = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            value.to_string().replacen('{', &format!("{{\"later\":{later},"), 1)
        };
        assert!(again(index, &nested(63)).is_ok());
        for depth in [64, 100_000] {
            let error = again(index, &nested(depth)).unwrap_err().to_string();
            assert!(error.contains("nested more than 64 deep"), "{error}");
        }
    }
}

#[test]
fn a_later_version_is_not_read() {
    for (index, mut value) in written().into_iter().enumerate() {
        value["version"] = json!(2);
        // The version is checked first, so the other members may be missing.
        for json in [value.to_string(), r#"{"version":2}"#.to_owned()] {
            let error = again(index, &json).unwrap_err();
            assert!(
                matches!(error, InputError::UnsupportedVersion { version: 2, .. }),
                "{error:?}"
            );
        }
    }
}

#[test]
fn a_malformed_stored_value_is_an_error() {
    for index in [0, 1] {
        for text in ["", "null", "[]", "{}", "7", "{\"version\":1}", "{\"version\":\"1\"}", "\u{0}"]
        {
            let error = again(index, text).unwrap_err();
            assert!(matches!(error, InputError::Stored { .. }), "{text}: {error:?}");
        }
    }
}

#[test]
fn an_error_quotes_no_stored_value() {
    for (index, mut value) in written().into_iter().enumerate() {
        let key = value["dpop_key"].clone();
        for member in key.as_object().unwrap().keys() {
            value["dpop_key"][member] = json!("secret-0123456789");
            let error = again(index, &value.to_string()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret-"), "{member}: {error:?}");
            value["dpop_key"] = key.clone();
        }
        let members = value.as_object().unwrap().clone();
        let secret = "secret-0123456789";
        for name in members.keys() {
            for wrong in [json!(secret), json!([secret]), json!({ secret: secret }), json!(7)] {
                let mut broken = Value::Object(members.clone());
                broken[name] = wrong;
                if let Err(error) = again(index, &broken.to_string()) {
                    let shown = format!("{error} {error:?}");
                    assert!(!shown.contains(secret), "{name}: {shown}");
                }
            }
        }
    }
}

#[test]
fn a_private_key_that_does_not_match_its_public_key_never_signs() {
    let [_, mut value] = written();
    value["dpop_key"]["d"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE");
    let session = Session::from_json(&value.to_string()).unwrap();
    let query = xrpc::query("com.atproto.server.getSession", &[]).unwrap();
    let client = Network::with_secret_tokens().client();
    let mut sandbox = Sandbox::new(1);
    let refused = sandbox.run(client.request(&session, query).unwrap()).unwrap_err();
    assert!(matches!(refused, Error::Dpop(_)), "{refused:?}");
    assert!(sandbox.log().is_empty());
}
