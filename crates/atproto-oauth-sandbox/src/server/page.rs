//! `GET /oauth/authorize` and `POST /oauth/authorize`: the HTML page on which the user signs in and
//! consents.
//!
//! The browser is recognized by a cookie with its device id. The submitted form is accepted only
//! with the hash of that id in its field `csrf`.

use bytes::Bytes;
use http::Response;
use http::header::COOKIE;

use crate::accounts::account::Account;
use crate::answer;
use crate::form::Form;
use crate::incoming::Incoming;
use crate::sandbox::Sandbox;
use crate::server::ServerId;
use crate::server::authorize::{self, Decision, Opened, Return};
use crate::server::par::PushedRequest;
use crate::server::proof::hash;

/// Name of the cookie that holds the browser's device id.
const DEVICE: &str = "sandbox-device";

/// A failed attempt to sign in: the name that the user entered, and the error text for the page.
struct Mistake {
    identifier: String,
    text: &'static str,
}

/// `GET /oauth/authorize`: opens the request, and sets the device cookie if the browser has none.
pub(crate) fn open(sandbox: &mut Sandbox, at: ServerId, request: &Incoming) -> Response<Bytes> {
    let known = device(request);
    let device = known.clone().unwrap_or_else(|| sandbox.entropy.name("dev-"));
    let (client_id, request_uri) = (request.query("client_id"), request.query("request_uri"));
    let opened = match (client_id, request_uri) {
        // A request must not repeat a parameter (RFC 6749 section 3.1).
        _ if request.repeated_parameter().is_some() => Opened::Wrong("A parameter is repeated."),
        (Some(client_id), Some(request_uri)) => {
            authorize::open(sandbox, at, &client_id, &request_uri, &device)
        }
        _ => {
            Opened::Wrong("client_id or request_uri is missing: push the request first (RFC 9126).")
        }
    };
    let query = request.url.query().unwrap_or_default();
    let mut response = show(sandbox, at, query, &device, opened, None);
    if known.is_none() {
        let cookie = format!("{DEVICE}={device}; Path=/oauth; HttpOnly; SameSite=Lax");
        answer::set(&mut response, "set-cookie", &cookie);
    }
    response
}

