//! The callback of the browser.

use std::sync::LazyLock;

use atproto_oauth_core::{CallbackParams, Pending};
use atproto_oauth_sandbox::Process;
use atproto_sansio::{Body, Call, Flow, Output};
use http::Request;
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
    let mut outstanding = Vec::new();
    loop {
        match flow.poll_output(&mut process.env(NOW)) {
            Output::Call(call) => {
                if let Call::Http(call) = &call
                    && let Some(code) = code_of(&call.request)
                {
                    codes += 1;
                    assert!(!code.is_empty());
                    assert_eq!(state, WAITING.state(), "the code of another login");
                    // A URL parser removes these characters.
                    let plain = text.replace(['\t', '\n', '\r'], "");
                    let pairs = form_urlencoded::parse(plain.as_bytes());
                    let decoded: String = pairs.flat_map(|(name, value)| [name, value]).collect();
                    assert!(decoded.contains(WAITING.issuer().as_str()), "the code of {decoded}");
                    let url = call.request.uri().to_string();
                    assert_eq!(url, "https://pds.example.com/oauth/token");
                }
                // A call that is dropped would be answered.
                outstanding.push(call);
            }
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

/// The code in the form of a request.
fn code_of(request: &Request<Body>) -> Option<String> {
    let Body::Bytes(body) = request.body() else { return None };
    let mut form = form_urlencoded::parse(body);
    form.find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
}
