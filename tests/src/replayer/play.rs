//! Plays one step in one order: hands calls out, answers them, and watches.

use atproto_sansio::{Call, Flow, Machine, Output};

use crate::replayer::check;
use crate::replayer::orders::Schedule;
use crate::replayer::reply;
use crate::replayer::transcript::Step;
use crate::replayer::world::World;

/// One step, played in one order.
pub struct Play<'a> {
    /// What is played.
    pub step: &'a Step,
    /// What it is played in.
    pub world: World,
    /// The exchanges that took place, in the order of their requests.
    pub made: Vec<usize>,
    /// Which call is handed out or answered next.
    pub schedule: &'a mut Schedule,
}

/// A call that was handed out, and the exchange that it is; a pause is none.
struct Outstanding {
    call: Call,
    exchange: Option<usize>,
}

impl Play<'_> {
    /// Runs `machine` to its end.
    ///
    /// # Errors
    ///
    /// It did something that the transcript does not have.
    pub fn run<M: Machine>(&mut self, machine: M) -> Result<Result<M::Output, M::Error>, String> {
        let mut flow = Flow::new(machine);
        let mut outstanding: Vec<Outstanding> = Vec::new();
        // Polling again would say the same again.
        let (mut may_poll, mut is_polled) = (true, false);
        loop {
            // An answer that nobody waits for any more changes nothing.
            outstanding.retain(|outstanding| outstanding.call.is_wanted());
            let choice = self.choose(&outstanding, may_poll)?;
            if choice < outstanding.len() {
                let Outstanding { call, exchange } = outstanding.remove(choice);
                flow.handle_reply(self.answer(call, exchange));
                (may_poll, is_polled) = (true, false);
                continue;
            }
            match flow.poll_output(&mut self.world.environment.env()) {
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

    /// The call to answer next, or that the flow is polled first.
    fn choose(&mut self, outstanding: &[Outstanding], may_poll: bool) -> Result<usize, String> {
        let mut options: Vec<String> = outstanding
            .iter()
            .map(|outstanding| format!("answer {}", self.name(outstanding.exchange)))
            .collect();
        if may_poll {
            options.push("poll".to_owned());
        }
        if options.is_empty() {
            return Err("it waits, and there is nothing to wait for".to_owned());
        }
        Ok(self.schedule.choose(options))
    }

    /// Finds the exchange of a call, and checks the call.
    fn ask(&mut self, call: &Call) -> Result<Option<usize>, String> {
        let (method, target) = match call {
            Call::Http(call) => (call.request.method().as_str(), call.request.uri().to_string()),
            Call::Txt(call) => ("TXT", call.name.clone()),
            Call::Sleep(_) => return Ok(None),
            other => return Err(format!("no transcript has {other:?}")),
        };
        let found = self.step.exchanges.iter().enumerate().find(|(index, exchange)| {
            !self.made.contains(index)
                && exchange.method == method
                && self.world.expand(&exchange.target) == target
        });
        let Some((index, exchange)) = found else {
            return Err(format!("it was not to ask {method} {target}"));
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
            None => "the pause".to_owned(),
        }
    }

    /// Whether the requests are those that the transcript has.
    ///
    /// # Errors
    ///
    /// Which one is not.
    pub fn check_made(&self, is_blocking: bool) -> Result<(), String> {
        let exchanges = || self.step.exchanges.iter().enumerate();
        let missing = exchanges().find(|(index, e)| !e.optional && !self.made.contains(index));
        if let Some((_, exchange)) = missing {
            return Err(format!(
                "line {}: it did not ask {} {}",
                exchange.line, exchange.method, exchange.target
            ));
        }
        let in_file: Vec<_> = exchanges().filter(|(_, e)| !e.optional).map(|(i, _)| i).collect();
        if is_blocking && self.made != in_file {
            let line = |index: &usize| self.step.exchanges[*index].line;
            let lines: Vec<_> = self.made.iter().map(line).collect();
            return Err(format!(
                "one call after another, it asks as in lines {lines:?}, and that is not what the \
                 file has"
            ));
        }
        Ok(())
    }
}
