//! Replays every transcript in every order; each folder of transcripts is one test.

use std::fs;
use std::path::PathBuf;

use atproto_oauth_tests::replayer::{fixture, parse, replay};

/// A misspelled `TRANSCRIPT` selects nothing, and would pass.
#[test]
fn the_variable_transcript_selects_a_transcript() {
    let only = std::env::var("TRANSCRIPT").unwrap_or_default();
    let folders = ["login", "callback", "refresh", "revoke", "request"];
    let mut files = folders.into_iter().flat_map(files);
    assert!(files.any(|path| path.to_string_lossy().contains(&only)), "no transcript is {only}");
}

#[test]
fn login() {
    replay_folder("login");
}

#[test]
fn callback() {
    replay_folder("callback");
}

#[test]
fn refresh() {
    replay_folder("refresh");
}

#[test]
fn revoke() {
    replay_folder("revoke");
}

#[test]
fn request() {
    replay_folder("request");
}

/// Replays all transcripts of a folder, and reports each failure. If the variable `TRANSCRIPT` is
/// set, only files whose path contains its value are replayed.
fn replay_folder(name: &str) {
    let only = std::env::var("TRANSCRIPT").unwrap_or_default();
    let files = files(name);
    assert!(!files.is_empty(), "no transcripts in {name}");
    let mut failures = Vec::new();
    for path in files.iter().filter(|path| path.to_string_lossy().contains(&only)) {
        let file = format!("{name}/{}", path.file_name().unwrap().to_string_lossy());
        let transcript = parse::parse(&file, &fs::read_to_string(path).unwrap());
        match replay(&transcript) {
            Ok(orders) => println!("{file}: {orders} orders"),
            Err(failure) => failures.push(failure),
        }
    }
    assert!(failures.is_empty(), "{} failed:\n\n{}", failures.len(), failures.join("\n\n"));
}

/// The transcripts of a folder, sorted.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = fs::read_dir(fixture::folder().join(folder)).unwrap();
    let mut files: Vec<_> = folder.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}
