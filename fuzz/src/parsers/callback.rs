//! The callback of the browser.

use std::sync::LazyLock;

use atproto_oauth_core::{CallbackParams, Pending};
use atproto_oauth_sandbox::Process;
use atproto_sansio::{Body, Call, Flow, Output};
use url::form_urlencoded;

use crate::canned::NOW;
use crate::parsers::records::{PENDING, client};
use crate::parsers::text;

/// The bytes are the callback of the login that `pending_record` has as a seed. Its code is sent to the
/// token endpoint only if state and issuer fit.
pub(crate) fn callback(data: &[u8]) -> bool {
    static WAITING: LazyLock<Pending> =
        LazyLock::new(|| Pending::from_json(PENDING).expect("the seed is valid"));
    let text = text(data);
    let Ok(params) = CallbackParams::parse(&text) else { return false };
    assert!(!params.state().is_empty());
    let state = params.state().to_owned();
    let mut process = Process::new(1);
    let mut flow = Flow::new(client().callback(WAITING.clone(), params));
    let mut codes = 0;
    loop {
        match flow.poll_output(&mut process.env(NOW)) {
            Output::Call(Call::Http(call)) if call.request.method() == "POST" => {
                codes += 1;
                assert_eq!(state, WAITING.state(), "the code of another login");
                let url = call.request.uri().to_string();
                assert_eq!(url, "https://pds.example.com/oauth/token");
                let Body::Bytes(body) = call.request.body() else { panic!("a form has bytes") };
                let form: Vec<_> = form_urlencoded::parse(body).collect();
                let code = form.iter().find(|(name, _)| name == "code");
                assert!(code.is_some_and(|(_, code)| !code.is_empty()));
                assert!(text.contains("iss") && text.contains("pds.example.com"), "{text}");
            }
            Output::Call(_) => {}
            Output::Wait => break,
            Output::Done(result) => {
                let error = result.expect_err("no reply came, so there is no session");
                assert!(error.revocation.is_none() && codes == 0);
                let shown = error.to_string();
                assert!(!shown.chars().any(char::is_control), "{shown:?}");
                return false;
            }
        }
    }
    assert_eq!(codes, 1);
    true
}
