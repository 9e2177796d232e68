//! Instructions of small work, counted by valgrind: `cargo bench -p atproto-oauth-benches --bench instructions`.
//! It needs valgrind and `cargo install gungraun-runner --version 0.20.0`.
#![allow(missing_docs, reason = "the macros make items without documentation")]

use atproto_oauth_benches::work::Work;
use gungraun::{library_benchmark, library_benchmark_group, main};

#[library_benchmark(setup = Work::warm)]
#[bench::session_from_json("Session::from_json")]
#[bench::session_to_json("Session::to_json")]
#[bench::scopes_parse("Scopes::parse")]
#[bench::server_metadata("server metadata")]
#[bench::request("request")]
#[bench::p256_signature("p256: signature")]
#[bench::p256_proof("p256: proof")]
#[bench::p256_proof_htu_ath("p256: proof, htu, ath")]
#[bench::ring_signature("ring: signature")]
#[bench::ring_proof("ring: proof")]
#[bench::ring_proof_htu_ath("ring: proof, htu, ath")]
fn small_work(work: Work) -> Work {
    work.run();
    // The caller drops the work after the count.
    work
}

#[cfg(feature = "aws-lc-rs")]
#[library_benchmark(setup = Work::warm)]
#[bench::signature("AWS-LC: signature")]
#[bench::proof("AWS-LC: proof")]
#[bench::proof_htu_ath("AWS-LC: proof, htu, ath")]
fn aws_lc(work: Work) -> Work {
    work.run();
    work
}

library_benchmark_group!(name = small, benchmarks = small_work);
#[cfg(feature = "aws-lc-rs")]
library_benchmark_group!(name = aws_lc_rs, benchmarks = aws_lc);

#[cfg(not(feature = "aws-lc-rs"))]
main!(library_benchmark_groups = small);
#[cfg(feature = "aws-lc-rs")]
main!(library_benchmark_groups = small, aws_lc_rs);
