//! Heap allocations of small work: `cargo bench -p atproto-oauth-benches --bench allocations`.
#![allow(clippy::print_stdout, reason = "a program for developers")]

use atproto_oauth_benches::work::{Work, all};

fn main() {
    println!("{:<26}{:>11}{:>9}{:>12}", "", "allocations", "bytes", "most bytes");
    for Work { name, .. } in all() {
        let work = Work::warm(&name);
        let counted = allocation_counter::measure(|| work.run());
        println!(
            "{:<26}{:>11}{:>9}{:>12}",
            name, counted.count_total, counted.bytes_total, counted.bytes_max
        );
    }
}
