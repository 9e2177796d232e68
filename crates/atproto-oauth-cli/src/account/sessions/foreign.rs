//! Decrypts the members that `atproto-php` encrypts: each is base64 of a nonce and a NaCl secretbox, whose key
//! is the unkeyed BLAKE2b-256 hash of a passphrase. Its files have a member `encrypted`; rows of its database
//! have none. A file that was written before the passphrase was set is plain.

use atproto_sansio::SecretString;
use base64ct::{Base64, Encoding};
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use crypto_secretbox::aead::Aead;
use crypto_secretbox::{KeyInit, XSalsa20Poly1305};
use serde_json::Value;

use crate::failure::{CONFIGURATION, Failure};

/// Members that are encrypted.
const SECRETS: [&str; 3] = ["access_token", "refresh_token", KEY];

const KEY: &str = "dpop_private_key_pem";

/// The text with its encrypted sessions decrypted. Without a passphrase it stays as it is.
pub(super) fn decrypted(
    text: &SecretString,
    passphrase: Option<&SecretString>,
) -> Result<SecretString, Failure> {
    let Some(passphrase) = passphrase else { return Ok(text.clone()) };
    let mut json: Value = serde_json::from_str(text.expose())
        .map_err(|_| unreadable("the encrypted sessions are not JSON".to_owned()))?;
    let key = Blake2b::<U32>::digest(passphrase.expose());
    let cipher = XSalsa20Poly1305::new_from_slice(&key)
        .map_err(|_| unreadable("the passphrase makes no key".to_owned()))?;
    open_all(&mut json, &cipher)?;
    Ok(SecretString::new(json.to_string()))
}

fn open_all(json: &mut Value, cipher: &XSalsa20Poly1305) -> Result<(), Failure> {
    match json {
        Value::Array(values) => values.iter_mut().try_for_each(|value| open_all(value, cipher)),
        Value::Object(object) if object.contains_key(KEY) => {
            let key = object.get(KEY).and_then(Value::as_str);
            if key.is_some_and(|key| key.starts_with("-----BEGIN")) {
                return Ok(());
            }
            for name in SECRETS {
                let Some(Value::String(text)) = object.get_mut(name) else { continue };
                if text.is_empty() {
                    continue;
                }
                *text = open(text, cipher).ok_or_else(|| {
                    unreadable(format!(
                        "`{name}` can't be decrypted: the passphrase is another one"
                    ))
                })?;
            }
            object.remove("encrypted");
            Ok(())
        }
        Value::Object(object) => object.values_mut().try_for_each(|value| open_all(value, cipher)),
        _ => Ok(()),
    }
}

fn unreadable(why: String) -> Failure {
    let help = "name the file of the passphrase of atproto-php's sessions with --passphrase";
    Failure::new(CONFIGURATION, why, help)
}

fn open(text: &str, cipher: &XSalsa20Poly1305) -> Option<String> {
    let bytes = Base64::decode_vec(text).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(24)?;
    let opened = cipher.decrypt(nonce.into(), sealed).ok()?;
    String::from_utf8(opened).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Made with libsodium: the secretbox of `ref-1` with the passphrase `correct horse` and a nonce of zeros.
    const SEALED: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAczi+jcpPv4kztDzYmVQQ6H/Ja6Mc";

    #[test]
    fn a_session_that_libsodium_has_encrypted_is_decrypted() {
        let sealed = json!({
            "did": "x", "dpop_private_key_pem": SEALED, "refresh_token": SEALED, "access_token": "",
            "encrypted": true,
        });
        let plain = json!({
            "did": "y", "dpop_private_key_pem": "-----BEGIN PRIVATE KEY-----", "refresh_token": "ref-2",
            "access_token": "acc-2",
        });
        let text = SecretString::new(json!([sealed, plain]).to_string());
        let passphrase = SecretString::new("correct horse");
        let opened = decrypted(&text, Some(&passphrase)).unwrap();
        let opened: Value = serde_json::from_str(opened.expose()).unwrap();
        let expected = json!({
            "did": "x", "dpop_private_key_pem": "ref-1", "refresh_token": "ref-1", "access_token": "",
        });
        assert_eq!(opened, json!([expected, plain]));
        let other = decrypted(&text, Some(&SecretString::new("another")));
        assert!(other.unwrap_err().to_string().contains("the passphrase is another one"));
    }
}
