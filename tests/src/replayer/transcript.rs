//! What a transcript consists of.

/// A conversation.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// Its file, for people.
    pub file: String,
    /// What is done, one after another.
    pub steps: Vec<Step>,
}

/// One thing that the client is asked to do.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it is in the file.
    pub line: usize,
    /// The name of what is done.
    pub verb: String,
    /// What it is done with, in the order of the file.
    pub fields: Vec<String>,
    /// What the client asks, and what it is answered.
    pub exchanges: Vec<Exchange>,
    /// What it ends in: the fields of the `=` line.
    pub outcome: Option<Outcome>,
}

/// A question and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Where it is in the file.
    pub line: usize,
    /// Whether it depends on the order of the replies.
    pub optional: bool,
    /// `TXT` or an HTTP method.
    pub method: String,
    /// The URL, or the name to look up.
    pub target: String,
    /// What else must be true of it.
    pub conditions: Vec<(String, String)>,
    /// The fields of the `<` line.
    pub reply: Vec<String>,
}

/// The end of a step.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Where it is in the file.
    pub line: usize,
    /// Its fields.
    pub fields: Vec<String>,
}

impl Step {
    /// The value of a `key=value` field.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.fields.iter().find_map(|field| field.strip_prefix(key)?.strip_prefix('='))
    }

    /// All `prefix.key=value` fields, without the prefix.
    pub fn options<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.fields
            .iter()
            .filter_map(move |field| field.strip_prefix(prefix)?.strip_prefix('.')?.split_once('='))
    }
}
