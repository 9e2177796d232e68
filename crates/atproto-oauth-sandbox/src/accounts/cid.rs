//! Content identifiers of records and blobs (CIDv1, SHA-256, base32).

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Returns the CID of a record, which is encoded as DAG-CBOR.
///
/// # Errors
///
/// Fails if the record has a number that is not an integer or too large (`TOO_LARGE`), or a
/// malformed `$link` or `$bytes`.
pub(crate) fn of_record(record: &Value) -> Result<String, &'static str> {
    let mut bytes = Vec::new();
    encode(record, &mut bytes)?;
    Ok(cid(0x71, &bytes))
}

/// Returns the CID of a blob (codec `raw`).
pub(crate) fn of_blob(bytes: &[u8]) -> String {
    cid(0x55, bytes)
}

/// Whether `text` is a CID of the form that this module produces: CIDv1, SHA-256, base32.
pub(crate) fn is_one(text: &str) -> bool {
    let binary = text
        .strip_prefix('b')
        .map(|text| BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()));
    matches!(binary.as_ref().map(Result::as_deref), Some(Ok([1, _, 0x12, 32, hash @ ..])) if hash.len() == 32)
}

fn cid(codec: u8, bytes: &[u8]) -> String {
    // The CID version, the codec, and the multihash: code 0x12 (SHA-256), length 32, digest.
    let mut binary = vec![1, codec, 0x12, 32];
    binary.extend_from_slice(&Sha256::digest(bytes));
    format!("b{}", BASE32_NOPAD.encode(&binary).to_ascii_lowercase())
}

/// Error for an integer above 2^53 - 1 or below -(2^53 - 1), which JavaScript can't represent
/// exactly.
pub(crate) const TOO_LARGE: &str =
    "an integer is outside the safe range of JavaScript, +-(2^53 - 1)";
/// The smallest positive integer that is too large.
const TOO_LARGE_FROM: u64 = 1 << 53;
/// The smallest negative integer that is allowed.
const SMALLEST: i64 = 1 - (1 << 53);

/// Encodes a JSON value as DAG-CBOR: the shortest heads, keys sorted by length and then by bytes,
/// links under tag 42.
fn encode(value: &Value, out: &mut Vec<u8>) -> Result<(), &'static str> {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(false) => out.push(0xf4),
        Value::Bool(true) => out.push(0xf5),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(TOO_LARGE_FROM..), _) | (None, Some(..SMALLEST)) => {
                return Err(TOO_LARGE);
            }
            (Some(number), _) => head(0, number, out),
            (None, Some(number)) => head(1, number.unsigned_abs() - 1, out),
            (None, None) => return Err("a number is not an integer"),
        },
        Value::String(text) => string(text, out),
        Value::Array(items) => {
            head(4, items.len() as u64, out);
            items.iter().try_for_each(|item| encode(item, out))?;
        }
        Value::Object(members) => {
            if let (Some(Value::String(link)), 1) = (members.get("$link"), members.len()) {
                return self::link(link, out);
            }
            if let (Some(Value::String(text)), 1) = (members.get("$bytes"), members.len()) {
                let text = text.trim_end_matches('=').as_bytes();
                let bytes = BASE64_NOPAD.decode(text).map_err(|_| "$bytes is not base64")?;
                head(2, bytes.len() as u64, out);
                out.extend_from_slice(&bytes);
                return Ok(());
            }
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| (name.len(), name.as_bytes()));
            head(5, members.len() as u64, out);
            for (name, value) in members {
                string(name, out);
                encode(value, out)?;
            }
        }
    }
    Ok(())
}

/// Encodes a link to a CID in base32.
fn link(text: &str, out: &mut Vec<u8>) -> Result<(), &'static str> {
    let text = text.strip_prefix('b').ok_or("$link is not a CID in base32")?;
    let binary = BASE32_NOPAD
        .decode(text.to_ascii_uppercase().as_bytes())
        .map_err(|_| "$link is not a CID in base32")?;
    head(6, 42, out);
    head(2, binary.len() as u64 + 1, out);
    out.push(0); // the multibase prefix of a binary CID
    out.extend_from_slice(&binary);
    Ok(())
}

fn string(text: &str, out: &mut Vec<u8>) {
    head(3, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// Writes the head of a CBOR item: the major type, and the argument in its shortest form (RFC 8949
/// section 3).
fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    let bytes = argument.to_be_bytes();
    let (short, width) = match argument {
        0..24 => return out.push(major | bytes[7]),
        24..0x100 => (24, 1),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    out.push(major | short);
    out.extend(bytes.iter().skip(8 - width));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_encoded_canonically() {
        let mut out = Vec::new();
        encode(&json!({"bb": [1, -1, 24, 256, null], "a": {"$bytes": "AQI="}}), &mut out).unwrap();
        let expected = b"\xa2\x61a\x42\x01\x02\x62bb\x85\x01\x20\x18\x18\x19\x01\x00\xf6";
        assert_eq!(out, expected);
        assert!(of_record(&json!(1.5)).is_err());
    }

    #[test]
    fn the_cid_of_an_empty_blob_is_the_known_one() {
        // The widely known CID of zero bytes with the codec `raw`.
        let empty = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
        assert_eq!(of_blob(b""), empty);
    }
}
