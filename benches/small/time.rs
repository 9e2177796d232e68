//! Time of small work: `cargo bench -p atproto-oauth-benches --bench time`.

use atproto_oauth_benches::work::{Work, all};
use divan::Bencher;

fn main() {
    divan::main();
}

#[divan::bench(args = all(), sample_count = 1000)]
fn small_work(bencher: Bencher<'_, '_>, work: &Work) {
    bencher.bench(|| work.run());
}
