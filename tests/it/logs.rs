//! Tests: the log entries of both adapters. Rule M-09.

use std::cell::RefCell;
use std::fmt::{Debug, Write};
use std::sync::Arc;
use std::time::Duration;

use atproto_oauth_core::Binding;
use atproto_oauth_sandbox::{Fault, Served};
use atproto_oauth_store::MemoryStore;
use http::Response;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, set_global_default};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::managed::{ALICE, approve, asynchronous, blocking};

/// Keeps the entries of this project's crates for the thread that made them. It serves the whole
/// process, because a subscriber of one thread races with the other tests.
struct Log;

thread_local! {
    /// Level, and text with all fields.
    static ENTRIES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

impl Subscriber for Log {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("atproto")
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        ENTRIES.with_borrow_mut(|entries| entries.push((*event.metadata().level(), text.0)));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, "{field}={value:?} ").unwrap();
    }
}

/// Checks the entries of a login, of a refresh that fails, and of one that ends the session.
#[track_caller]
fn check(secrets: &[String], is_plain: bool) {
    let entries = ENTRIES.take();
    let has = |level: Level, part: &str| {
        entries.iter().any(|(found, text)| *found == level && text.contains(part))
    };
    assert!(has(Level::DEBUG, "demands a nonce; the request is sent again"), "{entries:?}");
    assert!(has(Level::ERROR, "the session could not be renewed"), "{entries:?}");
    assert!(has(Level::ERROR, "503"), "{entries:?}");
    assert!(has(Level::WARN, "the session has ended"), "{entries:?}");
    assert_eq!(has(Level::WARN, "plain text"), is_plain, "{entries:?}");
    for secret in secrets {
        assert!(entries.iter().all(|(_, text)| !text.contains(secret)), "{entries:?}");
    }
}

fn secrets(session: &atproto_oauth_core::Session) -> Vec<String> {
    let stored: serde_json::Value =
        serde_json::from_str(session.to_json().unwrap().expose()).unwrap();
    let secrets = ["/access_token", "/refresh_token", "/dpop_key/d"];
    secrets.map(|secret| stored.pointer(secret).unwrap().as_str().unwrap().to_owned()).into()
}

/// The token endpoint says for one request that it is overloaded, for a second.
fn broken() -> Fault {
    let body = r#"{"error":"temporarily_unavailable"}"#;
    let response = Response::builder().status(503).header("retry-after", "1");
    Fault::answer(response.body(body.into()).unwrap()).path("/oauth/token")
}

/// Time after which a refresh is tried again.
const PAUSE: Duration = Duration::from_millis(1500);

#[test]
fn each_adapter_logs_retries_and_failures_without_a_token() {
    let (served, folder) = (Served::start(1).unwrap(), tempfile::tempdir().unwrap());
    set_global_default(Log).unwrap();
    let app = blocking(&served, &folder, &Arc::default());
    let login = app.authorize(ALICE).unwrap();
    let binding = Binding::cookie(login.cookie.unwrap().value.expose());
    let session = app.callback(approve(&served, &login.url), binding).unwrap().session;
    served.sandbox().fault(broken());
    session.refresh().unwrap_err();
    served.sandbox().end_sessions(ALICE);
    std::thread::sleep(PAUSE);
    session.refresh().unwrap_err();
    check(&secrets(&session.at_hand()), true);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let app = asynchronous(&served, Arc::new(MemoryStore::new()), &Arc::default());
        let login = app.authorize(ALICE).await.unwrap();
        let binding = Binding::cookie(login.cookie.unwrap().value.expose());
        let params = approve(&served, &login.url);
        let session = app.callback(params, binding).await.unwrap().session;
        served.sandbox().fault(broken());
        session.refresh().await.unwrap_err();
        served.sandbox().end_sessions(ALICE);
        tokio::time::sleep(PAUSE).await;
        session.refresh().await.unwrap_err();
        check(&secrets(&session.at_hand()), false);
    });
}
