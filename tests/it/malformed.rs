//! Random faults in the responses of servers: each login, callback, refresh and logout still ends,
//! and no fault yields a session of another account.

use std::collections::BTreeSet;

use atproto_oauth_core::{CallbackParams, Client, Session, Subject};
use atproto_oauth_tests::replayer::network::Network;
use atproto_oauth_tests::replayer::proof::Proof;
use atproto_sansio::{Call, Flow, Machine, Output, Phase, TransportError};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use proptest::prelude::*;
use serde_json::Value;

/// A change of one response, or a failure of its call.
#[derive(Clone, Debug)]
enum Fault {
    Reply { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    Json { pick: u16, value: Value },
    Truncated { length: u16 },
    Header { name: &'static str, value: String },
    Lost { phase: u8 },
}

const HEADERS: [&str; 7] = [
    "content-type",
    "date",
    "dpop-nonce",
    "location",
    "retry-after",
    "www-authenticate",
    "content-length",
];

fn fault() -> impl Strategy<Value = Fault> {
    let header = || {
        let value = prop_oneof![
            "[ -~]{0,40}",
            Just("application/json".to_owned()),
            Just("https://127.0.0.1/".to_owned()),
            Just("DPoP error=\"use_dpop_nonce\"".to_owned()),
            Just("Thu, 01 Jan 2026 01:00:00 GMT".to_owned()),
            Just("n".repeat(2000)),
        ];
        (prop::sample::select(HEADERS.as_slice()), value)
    };
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100),
        "[{}\\[\\]\":,a-z0-9]{0,60}".prop_map(String::into_bytes),
        prop::sample::select(vec!["use_dpop_nonce", "invalid_dpop_proof", "invalid_grant"])
            .prop_map(|code| format!(r#"{{"error":"{code}"}}"#).into_bytes()),
        Just(vec![b'['; 70_000]),
    ];
    let status = prop_oneof![100u16..600, Just(200), Just(400), Just(401), Just(302)];
    prop_oneof![
        (status, prop::collection::vec(header(), 0..4), body)
            .prop_map(|(status, headers, body)| Fault::Reply { status, headers, body }),
        (any::<u16>(), value()).prop_map(|(pick, value)| Fault::Json { pick, value }),
        any::<u16>().prop_map(|length| Fault::Truncated { length }),
        header().prop_map(|(name, value)| Fault::Header { name, value }),
        (0u8..6).prop_map(|phase| Fault::Lost { phase }),
    ]
}

/// Generates the new value of a JSON member.
fn value() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec![
        "",
        "did:plc:z72i7hdynmk6r22z27h6tvur",
        "did:web:evil.example.com",
        "https://evil.example.com",
        "https://127.0.0.1",
        "https://pds.example.com/",
        "javascript:alert(1)",
        "Bearer",
        "a b\r\nc",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            inner.prop_map(|value| serde_json::json!({ "x": value })),
        ]
    })
}

impl Fault {
    fn apply(&self, response: &mut Response<Bytes>) {
        match self {
            Self::Reply { status, headers, body } => {
                *response = Response::new(Bytes::from(body.clone()));
                *response.status_mut() = StatusCode::from_u16(*status).unwrap();
                for (name, value) in headers {
                    append(response, name, value);
                }
            }
            Self::Header { name, value } => append(response, name, value),
            Self::Truncated { length } => {
                let length = usize::from(*length) % (response.body().len() + 1);
                response.body_mut().truncate(length);
            }
            Self::Json { pick, value } => {
                let Ok(mut json) = serde_json::from_slice::<Value>(response.body()) else { return };
                let places = places(&json, "");
                let place = &places[usize::from(*pick) % places.len()];
                *json.pointer_mut(place).unwrap() = value.clone();
                *response.body_mut() = Bytes::from(json.to_string());
            }
            Self::Lost { .. } => {}
        }
    }

    fn phase(&self) -> Option<Phase> {
        let Self::Lost { phase } = self else { return None };
        Some(match phase {
            0 => Phase::NotSent,
            1 => Phase::MaybeSent,
            2 => Phase::Truncated,
            3 => Phase::TooLarge,
            4 => Phase::TimedOut,
            _ => Phase::Unsupported,
        })
    }
}

fn append(response: &mut Response<Bytes>, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).unwrap();
    response.headers_mut().append(HeaderName::from_static(name), value);
}

fn replace(response: &mut Response<Bytes>, name: &str, value: &Value) {
    let Ok(mut json) = serde_json::from_slice::<Value>(response.body()) else { return };
    if let Some(member) = json.get_mut(name) {
        *member = value.clone();
        *response.body_mut() = Bytes::from(json.to_string());
    }
}

/// Generates a member that has the same wrong value in every response that has the member.
fn everywhere() -> impl Strategy<Value = Option<(&'static str, Value)>> {
    let names = vec!["sub", "sub", "token_type", "scope", "issuer", "resource", "id"];
    let bob = Just(Value::from("did:plc:z72i7hdynmk6r22z27h6tvur"));
    prop::option::of((prop::sample::select(names), prop_oneof![value(), bob]))
}

/// Returns the JSON pointers of all values in `json`, below the pointer `here`.
fn places(json: &Value, here: &str) -> Vec<String> {
    let mut all = vec![here.to_owned()];
    match json {
        Value::Object(members) => {
            for (name, value) in members {
                all.extend(places(value, &format!("{here}/{name}")));
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                all.extend(places(value, &format!("{here}/{index}")));
            }
        }
        _ => {}
    }
    all
}

