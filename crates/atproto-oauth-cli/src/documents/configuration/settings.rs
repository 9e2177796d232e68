//! Keys and values of a configuration file, and all problems that are found in them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::documents::configuration::nearest::nearest;
use crate::failure::{CONFIGURATION, Failure};

/// A configuration file that was read. Problems are collected, so that the user sees them together.
#[derive(Debug)]
pub(crate) struct Settings {
    file: PathBuf,
    values: Map<String, Value>,
    problems: Vec<String>,
}

impl Settings {
    /// Reads a file in TOML or JSON, by the extension of its name.
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(file)
            .map_err(|error| Failure::file("the configuration", file, &error))?;
        let values = match file.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => from_toml(&text),
            Some("json") => from_json(&text),
            _ => Err("its name must end in .toml or .json, the two formats".to_owned()),
        };
        let malformed = |why| {
            let message = format!("the configuration {}: {why}", file.display());
            Failure::new(CONFIGURATION, message, "correct the file, or name another with --config")
        };
        let values = values.map_err(malformed)?;
        Ok(Self { file: file.to_owned(), values, problems: Vec::new() })
    }

    /// Adds a problem of `key`. Its text says what is wrong, and what to do.
    pub(crate) fn problem(&mut self, key: &str, problem: impl std::fmt::Display) {
        self.problems.push(format!("{key}: {problem}"));
    }

    /// Whether no problem was found so far.
    pub(crate) fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// The text of `key`; `None` if it is missing or has a problem.
    pub(crate) fn text(&mut self, key: &str) -> Option<String> {
        let found = match self.values.get(key)? {
            Value::String(text) if !text.trim().is_empty() => return Some(text.clone()),
            Value::String(_) => "it is empty; write a value, or remove the key".to_owned(),
            other => format!("it is {}; write it as text in quotes", kind(other)),
        };
        self.problem(key, found);
        None
    }

    /// Like [`text`](Self::text), of a key that must be there. `way_out` completes «it is missing».
    pub(crate) fn required(&mut self, key: &str, way_out: &str) -> Option<String> {
        if !self.has(key) {
            self.problem(key, format!("it is missing; {way_out}"));
        }
        self.text(key)
    }

    /// The texts of `key`, which is a text or a list of texts, each once.
    pub(crate) fn texts(&mut self, key: &str) -> Vec<String> {
        let Some(Value::Array(list)) = self.values.get(key) else {
            return self.text(key).into_iter().collect();
        };
        let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
        let is_wrong = list.is_empty() || !list.iter().all(is_text);
        let mut texts = Vec::new();
        for text in list.iter().filter_map(Value::as_str).filter(|text| !text.trim().is_empty()) {
            if !texts.iter().any(|known| known == text) {
                texts.push(text.to_owned());
            }
        }
        if is_wrong {
            self.problem(key, "it must be a text in quotes, or a list of them, none of them empty");
        }
        texts
    }

    /// A path of the configuration, which is relative to its file.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or_else(|| Path::new("")).join(path)
    }

    /// Adds a problem for each key that is not in `known`.
    pub(crate) fn report_unknown(&mut self, known: &[&str]) {
        let is_unknown = |key: &&String| !known.contains(&key.as_str());
        let unknown: Vec<_> = self.values.keys().filter(is_unknown).cloned().collect();
        for key in unknown {
            let key = key.escape_debug().to_string();
            match nearest(&key, known) {
                Some(name) => self.problem(&key, format!("there is no such key; write {name}")),
                None => self.problem(
                    &key,
                    format!("there is no such key; remove it (the keys are {})", known.join(", ")),
                ),
            }
        }
    }

    /// Fails with all problems, one a line.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let count = match self.problems.len() {
            0 => return Ok(()),
            1 => "a problem".to_owned(),
            count => format!("{count} problems"),
        };
        let message = format!("the configuration {} has {count}", self.file.display());
        let help = "correct the file, and run the command again; --help has all keys";
        Err(Failure::new(CONFIGURATION, message, help).details(self.problems))
    }
}

fn from_toml(text: &str) -> Result<Map<String, Value>, String> {
    toml::from_str(text).map_err(|error| {
        // The error can show the line, too, which may hold a key that was pasted into it.
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        format!("line {line} is not TOML: {}", error.message().trim().replace('\n', ", "))
    })
}

fn from_json(text: &str) -> Result<Map<String, Value>, String> {
    let text = text.trim_start_matches('\u{feff}');
    match serde_json::from_str(text) {
        Ok(Value::Object(values)) => Ok(values),
        Ok(other) => Err(format!("it must be a JSON object, not {}", kind(&other))),
        Err(error) => Err(format!("line {} is not JSON: {error}", error.line())),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}
