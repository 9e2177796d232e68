//! Parses a transcript; the module [`replayer`](crate::replayer) describes the format.

use crate::replayer::transcript::{Exchange, Outcome, Step, Transcript};

/// Parses `text`, the contents of `file`.
///
/// # Panics
///
/// Panics with file, line and reason if a line is malformed.
pub fn parse(file: &str, text: &str) -> Transcript {
    let mut steps: Vec<Step> = Vec::new();
    for (line, text) in joined(text) {
        let fail = |why: &str| -> ! { panic!("{file}:{line}: {why}: {text}") };
        if let Some(ask) = text.strip_prefix('>') {
            let Some(step) = steps.last_mut() else { fail("a `>` line must follow a step") };
            let optional = ask.starts_with('?');
            let ask = fields(ask.trim_start_matches('?'));
            let [first, conditions @ ..] = ask.as_slice() else {
                fail("a `>` line has a method and a target")
            };
            let Some((method, target)) = first.split_once(' ') else {
                fail("a `>` line has a method and a target")
            };
            let conditions = conditions.iter().map(|field| match field.split_once('=') {
                Some((name, value)) => (name.to_owned(), value.to_owned()),
                None => fail("a condition must be name=value"),
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
                _ => fail("a `<` line must follow a `>` line, once"),
            }
        } else if let Some(outcome) = text.strip_prefix('=') {
            match steps.last_mut() {
                Some(step) if step.outcome.is_none() => {
                    step.outcome = Some(Outcome { line, fields: fields(outcome) });
                }
                _ => fail("an `=` line must follow a step, once"),
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

/// Returns the lines with their numbers. Comments are removed, and continuation lines are joined
/// with the line that they continue.
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

/// Splits a line at two or more spaces.
fn fields(text: &str) -> Vec<String> {
    text.split("  ").map(str::trim).filter(|field| !field.is_empty()).map(str::to_owned).collect()
}
