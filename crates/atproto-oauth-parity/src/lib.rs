//! The judge of how strict a server is: scripts of raw requests, and what a client sees of the
//! answers.
//!
//! A case is a name, a short script that makes its requests by hand (no client of ours is
//! involved), and the lines that it has to yield. What runs the scripts is a [`Target`]: the
//! reference servers, or whoever claims to be as strict. Where a strict server refuses what the
//! reference lets pass, a case has both and says why.
//!
//! The lines are described in [`seen`].
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "tests may")]
#![allow(clippy::exhaustive_enums, reason = "nobody depends on tests")]

mod cases;
mod draft;
mod flow;
mod jwt;
mod lab;
pub mod seen;
pub mod target;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use cases::{cases, edges};
use lab::Lab;
use target::{Strictness, Target};

/// A script, and what it has to yield.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What holds, as a sentence.
    pub name: &'static str,
    script: fn(&mut Lab<'_>),
    expected: &'static str,
    stricter: Option<Stricter>,
}

/// What a strict server does instead.
#[derive(Clone, Copy, Debug)]
struct Stricter {
    reason: &'static str,
    expected: &'static str,
}

impl Case {
    const fn new(name: &'static str, script: fn(&mut Lab<'_>), expected: &'static str) -> Self {
        Self { name, script, expected, stricter: None }
    }

    /// A strict server yields other lines, because of a specification.
    const fn stricter(self, reason: &'static str, expected: &'static str) -> Self {
        Self { stricter: Some(Stricter { reason, expected }), ..self }
    }

    /// Why a strict server yields other lines than the reference, if it does.
    pub fn reason(&self) -> Option<&'static str> {
        Some(self.stricter?.reason)
    }

    /// Runs the case.
    ///
    /// # Errors
    ///
    /// What was expected and what was seen, as a difference that a person can read.
    pub fn check(&self, target: &mut dyn Target) -> Result<(), String> {
        let expected = match (target.strictness(), self.stricter) {
            (Strictness::Strict, Some(stricter)) => stricter.expected,
            (Strictness::Strict | Strictness::Reference, _) => self.expected,
        };
        let expected: Vec<_> =
            expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let seen = run(self, target);
        let seen: Vec<_> = seen.lines().collect();
        if expected == seen { Ok(()) } else { Err(difference(self.name, &expected, &seen)) }
    }
}

/// Runs a case: the lines that it yields.
pub fn run(case: &Case, target: &mut dyn Target) -> String {
    let mut lab = Lab::new(target);
    // What the script can't go on without may be missing: the other cases still have to run.
    let outcome = catch_unwind(AssertUnwindSafe(|| (case.script)(&mut lab)));
    if let Err(panic) = outcome {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
        lab.note(format!("! {text}"));
    }
    lab.seen()
}

/// Line by line: `-` is expected, `+` is seen.
fn difference(name: &str, expected: &[&str], seen: &[&str]) -> String {
    let mut text = format!("{name}\n");
    for at in 0..expected.len().max(seen.len()) {
        let (wanted, got) = (expected.get(at), seen.get(at));
        if wanted == got {
            writeln!(text, "    {}", wanted.unwrap_or(&"")).unwrap();
            continue;
        }
        for (sign, line) in [('-', wanted), ('+', got)] {
            if let Some(line) = line {
                writeln!(text, "  {sign} {line}").unwrap();
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_cases_have_one_name() {
        let all = [cases(), edges()].concat();
        let names: HashSet<_> = all.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn a_difference_shows_both() {
        let text = difference("a case", &["same", "old"], &["same", "new", "more"]);
        assert_eq!(text, "a case\n    same\n  - old\n  + new\n  + more\n");
    }
}
