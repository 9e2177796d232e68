//! DNS messages: what a question asks for, and how what is known becomes an answer to it
//! (RFC 1035 section 4).

use std::net::Ipv4Addr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::accounts::handles::Dns;
use crate::serve::clock::Shared;

/// The answer to a message; `None` if nothing comes back.
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

/// How large a datagram may be that answers these bytes.
pub(super) fn largest_datagram(question: &[u8]) -> usize {
    // 512 without an OPT record.
    Message::from_vec(question).map_or(512, |message| message.max_payload().into())
}

/// The message without records, which says that there are some (RFC 2181 section 9).
pub(super) fn truncated(message: &Message) -> Message {
    let mut truncated = message.clone();
    truncated.answers.clear();
    truncated.metadata.truncation = true;
    truncated
}

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

/// A string of a record has 255 bytes at most, and a record has one at least.
fn strings(text: &str) -> TXT {
    let strings: Vec<&[u8]> = text.as_bytes().chunks(255).collect();
    TXT::from_bytes(if strings.is_empty() { vec![b""] } else { strings })
}

/// What is answered may be changed at any moment.
const TTL: u32 = 0;
