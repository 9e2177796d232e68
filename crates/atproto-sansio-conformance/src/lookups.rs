//! Scenarios of TXT lookups, for an adapter whose nameserver can be set.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use atproto_sansio::{Phase, System, TransportError, drive};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::Record;

use crate::adapter::Adapter;
use crate::machines::{NoKeys, Txt};
use crate::nameserver::{Nameserver, Via, answer, cname, failing, txt};

/// The name is queried as an absolute name without a search list, and each lookup has its own query
/// id.
pub fn an_absolute_name_is_asked_once<A: Adapter>(asking: impl Fn(SocketAddr) -> A) {
    // Rule A-30
    let server = Nameserver::start(|_, _, q| vec![with(q, vec![txt(NAME, &["one"])])]);
    assert_eq!(look_up(&asking, &server).unwrap(), ["one"]);
    look_up_within(&asking, &server, Duration::MAX).unwrap();
    let [(Via::Udp, first), (Via::Udp, second)] = &server.questions()[..] else { panic!() };
    assert_eq!(first.queries[0].to_string(), "_atproto.alice.example. IN TXT");
    assert!(first.metadata.recursion_desired);
    assert_ne!(first.metadata.id, second.metadata.id);
}

/// The strings of one TXT record are joined, and each record stays a text of its own.
pub fn strings_of_a_record_are_joined_and_records_are_not<A: Adapter>(
    asking: impl Fn(SocketAddr) -> A,
) {
    // Rule A-31
    let server = Nameserver::start(|_, _, q| {
        let records =
            vec![txt(NAME, &["did=did:plc", ":one"]), txt(NAME, &["two"]), txt(NAME, &[""])];
        vec![with(q, records)]
    });
    let mut records = look_up(&asking, &server).unwrap();
    records.sort();
    assert_eq!(records, ["", "did=did:plc:one", "two"]);
}

/// CNAME records are followed in any order of the answer, and TXT records of other names are
/// ignored.
pub fn aliases_are_followed_and_strangers_ignored<A: Adapter>(asking: impl Fn(SocketAddr) -> A) {
    let server = Nameserver::start(|_, _, q| {
        vec![with(
            q,
            vec![
                txt("stranger.example.", &["no"]),
                txt("c.example.", &["yes"]),
                cname("b.example.", "C.example."),
                cname("_ATPROTO.alice.example.", "b.example."),
            ],
        )]
    });
    assert_eq!(look_up(&asking, &server).unwrap(), ["yes"]);
}

/// A circle of CNAME records ends in an empty reply, not in an endless loop.
pub fn a_circle_of_aliases_leads_nowhere<A: Adapter>(asking: impl Fn(SocketAddr) -> A) {
    let server = Nameserver::start(|_, _, q| {
        let records =
            vec![cname(NAME, "b.example."), cname("b.example.", NAME), txt("c.", &["no"])];
        vec![with(q, records)]
    });
    assert_eq!(look_up(&asking, &server).unwrap(), [""; 0]);
}

/// `NXDOMAIN`, and `NOERROR` without records, are empty replies and not errors.
pub fn no_name_and_no_record_are_empty_answers<A: Adapter>(asking: impl Fn(SocketAddr) -> A) {
    // Rule A-35
    for code in [ResponseCode::NXDomain, ResponseCode::NoError] {
        let server = Nameserver::start(move |_, _, q| vec![failing(q, code)]);
        assert_eq!(look_up(&asking, &server).unwrap(), [""; 0], "{code}");
    }
}

/// An error code such as `SERVFAIL` fails with `MaybeSent`, because it does not say that the record
/// is missing.
pub fn a_refusal_is_an_error<A: Adapter>(asking: impl Fn(SocketAddr) -> A) {
    for code in [ResponseCode::ServFail, ResponseCode::Refused, ResponseCode::FormErr] {
        let server = Nameserver::start(move |_, _, q| vec![failing(q, code)]);
        let error = look_up(&asking, &server).unwrap_err();
        assert_eq!(error.phase, Phase::MaybeSent, "{code}");
        let number = format!("(response code {})", u16::from(code));
        assert!(error.to_string().contains(&number), "{error}");
        assert_eq!(server.questions().len(), 1);
    }
}

/// If the answer does not fit into a datagram, the query is repeated over TCP.
pub fn a_truncated_answer_is_asked_for_over_tcp<A: Adapter>(asking: impl Fn(SocketAddr) -> A) {
    let server = Nameserver::start(|via, _, q| {
        let many = (0..20).map(|_| txt(NAME, &["x".repeat(100).as_str(); 2]));
        let mut message = with(q, many.collect());
        if via == Via::Udp {
            message = message.truncate();
            message.metadata.truncation = true;
        }
        vec![message]
    });
    let records = look_up(&asking, &server).unwrap();
    assert_eq!((records.len(), records[0].len()), (20, 200));
    let ways: Vec<_> = server.questions().iter().map(|(via, _)| *via).collect();
    assert_eq!(ways, [Via::Udp, Via::Tcp]);
}

