//! Earlier sessions of the account that logs in. They stay unless the user replaces them, and `login`
//! names each of them.

use atproto_oauth_core::{Session, Subject};
use atproto_sansio::{System, UnixTime};

use crate::account::accounts::{self, Stored};
use crate::account::logout;
use crate::account::sessions;
use crate::arguments::Common;
use crate::output::tell;

/// The sessions in the store before the login.
#[derive(Debug)]
pub(crate) struct Earlier {
    all: Vec<Stored>,
    /// Whether they are logged out after the login.
    is_replaced: bool,
    /// Name of the account whose sessions were told before the login.
    told: Option<String>,
}

impl Earlier {
    pub(crate) fn new(all: Vec<Stored>, is_replaced: bool) -> Self {
        Self { all, is_replaced, told: None }
    }

    /// Tells the sessions of the account before the user goes to the browser. If the login begins at a
    /// server, the account is not known yet.
    pub(crate) fn tell_before(&mut self, subject: &Subject) {
        let name = subject.to_string();
        let now = System::now();
        for stored in self.all.iter().filter(|stored| accounts::is_of(&stored.session, &name)) {
            let fate = match self.is_replaced {
                true => "It will be logged out after this login.",
                false => "It stays; --replace logs it out.",
            };
            tell(format_args!("{} {fate}", described(&stored.session, now)));
        }
        self.told = Some(name);
    }

    /// Logs the earlier sessions of the account out if the user replaces them. Otherwise tells those
    /// that were not told before.
    pub(crate) fn settle(&self, new: &Session, common: &Common) {
        let is_told = self.told.as_deref().is_some_and(|name| accounts::is_of(new, name));
        let now = System::now();
        for stored in self.all.iter().filter(|stored| stored.session.did() == new.did()) {
            if self.is_replaced {
                match logout::end(stored, common) {
                    Ok(ended) => {
                        let told = logout::told(stored, ended);
                        tell(format_args!("The earlier session {}: {told}", id(&stored.session)));
                    }
                    Err(failure) => {
                        tell(format_args!(
                            "warning: the earlier session {}: {failure}",
                            id(&stored.session)
                        ));
                    }
                }
            } else if !is_told {
                tell(format_args!(
                    "{} It stays; --replace logs it out.",
                    described(&stored.session, now)
                ));
            }
        }
    }
}

fn described(session: &Session, now: UnixTime) -> String {
    let (name, ago) = (accounts::name(session), sessions::ago(session.created_at(), now));
    format!("{name} is logged in already: session {}, from {ago}.", id(session))
}

fn id(session: &Session) -> &str {
    session.session_id()
}