/// A network whose responses have faults.
struct FaultyNetwork {
    network: Network,
    /// Index of a call, counted from 0, and the fault of its reply.
    faults: Vec<(usize, Fault)>,
    /// A member and its value in every response that has the member.
    everywhere: Option<(&'static str, Value)>,
    asked: usize,
    jtis: BTreeSet<String>,
}

impl FaultyNetwork {
    /// Runs `machine`, and checks its budget of requests; `order` picks the call to answer next.
    fn run<M: Machine>(&mut self, machine: M, order: &[u8]) -> Result<M::Output, M::Error> {
        let most = machine.budget();
        let (mut http, mut order) = (0, order.iter().copied().cycle());
        let mut flow = Flow::new(machine);
        let mut outstanding: Vec<Call> = Vec::new();
        loop {
            match flow.poll_output(&mut self.network.environment.env()) {
                Output::Call(call) => {
                    http += u32::from(matches!(call, Call::Http(_)));
                    assert!(http <= most.http, "more requests than the budget allows");
                    self.check_jti(&call);
                    outstanding.push(call);
                }
                Output::Wait => {
                    outstanding.retain(Call::is_wanted);
                    assert!(
                        !outstanding.is_empty(),
                        "the machine waits, but no call is outstanding"
                    );
                    let pick = usize::from(order.next().unwrap_or_default()) % outstanding.len();
                    let call = outstanding.remove(pick);
                    flow.handle_reply(self.answer(call));
                }
                Output::Done(result) => return result,
            }
        }
    }

    /// Checks that each proof has a new `jti` (Rule E-07).
    fn check_jti(&mut self, call: &Call) {
        let Call::Http(call) = call else { return };
        if let Some(proof) = call.request.headers().get("dpop") {
            let proof = Proof::read(proof.to_str().unwrap()).unwrap();
            let jti = proof.text("jti").unwrap().to_owned();
            assert!(self.jtis.insert(jti), "a jti was used twice");
        }
    }

    fn answer(&mut self, call: Call) -> atproto_sansio::Reply {
        let asked = self.asked;
        self.asked += 1;
        let fault = self.faults.iter().find(|(index, _)| *index == asked);
        let fault = fault.map(|(_, fault)| fault.clone());
        if let Some(phase) = fault.as_ref().and_then(Fault::phase) {
            return call.fail(TransportError::new(phase, "a fault"));
        }
        let everywhere = self.everywhere.clone();
        self.network.mutate(move |_, _, response| {
            if let Some((name, value)) = &everywhere {
                replace(response, name, value);
            }
            if let Some(fault) = &fault {
                fault.apply(response);
            }
        });
        self.network.answer(call)
    }
}

/// Runs a login, a callback, a refresh and a logout until one fails, and returns the sessions.
fn run_all(
    network: &mut FaultyNetwork,
    client: &Client,
    subject: &str,
    order: &[u8],
) -> Vec<Session> {
    let mut sessions = Vec::new();
    let subject = Subject::parse(subject).unwrap();
    let Ok(begun) = network.run(client.authorize(subject), order) else { return sessions };
    let issuer = "https://pds.example.com";
    let params = format!("state={}&iss={issuer}&code=c-1", begun.pending.state());
    let params = CallbackParams::parse(&params).unwrap();
    let exchange = client.callback(begun.pending, params);
    let Ok(logged_in) = network.run(exchange, order) else { return sessions };
    sessions.push(logged_in.session.clone());
    if let Ok(refreshed) = network.run(client.refresh(logged_in.session), order) {
        sessions.push(refreshed.session);
    }
    if let Some(session) = sessions.last() {
        let _ = network.run(client.revoke(session.clone()), order);
    }
    sessions
}

/// Generates at most three faults. [`run_all`] makes about fifteen calls; `PROPTEST_CASES` sets the
/// number of runs.
fn faults() -> impl Strategy<Value = Vec<(usize, Fault)>> {
    prop::collection::vec((0usize..20, fault()), 0..4)
}

proptest! {
    #[test]
    fn every_flow_ends_and_no_fault_changes_the_account(
        faults in faults(),
        everywhere in everywhere(),
        by_handle: bool,
        order in prop::collection::vec(any::<u8>(), 1..12),
    ) {
        let network = Network::new();
        let client = network.client();
        let jtis = BTreeSet::new();
        let mut network = FaultyNetwork { network, faults, everywhere, asked: 0, jtis };
        let alice = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
        let subject = if by_handle { "alice.example.com" } else { alice };
        let sessions = run_all(&mut network, &client, subject, &order);
        for session in sessions {
            // No fault changes DNS records, so only the tokens can name another account.
            prop_assert_eq!(session.did().as_str(), alice);
            prop_assert_eq!(session.issuer().as_str(), "https://pds.example.com");
        }
    }
}

#[test]
fn without_faults_a_login_and_a_refresh_succeed() {
    let network = Network::new();
    let client = network.client();
    let (faults, jtis) = (Vec::new(), BTreeSet::new());
    let mut network = FaultyNetwork { network, faults, everywhere: None, asked: 0, jtis };
    assert_eq!(run_all(&mut network, &client, "alice.example.com", &[0]).len(), 2);
    // `faults` generates indices below 20, so each call can have a fault.
    assert!((12..=20).contains(&network.asked), "{}", network.asked);
}
