//! Plays one step in one order: matches each call with a `>` line, checks it, and replies to it.

use atproto_sansio::{Call, Flow, Machine, Output};

use crate::replayer::check;
use crate::replayer::orders::Schedule;
use crate::replayer::reply;
use crate::replayer::transcript::Step;
use crate::replayer::world::World;

/// One step, played in one order.
pub struct Play<'a> {
    /// The step.
    pub step: &'a Step,
    /// The client, its environment, and the state that earlier steps left.
    pub world: World,
    /// Indices of the exchanges whose requests were sent, in the order of the requests.
    pub made: Vec<usize>,
    /// The order.
    pub schedule: &'a mut Schedule,
}

/// A call without a reply, and the index of its exchange; a sleep has no exchange.
struct Outstanding {
    call: Call,
    exchange: Option<usize>,
}

impl Play<'_> {
    /// Runs `machine` to its end.
    ///
    /// # Errors
    ///
    /// Fails if the machine makes a call that the transcript does not have.
    pub fn run<M: Machine>(&mut self, machine: M) -> Result<Result<M::Output, M::Error>, String> {
        let mut flow = Flow::new(machine);
        let mut outstanding: Vec<Outstanding> = Vec::new();
        // After `Wait`, a poll has the same result until the next reply.
        let (mut may_poll, mut is_polled) = (true, false);
        loop {
            // The reply to a cancelled call would change nothing.
            outstanding.retain(|outstanding| outstanding.call.is_wanted());
            let choice = self.choose(&outstanding, may_poll)?;
            if choice < outstanding.len() {
                let Outstanding { call, exchange } = outstanding.remove(choice);
                flow.handle_reply(self.answer(call, exchange));
                (may_poll, is_polled) = (true, false);
                continue;
            }
            match flow.poll_output(&mut self.world.environment.env()) {
                // A notice has no part in the transcript.
                Output::Call(Call::Notify(call)) => {
                    flow.handle_reply(call.respond.with(Ok(())));
                    (may_poll, is_polled) = (true, false);
                    continue;
                }
                Output::Call(call) => {
                    let exchange = self.ask(&call)?;
                    outstanding.push(Outstanding { call, exchange });
                }
                Output::Wait if is_polled && !outstanding.is_empty() => {
                    return Err(self.schedule.abandon());
                }
                Output::Wait => may_poll = false,
                Output::Done(result) => return Ok(result),
            }
            is_polled = true;
        }
    }

    /// Returns the index of the call to answer next; the length of `outstanding` means a poll.
    fn choose(&mut self, outstanding: &[Outstanding], may_poll: bool) -> Result<usize, String> {
        let mut options: Vec<String> = outstanding
            .iter()
            .map(|outstanding| format!("answer {}", self.name(outstanding.exchange)))
            .collect();
        if may_poll {
            options.push("poll".to_owned());
        }
        if options.is_empty() {
            return Err("the machine waits, but no call is outstanding".to_owned());
        }
        Ok(self.schedule.choose(options))
    }

    /// Finds the exchange of a call, and checks the call.
    fn ask(&mut self, call: &Call) -> Result<Option<usize>, String> {
        let (method, target) = match call {
            Call::Http(call) => (call.request.method().as_str(), call.request.uri().to_string()),
            Call::Txt(call) => ("TXT", call.name.clone()),
            Call::Sleep(_) => return Ok(None),
            other => return Err(format!("a transcript cannot describe the call {other:?}")),
        };
        let found = self.step.exchanges.iter().enumerate().find(|(index, exchange)| {
            !self.made.contains(index)
                && exchange.method == method
                && self.world.expand(&exchange.target) == target
        });
        let Some((index, exchange)) = found else {
            return Err(format!("unexpected request: {method} {target}"));
        };
        if let Call::Http(call) = call {
            check::check(&mut self.world, &self.step.verb, exchange, call)
                .map_err(|why| format!("line {}: {method} {target}: {why}", exchange.line))?;
        }
        self.made.push(index);
        Ok(Some(index))
    }

    fn answer(&mut self, call: Call, exchange: Option<usize>) -> atproto_sansio::Reply {
        if let Call::Sleep(sleep) = &call {
            self.world.environment.wait(sleep.duration);
        }
        let fields = exchange.map(|index| &self.step.exchanges[index].reply[..]);
        let fields: Vec<_> =
            fields.unwrap_or_default().iter().map(|field| self.world.expand(field)).collect();
        reply::answer(call, &fields)
    }

    fn name(&self, exchange: Option<usize>) -> String {
        match exchange.map(|index| &self.step.exchanges[index]) {
            Some(exchange) => format!("{} (line {})", exchange.method, exchange.line),
            None => "sleep".to_owned(),
        }
    }

    /// Checks that each `>` request was sent, and that the blocking order is the order of the file.
    ///
    /// # Errors
    ///
    /// Returns the line of a missing request, or the lines in the order of the requests.
    pub fn check_made(&self, is_blocking: bool) -> Result<(), String> {
        let exchanges = || self.step.exchanges.iter().enumerate();
        let missing = exchanges().find(|(index, e)| !e.optional && !self.made.contains(index));
        if let Some((_, exchange)) = missing {
            return Err(format!(
                "line {}: missing request: {} {}",
                exchange.line, exchange.method, exchange.target
            ));
        }
        if is_blocking && !self.made.is_sorted() {
            let line = |index: &usize| self.step.exchanges[*index].line;
            let lines: Vec<_> = self.made.iter().map(line).collect();
            return Err(format!(
                "in the blocking order, the requests are those of the lines {lines:?}; write them \
                 in that order"
            ));
        }
        Ok(())
    }
}
