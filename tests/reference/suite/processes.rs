//! Managed sessions in processes that are killed, at the reference servers.

use std::time::Duration;

use atproto_oauth_processes::{
    Account, Address, Answer, Outcome, Place, Plan, Spend, Summary, run,
};
use atproto_sansio::UnixTime;
use serde_json::{Value, json};
use url::Url;

use crate::network::Network;

/// The authorization servers of the accounts.
const ISSUERS: [&str; 2] = ["a", "b"];

/// Entries of a log at which the oldest are about to be dropped.
const FULL: usize = 4_000;

/// The reference network as the network of the sessions. Dropping it gives tokens their usual lifetime.
struct Reference(Network);

impl Reference {
    fn get() -> Self {
        let reference = Self(Network::get());
        // A client renews a token that lives for less than 10 to 40 s, a random time for each check.
        reference.set_lifetime(Duration::from_secs(45));
        reference
    }

    fn set_lifetime(&self, lifetime: Duration) {
        for pds in ISSUERS {
            let knob = json!({"pds": pds, "access_token_ms": lifetime.as_millis() as u64});
            self.0.ask("/knobs", &knob);
        }
    }
}

impl atproto_oauth_processes::Network for Reference {
    fn address(&self) -> Address {
        Address {
            plc: self.0.text("/plc").parse().unwrap(),
            nameserver: self.0.text("/dns").parse().unwrap(),
            hosts: Vec::new(),
        }
    }

    fn accounts(&self) -> Vec<Account> {
        let handles = ["alice.test", "bob.test", "rita.test"];
        handles.map(|handle| Account { handle: handle.to_owned(), is_reusable: true }).into()
    }

    fn approve(&self, url: &Url, handle: &str) -> Outcome<String> {
        let answer = self.0.approve(url.as_str(), handle);
        Ok(answer["redirect_url"].as_str().ok_or("no redirect")?.to_owned())
    }

    fn slow_down(&self, is_slow: bool) {
        for pds in ISSUERS {
            self.0.ask("/faults", &json!({"pds": pds, "clear": true}));
            if is_slow {
                let (path, action) = ("/oauth/token", "delay_after");
                let fault =
                    json!({"pds": pds, "path": path, "action": action, "ms": 200, "times": 1_000});
                self.0.ask("/faults", &fault);
            }
        }
    }

    fn watch(&mut self) -> Outcome<()> {
        Ok(())
    }

    fn spends(&mut self) -> Outcome<Vec<Spend>> {
        let mut spends = Vec::new();
        for pds in ISSUERS {
            let log = self.0.log(pds);
            if log.len() >= FULL {
                return Err("the log of the reference network is full".into());
            }
            spends.extend(log.iter().filter_map(spend));
        }
        Ok(spends)
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.set_lifetime(Duration::from_secs(60 * 60));
    }
}

/// Converts an entry of the network's log.
fn spend(entry: &Value) -> Option<Spend> {
    let form = &entry["form"];
    let is_refresh = entry["path"] == "/oauth/token" && form["grant_type"] == "refresh_token";
    is_refresh.then(|| Spend {
        token: form["refresh_token"].as_str().unwrap().replace("sha256:", ""),
        at: UnixTime::from_epoch(Duration::from_millis(entry["t"].as_u64().unwrap())),
        answer: match entry["status"].as_u64() {
            Some(200) => Answer::Granted,
            Some(_) => Answer::Refused,
            None => Answer::Unknown,
        },
        next: None,
        is_reusable: true,
    })
}

#[test]
fn killed_processes_lose_no_other_session() {
    let own = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let plan = Plan {
        program: own.parent().unwrap().parent().unwrap().join("atproto-oauth-processes"),
        place: Place::Sqlite(folder.path().join("sessions.db")),
        is_sealed: true,
        workers: 8,
        sessions: 8,
        pause: Duration::from_secs(2),
        time: Duration::from_secs(30),
        kill_every: Some(Duration::from_secs(1)),
    };
    let summary = run(&mut Reference::get(), &plan).unwrap();
    println!("{summary}");
    let Summary { requests, refreshes, kills, between, .. } = summary;
    assert!(requests > 100 && refreshes > 20 && kills > 8 && between > 1);
}
