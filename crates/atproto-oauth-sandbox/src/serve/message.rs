//! DNS messages: parses a question, looks its name up in the sandbox, and builds the response
//! (RFC 1035 section 4).

use std::net::Ipv4Addr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::accounts::handles::Dns;
use crate::serve::clock::Shared;

/// Returns the response to a DNS message. `None`: no response is sent, because the message is
/// malformed or not a query, or because the sandbox's nameserver is silent.
pub(super) fn answer(bytes: &[u8], shared: &Shared) -> Option<Message> {
    let message = Message::from_vec(bytes).ok()?;
    let metadata = &message.metadata;
    if metadata.message_type != MessageType::Query {
        return None;
    }
    let mut answer = Message::response(metadata.id, metadata.op_code);
    answer.metadata.recursion_desired = metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    if message.edns.is_some() {
        answer.set_edns(Edns::new()); // RFC 6891 section 6.1.1
    }
    answer.metadata.response_code = match (metadata.op_code, &message.queries[..]) {
        (OpCode::Query, [query]) => {
            answer.add_query(query.clone());
            let (code, records) = find(query.name(), query.query_type(), shared)?;
            answer.add_answers(records);
            code
        }
        (OpCode::Query, _) => ResponseCode::FormErr,
        _ => ResponseCode::NotImp,
    };
    Some(answer)
}

/// Returns the maximum size of the UDP response to `question`, in bytes.
pub(super) fn largest_datagram(question: &[u8]) -> usize {
    // Without an OPT record, `max_payload` is 512, too.
    Message::from_vec(question).map_or(512, |message| message.max_payload().into())
}

/// Returns the message without its records and with the TC bit, which makes the client ask again
/// over TCP (RFC 2181 section 9).
pub(super) fn truncated(message: &Message) -> Message {
    let mut truncated = message.clone();
    truncated.answers.clear();
    truncated.metadata.truncation = true;
    truncated
}

/// Returns the response code and the records for a name. Only TXT and A records exist.
fn find(name: &Name, kind: RecordType, shared: &Shared) -> Option<(ResponseCode, Vec<Record>)> {
    let text = name.to_ascii();
    let text = text.trim_end_matches('.');
    let record = |data| Record::from_rdata(name.clone(), TTL, data);
    Some(match kind {
        RecordType::TXT => match shared.look_up(text) {
            Dns::Records(texts) => {
                let records = texts.iter().map(|text| record(RData::TXT(strings(text))));
                (ResponseCode::NoError, records.collect())
            }
            Dns::NoSuchName => (ResponseCode::NXDomain, Vec::new()),
            Dns::Fails => (ResponseCode::ServFail, Vec::new()),
            Dns::Silent => return None,
        },
        RecordType::A if text.eq_ignore_ascii_case("localhost") || shared.is_handle(text) => {
            (ResponseCode::NoError, vec![record(RData::A(A(Ipv4Addr::LOCALHOST)))])
        }
        _ => (ResponseCode::NoError, Vec::new()),
    })
}

/// Splits the text of a TXT record into strings of at most 255 bytes each, and at least one string.
fn strings(text: &str) -> TXT {
    let strings: Vec<&[u8]> = text.as_bytes().chunks(255).collect();
    TXT::from_bytes(if strings.is_empty() { vec![b""] } else { strings })
}

/// Time to live of a record, in seconds. It is 0, because a test may change a record at any time.
const TTL: u32 = 0;
