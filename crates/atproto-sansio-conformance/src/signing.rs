//! Scenarios of a driver with a remote signer.
//!
//! [`signing_tests!`](crate::signing_tests) makes a test of each scenario. Its argument is a
//! function that takes the time that the signer takes, and returns a driver with that signer.

use std::task::Poll;
use std::time::{Duration, Instant};

use atproto_sansio::{Budget, Cx, Machine, Phase, Ticket, TransportError};

use crate::shared::Driving;

/// A machine that asks for one signature, and ends in it.
struct Signature {
    ticket: Option<Ticket<[u8; 64]>>,
    time: Duration,
}

impl Machine for Signature {
    type Output = [u8; 64];
    type Error = TransportError;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<[u8; 64], TransportError>> {
        let ask = || cx.sign("key".to_owned(), b"message".to_vec());
        let ticket = &*self.ticket.get_or_insert_with(ask);
        cx.take(ticket)
    }

    fn budget(&self) -> Budget {
        Budget::new(0, self.time)
    }
}

/// A signature that arrives in time reaches the machine.
pub fn a_signature_in_time_is_handed_over<D: Driving>(driver: impl Fn(Duration) -> D) {
    let machine = Signature { ticket: None, time: Duration::from_secs(10) };
    assert_eq!(driver(Duration::from_millis(50)).run(machine).unwrap(), [7; 64]);
}

/// A signer that hangs does not outlive the time of the procedure.
pub fn a_signer_that_hangs_ends_with_the_time_of_the_procedure<D: Driving>(
    driver: impl Fn(Duration) -> D,
) {
    let begun = Instant::now();
    let machine = Signature { ticket: None, time: Duration::from_millis(300) };
    let error = driver(Duration::from_secs(20)).run(machine).unwrap_err();
    assert_eq!(error.phase, Phase::TimedOut);
    assert!(begun.elapsed() < Duration::from_secs(5));
}
