//! Compact serialization of a JWS (`header.payload.signature`) with `ES256`, in one buffer.
//!
//! RFC 7515 section 3.1.

use atproto_sansio::{KeyError, Signer};
use data_encoding::BASE64URL_NOPAD;

/// Protected header of a JWS, encoded once. All JWS with the same header share the encoding.
#[derive(Clone, Debug)]
pub struct JwsHeader {
    encoded: String,
}

/// A JWS without its signature: `header.payload`. A local key signs it with [`sign`](Self::sign);
/// the signature of a remote signer is added with [`finish`](Self::finish).
#[derive(Debug)]
#[must_use]
pub struct Unsigned {
    /// `header.payload`, with capacity for `.signature`.
    buffer: Vec<u8>,
}

const SIGNATURE_LEN: usize = 86; // 64 bytes in base64url

impl JwsHeader {
    /// Encodes `json` in base64url. The syntax of `json` is not checked.
    pub fn new(json: &str) -> Self {
        Self { encoded: BASE64URL_NOPAD.encode(json.as_bytes()) }
    }

    /// Encodes `header.payload`. The payload is the concatenation of `pieces`.
    pub fn with_payload(&self, pieces: &[&str]) -> Unsigned {
        let header = self.encoded.as_bytes();
        let payload_len = pieces.iter().map(|piece| piece.len()).sum::<usize>();
        let message_len = header.len() + 1 + BASE64URL_NOPAD.encode_len(payload_len);
        let mut buffer = Vec::with_capacity(message_len + 1 + SIGNATURE_LEN);
        buffer.extend_from_slice(header);
        buffer.push(b'.');
        append_all(&mut buffer, pieces);
        Unsigned { buffer }
    }
}

impl Unsigned {
    /// Restores an unsigned JWS from the bytes of its [`message`](Self::message), so that the
    /// signature of a remote signer can be added later.
    pub fn of_message(message: &[u8]) -> Self {
        let mut buffer = Vec::with_capacity(message.len() + 1 + SIGNATURE_LEN);
        buffer.extend_from_slice(message);
        Self { buffer }
    }

    /// Bytes that the signature covers: `header.payload`, both parts in base64url.
    pub fn message(&self) -> &[u8] {
        &self.buffer
    }

    /// Signs with `signer` and returns the bytes of `header.payload.signature`.
    ///
    /// # Errors
    ///
    /// Fails if `signer` can't sign.
    pub fn sign(self, signer: &dyn Signer) -> Result<Vec<u8>, KeyError> {
        let signature = signer.sign(self.message())?;
        Ok(self.finish(&signature))
    }

    /// Adds `signature` (`r` and `s`, 32 bytes each) and returns the bytes of
    /// `header.payload.signature`. The signature is not verified; see [`verify`](crate::verify).
    pub fn finish(self, signature: &[u8; 64]) -> Vec<u8> {
        let Self { mut buffer } = self;
        buffer.push(b'.');
        append(&mut buffer, signature);
        buffer
    }
}

/// Appends the concatenation of `pieces` in base64url.
fn append_all(buffer: &mut Vec<u8>, pieces: &[&str]) {
    // Three bytes become four characters, so the chunks can be encoded one by one.
    let mut chunk = [0; 192];
    let mut filled = 0;
    for piece in pieces {
        let mut rest = piece.as_bytes();
        while !rest.is_empty() {
            let (_, free) = chunk.split_at_mut(filled);
            let (now, later) = rest.split_at(rest.len().min(free.len()));
            let (place, _) = free.split_at_mut(now.len());
            place.copy_from_slice(now);
            filled += now.len();
            rest = later;
            if filled == chunk.len() {
                append(buffer, &chunk);
                filled = 0;
            }
        }
    }
    let (last, _) = chunk.split_at(filled);
    append(buffer, last);
}

/// Appends `bytes` in base64url. They are public, so the table of the encoder tells nothing.
fn append(buffer: &mut Vec<u8>, bytes: &[u8]) {
    let start = buffer.len();
    buffer.resize(start + BASE64URL_NOPAD.encode_len(bytes.len()), 0);
    let (_, encoded) = buffer.split_at_mut(start);
    BASE64URL_NOPAD.encode_mut(bytes, encoded);
}

#[cfg(test)]
mod tests {
    use atproto_sansio::{Keys, SecretKey};

    use super::*;
    use crate::curve::es256::{P256Keys, verify};
    use crate::jwk::decode_32;

    #[test]
    fn the_jws_of_rfc_7515_appendix_a_3_verifies_and_so_does_ours() {
        let d = decode_32("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI").unwrap();
        let signer = P256Keys.import(&SecretKey::new(d), None).unwrap();
        let payload =
            "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
        let message = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
            Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA\
            pmWQxfKTUJqPP3-Kg6NU1Q";
        let unsigned = JwsHeader::new(r#"{"alg":"ES256"}"#).with_payload(&[payload]);
        assert_eq!(unsigned.message(), message.as_bytes());
        let theirs = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
        assert!(verify(signer.public(), message.as_bytes(), theirs.as_slice().try_into().unwrap()));

        let ours = String::from_utf8(unsigned.sign(&*signer).unwrap()).unwrap();
        let (head, signature) = ours.rsplit_once('.').unwrap();
        assert_eq!(head, message);
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
        assert!(verify(signer.public(), head.as_bytes(), signature.as_slice().try_into().unwrap()));
    }

    #[test]
    fn pieces_are_encoded_like_their_concatenation() {
        let header = JwsHeader::new("{}");
        for text in ["", "a", "ab", "abc", "abcd", "abcdefghij"] {
            let whole = header.with_payload(&[text]);
            let expected = format!("e30.{}", BASE64URL_NOPAD.encode(text.as_bytes()));
            assert_eq!(whole.message(), expected.as_bytes());
            for cut in 0..=text.len() {
                let (a, b) = text.split_at(cut);
                assert_eq!(header.with_payload(&[a, b]).message(), whole.message());
            }
        }
    }
}
