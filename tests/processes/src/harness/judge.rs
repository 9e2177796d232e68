//! The rules that a run has to keep.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use atproto_sansio::UnixTime;

use super::held::Held;
use super::told::Told;
use crate::network::{Answer, Spend};

/// All that is known after a run.
pub(super) struct Evidence<'a> {
    /// Sessions whose access tokens are used several times.
    pub(super) reusable: &'a BTreeSet<String>,
    /// Each session and its last use by a fresh client: `Err` has the text of its error.
    pub(super) last_uses: &'a [(String, Result<(), String>)],
    pub(super) told: &'a Told,
    pub(super) held: &'a [Held],
    pub(super) spends: &'a [Spend],
    /// Time after which tokens are renewed in any case.
    pub(super) closed_at: UnixTime,
}

/// The judgement on a run that kept all rules.
pub(super) struct Judgement {
    pub(super) between: usize,
    pub(super) lost: usize,
    pub(super) transient: usize,
}

/// The cause of a session that is lost with the process that held it.
pub(super) const LOST: &str = "RotationResponseLost";

/// Failures of a lost session, for each process that still asks for it.
const OF_LOST: [&str; 2] = ["Session(Ended(RotationResponseLost))", "Session(NotFound)"];

/// Failure of a session whose access token lives so short that each use renews it. Other processes have
/// replaced the token twice between its renewal and its arrival, and the server accepts the newest only.
const OVERTAKEN: &str = "status 401 Unauthorized";

/// Failures that every program has to expect on a busy machine. Nothing was sent, because the request would
/// have come so late that its response might be lost; after that, the session has a pause.
const NOT_SENT: [&str; 3] = [
    "Transport(TransportError { phase: NotSent, ",
    "RefreshFailed(Transport(TransportError { phase: NotSent, ",
    "Session(RetryLater ",
];

/// Shortest age at which a token that is used several times is renewed.
const LEAST_AGE: Duration = Duration::from_secs(2);

/// Judges by all rules.
///
/// # Errors
///
/// Fails with the broken rules.
pub(super) fn judge(evidence: &Evidence<'_>) -> Result<Judgement, Vec<String>> {
    let Evidence { last_uses, held, spends, .. } = evidence;
    let between: Vec<&Held> = held.iter().filter(|held| held.has_spent(spends)).collect();
    let lost: Vec<_> = last_uses
        .iter()
        .filter_map(|(session, last_use)| Some((session.as_str(), last_use.as_ref().err()?)))
        .collect();
    let mut broken = Vec::new();
    for (session, error) in &lost {
        let has_reason = between.iter().any(|held| held.session == *session);
        if !has_reason || !OF_LOST.contains(&error.as_str()) {
            broken.push(format!("{session} is lost: {error}"));
        }
    }
    for held in held.iter().filter(|held| held.was_saved) {
        broken.push(format!("{}: the store has lost tokens that it confirmed", held.session));
    }
    let lost: BTreeSet<&str> = lost.into_iter().map(|(session, _)| session).collect();
    let transient = judge_lines(evidence, &lost, &mut broken);
    let of_dead: BTreeSet<&str> = between.iter().map(|held| held.token.as_str()).collect();
    judge_spends(evidence, &of_dead, &mut broken);
    match broken.is_empty() {
        true => Ok(Judgement { between: of_dead.len(), lost: lost.len(), transient }),
        false => Err(broken),
    }
}

/// Only lost sessions end, and no failure is without a reason. Returns the number of transient failures.
fn judge_lines(evidence: &Evidence<'_>, lost: &BTreeSet<&str>, broken: &mut Vec<String>) -> usize {
    let Evidence { reusable, told, .. } = evidence;
    for (session, cause) in &told.ends {
        if cause != LOST || !lost.contains(session.as_str()) {
            broken.push(format!("{session} was told to have ended: {cause}"));
        }
    }
    let mut transient = 0;
    for (session, text) in &told.failures {
        let is_overtaken = text == OVERTAKEN && !reusable.contains(session);
        let is_transient = is_overtaken || NOT_SENT.iter().any(|known| text.starts_with(known));
        let is_of_lost = OF_LOST.contains(&text.as_str()) && lost.contains(session.as_str());
        transient += usize::from(is_transient);
        if !is_transient && !is_of_lost {
            broken.push(format!("{session} has failed: {text}"));
        }
    }
    transient
}

