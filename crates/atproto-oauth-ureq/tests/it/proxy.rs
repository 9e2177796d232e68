//! Proxies that the environment names are not used.

use std::process::Command;

use atproto_sansio_conformance::{OK, Server, get, how};

use crate::adapter::{Sending, driver};

/// Runs itself again, in a process with other variables.
#[test]
fn proxies_of_the_environment_are_ignored() {
    // Rule J-08
    if let Ok(url) = std::env::var(URL) {
        driver().send(get(url), how()).unwrap();
        return;
    }
    let server = Server::replying(OK);
    let proxy = Server::replying("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "proxy::proxies_of_the_environment_are_ignored"]);
    command.env(URL, server.url("/"));
    for name in ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"] {
        command.env(name, proxy.url("")).env(name.to_lowercase(), proxy.url(""));
    }
    for name in ["NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    assert!(command.output().unwrap().status.success());
    assert_eq!((server.requests().len(), proxy.connections()), (1, 0));
}

const URL: &str = "ATPROTO_OAUTH_UREQ_TEST_URL";
