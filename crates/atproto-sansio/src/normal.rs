//! URLs in normal form, which need no parser: the URL standard serializes them as they are.

use http::Uri;

/// Whether `uri` is a whole http or https URL that [`url::Url`] would not change.
///
/// A URL in normal form has a DNS name in lower case, no user name, no default port, a slash in front of its
/// query, no dot segments, and no character that the URL standard encodes. The result may be false for other
/// URLs in normal form.
pub fn is_normal(uri: &Uri) -> bool {
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
    let default_port = match scheme {
        "https" => "443",
        "http" => "80",
        _ => return false,
    };
    let host = authority.host();
    let rest = authority.as_str().strip_prefix(host);
    is_plain_name(host)
        && rest.is_some_and(|rest| rest.is_empty() || is_normal_port(rest, default_port))
        // `Uri::path` is a slash even if the text has none: `https://a.b?c`.
        && uri.path_and_query().is_some_and(|target| target.as_str().starts_with('/'))
        && is_normal_path(uri.path())
        && uri.query().is_none_or(|query| all_may_be_in(QUERY, query))
}

/// Whether `host` is a DNS name in the form in which the URL standard writes it: ASCII in lower case, and no
/// IP address. It may be false for a name with an encoded label (`xn--`).
pub(crate) fn is_plain_name(host: &str) -> bool {
    // The first byte of the last label so far; a full stop if the label is empty.
    let mut first = b'.';
    let mut has_empty_label = false;
    for byte in host.bytes() {
        if byte == b'.' {
            has_empty_label |= first == b'.';
            first = b'.';
        } else if first == b'.' {
            first = byte;
        }
    }
    all_may_be_in(NAME, host)
        && !has_empty_label
        && first.is_ascii_lowercase()
        && !(host.contains('-') && host.split('.').any(|label| label.starts_with("xn--")))
}

fn is_normal_port(rest: &str, default_port: &str) -> bool {
    let is_number = |port: &str| port.parse::<u16>().is_ok();
    rest.strip_prefix(':').is_some_and(|port| {
        port != default_port
            && port.starts_with(|first: char| first.is_ascii_digit())
            && (port == "0" || !port.starts_with('0'))
            && is_number(port)
    })
}

fn is_normal_path(path: &str) -> bool {
    let (mut before, mut has_dot_segment) = (0, false);
    for byte in path.bytes() {
        // `/.` may begin a dot segment.
        has_dot_segment |= (before, byte) == (b'/', b'.');
        before = byte;
    }
    path.starts_with('/') && !has_dot_segment && all_may_be_in(PATH, path) && !has_encoded_dot(path)
}

/// Whether `path` contains `%2e`, which may be a dot of a dot segment.
fn has_encoded_dot(path: &str) -> bool {
    let mut encoded = path.split('%').skip(1);
    encoded.any(|rest| rest.get(..2).is_some_and(|digits| digits.eq_ignore_ascii_case("2e")))
}

/// Whether each byte of `text` may be in this part of a URL in normal form. A table takes one step for each byte.
fn all_may_be_in(part: u8, text: &str) -> bool {
    #[expect(clippy::indexing_slicing, reason = "each byte has a place in the table")]
    let common = text.bytes().fold(part, |parts, byte| parts & PARTS[usize::from(byte)]);
    common == part
}

// The parts of a URL, as bits.
const NAME: u8 = 1;
const PATH: u8 = 2;
const QUERY: u8 = 4;

/// The parts that each byte may be in.
#[expect(clippy::indexing_slicing, reason = "each byte has a place in the table")]
static PARTS: [u8; 256] = {
    let mut parts = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        parts[byte] = parts_of(byte as u8);
        byte += 1;
    }
    parts
};

const fn parts_of(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'-' | b'.' => NAME | PATH | QUERY,
        b'A'..=b'Z' | b'_' | b'~' | b'!' | b'$' | b'&' | b'(' | b')' | b'*' | b'+' | b',' => {
            PATH | QUERY
        }
        b';' | b'=' | b':' | b'@' | b'/' | b'%' => PATH | QUERY,
        b'\'' => PATH,
        b'?' => QUERY,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    #[test]
    fn the_urls_of_a_pds_are_in_normal_form() {
        for text in [
            "https://pds.example.com/",
            "https://pds.example.com",
            "https://pds.example.com:8443/xrpc/a.b.c?d=e&f=did:plc:x%2Fy",
            "http://localhost:2583/xrpc/a.b.c?",
            "https://a.b/c//d:e@f/(g)'h",
        ] {
            assert!(is_normal(&text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn other_urls_are_left_to_a_parser() {
        for text in [
            "/xrpc/a.b.c",
            "https://PDS.example.com/",
            "https://user@pds.example.com/",
            "https://pds.example.com:443/",
            "http://pds.example.com:80/",
            "https://pds.example.com:0443/",
            "https://pds.example.com:/",
            "https://pds.example.com./",
            "https://pds..com/",
            "https://127.0.0.1/",
            "https://1/",
            "https://a.0x7f/",
            "https://[::1]/",
            "https://xn--nxasmq6b.com/",
            "https://a.b/c/../d",
            "https://a.b/c/./d",
            "https://a.b/c/%2E%2e/d",
            "https://a.b/.well-known/x",
            "https://a.b/c?d='e'",
            "https://a.b?c",
            "https://a.b/{c}",
            "ftp://a.b/c",
        ] {
            assert!(!text.parse::<Uri>().is_ok_and(|uri| is_normal(&uri)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_parser_does_not_change_a_url_in_normal_form(
            scheme in "https?",
            host in "[a-z0-9A-Z.-]{1,12}",
            port in "(:[0-9]{0,5})?",
            path in "(/[ -~]{0,12}){0,3}",
            query in "(\\?[ -~]{0,12})?",
        ) {
            let text = format!("{scheme}://{host}{port}{path}{query}");
            if let Ok(uri) = text.parse::<Uri>() && is_normal(&uri) {
                let parts = (uri.scheme_str(), uri.authority(), uri.path_and_query());
                let (Some(scheme), Some(authority), Some(target)) = parts else { unreachable!() };
                let text = format!("{scheme}://{authority}{}", target.as_str());
                let url = Url::parse(&text).unwrap();
                prop_assert_eq!(url.as_str(), &text);
                prop_assert_eq!(url.host_str(), uri.host());
            }
        }
    }
}
