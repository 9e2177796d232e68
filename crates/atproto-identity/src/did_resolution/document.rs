//! [`DidDocument`]: the parser of the members of a DID document that AT Protocol uses.
//!
//! Unknown members, and entries of other shapes, are ignored. A member that is read must not be
//! there twice, and neither must be the service entry of the PDS. Of several valid handles, the
//! first one counts.
//!
//! atproto DID, «DID Documents»; W3C DID Core, section 5.

use std::fmt;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use atproto_sansio::printable;

use crate::did_resolution::pds;
use crate::error::IdentityError;
use crate::json::{self, Members};
use crate::request::malformed;
use crate::syntax::did::Did;
use crate::syntax::handle::Handle;

/// A DID document whose `id` was checked against the requested DID.
#[derive(Clone, Eq, PartialEq)]
pub struct DidDocument {
    did: Did,
    handle: Option<Handle>,
    /// Service endpoint as the document gives it, not yet checked. If it is not a string, this is
    /// its JSON text, which is never a valid URL.
    pds: Option<String>,
    json: Bytes,
}

impl DidDocument {
    /// Parses `json` as the document of `did`.
    ///
    /// # Errors
    ///
    /// Fails with `Malformed` if `json` is not a JSON object, is nested more than 64 deep, or has a
    /// member that is read, or an `#atproto_pds` entry, twice. Fails with `DocumentIdMismatch` if
    /// `id` differs from `did` in any byte.
    pub fn parse(did: &Did, json: Bytes) -> Result<Self, IdentityError> {
        Self::read(did.as_str(), did, json)
    }

    /// Parses the reply of `from`, a host and path for error messages, as the document of `did`. The body is copied,
    /// because it may be a small part of the buffer of a connection, and a program may keep the document for long.
    pub(crate) fn from_reply(from: &str, did: &Did, body: &[u8]) -> Result<Self, IdentityError> {
        Self::read(from, did, Bytes::copy_from_slice(body))
    }

    fn read(from: &str, did: &Did, json: Bytes) -> Result<Self, IdentityError> {
        let wire: Wire<'_> = json::object(from, &json)?;
        if wire.id != did.as_str() {
            let found = printable(&wire.id);
            return Err(IdentityError::DocumentIdMismatch { did: did.clone(), found });
        }
        let handle = first_handle(wire.also_known_as);
        let pds = pds_endpoint(from, did, wire.service)?;
        Ok(Self { did: did.clone(), handle, pds, json })
    }

    /// The DID of the document.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// The handle that the document claims: the first valid handle in `alsoKnownAs`.
    ///
    /// The claim is not verified: the handle must be resolved, and lead back to this DID.
    pub fn handle(&self) -> Option<&Handle> {
        self.handle.as_ref()
    }

    /// The origin of the account's server: the endpoint of the `#atproto_pds` entry of type
    /// `AtprotoPersonalDataServer` in `service`.
    ///
    /// With `development`, plain http and local hosts are allowed.
    ///
    /// # Errors
    ///
    /// Fails with `NoPds` if there is no such entry. Fails with `InvalidPdsEndpoint` if its endpoint
    /// is not the origin of an https URL.
    pub fn pds(&self, development: bool) -> Result<Url, IdentityError> {
        let Some(endpoint) = &self.pds else {
            return Err(IdentityError::NoPds(self.did.clone()));
        };
        pds::origin(endpoint, development).map_err(|rule| IdentityError::InvalidPdsEndpoint {
            did: self.did.clone(),
            endpoint: printable(endpoint).into(),
            rule,
            forbidden_host: pds::is_forbidden(endpoint, development),
        })
    }

    /// The whole document, as the server sent it.
    pub fn json(&self) -> &Bytes {
        &self.json
    }
}

impl fmt::Debug for DidDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DidDocument")
            .field("did", &self.did)
            .field("handle", &self.handle)
            .field("pds", &self.pds)
            .finish_non_exhaustive()
    }
}

/// The members of a DID document. Serde refuses a member that is there twice, and skips unknown
/// ones.
#[derive(Deserialize)]
struct Wire<'a> {
    id: String,
    #[serde(borrow, rename = "alsoKnownAs")]
    also_known_as: Option<&'a RawValue>,
    #[serde(borrow)]
    service: Option<&'a RawValue>,
}

fn first_handle(also_known_as: Option<&RawValue>) -> Option<Handle> {
    let names = json::elements(also_known_as).into_iter().filter_map(json::string);
    names.into_iter().find_map(|name| name.strip_prefix("at://")?.parse().ok())
}

