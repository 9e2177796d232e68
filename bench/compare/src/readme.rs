//! The places of the results in the README of the project, and the machine that they are of.

use std::fs;
use std::path::Path;
use std::process::Command;

const END: &str = "<!-- end of the figures -->";

/// Puts `figures` between the two marks of `section` in the README.
pub(crate) fn write(section: &str, figures: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let text = fs::read_to_string(&path).unwrap();
    let begin = format!("<!-- {section}, written by bench/compare/run -->\n");
    let (before, rest) = text.split_once(&begin).expect("the README has the first mark");
    let (_, after) = rest.split_once(END).expect("the README has the second mark");
    fs::write(path, format!("{before}{begin}\n{figures}\n{END}{after}")).unwrap();
}

/// The processor, the compiler and the date, as one sentence.
pub(crate) fn machine() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().unwrap();
    let rustc = printed(Command::new("rustc").arg("--version"));
    let rustc = rustc.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let date = printed(Command::new("date").args(["-u", "+%F"]));
    format!("Measured on {} with {cores} cores of {model}, {rustc}.", date.trim())
}

fn printed(command: &mut Command) -> String {
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}
