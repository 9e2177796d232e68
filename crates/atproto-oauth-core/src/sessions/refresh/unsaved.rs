//! Tokens that could not be saved: kept in memory, and saved as soon as the store works again.
//!
//! ```text
//! Begin ──▶ Save ── the store fails ──▶ Pause ──▶ Save
//!             ├── saved, or replaced ──▶ end
//!             └── logged out ──▶ Revoke ──▶ end
//! ```

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use atproto_sansio::{Budget, Cx, Machine, SecretString, Step, Steps, Ticket, Topic};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::client::config::Config;
use crate::session::revoke::Revoke;
use crate::sessions::event::SessionChange;
use crate::sessions::key::SessionKey;
use crate::sessions::policy::LEASE;
use crate::sessions::record::SessionRecord;
use crate::sessions::refresh::save_tokens::{SaveEnd, SaveTokens, Tokens};
use crate::sessions::tell::Tell;
use crate::stored;

/// Records whose tokens are not saved, by the key of the record.
const UNSAVED: Topic =
    Topic::new("tokens that could not be saved", 10_000, 64 * 1024 * 1024).secret();

/// Time for which the tokens are kept and the attempts go on.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

#[derive(Deserialize, Serialize)]
struct Kept {
    version: stored::Version<1>,
    record: SessionRecord,
    #[serde(default, with = "stored::optional_secret")]
    spent: Option<SecretString>,
    lease: Option<String>,
}

/// Keeps the tokens in the memory of the process.
pub(crate) fn keep(tokens: &Tokens, cx: &Cx<'_>) {
    let Tokens { key, record, spent, lease } = tokens.clone();
    let kept = Kept { version: stored::Version, record, spent, lease };
    if let Ok(json) = stored::to_json("session record", &kept) {
        cx.remember(UNSAVED, &key.record(), Bytes::from(json.expose().to_owned()), PATIENCE);
    }
}

/// The tokens that are kept for this session, if any.
pub(crate) fn recall(key: &SessionKey, cx: &Cx<'_>) -> Option<Tokens> {
    let kept = cx.recall(UNSAVED, &key.record())?;
    let json = std::str::from_utf8(&kept).ok()?;
    let Kept { record, spent, lease, .. } =
        stored::from_json::<_, 1>("session record", json).ok()?;
    Some(Tokens { key: key.clone(), record, spent, lease })
}

/// Drops the tokens, which are saved, replaced or revoked.
pub(crate) fn forget(key: &SessionKey, cx: &Cx<'_>) {
    cx.forget(UNSAVED, &key.record());
}

/// Machine that goes on saving in the background.
pub(crate) struct KeepSaving {
    config: Arc<Config>,
    tokens: Tokens,
    pauses: u32,
    steps: Steps<State>,
}

enum State {
    Begin,
    Save(Box<SaveTokens>),
    Pause(Ticket<()>),
    Revoke(Box<Revoke>),
    Tell(Tell),
}

impl KeepSaving {
    pub(crate) fn new(config: &Arc<Config>, tokens: Tokens) -> Self {
        let config = Arc::clone(config);
        Self { config, tokens, pauses: 0, steps: Steps::begin(State::Begin) }
    }
}

impl Machine for KeepSaving {
    type Output = ();
    type Error = Infallible;

    fn budget(&self) -> Budget {
        Budget { http: 10, time: PATIENCE, calls: 10_000, store: 100_000 }
    }

    fn poll(&mut self, cx: &mut Cx<'_>) -> Poll<Result<(), Infallible>> {
        let Self { config, tokens, pauses, steps } = self;
        steps.run(|state| {
            Ok(match state {
                State::Begin => {
                    let deadline = cx.elapsed().saturating_add(LEASE);
                    let save = SaveTokens::over_present(tokens.clone(), deadline);
                    Step::Next(State::Save(Box::new(save)))
                }
                State::Save(mut save) => match save.poll(cx) {
                    Poll::Pending => Step::Wait(State::Save(save)),
                    Poll::Ready(Ok(SaveEnd::Failed(_))) => {
                        *pauses = pauses.saturating_add(1);
                        let pause = Duration::from_secs(1 << (*pauses).min(6));
                        Step::Next(State::Pause(cx.sleep(pause)))
                    }
                    Poll::Ready(Ok(end)) => {
                        forget(&tokens.key, cx);
                        match end {
                            SaveEnd::Closed | SaveEnd::Gone => {
                                let session = tokens.record.session.clone();
                                let revoke = Revoke::new(Arc::clone(config), session);
                                Step::Next(State::Revoke(Box::new(revoke)))
                            }
                            SaveEnd::Saved => {
                                let changes = vec![SessionChange::Refreshed];
                                Step::Next(State::Tell(Tell::new(&tokens.key, changes)))
                            }
                            SaveEnd::Theirs | SaveEnd::Failed(_) => Step::Done(()),
                        }
                    }
                },
                State::Pause(pause) => match cx.take(&pause) {
                    Poll::Pending => Step::Wait(State::Pause(pause)),
                    Poll::Ready(Ok(())) => Step::Next(State::Begin),
                    Poll::Ready(Err(_)) => Step::Done(()),
                },
                State::Revoke(mut revoke) => match revoke.poll(cx) {
                    Poll::Pending => Step::Wait(State::Revoke(revoke)),
                    Poll::Ready(_) => Step::Done(()),
                },
                State::Tell(mut tell) => match tell.poll(cx) {
                    Poll::Pending => Step::Wait(State::Tell(tell)),
                    Poll::Ready(Ok(())) => Step::Done(()),
                },
            })
        })
    }
}