/// `POST /oauth/authorize`: applies the decision that the form of the page submits.
pub(crate) fn decide(sandbox: &mut Sandbox, at: ServerId, request: &Incoming) -> Response<Bytes> {
    let form = Form::parse(&request.body);
    let text = |name| form.get(name).unwrap_or_default().to_owned();
    let Some(device) = device(request).filter(|device| hash(device) == text("csrf")) else {
        return answer::html(400, document("This form was not opened in this browser.", "", ""));
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
            let mistake = Mistake { identifier: text("identifier"), text: mistake };
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
    mistake: Option<Mistake>,
) -> Response<Bytes> {
    match opened {
        Opened::Page(request) => {
            let status = if mistake.is_some() { 400 } else { 200 };
            let title = format!("Sign in to {}", host(&sandbox.server(at).origin));
            let form = form(sandbox, at, query, device, &request, mistake);
            answer::html(status, document(&title, &form, &notes(&request)))
        }
        Opened::Back(back) if back.response_mode == "form_post" => {
            answer::html(200, document("Back to the application", &posting(&back), ""))
        }
        Opened::Back(back) => answer::see_other(&back.url()),
        Opened::Wrong(text) => answer::html(400, document(text, "", "")),
    }
}

fn form(
    sandbox: &Sandbox,
    at: ServerId,
    query: &str,
    device: &str,
    request: &PushedRequest,
    mistake: Option<Mistake>,
) -> String {
    let hint = request.parameters.login_hint.as_deref().unwrap_or_default();
    let of_here = |account: &&Account| sandbox.server(account.server).issuer == at;
    let accounts = sandbox.accounts.iter().filter(of_here);
    let proposed = accounts.clone().find(|account| hint.is_empty() || account.is_called(hint));
    // The password is filled in, because accounts of a sandbox need no protection. After a failed
    // attempt, the field is empty.
    let (identifier, password) = match (&mistake, proposed) {
        (Some(mistake), _) => (&*mistake.identifier, ""),
        (None, Some(account)) => (&*account.handle, &*account.password),
        (None, None) => (hint, ""),
    };
    let query = Form::parse(query.as_bytes());
    let hidden: String = ["client_id", "request_uri"]
        .map(|name| (name, query.get(name).unwrap_or_default()))
        .into_iter()
        .chain([("csrf", &*hash(device))])
        .map(|(name, value)| hidden(name, value))
        .collect();
    let scopes: String = request
        .parameters
        .scopes
        .iter()
        .map(|scope| checkbox("scope", scope, &format!("<code>{}</code>", escape(scope)), true))
        .collect();
    let (alert, invalid) = match &mistake {
        Some(Mistake { text, .. }) => (
            format!("<p class=\"mistake\" id=\"mistake\" role=\"alert\">{text}</p>"),
            " aria-invalid=\"true\" aria-describedby=\"mistake\" autofocus",
        ),
        None => (String::new(), ""),
    };
    let handles: String = accounts.map(|account| option(&account.handle)).collect();
    format!(
        r#"<p>{client} asks for access to your account.</p>{alert}
<form method="post" action="/oauth/authorize">{hidden}
<label class="field">Account<input name="identifier" value="{identifier}" list="accounts"
 autocomplete="username" autocapitalize="none" spellcheck="false" required></label>
<datalist id="accounts">{handles}</datalist>
<label class="field">Password<input name="password" type="password" value="{password}"
 autocomplete="current-password"{invalid}></label>
<fieldset><legend>Allowed scopes</legend>{scopes}</fieldset>
{remember}
<div class="buttons"><button name="decision" value="approve">Allow</button>
<button name="decision" value="deny" class="quiet" formnovalidate>Deny</button></div></form>"#,
        client = client(&request.parameters.client_id),
        identifier = escape(identifier),
        password = escape(password),
        remember = checkbox("remember", "1", "Stay signed in", false),
    )
}

fn notes(request: &PushedRequest) -> String {
    format!(
        "<dl><dt>Application</dt><dd><code>{}</code></dd><dt>You will be sent to</dt>\
         <dd><code>{}</code></dd></dl><p>This is a sandbox for tests: its accounts \
         and passwords are public. The password of alice is <code>alice-pass</code>.</p>",
        escape(&request.parameters.client_id),
        escape(&request.parameters.redirect_uri),
    )
}

/// Returns a form that posts the authorization response to the client as soon as the page is loaded
/// (OAuth 2.0 Form Post Response Mode).
fn posting(back: &Return) -> String {
    let fields: String = back.params.iter().map(|(name, value)| hidden(name, value)).collect();
    format!(
        "<form method=\"post\" action=\"{}\">{fields}\
         <div class=\"buttons\"><button>Continue</button></div></form>\
         <script>document.forms[0].submit()</script>",
        escape(&back.redirect_uri)
    )
}

fn document(title: &str, content: &str, notes: &str) -> String {
    let (title, style) = (escape(title), include_str!("page.css"));
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>\n{style}</style>\
         <main><h1>{title}</h1>{content}</main><footer class=\"notes\">{notes}</footer></html>"
    )
}

/// Describes the client to the user by the host of its `client_id`. The `client_name` is not shown,
/// because the client chooses it freely.
fn client(client_id: &str) -> String {
    match host(client_id) {
        "localhost" => "An application on this computer".to_owned(),
        host => format!("<strong>{}</strong>", escape(host)),
    }
}

fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
}

fn option(value: &str) -> String {
    format!("<option value=\"{}\">", escape(value))
}

fn checkbox(name: &str, value: &str, label: &str, checked: bool) -> String {
    let checked = if checked { " checked" } else { "" };
    let value = escape(value);
    format!(
        "<label class=\"box\"><input type=\"checkbox\" name=\"{name}\" value=\"{value}\"{checked}>\
         <span>{label}</span></label>"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}