/// Returns the endpoint of the PDS entry. Entries with other ids are not looked at, so that an
/// unrelated entry of any shape does no harm.
fn pds_endpoint(
    from: &str,
    did: &Did,
    service: Option<&RawValue>,
) -> Result<Option<String>, IdentityError> {
    let is_pds_id = |id: &RawValue| {
        let id = json::string(id).unwrap_or_default();
        id.strip_prefix(did.as_str()).unwrap_or(&id) == PDS_ID
    };
    let entries = json::elements(service).into_iter().filter_map(Members::of);
    let mut entries = entries.filter(|entry| entry.all("id").any(is_pds_id));
    let Some(entry) = entries.next() else { return Ok(None) };
    // DID Core forbids two entries with one id. An account has one server: with two, each reader
    // might take another one.
    if entries.next().is_some() {
        return Err(malformed(from, format!("it has two service entries with the id {PDS_ID}")));
    }
    entry.one(from, "id")?;
    let kind = entry.one(from, "type")?.and_then(json::string);
    let endpoint = entry.one(from, "serviceEndpoint")?;
    if kind.as_deref() != Some(PDS_TYPE) {
        return Ok(None);
    }
    let text = |json: &RawValue| json::string(json).unwrap_or_else(|| json.get().to_owned());
    Ok(Some(endpoint.map(text).unwrap_or_default()))
}

const PDS_ID: &str = "#atproto_pds";
const PDS_TYPE: &str = "AtprotoPersonalDataServer";

/// Media types to ask for.
pub(crate) const ACCEPT: &str = "application/did+ld+json, application/json";

