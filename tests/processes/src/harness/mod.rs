//! The run of a test: logins, workers, kills, and the judgement.

mod crowd;
mod held;
mod judge;
mod login;
pub(crate) mod plan;
pub(crate) mod summary;
mod told;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use atproto_oauth_core::{Renew, SessionChange, SessionEvent, SessionKey};
use atproto_oauth_store::{SealingKey, Store};
use atproto_oauth_ureq::OAuthClient;
use atproto_sansio::System;
use http::StatusCode;

use self::crowd::Crowd;
use self::held::Held;
use self::judge::{Evidence, Judgement, judge};
use self::plan::Plan;
use self::summary::Summary;
use crate::Outcome;
use crate::network::{Answer, Network};
use crate::task::Task;
use crate::worker::random_time;

/// Difference of clocks that workers allow for. All of them are on one machine, and live too short to
/// watch a lease for its whole time.
const SKEW: Duration = Duration::from_secs(1);

/// Difference of clocks for the fresh client at the end, which watches the leases instead.
const LARGE_SKEW: Duration = Duration::from_secs(300);

/// Longest time from a lease to the kill of its holder.
const AIM: Duration = Duration::from_millis(250);

/// Attempts of the fresh client after a failure that allows for another one.
const TRIES: usize = 5;

/// Pause before such an attempt, if the failure names none.
const RETRY: Duration = Duration::from_secs(6);

/// Runs workers against `network`, and judges.
///
/// # Errors
///
/// Fails if a rule was broken, and if the network, the store or a worker fails.
pub fn run(network: &mut impl Network, plan: &Plan) -> Outcome<Summary> {
    let task = task(network, plan)?;
    let store = task.store()?;
    let app = task.client(Arc::clone(&store), |_| {})?;
    let logged_in = login::log_in(&app, network, plan.sessions)?;
    let keys: Vec<SessionKey> = logged_in.iter().map(|session| session.key.clone()).collect();
    let sessions = keys.iter().map(SessionKey::to_string).collect();
    let reusable = logged_in.iter().filter(|session| session.is_reusable);
    let reusable = reusable.map(|session| session.key.to_string()).collect();
    let mut crowd = Crowd::new(plan.program.clone(), Task { sessions, ..task.clone() });
    for _ in 0..plan.workers {
        crowd.start()?;
    }
    let (kills, held) = rage(network, plan, &mut crowd, &*store)?;
    network.slow_down(false);
    let closed_at = System::now();
    crowd.close();
    let fresh = Task { clock_skew: LARGE_SKEW, ..task };
    let ends = Arc::new(Mutex::new(Vec::new()));
    let last_uses = use_all(&fresh.client(store, note_end(&ends))?, &keys);
    crowd.wait()?;
    crowd.told.ends.append(&mut ends.lock().unwrap_or_else(PoisonError::into_inner));
    let spends = network.spends()?;
    let evidence = Evidence {
        reusable: &reusable,
        last_uses: &last_uses,
        told: &crowd.told,
        held: &held,
        spends: &spends,
        closed_at,
    };
    let Judgement { between, lost, transient } =
        judge(&evidence).map_err(|broken| format!("{}:\n{}", plan.place, broken.join("\n")))?;
    Ok(Summary {
        store: plan.place.to_string(),
        sessions: keys.len(),
        requests: crowd.told.answered,
        refreshes: spends.iter().filter(|spend| spend.answer == Answer::Granted).count(),
        kills,
        held: held.len(),
        between,
        lost,
        transient,
    })
}

fn task(network: &impl Network, plan: &Plan) -> Outcome<Task> {
    let new_key = || SealingKey::generate().map(|key| key.to_text().expose().to_owned());
    Ok(Task {
        address: network.address(),
        place: plan.place.clone(),
        sealing_key: plan.is_sealed.then(new_key).transpose()?,
        sessions: Vec::new(),
        is_async: false,
        pause: plan.pause,
        clock_skew: SKEW,
    })
}

/// Kills a worker in each turn, and starts another in its place. In every second turn the worker has just
/// taken a lease. Returns the number of kills, and the leases of the killed.
fn rage(
    network: &mut impl Network,
    plan: &Plan,
    crowd: &mut Crowd,
    store: &dyn Store,
) -> Outcome<(usize, Vec<Held>)> {
    let end = Instant::now() + plan.time;
    let Some(turn) = plan.kill_every else {
        crowd.listen(end)?;
        return Ok((0, Vec::new()));
    };
    let (mut kills, mut held) = (0, Vec::new());
    while Instant::now() < end {
        let turn_end = Instant::now() + turn;
        let aims = kills % 2 == 0;
        network.slow_down(aims);
        let number = match aims {
            true => match crowd.listen_for_lease(turn_end)? {
                Some(number) => {
                    crowd.listen(Instant::now() + random_time(AIM))?;
                    number
                }
                None => crowd.any()?,
            },
            false => {
                crowd.listen(Instant::now() + random_time(turn))?;
                crowd.any()?
            }
        };
        crowd.kill(number)?;
        kills += 1;
        held.append(&mut held::find(store, number, &crowd.told)?);
        crowd.start()?;
        network.watch()?;
        crowd.listen(turn_end)?;
    }
    Ok((kills, held))
}

/// Renews each session and makes a request with it. All do so beside each other, because some wait for
/// the lease of a dead process to end.
fn use_all(app: &OAuthClient, keys: &[SessionKey]) -> Vec<(String, Result<(), String>)> {
    let try_use = |key: &SessionKey| {
        let session = app.restore_with(key, Renew::Always)?;
        session.query("com.atproto.server.getSession", &[])
    };
    let last_use = |key: &SessionKey| {
        let mut result = try_use(key);
        for _ in 0..TRIES {
            let pause = match &result {
                // Another process that is about to end has replaced a token that lives for a second.
                Ok(reply) if reply.response.status() == StatusCode::UNAUTHORIZED => RETRY,
                Err(failed) if failed.error.is_retryable() => {
                    failed.error.retry_after().unwrap_or(RETRY)
                }
                Ok(_) | Err(_) => break,
            };
            std::thread::sleep(pause);
            result = try_use(key);
        }
        let status = result.map_err(|failed| format!("{:?}", failed.error))?.response.status();
        status.is_success().then_some(()).ok_or_else(|| format!("status {status}"))
    };
    std::thread::scope(|scope| {
        let uses: Vec<_> =
            keys.iter().map(|key| (key, scope.spawn(move || last_use(key)))).collect();
        uses.into_iter()
            .map(|(key, last_use)| {
                let panicked = |_| Err("the thread has panicked".to_owned());
                (key.to_string(), last_use.join().unwrap_or_else(panicked))
            })
            .collect()
    })
}

fn note_end(ends: &Arc<Mutex<Vec<(String, String)>>>) -> impl Fn(&SessionEvent) + use<> {
    let ends = Arc::clone(ends);
    move |event| {
        if let SessionChange::Deleted(cause) = &event.change {
            let mut ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
            ends.push((event.key.to_string(), format!("{cause:?}")));
        }
    }
}
