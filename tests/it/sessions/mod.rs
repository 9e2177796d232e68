//! Managed sessions in the sandbox: a store, several processes, and virtual time.

mod ends;
mod life;
mod logins;

use std::sync::Arc;

use atproto_oauth_core::{
    BegunLogin, Binding, CallbackParams, Client, FinishLoginError, FinishedLogin, Scopes, Session,
    SessionChange, SessionEvent, SessionKey, SessionReply, Sessions, SessionsError, Subject, xrpc,
};
use atproto_oauth_sandbox::{Process, Sandbox};

pub(crate) const ALICE: &str = "alice.example.com";

/// A network with managed sessions, and one process.
pub(crate) struct Managed {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
    pub(crate) sessions: Sessions,
    pub(crate) process: Process,
}

impl Managed {
    pub(crate) fn new() -> Self {
        let scopes = Scopes::parse("atproto transition:generic").unwrap();
        let client = Client::loopback(scopes).redirect_path("/callback").build().unwrap();
        let (sandbox, sessions) = (Sandbox::new(1), Sessions::new(&client));
        Self { sandbox, client, sessions, process: Process::new(1) }
    }

    pub(crate) fn begin(&mut self, handle: &str) -> BegunLogin {
        let authorize = self.client.authorize(Subject::parse(handle).unwrap());
        let begin = self.sessions.authorize(authorize);
        self.sandbox.run_in(&mut self.process, begin).unwrap()
    }

    /// The owner of `handle` consents; returns the callback.
    pub(crate) fn approve(&mut self, begun: &BegunLogin, handle: &str) -> CallbackParams {
        CallbackParams::parse(&self.sandbox.approve(&begun.url, handle).unwrap()).unwrap()
    }

    pub(crate) fn finish(
        &mut self,
        params: CallbackParams,
        binding: Binding,
    ) -> Result<FinishedLogin, FinishLoginError> {
        let finish = self.sessions.callback(params, binding);
        self.sandbox.run_in(&mut self.process, finish)
    }

    pub(crate) fn log_in(&mut self, handle: &str) -> SessionKey {
        let begun = self.begin(handle);
        let params = self.approve(&begun, handle);
        let finished = self.finish(params, binding(&begun)).unwrap();
        SessionKey::of(&finished.session)
    }

    pub(crate) fn restore(&mut self, key: &SessionKey) -> Result<Arc<Session>, SessionsError> {
        self.sandbox.run_in(&mut self.process, self.sessions.restore(key))
    }

    /// Sends a request with the session at hand.
    pub(crate) fn who_am_i(
        &mut self,
        at_hand: &Arc<Session>,
    ) -> Result<SessionReply, SessionsError> {
        let request = xrpc::query("com.atproto.server.getSession", &[]).unwrap();
        let request = self.sessions.request(Arc::clone(at_hand), request);
        self.sandbox.run_in(&mut self.process, request)
    }

    /// The changes that the program was told of since the last time.
    pub(crate) fn changes(&mut self) -> Vec<SessionChange> {
        let notices = self.process.take_notices();
        let events = notices.iter().filter_map(|notice| {
            let event: &SessionEvent = notice.downcast_ref()?;
            Some(event.change.clone())
        });
        events.collect()
    }
}

/// The cookie of the browser that began the login.
pub(crate) fn binding(begun: &BegunLogin) -> Binding {
    Binding::cookie(begun.cookie.as_ref().expect("the login is bound").value.expose())
}
