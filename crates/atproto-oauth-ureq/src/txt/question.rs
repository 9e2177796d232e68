//! One question, and what a message means as an answer to it.

use atproto_sansio::{Entropy, Phase, SystemEntropy, TransportError};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

pub(super) struct Question {
    id: u16,
    query: Query,
}

pub(super) enum Meaning {
    /// Not an answer to this question: noise, or a forgery.
    Foreign,
    /// To be asked for over TCP.
    Truncated,
    /// All there is, perhaps nothing.
    Records(Vec<String>),
    /// The server can't or won't say.
    Failed(TransportError),
}

impl Question {
    pub(super) fn new(name: &str) -> Result<Self, TransportError> {
        let mut name = Name::from_ascii(name)
            .map_err(|_| TransportError::new(Phase::NotSent, "not a name that DNS can hold"))?;
        // No search domain is tried.
        name.set_fqdn(true);
        let mut id = [0; 2];
        SystemEntropy.fill(&mut id);
        Ok(Self { id: u16::from_be_bytes(id), query: Query::query(name, RecordType::TXT) })
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, TransportError> {
        let mut message = Message::new(self.id, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(self.query.clone());
        message
            .to_vec()
            .map_err(|_| TransportError::new(Phase::NotSent, "not a name that DNS can hold"))
    }

    pub(super) fn meaning(&self, bytes: &[u8]) -> Meaning {
        let Ok(message) = Message::from_vec(bytes) else {
            return match bytes.starts_with(&self.id.to_be_bytes()) {
                true => failed("the answer of the nameserver is not well-formed"),
                false => Meaning::Foreign,
            };
        };
        if !self.is_answered_by(&message) {
            return Meaning::Foreign;
        }
        if message.metadata.truncation {
            return Meaning::Truncated;
        }
        match message.metadata.response_code {
            ResponseCode::NoError => Meaning::Records(self.records(&message.answers)),
            ResponseCode::NXDomain => Meaning::Records(Vec::new()),
            code => failed(format!("the nameserver answered with an error: {code}")),
        }
    }

    fn is_answered_by(&self, message: &Message) -> bool {
        let metadata = &message.metadata;
        metadata.id == self.id
            && metadata.message_type == MessageType::Response
            && metadata.op_code == OpCode::Query
            && message.queries == [self.query.clone()]
    }

    /// The records of the name, or of the name that it is an alias of.
    fn records(&self, answers: &[Record]) -> Vec<String> {
        let mut owner = self.query.name();
        // Each step of a chain is one of the answers, so a circle ends too.
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
}

fn of_owner<'a>(answers: &'a [Record], owner: &'a Name) -> impl Iterator<Item = &'a Record> {
    answers.iter().filter(move |record| record.dns_class == DNSClass::IN && record.name == *owner)
}

fn failed(reason: impl Into<String>) -> Meaning {
    Meaning::Failed(TransportError::new(Phase::MaybeSent, reason))
}