/// A token is granted once, is sent again only by those who take over a lease of the dead, and is not
/// renewed without need. `of_dead` are the tokens that killed processes have spent.
fn judge_spends(evidence: &Evidence<'_>, of_dead: &BTreeSet<&str>, broken: &mut Vec<String>) {
    let mut spent: BTreeSet<&str> = BTreeSet::new();
    let mut issued: BTreeMap<&str, UnixTime> = BTreeMap::new();
    for spend in evidence.spends {
        let Spend { token, at, answer, next, is_reusable } = spend;
        let is_granted = *answer == Answer::Granted;
        let is_again = spent.contains(token.as_str());
        if is_again && (is_granted || !of_dead.contains(token.as_str())) {
            broken.push(format!("the refresh token {token} was sent after it was spent"));
        }
        let may_be_young = !is_reusable || *at > evidence.closed_at;
        match issued.get(token.as_str()).map(|issued| at.since(*issued)) {
            Some(age) if age < LEAST_AGE && !may_be_young => {
                broken.push(format!("the refresh token {token} was sent after {age:?}"));
            }
            _ => {}
        }
        if is_granted {
            spent.insert(token);
        }
        if let Some(next) = next {
            issued.insert(next, *at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{Fact, Line};

    /// A run in which a process was killed after it had spent `t1` of the session `s`.
    struct Run {
        last_use: Result<(), String>,
        facts: Vec<Fact>,
        held: Vec<Held>,
        spends: Vec<Spend>,
    }

    fn spend(token: &str, at: u64, next: Option<&str>) -> Spend {
        Spend {
            token: token.to_owned(),
            at: UnixTime::from_secs(at),
            answer: if next.is_some() { Answer::Granted } else { Answer::Refused },
            next: next.map(str::to_owned),
            is_reusable: true,
        }
    }

    fn held(until: u64) -> Held {
        let (session, token) = ("s".to_owned(), "t1".to_owned());
        Held { session, token, until: UnixTime::from_secs(until), was_saved: false }
    }

    impl Run {
        fn killed_between() -> Self {
            Self {
                last_use: Err("Session(NotFound)".to_owned()),
                facts: vec![
                    Fact::Ended(LOST.to_owned()),
                    Fact::Failed("Session(NotFound)".to_owned()),
                ],
                held: vec![held(60)],
                spends: vec![
                    spend("t0", 10, Some("t1")),
                    spend("t1", 20, Some("t2")),
                    spend("t1", 70, None),
                ],
            }
        }

        fn broken(self) -> Vec<String> {
            let mut told = Told::default();
            for fact in self.facts {
                told.add(1, Line { session: "s".to_owned(), fact });
            }
            let evidence = Evidence {
                reusable: &BTreeSet::from(["s".to_owned()]),
                last_uses: &[("s".to_owned(), self.last_use)],
                told: &told,
                held: &self.held,
                spends: &self.spends,
                closed_at: UnixTime::from_secs(100),
            };
            judge(&evidence).err().unwrap_or_default()
        }
    }

    #[test]
    fn a_session_may_be_lost_with_its_holder() {
        assert_eq!(Run::killed_between().broken(), [""; 0]);
    }

    #[test]
    fn a_loss_without_its_reason_is_noticed() {
        // Four runs: without a holder, with a holder that spent nothing, with another error, and with a session
        // that lives.
        let not_held = Run { held: Vec::new(), ..Run::killed_between() };
        assert!(not_held.broken().contains(&"s is lost: Session(NotFound)".to_owned()));
        let not_spent = Run { held: vec![held(15)], ..Run::killed_between() };
        assert!(not_spent.broken().contains(&"s is lost: Session(NotFound)".to_owned()));
        let other = Run { last_use: Err("other".to_owned()), ..Run::killed_between() };
        assert!(other.broken().contains(&"s is lost: other".to_owned()));
        let lives = Run { last_use: Ok(()), ..Run::killed_between() };
        assert_eq!(lives.broken().len(), 2);
    }

    #[test]
    fn each_other_failure_is_noticed() {
        for fact in [
            Fact::Ended("Revoked".to_owned()),
            Fact::Failed("status 401 Unauthorized".to_owned()),
            Fact::Event("RefreshFailed".to_owned()),
        ] {
            let run = Run { facts: vec![fact], ..Run::killed_between() };
            assert_eq!(run.broken().len(), 1);
        }
        let lost = Held { was_saved: true, ..held(60) };
        let store = Run { held: vec![lost], ..Run::killed_between() };
        assert_eq!(store.broken(), ["s: the store has lost tokens that it confirmed"]);
    }

    #[test]
    fn each_wrong_spend_is_noticed() {
        for wrong in [
            spend("t0", 30, None),
            spend("t0", 30, Some("t9")),
            spend("t1", 30, Some("t9")),
            spend("t2", 21, Some("t9")),
        ] {
            let mut run = Run::killed_between();
            run.spends.insert(2, wrong);
            assert_eq!(run.broken().len(), 1);
        }
    }
}
