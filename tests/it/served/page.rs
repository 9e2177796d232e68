//! The authorization page of the sandbox: its form, its cookie and its redirects.

use atproto_oauth_core::{Authorization, CallbackParams, Denied, Error, ResponseMode, Subject};
use atproto_oauth_sandbox::Served;
use atproto_oauth_ureq::StatelessClient;
use url::Url;
use url::form_urlencoded::{Serializer, parse};

use crate::served::logins::blocking;
use crate::served::raw::{address, send};

const CALLBACK: &str = "http://127.0.0.1:7777/";

/// A browser that has opened the page of a login.
struct Visit {
    served: Served,
    client: StatelessClient,
    login: Authorization,
    page: String,
    cookie: String,
}

impl Visit {
    fn to_page_of(handle: &str, mode: ResponseMode) -> Self {
        let served = Served::start(1).unwrap();
        let client = blocking(&served);
        let login = client
            .authorize_with(Subject::parse(handle).unwrap(), |login| {
                login.redirect_uri(CALLBACK.parse().unwrap()).response_mode(mode)
            })
            .unwrap();
        let path = &login.url[url::Position::BeforePath..];
        let (page, _) = send(
            at(&login.url),
            &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
        );
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
        let cookie = header(&page, "set-cookie").split(';').next().unwrap().to_owned();
        Self { served, client, login, page, cookie }
    }

    fn submit(&self, fields: &[(&str, &str)]) -> String {
        let form = Serializer::new(String::new())
            .extend_pairs(hidden(&self.page))
            .extend_pairs(fields)
            .finish();
        let head = format!(
            "POST /oauth/authorize HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncookie: {}\r\n\
             content-length: {}\r\n\r\n",
            self.cookie,
            form.len()
        );
        send(at(&self.login.url), &format!("{head}{form}")).0
    }

    fn allow(&self, identifier: &str, password: &str) -> String {
        self.submit(&[
            ("identifier", identifier),
            ("password", password),
            ("scope", "atproto"),
            ("decision", "approve"),
        ])
    }
}

fn at(url: &Url) -> std::net::SocketAddr {
    address(&url.origin().ascii_serialization())
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let head = answer.split("\r\n\r\n").next().unwrap();
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.into_iter().find(|(this, _)| *this == name).unwrap().1
}

/// Returns the hidden fields of the form.
fn hidden(page: &str) -> Vec<(String, String)> {
    let text = |text: &str| text.replace("&quot;", "\"").replace("&lt;", "<").replace("&amp;", "&");
    let fields = page.split("<input type=\"hidden\" name=\"").skip(1);
    fields
        .map(|field| {
            let mut parts = field.split('"');
            (text(parts.next().unwrap()), text(parts.nth(1).unwrap()))
        })
        .collect()
}

#[test]
fn the_answer_comes_in_the_query_the_fragment_or_a_form() {
    for mode in [ResponseMode::Query, ResponseMode::Fragment, ResponseMode::FormPost] {
        let visit = Visit::to_page_of("alice.test", mode);
        let answer = visit.allow("alice.test", "alice-pass");
        let params = if mode == ResponseMode::FormPost {
            assert!(answer.contains(&format!("action=\"{CALLBACK}\"")), "{answer}");
            CallbackParams::from_pairs(hidden(&answer))
        } else {
            assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
            let back = header(&answer, "location");
            assert_eq!(back.contains('#'), mode == ResponseMode::Fragment, "{back}");
            CallbackParams::parse(back)
        };
        let session = visit.client.callback(visit.login.pending, params.unwrap()).unwrap().session;
        assert_eq!(session.did().as_str(), visit.served.sandbox().did("alice.test").unwrap());
        assert!(
            !session.scopes().contains("transition:generic"),
            "only the scope atproto was granted"
        );
    }
}

#[test]
fn a_wrong_password_can_be_corrected() {
    let visit = Visit::to_page_of("alice.test", ResponseMode::Query);
    assert!(visit.page.contains("value=\"alice.test\" list="), "{}", visit.page);
    for (identifier, password) in [("alice.test", "bob-pass"), ("bob.test\"<", "bob-pass")] {
        let answer = visit.allow(identifier, password);
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("role=\"alert\">No account here has this name and password."));
        let typed = identifier.replace('"', "&quot;").replace('<', "&lt;");
        assert!(answer.contains(&format!("name=\"identifier\" value=\"{typed}\"")), "{answer}");
        assert!(answer.contains("type=\"password\" value=\"\""), "{answer}");
        assert_eq!(hidden(&answer), hidden(&visit.page));
    }
    assert!(visit.allow("alice.test", "alice-pass").starts_with("HTTP/1.1 303 "));
}

#[test]
fn a_denial_redirects_with_an_error() {
    let visit = Visit::to_page_of("rita.test", ResponseMode::Query);
    let answer = visit.submit(&[("decision", "deny")]);
    let params = CallbackParams::parse(header(&answer, "location")).unwrap();
    let error = visit.client.callback(visit.login.pending, params).unwrap_err();
    assert!(matches!(error.error, Error::Denied(Denied { .. })), "{error}");
}

#[test]
fn the_form_of_another_browser_is_refused() {
    let mut visit = Visit::to_page_of("alice.test", ResponseMode::Query);
    visit.cookie = "sandbox-device=dev-another".to_owned();
    assert!(visit.allow("alice.test", "alice-pass").starts_with("HTTP/1.1 400 "));
}

#[test]
fn the_page_keeps_the_query_of_the_authorization_url() {
    let visit = Visit::to_page_of("alice.test", ResponseMode::Query);
    let query: Vec<_> = parse(visit.login.url.query().unwrap().as_bytes()).into_owned().collect();
    assert_eq!(hidden(&visit.page)[..2], query);
}
