//! TXT look-ups.

use std::time::{Duration, Instant};

use atproto_sansio::{Phase, TransportError};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::Record;

use crate::adapter::{Txt, block_on, builder};
use crate::dns::{Nameserver, Via, answer, cname, failing, txt};

const NAME: &str = "_atproto.alice.example";

fn look_up(server: &Nameserver) -> Result<Vec<String>, TransportError> {
    look_up_within(server, Duration::from_secs(5))
}

fn look_up_within(server: &Nameserver, time: Duration) -> Result<Vec<String>, TransportError> {
    block_on(builder().nameserver(server.address).build().run(Txt::new(NAME, time)))
}

fn with(question: &Message, records: Vec<Record>) -> Message {
    let mut message = answer(question);
    message.add_answers(records);
    message
}

#[test]
fn an_absolute_name_is_asked_once() {
    // REQUIREMENTS A-30
    let server = Nameserver::start(|_, _, q| vec![with(q, vec![txt(NAME, &["one"])])]);
    assert_eq!(look_up(&server).unwrap(), ["one"]);
    look_up_within(&server, Duration::MAX).unwrap();
    let [(Via::Udp, first), (Via::Udp, second)] = &server.questions()[..] else { panic!() };
    assert_eq!(first.queries[0].to_string(), "_atproto.alice.example. IN TXT");
    assert!(first.metadata.recursion_desired);
    assert_ne!(first.metadata.id, second.metadata.id);
}

#[test]
fn strings_of_a_record_are_joined_and_records_are_not() {
    // REQUIREMENTS A-31
    let server = Nameserver::start(|_, _, q| {
        let records =
            vec![txt(NAME, &["did=did:plc", ":one"]), txt(NAME, &["two"]), txt(NAME, &[""])];
        vec![with(q, records)]
    });
    let mut records = look_up(&server).unwrap();
    records.sort();
    assert_eq!(records, ["", "did=did:plc:one", "two"]);
}

#[test]
fn aliases_are_followed_and_strangers_ignored() {
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
    assert_eq!(look_up(&server).unwrap(), ["yes"]);
}

#[test]
fn a_circle_of_aliases_leads_nowhere() {
    let server = Nameserver::start(|_, _, q| {
        let records =
            vec![cname(NAME, "b.example."), cname("b.example.", NAME), txt("c.", &["no"])];
        vec![with(q, records)]
    });
    assert_eq!(look_up(&server).unwrap(), [""; 0]);
}

#[test]
fn no_name_and_no_record_are_empty_answers() {
    // REQUIREMENTS A-35
    for code in [ResponseCode::NXDomain, ResponseCode::NoError] {
        let server = Nameserver::start(move |_, _, q| vec![failing(q, code)]);
        assert_eq!(look_up(&server).unwrap(), [""; 0], "{code}");
    }
}

#[test]
fn a_refusal_is_an_error() {
    for code in [ResponseCode::ServFail, ResponseCode::Refused, ResponseCode::FormErr] {
        let server = Nameserver::start(move |_, _, q| vec![failing(q, code)]);
        assert_eq!(look_up(&server).unwrap_err().phase, Phase::MaybeSent, "{code}");
        assert_eq!(server.questions().len(), 1);
    }
}

#[test]
fn a_truncated_answer_is_asked_for_over_tcp() {
    let server = Nameserver::start(|via, _, q| {
        let many = (0..20).map(|_| txt(NAME, &["x".repeat(100).as_str(); 2]));
        let mut message = with(q, many.collect());
        if via == Via::Udp {
            message = message.truncate();
            message.metadata.truncation = true;
        }
        vec![message]
    });
    let records = look_up(&server).unwrap();
    assert_eq!((records.len(), records[0].len()), (20, 200));
    let ways: Vec<_> = server.questions().iter().map(|(via, _)| *via).collect();
    assert_eq!(ways, [Via::Udp, Via::Tcp]);
}

#[test]
fn answers_to_other_questions_are_ignored() {
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
    assert_eq!(look_up(&server).unwrap(), ["right"]);
}

#[test]
fn a_malformed_answer_is_an_error() {
    // A TXT record has at least one string.
    let server = Nameserver::start(|_, _, q| vec![with(q, vec![txt(NAME, &[])])]);
    assert_eq!(look_up(&server).unwrap_err().phase, Phase::MaybeSent);
}

#[test]
fn a_silent_server_is_asked_again() {
    let server = Nameserver::start(|_, count, q| match count {
        1 => vec![],
        _ => vec![with(q, vec![txt(NAME, &["late"])])],
    });
    let begin = Instant::now();
    assert_eq!(look_up(&server).unwrap(), ["late"]);
    assert!((200..2000).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
    let [(_, first), (_, second)] = &server.questions()[..] else { panic!() };
    assert_eq!(first.metadata.id, second.metadata.id);
}

#[test]
fn silence_ends_with_the_time_of_the_call() {
    let server = Nameserver::start(|_, _, _| vec![]);
    let begin = Instant::now();
    let error = look_up_within(&server, Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.phase, Phase::TimedOut);
    assert!(begin.elapsed() < Duration::from_millis(800), "{:?}", begin.elapsed());
}

#[test]
fn silence_over_tcp_ends_with_the_time_of_the_call() {
    let server = Nameserver::start(|via, _, q| match via {
        Via::Udp => {
            let mut message = answer(q);
            message.metadata.truncation = true;
            vec![message]
        }
        Via::Tcp => vec![],
    });
    let begin = Instant::now();
    let error = look_up_within(&server, Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.phase, Phase::TimedOut, "{error}");
    assert!(begin.elapsed() < Duration::from_millis(800), "{:?}", begin.elapsed());
}

#[test]
fn a_name_that_dns_can_not_hold_is_not_asked() {
    let server = Nameserver::start(|_, _, _| vec![]);
    let driver = builder().nameserver(server.address).build();
    for name in [
        "a..b",
        "label.of.more.than.sixty-three.octets.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "ünicode.example",
    ] {
        let error = block_on(driver.run(Txt::new(name, Duration::from_secs(1)))).unwrap_err();
        assert_eq!(error.phase, Phase::NotSent, "{name}: {error}");
    }
    assert!(server.questions().is_empty());
}
