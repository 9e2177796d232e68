//! The corpus of the fuzz targets (`fuzz/corpus`), replayed with a stable compiler.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use atproto_oauth_fuzz::{TARGETS, Target};

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// Returns the file names in a folder without their extensions.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz().join(folder)).unwrap();
    let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    entries.map(|entry| name(entry.unwrap().path())).collect()
}

/// Runs a target with each of its inputs, and returns the number of accepted ones.
fn replay(name: &str, target: Target) -> usize {
    let folder = fuzz().join("corpus").join(name);
    let inputs = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    inputs
        .filter(|input| {
            // The panic of a property has this line above it.
            println!("{}", input.display());
            target(&fs::read(input).unwrap())
        })
        .count()
}

// Rule P-07
#[test]
fn the_corpus_breaks_no_property_and_each_target_accepts_a_seed() {
    for (name, target) in TARGETS {
        assert!(replay(name, target) > 0, "no seed of {name} is accepted");
    }
}

#[test]
fn in_an_honest_network_every_procedure_succeeds() {
    let (_, engine) = TARGETS.iter().find(|(name, _)| *name == "engine").unwrap();
    let honest = names("corpus/engine").into_iter().filter(|name| name.starts_with("honest_"));
    let honest: Vec<_> = honest.collect();
    assert_eq!(honest.len(), 10);
    for name in honest {
        let input = fs::read(fuzz().join("corpus/engine").join(&name)).unwrap();
        assert!(engine(&input), "{name}");
    }
}

#[test]
fn each_target_has_a_binary_and_a_corpus() {
    let targets: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(targets.len(), TARGETS.len());
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in targets {
        let binary = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(binary.contains(&format!("run(\"{name}\", data)")), "{name}");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
}