/// Answers with another query id, another name, or no question are ignored, because they may be
/// forged.
pub fn answers_to_other_questions_are_ignored<A: Adapter>(asking: impl Fn(SocketAddr) -> A) {
    let server = Nameserver::start(|_, _, q| {
        let forged = with(q, vec![txt(NAME, &["forged"])]);
        let mut wrong_id = forged.clone();
        wrong_id.metadata.id ^= 1;
        let mut wrong_name = forged.clone();
        wrong_name.queries[0].set_name("other.example.".parse().unwrap());
        let mut no_question = forged;
        no_question.queries.clear();
        let right = with(q, vec![txt(NAME, &["right"])]);
        vec![wrong_id, wrong_name, no_question, right]
    });
    assert_eq!(look_up(&asking, &server).unwrap(), ["right"]);
}

/// If the answer is malformed, the lookup fails with `MaybeSent`.
pub fn a_malformed_answer_is_an_error<A: Adapter>(asking: impl Fn(SocketAddr) -> A) {
    // A TXT record has at least one string.
    let server = Nameserver::start(|_, _, q| vec![with(q, vec![txt(NAME, &[])])]);
    assert_eq!(look_up(&asking, &server).unwrap_err().phase, Phase::MaybeSent);
}

/// If no answer arrives, the query is sent again with the same id, because datagrams may be lost.
pub fn a_silent_server_is_asked_again<A: Adapter>(asking: impl Fn(SocketAddr) -> A) {
    let server = Nameserver::start(|_, count, q| match count {
        1 => vec![],
        _ => vec![with(q, vec![txt(NAME, &["late"])])],
    });
    let begin = Instant::now();
    assert_eq!(look_up(&asking, &server).unwrap(), ["late"]);
    assert!((200..5000).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
    let [(_, first), (_, second)] = &server.questions()[..] else { panic!() };
    assert_eq!(first.metadata.id, second.metadata.id);
}

/// If the nameserver never answers, the lookup times out.
pub fn silence_ends_with_the_time_of_the_call<A: Adapter>(asking: impl Fn(SocketAddr) -> A) {
    let server = Nameserver::start(|_, _, _| vec![]);
    let begin = Instant::now();
    let error = look_up_within(&asking, &server, Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.phase, Phase::TimedOut);
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}

/// If the nameserver accepts a TCP connection and never answers, the lookup times out.
pub fn silence_over_tcp_ends_with_the_time_of_the_call<A: Adapter>(
    asking: impl Fn(SocketAddr) -> A,
) {
    let server = Nameserver::start(|via, _, q| match via {
        Via::Udp => {
            let mut message = answer(q);
            message.metadata.truncation = true;
            vec![message]
        }
        Via::Tcp => vec![],
    });
    let begin = Instant::now();
    let error = look_up_within(&asking, &server, Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.phase, Phase::TimedOut, "{error}");
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}

/// If DNS cannot hold a name, the lookup fails with `NotSent` and no query is sent.
pub fn a_name_that_dns_can_not_hold_is_not_asked<A: Adapter>(asking: impl Fn(SocketAddr) -> A) {
    let server = Nameserver::start(|_, _, _| vec![]);
    for name in [
        "a..b",
        "label.of.more.than.sixty-three.octets.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "ünicode.example",
    ] {
        let error = look_up_name(&asking, &server, name, Duration::from_secs(1)).unwrap_err();
        assert_eq!(error.phase, Phase::NotSent, "{name}: {error}");
    }
    assert!(server.questions().is_empty());
}

type Found = Result<Vec<String>, TransportError>;

fn look_up<A: Adapter>(asking: &impl Fn(SocketAddr) -> A, server: &Nameserver) -> Found {
    look_up_within(asking, server, Duration::from_secs(5))
}

fn look_up_within<A: Adapter>(
    asking: &impl Fn(SocketAddr) -> A,
    server: &Nameserver,
    time: Duration,
) -> Found {
    look_up_name(asking, server, NAME, time)
}

/// Looks up `name` with an adapter that queries `server`.
fn look_up_name<A: Adapter>(
    asking: &impl Fn(SocketAddr) -> A,
    server: &Nameserver,
    name: &'static str,
    time: Duration,
) -> Found {
    let adapter = asking(server.address);
    drive(&System::new(NoKeys), Txt::new(name, time), |call| adapter.perform(call))
}

/// An answer to `question` with `records`.
fn with(question: &Message, records: Vec<Record>) -> Message {
    let mut message = answer(question);
    message.add_answers(records);
    message
}

const NAME: &str = "_atproto.alice.example";
