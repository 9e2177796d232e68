//! Reads a document as a JSON object, and its members with the types that they must have.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use atproto_sansio::{json_text, printable};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::client::lint::code::FindingCode;
use crate::client::lint::finding::Findings;
use crate::json::{self, Members};

/// Largest document that is read, in bytes. Authorization servers read no larger ones.
pub(super) const MAX_LEN: usize = 512 * 1024;

/// The members of a document, whose values are any JSON.
pub(super) struct Document(BTreeMap<String, Value>);

/// The codes for a document that can't be read.
pub(super) struct Unreadable {
    pub(super) too_large: FindingCode,
    pub(super) not_json: FindingCode,
    pub(super) not_object: FindingCode,
}

/// The codes for a metadata document.
pub(super) const METADATA: Unreadable = Unreadable {
    too_large: FindingCode::DocumentTooLarge,
    not_json: FindingCode::DocumentNotJson,
    not_object: FindingCode::DocumentNotObject,
};

impl Document {
    /// Reads a JSON object. `None` if it can't be read: then `findings` has the reason.
    pub(super) fn read(
        document: &[u8],
        codes: &Unreadable,
        findings: &mut Findings,
    ) -> Option<Self> {
        if document.len() > MAX_LEN {
            let len = document.len();
            findings.about_document(
                codes.too_large,
                format!("the document has {len} bytes, more than {MAX_LEN}: make it smaller"),
            );
            return None;
        }
        if let Some(why) = not_json(document) {
            let why = format!("the document is not JSON: {why}; serve a JSON object");
            findings.about_document(codes.not_json, why);
            return None;
        }
        if json::object::<IgnoredAny>(document).is_err() {
            let why = "the document is JSON, but not an object: begin it with { and end it with }";
            findings.about_document(codes.not_object, why);
            return None;
        }
        let mut members = BTreeMap::new();
        for (name, value) in Members::salvage(document).0.into_values() {
            match members.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                }
                Entry::Occupied(entry) => {
                    let member = printable(entry.key());
                    let why = "the document has this member twice, and servers differ in which of \
                               them they read: remove one";
                    findings.add(FindingCode::MemberDuplicate, &member, why);
                }
            }
        }
        Some(Self(members))
    }

    /// The document with these members alone.
    pub(super) fn of_members(members: BTreeMap<String, Value>) -> Self {
        Self(members)
    }

    /// Reads a JSON object whose problems have been found already; `None` if it can't be read.
    pub(super) fn readable(document: &[u8]) -> Option<Self> {
        Self::read(document, &METADATA, &mut Findings::default())
    }

    /// The value of a member; `None` if the document does not have it.
    pub(super) fn get(&self, member: &str) -> Option<&Value> {
        self.0.get(member)
    }

    pub(super) fn has(&self, member: &str) -> bool {
        self.0.contains_key(member)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The text of a member. `None` if the document does not have it, or has another type there,
    /// which is a finding.
    pub(super) fn text<'a>(&'a self, member: &str, findings: &mut Findings) -> Option<&'a str> {
        let value = self.get(member)?;
        if !value.is_string() {
            wrong_type(member, value, "a string", findings);
        }
        value.as_str()
    }

    /// The texts of a list, each with its place; a document without the member has an empty list.
    /// An element that is not a string is a finding. `None` if the member is not a list, which is a
    /// finding, too.
    pub(super) fn texts<'a>(
        &'a self,
        member: &str,
        findings: &mut Findings,
    ) -> Option<Vec<(String, &'a str)>> {
        let Some(list) = self.get(member) else { return Some(Vec::new()) };
        let Some(values) = list.as_array() else {
            wrong_type(member, list, "a list of strings", findings);
            return None;
        };
        let mut texts = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let place = format!("{member}[{index}]");
            match value.as_str() {
                Some(text) => texts.push((place, text)),
                None => wrong_type(&place, value, "a string", findings),
            }
        }
        Some(texts)
    }
}

/// Adds the finding of a `value` that is not `expected`.
pub(super) fn wrong_type(member: &str, value: &Value, expected: &str, findings: &mut Findings) {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let why = format!("the value is {found}: write {expected}");
    findings.add(FindingCode::MemberWrongType, member, why);
}

/// The reason for which a document is not JSON at all.
fn not_json(document: &[u8]) -> Option<String> {
    let text = match json_text(document) {
        Ok(text) => text,
        Err(why) => return Some(why),
    };
    let error = serde_json::from_str::<IgnoredAny>(text).err()?;
    Some(format!("it is malformed at line {}, column {}", error.line(), error.column()))
}
