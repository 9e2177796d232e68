//! DNS messages of a TXT lookup: encodes the question and reads the answer.
//!
//! RFC 1035; RFC 5452 for the checks that detect a forged answer.

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use crate::error::{Phase, TransportError};

/// A question for the TXT records of one name.
#[derive(Clone, Debug)]
pub struct Question {
    id: u16,
    query: Query,
}

/// The content of a message that arrived after a [`Question`] was sent.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a driver must decide on each of them")]
pub enum Answer {
    /// The message does not answer the question; it is unrelated or forged. The driver ignores it
    /// and waits for the next message.
    Foreign,
    /// The answer does not fit into a datagram. The driver sends the question again over TCP.
    Truncated,
    /// All TXT records of the name; empty if the name has none or does not exist.
    Records(Vec<String>),
    /// The nameserver failed, refused to answer, or sent a malformed message.
    Failed(TransportError),
}

impl Question {
    /// A question for the absolute name `name`. The message id `id` must be unpredictable, because
    /// it protects against forged answers.
    ///
    /// # Errors
    ///
    /// [`Phase::NotSent`] if DNS cannot hold `name`.
    pub fn new(name: &str, id: u16) -> Result<Self, TransportError> {
        Ok(Self::of(absolute(name)?, id))
    }

    pub(super) fn of(name: Name, id: u16) -> Self {
        Self { id, query: Query::query(name, RecordType::TXT) }
    }

    /// Encodes the message for the nameserver.
    ///
    /// # Errors
    ///
    /// [`Phase::NotSent`] if DNS cannot hold the name.
    pub fn encode(&self) -> Result<Vec<u8>, TransportError> {
        let mut message = Message::new(self.id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(self.query.clone());
        message.to_vec().map_err(|_| no_name(&self.query.name().to_ascii()))
    }

    /// Reads a message that arrived from the nameserver.
    pub fn read(&self, bytes: &[u8]) -> Answer {
        let Ok(message) = Message::from_vec(bytes) else {
            let is_mine = bytes.starts_with(&self.id.to_be_bytes());
            return if is_mine { malformed() } else { Answer::Foreign };
        };
        if !self.is_answered_by(&message) {
            return Answer::Foreign;
        }
        if message.metadata.truncation {
            return Answer::Truncated;
        }
        match message.metadata.response_code {
            ResponseCode::NoError => Answer::Records(records(self.query.name(), &message.answers)),
            ResponseCode::NXDomain => Answer::Records(Vec::new()),
            code => Answer::Failed(failure(code)),
        }
    }

    fn is_answered_by(&self, message: &Message) -> bool {
        let metadata = &message.metadata;
        metadata.id == self.id
            && metadata.message_type == MessageType::Response
            && metadata.op_code == OpCode::Query
            && message.queries == [self.query.clone()]
    }
}

/// Parses `name` as an absolute name, so that no resolver appends a search domain.
///
/// # Errors
///
/// [`Phase::NotSent`] if DNS cannot hold `name`.
pub(super) fn absolute(name: &str) -> Result<Name, TransportError> {
    let mut absolute = Name::from_ascii(name).map_err(|_| no_name(name))?;
    absolute.set_fqdn(true);
    Ok(absolute)
}

/// Returns the TXT records of `name`. If `name` is an alias (CNAME), returns the records of the
/// name at the end of the chain of aliases. The strings of one record are joined without a
/// separator.
fn records(name: &Name, answers: &[Record]) -> Vec<String> {
    let mut owner = name;
    // A chain of aliases has at most one step for each answer, so the loop ends even if the aliases
    // form a circle.
    for _ in answers {
        let alias = of_owner(answers, owner).find_map(|record| match &record.data {
            RData::CNAME(alias) => Some(&alias.0),
            _ => None,
        });
        let Some(alias) = alias else { break };
        owner = alias;
    }
    let texts = of_owner(answers, owner).filter_map(|record| match &record.data {
        RData::TXT(text) => Some(text.txt_data.concat()),
        _ => None,
    });
    texts.map(|text| String::from_utf8_lossy(&text).into_owned()).collect()
}

/// Returns the error for a response code other than `NoError` and `NXDomain`.
fn failure(code: ResponseCode) -> TransportError {
    let name = match code {
        ResponseCode::FormErr => "FORMERR, it does not understand the question",
        ResponseCode::ServFail => "SERVFAIL, it failed to look the name up",
        ResponseCode::NotImp => "NOTIMP, it does not answer such questions",
        ResponseCode::Refused => "REFUSED, it does not answer this client",
        _ => "an error",
    };
    let number = u16::from(code);
    let detail = format!("the nameserver answered {name} (response code {number})");
    TransportError::new(Phase::MaybeSent, detail)
}

fn of_owner<'a>(answers: &'a [Record], owner: &'a Name) -> impl Iterator<Item = &'a Record> {
    answers.iter().filter(move |record| record.dns_class == DNSClass::IN && record.name == *owner)
}

fn malformed() -> Answer {
    let detail = "the answer of the nameserver is not a well-formed DNS message";
    Answer::Failed(TransportError::new(Phase::MaybeSent, detail))
}

fn no_name(name: &str) -> TransportError {
    TransportError::new(Phase::NotSent, format!("DNS cannot hold the name {name:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_absolute() {
        // Rule A-30
        for name in ["_atproto.alice.example", "_atproto.alice.example."] {
            let name = absolute(name).unwrap();
            assert!(name.is_fqdn());
            assert_eq!(name.to_string(), "_atproto.alice.example.");
        }
        assert_eq!(absolute(&"a".repeat(64)).unwrap_err().phase, Phase::NotSent);
    }
}
