//! Reads a transcript.

use crate::replayer::transcript::{Exchange, Outcome, Step, Transcript};

/// Reads the transcript `text` of `file`.
///
/// # Panics
///
/// It is not one: where and why.
pub fn parse(file: &str, text: &str) -> Transcript {
    let mut steps: Vec<Step> = Vec::new();
    for (line, text) in joined(text) {
        let fail = |why: &str| -> ! { panic!("{file}:{line}: {why}: {text}") };
        if let Some(ask) = text.strip_prefix('>') {
            let Some(step) = steps.last_mut() else { fail("a request before any step") };
            let optional = ask.starts_with('?');
            let ask = fields(ask.trim_start_matches('?'));
            let [first, conditions @ ..] = ask.as_slice() else { fail("an empty request") };
            let Some((method, target)) = first.split_once(' ') else { fail("no target") };
            let conditions = conditions.iter().map(|field| match field.split_once('=') {
                Some((name, value)) => (name.to_owned(), value.to_owned()),
                None => fail("a condition is name=value"),
            });
            step.exchanges.push(Exchange {
                line,
                optional,
                method: method.to_owned(),
                target: target.to_owned(),
                conditions: conditions.collect(),
                reply: Vec::new(),
            });
        } else if let Some(reply) = text.strip_prefix('<') {
            match steps.last_mut().and_then(|step| step.exchanges.last_mut()) {
                Some(exchange) if exchange.reply.is_empty() => exchange.reply = fields(reply),
                _ => fail("a reply without a request"),
            }
        } else if let Some(outcome) = text.strip_prefix('=') {
            match steps.last_mut() {
                Some(step) if step.outcome.is_none() => {
                    step.outcome = Some(Outcome { line, fields: fields(outcome) });
                }
                _ => fail("an outcome without a step"),
            }
        } else {
            let (verb, rest) = text.split_once(' ').unwrap_or((&text, ""));
            steps.push(Step {
                line,
                verb: verb.to_owned(),
                fields: fields(rest),
                exchanges: Vec::new(),
                outcome: None,
            });
        }
    }
    Transcript { file: file.to_owned(), steps }
}

/// The lines with their numbers, without comments, each with those that go on with it.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        match lines.last_mut() {
            Some((_, last)) if line.starts_with(' ') => {
                last.push_str("  ");
                last.push_str(line.trim());
            }
            _ => lines.push((index + 1, line.trim_end().to_owned())),
        }
    }
    lines
}

/// What two or more spaces separate.
fn fields(text: &str) -> Vec<String> {
    text.split("  ").map(str::trim).filter(|field| !field.is_empty()).map(str::to_owned).collect()
}
