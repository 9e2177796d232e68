//! The network, the client and the driver of one input.

use std::sync::LazyLock;
use std::time::Duration;

use atproto_dpop::Jwk;
use atproto_oauth_core::{Client, ClientKey, Scopes};
use atproto_oauth_sandbox::{Habits, Process, ResolvedBy, Sandbox, ServerId};
use atproto_sansio::{Call, Flow, Machine, Output, UnixTime};

use crate::engine::faults::Fate;
use crate::engine::keys::{CheapKeys, signer};
use crate::engine::ledger::{Kind, Ledger};
use crate::engine::reader::Reader;

/// The network of one input, and the notes about its requests.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) process: Process,
    pub(crate) client: Client,
    pub(crate) ledger: Ledger,
    pub(crate) servers: [ServerId; 4],
    /// The start of the login, as typed.
    pub(crate) subject: &'static str,
    /// The account that signs in.
    pub(crate) account: &'static str,
}

/// Subjects and the account that signs in for each. The fifth subject does not exist.
const SUBJECTS: [(&str, &str); 6] = [
    (ALICE, ALICE),
    ("did of alice", ALICE),
    ("https://pds.example.com", ALICE),
    (RITA, RITA),
    ("did:web:nobody.example.com", ALICE),
    ("https://entryway.example.org", RITA),
];
/// The habits of servers that people run.
const HABITS: [fn() -> Habits; 6] = [
    Habits::reference,
    Habits::tranquil,
    Habits::cirrus,
    Habits::ezpds,
    Habits::cocoon,
    Habits::pegasus,
];
/// An account whose PDS is its own authorization server.
pub(crate) const ALICE: &str = "alice.example.com";
/// An account whose PDS is behind an entryway.
const RITA: &str = "rita.example.com";
/// The key id of the remote signer.
const REMOTE: &str = "hsm-1";
/// Far above the number of polls that any procedure needs.
const MOST_STEPS: usize = 4000;

impl World {
    /// `settings` is the number of the client, plus three times the number of its server's habits.
    pub(crate) fn new(settings: u8, subject: u8) -> Self {
        let mut sandbox = Sandbox::empty(1, atproto_oauth_sandbox::Names::default());
        sandbox.keep_log(false);
        let pds = sandbox.add_server("https://pds.example.com");
        let other = sandbox.add_server("https://pds.example.net");
        let entryway = sandbox.add_entryway("https://entryway.example.org");
        let behind = sandbox.add_server_behind("https://first.entryway.example.org", entryway);
        sandbox.add_account(pds, ALICE, ResolvedBy::Both);
        sandbox.add_account(behind, RITA, ResolvedBy::Dns);
        let (client, habits) = (settings % 3, settings / 3);
        let client = CLIENTS[usize::from(client)].clone();
        let habits = HABITS[usize::from(habits) % HABITS.len()];
        sandbox.set_habits(pds, habits());
        sandbox.set_habits(entryway, habits());
        sandbox.publish_client(&client);
        let mut process = Process::new(2).with_keys(CheapKeys);
        process.add_remote_key(REMOTE, signer(2));
        let (subject, account) = SUBJECTS[usize::from(subject) % SUBJECTS.len()];
        let servers = [pds, other, entryway, behind];
        Self { sandbox, process, client, ledger: Ledger::default(), servers, subject, account }
    }

    /// The DID of an account of the network.
    pub(crate) fn did(&self, handle: &str) -> String {
        self.sandbox.did(handle).expect("the network has this account").to_owned()
    }

    /// Sessions that live at any server.
    pub(crate) fn sessions(&self) -> usize {
        self.servers.iter().map(|server| self.sandbox.sessions(*server)).sum()
    }

    /// Runs a machine in an honest network.
    pub(crate) fn run<M: Machine>(&mut self, machine: M) -> Result<M::Output, M::Error> {
        self.run_with(machine, &mut Reader(&[]))
    }

    /// Runs a machine, and answers its calls as the input decides. Calls that are outstanding at its end
    /// are performed, because a driver may have begun them.
    ///
    /// # Panics
    ///
    /// Panics if a property of every machine does not hold.
    pub(crate) fn run_with<M: Machine>(
        &mut self,
        machine: M,
        input: &mut Reader<'_>,
    ) -> Result<M::Output, M::Error> {
        let budget = machine.budget();
        let (mut http, mut calls) = (0, 0);
        let mut flow = Flow::new(machine);
        let mut outstanding: Vec<(Call, UnixTime)> = Vec::new();
        for _ in 0..MOST_STEPS {
            let now = self.sandbox.now();
            match flow.poll_output(&mut self.process.env(now)) {
                Output::Call(call) => {
                    http += u32::from(matches!(call, Call::Http(_)));
                    calls += u32::from(!matches!(call, Call::Store(_)));
                    assert!(http <= budget.http && calls <= budget.calls, "over budget: {call:?}");
                    self.ledger.see(&call, now);
                    outstanding.push((call, now));
                }
                Output::Wait => {
                    let is_waiting = outstanding.iter().any(|(call, _)| call.is_wanted());
                    assert!(is_waiting, "the machine waits, but no call is outstanding");
                    let (call, since) = outstanding.remove(input.below(outstanding.len()));
                    match self.decide(call, since, input) {
                        Fate::Answered(reply) => flow.handle_reply(reply),
                        Fate::Outstanding(call, since) => outstanding.push((*call, since)),
                        Fate::Dropped => {}
                    }
                }
                Output::Done(result) => {
                    for (call, _) in outstanding {
                        let kind = Kind::of(&call);
                        assert!(kind != Kind::Token, "a token request was abandoned in flight");
                        let reply = self.sandbox.respond_in(&mut self.process, call);
                        flow.handle_reply(reply);
                    }
                    return result;
                }
            }
        }
        panic!("the machine does not end")
    }

    /// Lets time pass until nothing that a server said is cached any more.
    pub(crate) fn forget(&mut self) {
        self.sandbox.advance(Duration::from_secs(15 * 60));
    }
}

/// A loopback client, a confidential client, and one whose key is at a remote signer.
static CLIENTS: LazyLock<[Client; 3]> = LazyLock::new(|| {
    let scopes = || Scopes::parse("atproto transition:generic").expect("a constant is valid");
    let loopback = Client::loopback(scopes()).redirect_path("/callback");
    let web = |key: ClientKey| {
        let redirect: url::Url =
            "https://app.client.dev/callback".parse().expect("a constant is valid");
        Client::web("https://app.client.dev/c.json", scopes()).redirect_uri(redirect).key(key)
    };
    let local = ClientKey::new(signer(1)).expect("the key is on the curve");
    let public = Jwk::new(*signer(2).public()).expect("the key is on the curve");
    [loopback, web(local), web(ClientKey::remote(REMOTE, public))]
        .map(|client| client.build().expect("constant settings are valid"))
});
