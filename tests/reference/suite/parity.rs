//! Runs the parity cases against the reference servers, whose behaviour the cases describe.

use std::time::{Duration, SystemTime};

use atproto_oauth_parity::cases;
use atproto_oauth_parity::target::{Account, Act, Landing, Server, Strictness, Target, Visit};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};
use ureq::Agent;

use crate::network::Network;

struct Reference {
    network: Network,
    agent: Agent,
}

impl Reference {
    fn get() -> Self {
        let config = Agent::config_builder().max_redirects(0).http_status_as_error(false);
        let config = config.allow_non_standard_methods(true).proxy(None);
        Self { network: Network::get(), agent: Agent::new_with_config(config.build()) }
    }

    fn knob(&self, server: Server, knob: &str, value: &Value) {
        self.network.ask("/knobs", &json!({"pds": letter(server), knob: value}));
    }
}

impl Target for Reference {
    fn strictness(&self) -> Strictness {
        Strictness::Reference
    }

    fn origin(&self, server: Server) -> String {
        match server {
            Server::Plc => self.network.text("/plc"),
            Server::A | Server::B | Server::R => {
                self.network.text(&format!("/pds/{}/url", letter(server)))
            }
        }
    }

    fn account(&self, name: &str) -> Account {
        let handle = format!("{name}.test");
        let did = self.network.did(&handle);
        Account { handle, did, password: format!("{name}-pass") }
    }

    fn now(&self) -> u64 {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
    }

    fn wait(&mut self, duration: Duration) {
        std::thread::sleep(duration);
    }

    fn send(&mut self, request: Request<Bytes>) -> Response<Bytes> {
        let has_body = !request.body().is_empty();
        let request = request.map(|body| body.to_vec());
        let response =
            if has_body { self.agent.run(request) } else { self.agent.run(request.map(|_| ())) };
        let (head, mut body) = response.unwrap().into_parts();
        Response::from_parts(head, body.read_to_vec().unwrap().into())
    }

    fn browse(&mut self, visit: Visit<'_>) -> Landing {
        let mut order = json!({"authorization_url": visit.url});
        if let Some(browser) = visit.browser {
            order["session"] = browser.into();
        }
        let path = match visit.act {
            Act::Deny => "/deny",
            Act::Approve { identifier, password, scopes, remember } => {
                order["identifier"] = identifier.into();
                order["password"] = password.into();
                order["remember"] = remember.into();
                if let Some(scopes) = scopes {
                    order["scope"] = scopes.into();
                }
                "/approve"
            }
        };
        landing(&self.network.ask(path, &order))
    }

    fn publish(&mut self, url: &str, status: StatusCode, headers: &HeaderMap, body: &str) {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()))
            .collect::<serde_json::Map<_, _>>();
        let status = status.as_u16();
        let document =
            json!({"client_id": url, "metadata": body, "status": status, "headers": headers});
        self.network.ask("/clients", &document);
    }

    fn forget_clients(&mut self) {
        for server in [Server::A, Server::B] {
            self.knob(server, "clear_client_cache", &true.into());
        }
    }

    fn reset_nonces(&mut self, server: Server) {
        self.knob(server, "reset_nonce", &true.into());
    }

    fn rotate_nonces_each(&mut self, server: Server, interval: Duration) {
        self.knob(server, "nonce_rotation_ms", &milliseconds(interval));
    }

    fn access_token_lifetime(&mut self, server: Server, lifetime: Duration) {
        self.knob(server, "access_token_ms", &milliseconds(lifetime));
    }
}

fn milliseconds(duration: Duration) -> Value {
    u64::try_from(duration.as_millis()).unwrap().into()
}

fn letter(server: Server) -> &'static str {
    match server {
        Server::A => "a",
        Server::B => "b",
        Server::R => "r",
        Server::Plc => unreachable!("the PLC directory has no knobs"),
    }
}

fn landing(answer: &Value) -> Landing {
    if let Some(url) = answer["redirect_url"].as_str() {
        return Landing::Redirect(url.to_owned());
    }
    if let (Some(action), Some(fields)) = (answer["action"].as_str(), answer["params"].as_object())
    {
        let field = |(name, value): (&String, &Value)| {
            (name.clone(), value.as_str().unwrap_or_default().to_owned())
        };
        return Landing::Form(action.to_owned(), fields.iter().map(field).collect());
    }
    let status = answer["status"].as_u64().unwrap_or_else(|| panic!("{answer}"));
    Landing::Page(StatusCode::from_u16(status.try_into().unwrap()).unwrap())
}

#[test]
fn the_reference_servers_pass_all_parity_cases() {
    let mut target = Reference::get();
    let failures: Vec<_> =
        cases().iter().filter_map(|case| case.check(&mut target).err()).collect();
    assert!(
        failures.is_empty(),
        "{} parity cases failed:\n\n{}",
        failures.len(),
        failures.join("\n")
    );
}
