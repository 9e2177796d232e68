//! The page on which a person signs in and consents.

use bytes::Bytes;
use http::Response;
use http::header::COOKIE;

use crate::answer;
use crate::form::Form;
use crate::incoming::Incoming;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::authorize::{self, Decision, Opened, Return};
use crate::server::par::PushedRequest;
use crate::server::proof::hash;

const DEVICE: &str = "sandbox-device";

/// `GET /oauth/authorize`
pub(crate) fn open(sandbox: &mut Sandbox, at: ServerId, request: &Incoming) -> Response<Bytes> {
    let known = device(request);
    let device = known.clone().unwrap_or_else(|| sandbox.entropy.name("dev-"));
    let (client_id, request_uri) = (request.query("client_id"), request.query("request_uri"));
    let opened = match (client_id, request_uri) {
        (Some(client_id), Some(request_uri)) => {
            authorize::open(sandbox, at, &client_id, &request_uri, &device)
        }
        _ => Opened::Wrong("The request must be pushed first (RFC 9126)."),
    };
    let query = request.url.query().unwrap_or_default();
    let mut response = show(sandbox, at, query, &device, opened, None);
    if known.is_none() {
        let cookie = format!("{DEVICE}={device}; Path=/oauth; HttpOnly; SameSite=Lax");
        answer::set(&mut response, "set-cookie", &cookie);
    }
    response
}

/// `POST /oauth/authorize`: what the form of the page sends.
pub(crate) fn decide(sandbox: &mut Sandbox, at: ServerId, request: &Incoming) -> Response<Bytes> {
    let form = Form::parse(&request.body);
    let text = |name| form.get(name).unwrap_or_default().to_owned();
    let Some(device) = device(request).filter(|device| hash(device) == text("csrf")) else {
        return answer::html(400, document("This form is not the one of this browser.", ""));
    };
    let decision = match form.get("decision") {
        Some("approve") => Decision::Approve {
            identifier: text("identifier"),
            password: text("password"),
            scopes: Some(form.all("scope").map(str::to_owned).collect()),
            remember: form.get("remember").is_some(),
        },
        _ => Decision::Deny,
    };
    let (client_id, request_uri) = (text("client_id"), text("request_uri"));
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &client_id)
        .append_pair("request_uri", &request_uri)
        .finish();
    match authorize::decide(sandbox, at, &client_id, &request_uri, &device, decision) {
        Ok(opened) => show(sandbox, at, &query, &device, opened, None),
        Err(mistake) => {
            let opened = authorize::open(sandbox, at, &client_id, &request_uri, &device);
            show(sandbox, at, &query, &device, opened, Some(mistake))
        }
    }
}

fn device(request: &Incoming) -> Option<String> {
    let cookies = request.header(COOKIE)?;
    let mut cookies = cookies.split(';').filter_map(|cookie| cookie.trim().split_once('='));
    cookies.find(|(name, _)| *name == DEVICE).map(|(_, value)| value.to_owned())
}

fn show(
    sandbox: &Sandbox,
    at: ServerId,
    query: &str,
    device: &str,
    opened: Opened,
    mistake: Option<&str>,
) -> Response<Bytes> {
    match opened {
        Opened::Page(request) => {
            let form = form(sandbox, at, query, device, &request, mistake);
            let status = if mistake.is_some() { 400 } else { 200 };
            answer::html(status, document("Sign in", &form))
        }
        Opened::Back(back) if back.response_mode == "form_post" => {
            answer::html(200, document("Back to the application", &posting(&back)))
        }
        Opened::Back(back) => answer::see_other(&back.url()),
        Opened::Wrong(text) => answer::html(400, document(text, "")),
    }
}

fn form(
    sandbox: &Sandbox,
    at: ServerId,
    query: &str,
    device: &str,
    request: &PushedRequest,
    mistake: Option<&str>,
) -> String {
    let hint = request.parameters.login_hint.as_deref().unwrap_or_default();
    let account = sandbox.accounts.iter().find(|account| {
        (hint.is_empty() || account.is_called(hint)) && sandbox.server(account.server).issuer == at
    });
    let (identifier, password) = account
        .map(|account| (account.handle.as_str(), account.password.as_str()))
        .unwrap_or((hint, ""));
    let scopes: String = request
        .parameters
        .scopes
        .iter()
        .map(|scope| {
            let fixed = if scope == "atproto" { " onclick=\"return false\"" } else { "" };
            let scope = escape(scope);
            format!(
                "<label class=\"scope\"><input type=\"checkbox\" name=\"scope\" value=\"{scope}\" \
                 checked{fixed}> {scope}</label>"
            )
        })
        .collect();
    let query = Form::parse(query.as_bytes());
    let hidden: String = ["client_id", "request_uri"]
        .map(|name| (name, query.get(name).unwrap_or_default()))
        .into_iter()
        .chain([("csrf", &*hash(device))])
        .map(|(name, value)| {
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
        })
        .collect();
    let mistake =
        mistake.map(|text| format!("<p class=\"mistake\">{text}</p>")).unwrap_or_default();
    let redirect_uri = escape(&request.parameters.redirect_uri);
    format!(
        r#"<p><code>{client}</code> asks for access to your account.</p>{mistake}
<form method="post" action="/oauth/authorize">{hidden}
<label>Account <input name="identifier" value="{identifier}" autocomplete="username"></label>
<label>Password <input name="password" type="password" value="{password}"></label>
<fieldset><legend>It may</legend>{scopes}</fieldset>
<label class="scope"><input type="checkbox" name="remember" value="1"> Stay signed in</label>
<p><button name="decision" value="approve">Allow</button>
<button name="decision" value="deny" class="quiet">Deny</button></p></form>
<p class="quiet">You will be sent to <code>{redirect_uri}</code>. This is a sandbox: nobody is here
but you, and its passwords are no secrets.</p>"#,
        client = escape(&request.parameters.client_id),
        identifier = escape(identifier),
        password = escape(password),
    )
}

/// A form that submits itself (OAuth 2.0 Form Post Response Mode).
fn posting(back: &Return) -> String {
    let fields: String = back
        .params
        .iter()
        .map(|(name, value)| {
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
        })
        .collect();
    format!(
        "<form method=\"post\" action=\"{}\">{fields}<button>Go on</button></form>\
         <script>document.forms[0].submit()</script>",
        escape(&back.redirect_uri)
    )
}

fn document(title: &str, content: &str) -> String {
    format!(
        r#"<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>
body{{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:3rem auto;padding:0 1rem;color:#1c2530}}
label{{display:block;margin:.6rem 0}}input:not([type=checkbox]){{display:block;width:100%;
box-sizing:border-box;padding:.5rem;font:inherit;border:1px solid #b8c2cc;border-radius:.4rem}}
fieldset{{border:1px solid #d5dce3;border-radius:.4rem}}.scope{{font-family:ui-monospace,monospace;
font-size:.9rem}}button{{font:inherit;padding:.5rem 1.2rem;border:0;border-radius:.4rem;
background:#1463d8;color:#fff}}button.quiet{{background:#e8edf2;color:inherit}}
p.quiet{{color:#5c6b7a;font-size:.85rem}}.mistake{{color:#b3261e}}code{{overflow-wrap:anywhere}}
</style><h1>{title}</h1>{content}</html>"#
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}
