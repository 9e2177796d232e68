//! Tells the program what has happened to a session, one event after another.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::Poll;

use atproto_sansio::{Cx, Machine, Notice, Step, Steps, Ticket};

use crate::sessions::event::{SessionChange, SessionEvent};
use crate::sessions::key::SessionKey;

/// Machine that ends when the program has all events, or when the driver can't deliver them.
#[derive(Debug)]
pub(crate) struct Tell {
    key: SessionKey,
    steps: Steps<(VecDeque<SessionChange>, Option<Ticket<()>>)>,
}

impl Tell {
    pub(crate) fn new(key: &SessionKey, changes: Vec<SessionChange>) -> Self {
        Self { key: key.clone(), steps: Steps::begin((changes.into(), None)) }
    }
}

impl Machine for Tell {
    type Output = ();
    type Error = Infallible;

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        let Self { key, steps } = self;
        steps.run(|(mut changes, told)| {
            if let Some(told) = told
                && cx.take(&told).is_pending()
            {
                return Ok(Step::Wait((changes, Some(told))));
            }
            let Some(change) = changes.pop_front() else { return Ok(Step::Done(())) };
            let told = cx.notify(Notice::new(SessionEvent::new(key, change)));
            Ok(Step::Next((changes, Some(told))))
        })
    }
}
