#![doc = include_str!("../README.md")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a case fails by a panic"
)]
#![allow(clippy::exhaustive_enums, reason = "this crate is not published")]

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

/// A script with its expected lines.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The behaviour that the case shows; unique among all cases.
    pub name: &'static str,
    script: fn(&mut Lab<'_>),
    expected: &'static str,
    stricter: Option<Stricter>,
}

/// The expected lines of a strict server, if they differ from those of the reference servers.
#[derive(Clone, Copy, Debug)]
struct Stricter {
    reason: &'static str,
    expected: &'static str,
}

impl Case {
    const fn new(name: &'static str, script: fn(&mut Lab<'_>), expected: &'static str) -> Self {
        Self { name, script, expected, stricter: None }
    }

    /// Adds the expected lines of a strict server. `reason` says why they differ from the lines of
    /// the reference servers: the section of a specification, or a difference between the networks.
    const fn stricter(self, reason: &'static str, expected: &'static str) -> Self {
        Self { stricter: Some(Stricter { reason, expected }), ..self }
    }

    /// Returns the reason for which a strict server yields other lines than the reference servers.
    pub fn reason(&self) -> Option<&'static str> {
        Some(self.stricter?.reason)
    }

    /// Runs the case, and compares its lines with those that the strictness of `target` requires.
    ///
    /// # Errors
    ///
    /// Returns the difference of the lines: `-` is expected, `+` is seen.
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

/// Runs a case, and returns its lines.
pub fn run(case: &Case, target: &mut dyn Target) -> String {
    let mut lab = Lab::new(target);
    // A panic of the script becomes a line of this case, so that the other cases still run.
    let outcome = catch_unwind(AssertUnwindSafe(|| (case.script)(&mut lab)));
    if let Err(panic) = outcome {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
        lab.note(format!("! {text}"));
    }
    lab.seen()
}

/// Compares two lists of lines: `-` is expected, `+` is seen.
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
    fn the_names_of_cases_are_unique() {
        let all = [cases(), edges()].concat();
        let names: HashSet<_> = all.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn a_difference_shows_expected_and_seen_lines() {
        let text = difference("a case", &["same", "old"], &["same", "new", "more"]);
        assert_eq!(text, "a case\n    same\n  - old\n  + new\n  + more\n");
    }
}
