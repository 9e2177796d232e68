//! The network of a test: a sandbox, the options that lead a verb to it, and logins through its browser.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::process::Stdio;

use atproto_oauth_sandbox::{Dns, Fault, HandleAnswers};
use atproto_oauth_tests::flows::{OnSockets, Sandboxed, Stage};
use serde_json::Value;
use url::Url;

use crate::secrets::Secrets;
use crate::snapshot::{Run, Snapshot};

/// A sandbox on sockets.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) stage: OnSockets,
    is_traced: bool,
}

/// Runs a scenario in a network and compares it with the file `name`, once without and once with `--trace`.
pub(crate) fn in_network(name: &str, scenario: impl Fn(&mut Snapshot)) {
    for is_traced in [false, true] {
        let stage = OnSockets::blocking();
        let names = stage.sandbox().names().clone();
        for issuer in [names.pds, names.entryway] {
            // In the first half hour, the outputs say `valid for 1 hour`.
            stage.set_access_token_lifetime(&issuer, std::time::Duration::from_secs(5400));
        }
        // The handle of dave leads to no account.
        *stage.sandbox().handle_answers("dave.test") =
            HandleAnswers { dns: Dns::NoSuchName, https: None };
        let mut snapshot = Snapshot::within(Network { stage, is_traced });
        scenario(&mut snapshot);
        snapshot.compare(name);
    }
}

/// The accounts that tests name.
const ACCOUNTS: [&str; 4] = ["alice", "carol", "bob", "rita"];

/// Verbs that send no requests, so that they have no options of the network.
const LOCAL: [&[&str]; 5] = [
    &["sessions", "list"],
    &["sessions", "show"],
    &["sessions", "export"],
    &["keygen"],
    &["scope"],
];

impl Network {
    pub(crate) fn is_traced(&self) -> bool {
        self.is_traced
    }

    /// The options of the network, if these arguments are of a verb that has them.
    pub(crate) fn options(&self, arguments: &[&str]) -> Vec<String> {
        if LOCAL.iter().any(|verb| arguments.starts_with(verb)) {
            return Vec::new();
        }
        let stage = &self.stage;
        let (directory, nameserver) =
            (stage.directory().to_string(), stage.nameserver().to_string());
        let options = ["--development", "--plc-directory", &directory, "--nameserver", &nameserver];
        let mut options = options.map(str::to_owned).to_vec();
        for (host, address) in stage.hosts() {
            options.extend(["--connect-to".to_owned(), format!("{host}={address}")]);
        }
        options.extend(self.is_traced.then(|| "--trace".to_owned()));
        options
    }

    /// Names for the addresses and DIDs of the network.
    pub(crate) fn masks(&self) -> Vec<(String, String)> {
        let names = self.stage.sandbox().names().clone();
        let origins = [
            (names.plc, "PLC"),
            (names.pds, "PDS"),
            (names.other_pds, "OTHER-PDS"),
            (names.entryway, "ENTRYWAY"),
            (names.entryway_pds, "ENTRYWAY-PDS"),
        ];
        let mut masks = Vec::new();
        for (origin, name) in origins {
            let host = origin.trim_start_matches("http://").to_owned();
            masks.push((host.replace(':', "%3A"), name.to_owned()));
            masks.push((host, name.to_owned()));
        }
        for name in ACCOUNTS {
            let did = self.stage.account(name).did;
            masks.push((did, format!("did:plc:{}", name.to_ascii_uppercase())));
        }
        masks
    }

    /// Adds the secrets of all requests that the network has seen.
    pub(crate) fn note_secrets(&self, secrets: &mut Secrets) {
        self.stage.sandbox().requests().for_each(|exchange| secrets.of_exchange(exchange));
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.stage.sandbox().fault(fault);
    }
}

/// The URL of the browser after `handle` has consented.
pub(crate) fn approve(handle: &str) -> impl Fn(&OnSockets, &Url) -> Vec<String> {
    move |stage, url| vec![stage.approve(url, handle)]
}

/// Lets the login wait until it ends by itself.
pub(crate) fn wait(_: &OnSockets, _: &Url) -> Vec<String> {
    Vec::new()
}

impl Snapshot {
    /// Runs a `login` that shows its URL. `browse` returns the URLs on which the browser ends: with
    /// `--paste`, they are pasted, and opened otherwise.
    pub(crate) fn log_in(
        &mut self,
        arguments: &[&str],
        browse: impl Fn(&OnSockets, &Url) -> Vec<String>,
    ) {
        let mut run = Run::of(arguments);
        let mut process = self.process(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = process.stdin.take().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
        let mut told = Vec::new();
        let is_url = |line: &&String| line.starts_with("http") && !line.contains(' ');
        while told.last().filter(is_url).is_none() {
            told.push(lines.next().unwrap_or_else(|| panic!("no URL: {told:?}")));
        }
        let url: Url = told.last().unwrap().parse().unwrap();
        let visited = browse(&self.network().stage, &url);
        for back in visited {
            if back.starts_with("http") {
                self.secrets.of_url(&back);
            }
            match arguments.contains(&"--paste") {
                // The process reads no further line after that of its login.
                true => drop(writeln!(stdin, "{back}")),
                false => run.pages.push_str(&page(&back)),
            }
        }
        told.extend(lines);
        run.err = told.join("\n") + "\n";
        process.stdout.take().unwrap().read_to_string(&mut run.out).unwrap();
        run.code = process.wait().unwrap().code();
        self.add(run);
        self.note_sessions();
    }

    /// Names the sessions in the store, and notes their secrets.
    pub(crate) fn note_sessions(&mut self) {
        let printed = |arguments: &[&str]| {
            let output = self.process(arguments).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let list: Value = serde_json::from_str(&printed(&["sessions", "list", "--json"])).unwrap();
        let list = list["sessions"].as_array().unwrap();
        let export = ["sessions", "export", "--keep", "--output", "-"];
        let exported: Vec<_> = list
            .iter()
            .map(|session| printed(&[&export[..], &[session["did"].as_str().unwrap()]].concat()))
            .collect();
        exported.iter().for_each(|session| self.secrets.of_text(session));
        for session in list {
            let name = format!("SESSION-{}", self.masks_of("SESSION-") + 1);
            self.mask(session["session_id"].as_str().unwrap(), name);
        }
    }
}

/// The text of the page that the browser gets, without its head.
fn page(url: &str) -> String {
    let page = ureq::get(url).config().http_status_as_error(false).build().call().unwrap();
    let page = page.into_body().read_to_string().unwrap();
    page.split_once("</style>\n").unwrap().1.trim_end_matches("</html>\n").to_owned()
}
