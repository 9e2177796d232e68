//! Snapshots: runs of the command, and their file. `UPDATE_SNAPSHOTS=1 cargo test` writes the files anew; their
//! changes are reviewed.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use tempfile::TempDir;

use crate::asked::asked;
use crate::masks;
use crate::network::Network;
use crate::secrets::{Secrets, look_of_a_secret};

/// Runs of the command in a folder of their own, without the user's environment.
pub(crate) struct Snapshot {
    folder: TempDir,
    network: Option<Network>,
    environment: Vec<(String, OsString)>,
    masks: Vec<(String, String)>,
    pub(crate) secrets: Secrets,
    runs: Vec<Run>,
}

/// One run of the command.
#[derive(Debug, Default)]
pub(crate) struct Run {
    pub(crate) arguments: Vec<String>,
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    /// The pages that the browser got from the command.
    pub(crate) pages: String,
}

impl Run {
    pub(crate) fn of(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { arguments, ..Self::default() }
    }
}

const ANEW: &str = "UPDATE_SNAPSHOTS=1 writes the file anew";

impl Snapshot {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let masks = vec![(folder.path().display().to_string(), "FOLDER".to_owned())];
        let (network, environment, runs) = (None, Vec::new(), Vec::new());
        Self { folder, network, environment, masks, secrets: Secrets::default(), runs }
    }

    /// Runs whose verbs send their requests to `network`, and whose sessions are in the folder.
    pub(crate) fn within(network: Network) -> Self {
        let mut snapshot = Self::new();
        snapshot.masks.extend(network.masks());
        snapshot.set("ATPROTO_OAUTH_SESSIONS", snapshot.folder().join("sessions"));
        Self { network: Some(network), ..snapshot }
    }

    /// The folder in which the command runs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn network(&self) -> &Network {
        self.network.as_ref().unwrap()
    }

    /// Writes a file into the folder, for its owner only.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.folder().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Sets a variable of the next runs.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.push((name.to_owned(), value.into()));
    }

    /// Replaces a text that differs from test to test, such as a port or a key, in all runs.
    pub(crate) fn mask(&mut self, text: impl Into<String>, name: impl Into<String>) {
        let text = text.into();
        if self.masks.iter().all(|(masked, _)| *masked != text) {
            self.masks.push((text, name.into()));
        }
    }

    /// Number of masks whose name begins with `prefix`.
    pub(crate) fn masks_of(&self, prefix: &str) -> usize {
        self.masks.iter().filter(|(_, name)| name.starts_with(prefix)).count()
    }

    /// Runs the command, and adds its exit code and output to the snapshot. Returns standard output.
    pub(crate) fn run(&mut self, arguments: &[&str]) -> String {
        self.run_with_input(arguments, "")
    }

    /// Runs the command with this text on standard input.
    pub(crate) fn run_with_input(&mut self, arguments: &[&str], input: &str) -> String {
        let mut process = self.process(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // A process that reads no input may have ended already.
        let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
        let output = process.wait_with_output().unwrap();
        let told = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let run = Run {
            code: output.status.code(),
            out: told(output.stdout),
            err: told(output.stderr),
            ..Run::of(arguments)
        };
        let out = run.out.clone();
        self.add(run);
        out
    }

    /// The command in the folder, with the options of the network if the verb has them.
    pub(crate) fn process(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atproto-oauth"));
        command.current_dir(self.folder()).env_clear().env("HOME", self.folder());
        command.env("ATPROTO_OAUTH_CONFIG", "").env("ATPROTO_OAUTH_SEALING_KEY", "file");
        command.envs(self.environment.iter().cloned()).args(arguments);
        if let Some(network) = &self.network {
            command.args(network.options(arguments));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Adds a run to the snapshot, and notes the secrets in the files that it may have written.
    pub(crate) fn add(&mut self, run: Run) {
        self.runs.push(run);
        for entry in fs::read_dir(self.folder()).unwrap() {
            let path = entry.unwrap().path();
            if let (true, Ok(text)) = (path.is_file(), fs::read_to_string(&path)) {
                self.secrets.of_file(&path, &text);
            }
        }
    }

    /// Compares all runs with the file of this name, and searches them for secrets. With a trace, an output
    /// has further lines, but none of the file is missing.
    pub(crate) fn compare(mut self, name: &str) {
        self.search_all();
        let text: String = self.runs.iter().map(|run| self.text(run)).collect();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
        let file = folder.join(name).with_extension("txt");
        let is_traced = self.network.as_ref().is_some_and(Network::is_traced);
        if env::var_os("UPDATE_SNAPSHOTS").is_some() && !is_traced {
            fs::write(&file, &text).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        let mut lines = text.lines();
        if is_traced {
            for line in expected.lines() {
                assert!(lines.any(|found| found == line), "{name}, traced, misses {line}\n{text}");
            }
            return assert!(text.contains("\n→ "), "{name} has no trace: {text}");
        }
        for (at, (line, expected)) in lines.zip(expected.lines()).enumerate() {
            assert_eq!(line, expected, "{name}, line {}; {ANEW}", at + 1);
        }
        assert_eq!(text.lines().count(), expected.lines().count(), "{name}; {ANEW}");
    }

    /// Searches all runs for the secrets of the test.
    pub(crate) fn search_all(&mut self) {
        if let Some(network) = &self.network {
            network.note_secrets(&mut self.secrets);
        }
        self.runs.iter().for_each(|run| self.search(run));
    }

    /// Fails if the output of a run has a secret that the user has not asked for.
    fn search(&self, run: &Run) {
        let allowed = asked(&run.arguments);
        let verb = &run.arguments;
        for (place, text) in [("stderr", &run.err), ("page", &run.pages), ("stdout", &run.out)] {
            let mut found = self.secrets.found_in(text);
            if place == "stdout" && !allowed.is_empty() {
                // The search finds the secrets where they are, so it would find them elsewhere.
                assert!(run.code != Some(0) || !found.is_empty(), "{verb:?} prints no secret");
                found.retain(|name| !allowed.contains(name));
            } else {
                let found = look_of_a_secret(text);
                assert_eq!(found, None, "{verb:?}: {place} has a text like a secret: {text}");
            }
            assert!(found.is_empty(), "{verb:?}: {place} has the secrets {found:?}: {text}");
        }
    }

    fn text(&self, run: &Run) -> String {
        let quoted = |argument: &String| match argument.contains([' ', '&', '"']) {
            true => format!("'{argument}'"),
            false => argument.escape_debug().to_string(),
        };
        let quoted: Vec<_> = run.arguments.iter().map(quoted).collect();
        let quoted = self.secrets.masked(&self.masked(&quoted.join(" ")));
        let mut text = format!("$ atproto-oauth {quoted}\n");
        match run.code {
            Some(code) => writeln!(text, "exit code {code}").unwrap(),
            None => text.push_str("stopped\n"),
        }
        for (name, printed) in [("stdout", &run.out), ("stderr", &run.err), ("page", &run.pages)] {
            if !printed.is_empty() {
                let mut printed = self.masked(printed);
                if name == "stdout" && !asked(&run.arguments).is_empty() {
                    printed = self.secrets.masked(&printed);
                }
                writeln!(text, "--- {name}\n{}", printed.trim_end()).unwrap();
            }
        }
        text + "\n"
    }

    fn masked(&self, text: &str) -> String {
        let masks = self.masks.iter();
        let text = masks.fold(text.to_owned(), |text, (found, name)| text.replace(found, name));
        masks::varying(&text)
    }
}
