//! TXT lookups: the scenarios of the conformance suite, and a test of this driver alone.

use std::time::{Duration, Instant};

use atproto_sansio_conformance::Txt;
use atproto_sansio_conformance::nameserver::{Nameserver, answer, txt};
use hickory_proto::op::MessageType;

use crate::adapter::{Tested, builder};

atproto_sansio_conformance::lookup_tests!(|server| Tested(builder().nameserver(server).build()));

const NAME: &str = "_atproto.alice.example";

#[test]
fn a_query_sent_back_is_ignored_and_asked_again_after_a_second() {
    let server = Nameserver::start(|_, count, question| {
        let mut message = answer(question);
        message.add_answers([txt(NAME, &["text"])]);
        if count == 1 {
            message.metadata.message_type = MessageType::Query;
        }
        vec![message]
    });
    let begin = Instant::now();
    let driver = builder().nameserver(server.address).build();
    assert_eq!(driver.run(Txt::new(NAME, Duration::from_secs(5))).unwrap(), ["text"]);
    assert!((900..2000).contains(&begin.elapsed().as_millis()), "{:?}", begin.elapsed());
}
