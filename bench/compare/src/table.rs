//! The results, as the tables of the README.

use std::fmt::Write;

use crate::readme;

/// The results of one run.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) proofs: Vec<ProofRow>,
    pub(crate) requests: Vec<RequestRow>,
    pub(crate) steps: Vec<StepRow>,
    pub(crate) weights: Vec<WeightRow>,
    measures: Vec<Measure>,
}

/// The cost of a proof, or of a bare signature.
pub(crate) struct ProofRow {
    pub(crate) name: String,
    pub(crate) micros: f64,
    pub(crate) allocations: u64,
}

/// Times of requests with one HTTP library, in microseconds.
pub(crate) struct RequestRow {
    pub(crate) library: String,
    pub(crate) plain: f64,
    pub(crate) with_headers: f64,
    /// With a session, without the time of the signature.
    pub(crate) with_session: f64,
}

/// Times of a step of the login at the reference servers, in milliseconds.
pub(crate) struct StepRow {
    pub(crate) name: String,
    pub(crate) wall: f64,
    /// Processor time of the client.
    pub(crate) own: f64,
    /// Processor time of the servers.
    pub(crate) servers: f64,
}

/// The weight of a program that logs in.
pub(crate) struct WeightRow {
    pub(crate) name: String,
    pub(crate) crates: usize,
    /// Processor time of a clean release build.
    pub(crate) seconds: f64,
    /// Megabytes with the default release profile.
    pub(crate) size: f64,
    /// Megabytes with `lto = "fat"` and one codegen unit.
    pub(crate) fat: f64,
}

/// A result beside its goal.
struct Measure {
    name: String,
    result: String,
    goal: String,
}

/// The bound of a result.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Report {
    /// Adds a result with its goal, both in `unit`.
    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &str, goal: Goal) {
        let (sign, bound, is_met) = match goal {
            Goal::AtMost(bound) => ('≤', bound, value <= bound),
            Goal::AtLeast(bound) => ('≥', bound, value >= bound),
        };
        let missed = if is_met { "" } else { " (missed)" };
        let places = if value.fract() == 0.0 && bound.fract() == 0.0 { 0 } else { 2 };
        let result = format!("{value:.places$}{unit}");
        let goal = format!("{sign} {bound:.places$}{unit}{missed}");
        self.measures.push(Measure { name: name.to_owned(), result, goal });
    }

    /// Adds a result without a goal.
    pub(crate) fn note(&mut self, name: &str, value: f64, unit: &str) {
        let result = format!("{value:.2}{unit}");
        self.measures.push(Measure { name: name.to_owned(), result, goal: String::new() });
    }

    /// Writes the tables.
    pub(crate) fn to_markdown(&self) -> String {
        let mut text = format!("{}\n", readme::machine());
        let cells =
            |row: &ProofRow| format!("{} | {:.1} µs | {}", row.name, row.micros, row.allocations);
        table(&mut text, PROOFS, &self.proofs, cells);
        let cells = |row: &RequestRow| {
            let RequestRow { library, plain, with_headers, with_session } = row;
            format!("{library} | {plain:.1} µs | {with_headers:.1} µs | {with_session:.1} µs")
        };
        table(&mut text, REQUESTS, &self.requests, cells);
        let cells = |row: &StepRow| {
            let StepRow { name, wall, own, servers } = row;
            format!("{name} | {wall:.1} ms | {own:.1} ms | {servers:.1} ms")
        };
        table(&mut text, STEPS, &self.steps, cells);
        let cells = |row: &WeightRow| {
            let WeightRow { name, crates, seconds, size, fat } = row;
            format!("{name} | {crates} | {seconds:.0} s | {size:.2} MB | {fat:.2} MB")
        };
        table(&mut text, WEIGHTS, &self.weights, cells);
        let cells = |row: &Measure| format!("{} | {} | {}", row.name, row.result, row.goal);
        table(&mut text, MEASURES, &self.measures, cells);
        text
    }
}

/// Writes a table, unless it has no rows.
fn table<R>(text: &mut String, head: &str, rows: &[R], cells: impl Fn(&R) -> String) {
    if rows.is_empty() {
        return;
    }
    let columns = head.matches(" | ").count();
    writeln!(text, "\n| {head} |\n|---|{}", "--:|".repeat(columns)).unwrap();
    for row in rows {
        writeln!(text, "| {} |", cells(row)).unwrap();
    }
}

const PROOFS: &str = "Proof of a request to a PDS | Time | Allocations";
const REQUESTS: &str =
    "Request on loopback | Plain | Two constant headers | With a session, without the signature";
const STEPS: &str = "At the reference servers | Time | Processor time of the client | Processor time of the servers";
const WEIGHTS: &str = "Program that logs in | Foreign crates | Clean release build | Stripped | \
    With `lto = \"fat\"`, one codegen unit";
const MEASURES: &str = "Measure | Result | Goal";