/// The largest document that is read, in bytes.
pub(crate) const MAX_LEN: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::IdentityErrorKind as Kind;

    const DID: &str = "did:plc:z72i7hdynmk6r22z27h6tvur";

    fn parse(json: &str) -> Result<DidDocument, IdentityError> {
        DidDocument::parse(&DID.parse().unwrap(), Bytes::copy_from_slice(json.as_bytes()))
    }

    /// Parses a document with `id` and the given members.
    fn with(members: &str) -> DidDocument {
        parse(&format!(r#"{{"id":"{DID}",{members}}}"#)).unwrap()
    }

    fn handle_of(names: &str) -> Option<String> {
        with(&format!(r#""alsoKnownAs":{names}"#)).handle().map(ToString::to_string)
    }

    fn pds_of(services: &str) -> Result<String, Kind> {
        let document = with(&format!(r#""service":{services}"#));
        document.pds(false).map(String::from).map_err(|error| error.kind())
    }

    #[test]
    fn a_document_belongs_to_its_did_byte_for_byte() {
        // Rules A-69, A-70
        assert!(parse(&format!(r#"{{"id":"{DID}"}}"#)).is_ok());
        for id in ["did:plc:other", "DID:PLC:z72i7hdynmk6r22z27h6tvur", "", &format!("{DID} ")] {
            let error = parse(&format!(r#"{{"id":"{id}"}}"#)).unwrap_err();
            assert_eq!(error.kind(), Kind::DocumentIdMismatch, "{id}");
        }
    }

    #[test]
    fn a_document_does_not_hold_the_buffer_of_its_reply() {
        let json = format!(r#"{{"id":"{DID}"}}"#);
        let buffer = Bytes::from([json.as_bytes(), &[0; 60_000]].concat());
        let body = buffer.slice(..json.len());
        let document = DidDocument::from_reply("plc.directory", &DID.parse().unwrap(), &body);
        drop(body);
        assert_eq!((document.unwrap().json().len(), buffer.is_unique()), (json.len(), true));
    }

    #[test]
    fn a_document_that_is_not_a_json_object_is_malformed() {
        // Rule J-24
        for json in [
            String::new(),
            "null".into(),
            "<html></html>".into(),
            format!(r#"["{DID}",[],[]]"#),
            format!(r#"{{"id":"{DID}"}} x"#),
            format!(r#"{{"id":"{DID}"}}{{}}"#),
            format!("\u{feff}\u{feff}{{\"id\":\"{DID}\"}}"),
            format!(r#"{{"id":"{DID}""#),
            r#"{"alsoKnownAs":[]}"#.into(),
            r#"{"id":7}"#.into(),
            format!(r#"{{"id":"{DID}","id":"{DID}"}}"#),
            format!(r#"{{"id":"{DID}","service":[],"service":[]}}"#),
            format!(r#"{{"id":"{DID}","alsoKnownAs":[],"alsoKnownAs":[]}}"#),
            format!(r##"{{"id":"{DID}","service":[{{"id":"#a","id":"#atproto_pds"}}]}}"##),
            format!(r##"{{"id":"{DID}","service":[{{"id":"#atproto_pds","type":1,"type":2}}]}}"##),
            format!(r#"{{"id":"{DID}","alsoKnownAs":{}{}}}"#, "[".repeat(200), "]".repeat(200)),
            format!(r#"{{"id":"{DID}","unread":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000)),
        ] {
            assert_eq!(parse(&json).unwrap_err().kind(), Kind::Malformed, "{json}");
        }
        let bytes =
            [br#"{"id":"did:plc:z72i7hdynmk6r22z27h6tvur","x":""#, &b"\xff\"}"[..]].concat();
        let error = DidDocument::parse(&DID.parse().unwrap(), bytes.into()).unwrap_err();
        assert_eq!(error.kind(), Kind::Malformed);
    }

    #[test]
    fn the_first_valid_handle_is_the_claimed_one() {
        // Rules A-75, A-76
        for (names, handle) in [
            (r#"["at://Alice.Example.COM"]"#, Some("alice.example.com")),
            (r#"["https://a.com","at://b.com","at://c.com"]"#, Some("b.com")),
            (r#"["at://not_valid.com","at://a.com/","at://b.com"]"#, Some("b.com")),
            (r#"["at://did:plc:x","at://a.com?x","at://a.com#x","AT://a.com"]"#, None),
            (r#"[7,null,["at://a.com"],{"at://a.com":1},"at://b.com"]"#, Some("b.com")),
            (r#"[1e999,"\ud800",{"x":1,"x":2},"at://b.com"]"#, Some("b.com")),
            (r#"["a.com"]"#, None),
            ("[]", None),
            ("null", None),
            (r#""at://a.com""#, None),
            (r#"{"0":"at://a.com"}"#, None),
        ] {
            assert_eq!(handle_of(names).as_deref(), handle, "{names}");
        }
    }

    #[test]
    fn one_service_entry_is_the_pds() {
        // Rules A-70, A-71, A-73, A-74
        let pds = |id: &str, endpoint: &str| {
            format!(r#"{{"id":"{id}","type":"{PDS_TYPE}","serviceEndpoint":{endpoint}}}"#)
        };
        let one = pds(PDS_ID, r#""https://one.com""#);
        let two = pds(PDS_ID, r#""https://two.com""#);
        let full = pds(&format!("{DID}{PDS_ID}"), r#""https://full.com""#);
        let list = pds(PDS_ID, r#"["https://list.com"]"#);
        let map = pds(PDS_ID, r#"{"uri":"https://map.com"}"#);
        let bad = pds(PDS_ID, r#""https://bad.com/path""#);
        let missing = format!(r#"{{"id":"{PDS_ID}","type":"{PDS_TYPE}"}}"#);
        let foreign = pds("did:web:other.com#atproto_pds", r#""https://foreign.com""#);
        let suffix = pds("x#atproto_pds", r#""https://suffix.com""#);
        let other = one.replace(PDS_TYPE, "AtprotoLabeler");
        let types = one.replace(&format!(r#""{PDS_TYPE}""#), &format!(r#"["{PDS_TYPE}"]"#));
        let repeated = r##"{"id":"#a","id":"#b","type":1,"type":2,"x":0,"x":0}"##;
        let strange = r##"{"id":{"#atproto_pds":1},"type":["\ud800"],"serviceEndpoint":1e999}"##;
        let tuple = format!(r#"["{PDS_ID}","{PDS_TYPE}","https://tuple.com"]"#);

        let good = |host: &str| Ok(format!("https://{host}.com/"));
        for (services, expected) in [
            (format!("[{one}]"), good("one")),
            (format!("[{full}]"), good("full")),
            (format!("[{foreign},{suffix},{two}]"), good("two")),
            (format!("[{two},{foreign},{suffix}]"), good("two")),
            (format!("[{other}]"), Err(Kind::NoPds)),
            (format!("[{types}]"), Err(Kind::NoPds)),
            (format!("[7,null,\"x\",{tuple},{{}},{one}]"), good("one")),
            (format!("[{repeated},{one}]"), good("one")),
            (format!("[{one},{repeated}]"), good("one")),
            (format!("[{strange},{one}]"), good("one")),
            (format!("[{list}]"), Err(Kind::InvalidPdsEndpoint)),
            (format!("[{map}]"), Err(Kind::InvalidPdsEndpoint)),
            (format!("[{bad}]"), Err(Kind::InvalidPdsEndpoint)),
            (format!("[{missing}]"), Err(Kind::InvalidPdsEndpoint)),
            (format!("[{foreign}]"), Err(Kind::NoPds)),
            ("[]".into(), Err(Kind::NoPds)),
            ("null".into(), Err(Kind::NoPds)),
            (one.clone(), Err(Kind::NoPds)),
        ] {
            assert_eq!(pds_of(&services), expected, "{services}");
        }
        for twice in [[&one, &two], [&one, &one], [&full, &one], [&one, &full], [&other, &one]] {
            let [first, second] = twice;
            let json = format!(r#"{{"id":"{DID}","service":[{first},{strange},{second}]}}"#);
            assert_eq!(parse(&json).unwrap_err().kind(), Kind::Malformed, "{json}");
        }
    }
}
