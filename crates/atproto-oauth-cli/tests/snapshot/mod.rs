//! Snapshots: whole runs of the command, whose exit code and output are compared with a file in
//! `tests/snapshots`. `UPDATE_SNAPSHOTS=1 cargo test` writes the files anew; their changes are reviewed.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use tempfile::TempDir;

/// Runs of the command in a folder of their own, without the user's environment.
pub(crate) struct Snapshot {
    folder: TempDir,
    options: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    masks: Vec<(String, String)>,
    text: String,
}

const ANEW: &str = "UPDATE_SNAPSHOTS=1 writes the file anew";

impl Snapshot {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let masks = vec![(folder.path().display().to_string(), "FOLDER".to_owned())];
        let (options, environment) = (Vec::new(), Vec::new());
        Self { folder, options, environment, masks, text: String::new() }
    }

    /// The folder in which the command runs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
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

    /// Adds an option to the next runs, which the snapshot does not show: the addresses of a network,
    /// for example.
    pub(crate) fn option(&mut self, option: impl Into<OsString>) {
        self.options.push(option.into());
    }

    /// Replaces a text that differs from run to run, such as a port or a key, in the next runs.
    pub(crate) fn mask(&mut self, text: impl Into<String>, name: impl Into<String>) {
        self.masks.push((text.into(), name.into()));
    }

    /// Runs the command, and adds its exit code and output to the snapshot. Returns what it printed.
    pub(crate) fn run(&mut self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_atproto-oauth"));
        command.current_dir(self.folder()).env_clear().env("HOME", self.folder());
        command.env("ATPROTO_OAUTH_CONFIG", "").env("ATPROTO_OAUTH_SEALING_KEY", "file");
        command.envs(self.environment.iter().cloned());
        let output = command.args(arguments).args(&self.options).output().unwrap();
        let told = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (out, err) = (told(&output.stdout), told(&output.stderr));
        let quoted = |argument: &&str| match argument.contains(' ') {
            true => format!("'{argument}'"),
            false => argument.escape_debug().to_string(),
        };
        let quoted: Vec<_> = arguments.iter().map(quoted).collect();
        writeln!(self.text, "$ atproto-oauth {}", quoted.join(" ")).unwrap();
        writeln!(self.text, "exit code {}", output.status.code().unwrap()).unwrap();
        for (name, text) in [("stdout", &out), ("stderr", &err)] {
            if !text.is_empty() {
                writeln!(self.text, "--- {name}\n{}", self.masked(text).trim_end()).unwrap();
            }
        }
        self.text.push('\n');
        out
    }

    fn masked(&self, text: &str) -> String {
        let masks = self.masks.iter();
        masks.fold(text.to_owned(), |text, (found, name)| text.replace(found, name))
    }

    /// Masks in everything so far a value that only a run has told.
    pub(crate) fn mask_all(&mut self, text: &str, name: &str) {
        self.text = self.text.replace(text, name);
    }

    /// Compares all runs with the file of this name.
    pub(crate) fn compare(self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
        let file = folder.join(name).with_extension("txt");
        if env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&file, &self.text).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        for (at, (line, expected)) in self.text.lines().zip(expected.lines()).enumerate() {
            assert_eq!(line, expected, "{name}, line {}; {ANEW}", at + 1);
        }
        assert_eq!(self.text.lines().count(), expected.lines().count(), "{name}; {ANEW}");
    }
}
