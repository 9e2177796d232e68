//! Time of a request over a kept connection on loopback: with a session, and by the HTTP library alone. The
//! signature is left out by keys that sign nothing. Client and server share one core, because a connection whose two
//! ends happen to be on other cores than those of another connection is slower all the time.

use std::process::Command;

use crate::async_requests as reqwest;
use crate::blocking_requests as ureq;
use crate::engine;
use crate::keys::ConstantKeys;
use crate::rounds::{Work, alternate};
use crate::server::Server;
use crate::table::{Goal, Report, RequestRow};

const ROUNDS: usize = 6000;

pub(crate) fn measure(server: &Server, report: &mut Report) {
    let works = vec![
        Work::new("reqwest", reqwest::plain(server)),
        Work::new("reqwest, constant headers", reqwest::with_headers(server)),
        Work::new("reqwest adapter", reqwest::with_session(server, ConstantKeys)),
        Work::new("ureq", ureq::plain(server)),
        Work::new("ureq, constant headers", ureq::with_headers(server)),
        Work::new("ureq adapter", ureq::with_session(server, ConstantKeys)),
        Work::new("engine", engine::exchange()),
    ];
    let times = on_one_core(server, || alternate(ROUNDS, works));
    report.note(
        "engine alone: a request with its reply, without the signature",
        times.low("engine"),
        " µs",
    );
    for (library, bound) in [("reqwest", 4.0), ("ureq", 8.0)] {
        let plain = times.low(library);
        let with_headers = times.low(&format!("{library}, constant headers"));
        let with_session = times.low(&format!("{library} adapter"));
        let name =
            format!("{library}: request with a session, without the signature, over a plain one");
        report.add(&name, with_session - plain, " µs", Goal::AtMost(bound));
        let library = library.to_owned();
        report.requests.push(RequestRow { library, plain, with_headers, with_session });
    }
}

/// Keeps this process and the server on the first core while `work` runs.
fn on_one_core<T>(server: &Server, work: impl FnOnce() -> T) -> T {
    let last = std::thread::available_parallelism().unwrap().get() - 1;
    let both = [std::process::id(), server.id()];
    for process in both {
        keep_on(process, "0");
    }
    let result = work();
    for process in both {
        keep_on(process, &format!("0-{last}"));
    }
    result
}

fn keep_on(process: u32, cores: &str) {
    let mut taskset = Command::new("taskset");
    let taskset = taskset.args(["--all-tasks", "--cpu-list", "--pid", cores]);
    let output = taskset.arg(process.to_string()).output().expect("util-linux is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
