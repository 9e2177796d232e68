//! The parts of a parsed transcript.

/// A parsed transcript.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// Folder and file name, for error messages.
    pub file: String,
    /// Steps in the order of the file.
    pub steps: Vec<Step>,
}

/// One step of a transcript, such as `login` or `wait`.
#[derive(Clone, Debug)]
pub struct Step {
    /// Number of the line.
    pub line: usize,
    /// First word of the line.
    pub verb: String,
    /// Fields after the verb, in the order of the line.
    pub fields: Vec<String>,
    /// Requests with their replies, in the order of the file.
    pub exchanges: Vec<Exchange>,
    /// The `=` line.
    pub outcome: Option<Outcome>,
}

/// A request and its reply.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Number of the `>` line.
    pub line: usize,
    /// Whether the line begins with `>?`: the request depends on the order of the replies.
    pub optional: bool,
    /// `TXT` or an HTTP method.
    pub method: String,
    /// URL of the request, or name of the DNS lookup.
    pub target: String,
    /// Names and values of the conditions.
    pub conditions: Vec<(String, String)>,
    /// Fields of the `<` line.
    pub reply: Vec<String>,
}

/// The `=` line of a step.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Number of the line.
    pub line: usize,
    /// Fields of the line.
    pub fields: Vec<String>,
}

impl Step {
    /// Returns the value of the first `key=value` field.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.fields.iter().find_map(|field| field.strip_prefix(key)?.strip_prefix('='))
    }

    /// Returns key and value of all `prefix.key=value` fields.
    pub fn options<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.fields
            .iter()
            .filter_map(move |field| field.strip_prefix(prefix)?.strip_prefix('.')?.split_once('='))
    }
}
