//! Progress on standard error, if that is a terminal: a bar for an upload, and a spinner for a server that lets
//! the command wait.
//!
//! The spinner follows the log entries of the adapter, so that it is the same for all verbs.

use std::fmt::Debug;
use std::io::{self, IsTerminal};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use url::Url;

/// The bars and spinners on standard error. They are hidden if that is no terminal.
static DRAWN: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Time that a server may take before the spinner names it.
const PATIENCE: Duration = Duration::from_millis(500);

const TICK: Duration = Duration::from_millis(100);

/// A bar of `length` bytes.
pub(crate) fn bar(length: u64) -> ProgressBar {
    let bar = DRAWN.add(ProgressBar::new(length));
    match ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Held while the spinner is drawn or a text is printed, so that no text gets into the spinner's line.
static PRINTING: Mutex<()> = Mutex::new(());

/// Runs `print`, which writes to the terminal, without what is drawn there. The next tick draws it again.
pub(crate) fn print_beside<T>(print: impl FnOnce() -> T) -> T {
    let _printing = PRINTING.lock().unwrap_or_else(PoisonError::into_inner);
    // `suspend` would panic if the terminal has gone.
    let _ = DRAWN.clear();
    print()
}

/// Names servers that let the command wait, from now on. A second call changes nothing.
pub(crate) fn name_slow_servers() {
    if !io::stderr().is_terminal() {
        return;
    }
    let spinner = Spinner::default();
    let requests = Targets::new().with_target("atproto_oauth_ureq", LevelFilter::TRACE);
    let follower = Follower(spinner.clone()).with_filter(requests);
    if tracing_subscriber::registry().with(follower).try_init().is_ok() {
        thread::spawn(move || {
            loop {
                thread::sleep(TICK);
                spinner.tick();
            }
        });
    }
}

#[derive(Clone, Default)]
struct Spinner(Arc<Mutex<Waiting>>);

/// Requests without a reply.
#[derive(Default)]
struct Waiting {
    requests: usize,
    /// Time of the first of them.
    since: Option<Instant>,
    /// Host of the last of them.
    host: String,
    /// The spinner, when it is visible.
    drawn: Option<ProgressBar>,
}

impl Spinner {
    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn tick(&self) {
        self.change(|waiting| {
            if waiting.since.is_some_and(|since| since.elapsed() >= PATIENCE) {
                let new = || DRAWN.add(ProgressBar::new_spinner());
                let drawn = waiting.drawn.get_or_insert_with(new);
                let _printing = PRINTING.lock().unwrap_or_else(PoisonError::into_inner);
                drawn.set_message(format!("waiting for {}", waiting.host));
                drawn.tick();
            }
        });
    }

    /// Follows a log entry of the adapter: a request, or the reply to one.
    fn follow(&self, entry: &str) {
        self.change(|waiting| match host(entry) {
            Some(host) => {
                waiting.requests += 1;
                waiting.since = waiting.since.or_else(|| Some(Instant::now()));
                waiting.host = host;
            }
            None if entry.starts_with('→') => {
                waiting.requests = waiting.requests.saturating_sub(1);
                if waiting.requests == 0 {
                    waiting.since = None;
                    waiting.drawn.take().inspect(ProgressBar::finish_and_clear);
                }
            }
            None => {}
        });
    }
}

/// The host of an entry such as `GET https://pds.example.com/x`; `None` if the entry is no request.
fn host(entry: &str) -> Option<String> {
    let (method, rest) = entry.split_once(' ')?;
    let url = rest.split([' ', ',', '?']).next()?;
    let url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    method
        .bytes()
        .all(|byte| byte.is_ascii_uppercase())
        .then(|| url.host_str().map(str::to_owned))?
}

/// Passes log entries on to the spinner.
struct Follower(Spinner);

impl<S: Subscriber> Layer<S> for Follower {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut Message(&self.0));
    }
}

/// Reads the message of a log entry.
struct Message<'a>(&'a Spinner);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0.follow(&format!("{value:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spinner_follows_requests_and_replies() {
        let spinner = Spinner::default();
        let requests = || spinner.0.lock().unwrap().requests;
        spinner.follow("GET https://pds.example.com/xrpc/a.b?…, with a token, with a proof");
        spinner.follow("POST http://127.0.0.1:8080/oauth/token, form: a=1");
        assert_eq!((requests(), &spinner.0.lock().unwrap().host[..]), (2, "127.0.0.1"));
        spinner.follow("the session has changed");
        spinner.follow("→ 200 OK");
        assert_eq!(requests(), 1);
        spinner.follow("→ the connection was closed");
        assert_eq!((requests(), spinner.0.lock().unwrap().since), (0, None));
        // A reply without a request, because the spinner began later.
        spinner.follow("→ 200 OK");
        assert_eq!(requests(), 0);
    }

    #[test]
    fn only_a_request_has_a_host() {
        assert_eq!(host("GET https://pds.example.com").as_deref(), Some("pds.example.com"));
        for entry in ["", "GET", "GET /x", "warning https://pds.example.com", "→ 200 OK"] {
            assert_eq!(host(entry), None, "{entry}");
        }
    }
}
