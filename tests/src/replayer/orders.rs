//! Replays each step of a transcript in every order of polls and replies.
//!
//! Whenever several calls are outstanding, or a call is outstanding and the flow can be polled, the
//! replayer tries each choice: it plays the step again from its start for each of them. The first
//! order is the blocking order; the next step begins with the world that it leaves.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::replayer::outcome::Outcome;
use crate::replayer::play::Play;
use crate::replayer::transcript::{Exchange, Step, Transcript};
use crate::replayer::world::World;
use crate::replayer::{action, fixture, parse};

/// The choices of one order: those given in advance, and those taken so far.
#[derive(Debug, Default)]
pub struct Schedule {
    given: Vec<usize>,
    taken: Vec<Choice>,
    abandoned: bool,
}

#[derive(Debug)]
struct Choice {
    index: usize,
    options: Vec<String>,
}

/// Largest number of orders of one step; a step with more orders must be split.
const MAX_SCHEDULES: usize = 2000;

impl Schedule {
    /// Returns the index of the next choice: the one given in advance, or 0.
    pub fn choose(&mut self, options: Vec<String>) -> usize {
        if options.len() == 1 {
            return 0;
        }
        let index = self.given.get(self.taken.len()).copied().unwrap_or_default();
        self.taken.push(Choice { index, options });
        index
    }

    /// Marks this order as redundant, because it equals another order plus a poll that changes
    /// nothing. Returns the error that ends the replay of this order.
    pub fn abandon(&mut self) -> String {
        self.abandoned = true;
        "the order is redundant".to_owned()
    }

    /// Returns the next order in a depth-first search; `None` after the last one.
    fn next(&self) -> Option<Self> {
        let last = self.taken.iter().rposition(|choice| choice.index + 1 < choice.options.len())?;
        let mut given: Vec<_> = self.taken[..last].iter().map(|choice| choice.index).collect();
        given.push(self.taken[last].index + 1);
        Some(Self { given, ..Self::default() })
    }

    fn describe(&self) -> String {
        let taken = self.taken.iter().map(|choice| choice.options[choice.index].as_str());
        taken.collect::<Vec<_>>().join(", ")
    }
}

/// Replays `transcript`, and returns the number of orders that were played.
///
/// # Errors
///
/// Returns the file, line and order of the first difference between the client and the transcript.
pub fn replay(transcript: &Transcript) -> Result<usize, String> {
    let mut steps = transcript.steps.as_slice();
    let mut world = match steps.split_first() {
        Some((first, rest)) if first.verb == "client" => {
            steps = rest;
            World::new(&first.fields)
        }
        _ => World::new(&[]),
    };
    let mut count = 0;
    for step in steps {
        count += replay_step(step, &mut world)
            .map_err(|why| format!("{}:{}: {why}", transcript.file, step.line))?;
    }
    Ok(count)
}

fn replay_step(step: &Step, world: &mut World) -> Result<usize, String> {
    if step.verb == "after" {
        return go_on_after(step, world);
    }
    let mut schedule = Schedule::default();
    let Played { outcome, world: after, made } = play(step, world.clone(), &mut schedule, true)?;
    let mut count = 1;
    let mut always: BTreeSet<usize> = made.into_iter().collect();
    while let Some(next) = schedule.next() {
        schedule = next;
        let played = play(step, world.clone(), &mut schedule, false);
        if schedule.abandoned {
            continue;
        }
        let Played { outcome: other, made, .. } =
            played.map_err(|why| format!("{why}\n  in the order: {}", schedule.describe()))?;
        always.retain(|index| made.contains(index));
        if !other.is_like(&outcome) {
            let order = schedule.describe();
            return Err(format!(
                "the outcome is {other}\n  in the order: {order}\n  \
                 and in the blocking order it is {outcome}"
            ));
        }
        count += 1;
        if count > MAX_SCHEDULES {
            return Err(format!("more than {MAX_SCHEDULES} orders; split the step"));
        }
    }
    let optional = |(index, e): &(usize, &Exchange)| e.optional && always.contains(index);
    if let Some((_, exchange)) = step.exchanges.iter().enumerate().find(optional) {
        return Err(format!(
            "line {}: this request is sent in every order: write `>`",
            exchange.line
        ));
    }
    *world = after;
    Ok(count)
}

/// Plays another transcript in the blocking order only, because its own test replays all orders.
fn go_on_after(step: &Step, world: &mut World) -> Result<usize, String> {
    let file = format!("{}.txt", step.fields.first().expect("`after` has a folder and a file"));
    let text = std::fs::read_to_string(fixture::folder().join(&file))
        .map_err(|error| format!("{file}: {error}"))?;
    for step in &parse::parse(&file, &text).steps {
        if step.verb == "after" {
            go_on_after(step, world)?;
            continue;
        }
        *world = play(step, world.clone(), &mut Schedule::default(), true)
            .map_err(|why| format!("{file}:{}: {why}", step.line))?
            .world;
    }
    Ok(0)
}

/// A step that was played: its outcome, the world after it, and the exchanges that were made.
struct Played {
    outcome: Outcome,
    world: World,
    made: Vec<usize>,
}

/// Plays the step in one order, and returns its outcome and the world after it.
fn play(
    step: &Step,
    world: World,
    schedule: &mut Schedule,
    is_blocking: bool,
) -> Result<Played, String> {
    let mut play = Play { step, world, made: Vec::new(), schedule };
    let played = catch_unwind(AssertUnwindSafe(|| action::perform(&mut play)));
    let outcome = played.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        format!("the step panicked: {}", text.unwrap_or_default())
    })??;
    if let Some(expected) = &step.outcome {
        outcome
            .check(&expected.fields, &play.world)
            .map_err(|why| format!("line {}: {why}", expected.line))?;
    } else if !outcome.head.is_empty() {
        return Err(format!("the step has no `=` line, but its outcome is {outcome}"));
    }
    play.check_made(is_blocking)?;
    Ok(Played { outcome, world: play.world, made: play.made })
}
