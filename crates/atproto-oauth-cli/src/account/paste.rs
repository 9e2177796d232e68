//! Prompt for the URL that the browser ended on, for a browser on another computer: it can't reach the
//! listener, and shows an error page whose address the user copies.
//!
//! The prompt accepts only the complete redirect URL of this login. It rejects any other text without
//! effect on the login, and reads on.

use std::io::{self, BufRead, IsTerminal, Read};
use std::thread;

use atproto_oauth_core::{CallbackParams, CallbackProblem};
use url::Url;

use crate::output::tell;

/// Redirect URL that the prompt waits for.
#[derive(Clone, Debug)]
pub(crate) struct Expected {
    pub(crate) redirect_uri: Url,
    pub(crate) state: String,
}

/// Largest line in bytes. A longer line is read in parts, none of which is a URL.
const MAX_LINE: u64 = 64 * 1024;

/// Whether the prompt reads standard input: always with `is_requested`, otherwise only if standard
/// input is a terminal that this process may read from.
pub(crate) fn is_wanted(is_requested: bool) -> bool {
    is_requested || (io::stdin().is_terminal() && is_foreground())
}

/// Whether this process may read from its terminal. The terminal stops a background job that reads.
#[cfg(unix)]
fn is_foreground() -> bool {
    // The call fails if another terminal controls this process. Then this one stops nothing.
    let foreground = rustix::termios::tcgetpgrp(io::stdin());
    foreground.map_or(true, |group| group == rustix::process::getpgrp())
}

/// Whether this process may read from its terminal.
#[cfg(not(unix))]
fn is_foreground() -> bool {
    true
}

impl Expected {
    /// Reads lines from standard input on a thread of its own, until `accept` gets the redirect URL or
    /// the input ends. The thread does not keep the process alive.
    pub(crate) fn read_in_background(
        self,
        accept: impl FnOnce(CallbackParams) + Send + 'static,
    ) -> io::Result<()> {
        if io::stdin().is_terminal() {
            tell(
                "If the browser runs on another computer, it ends on an error page. Then paste the \
                 address of that page here:",
            );
        }
        let read = move || {
            if let Some(params) = self
                .first(io::stdin().lock(), |problem| tell(format_args!("{problem} Paste the URL:")))
            {
                accept(params);
            } else {
                tell("Standard input has ended. The login still waits for the browser.");
            }
        };
        thread::Builder::new().name("paste".to_owned()).spawn(read).map(drop)
    }

    /// The redirect URL, as soon as `input` has it in a line of its own. `refuse` gets the problem of any other
    /// line.
    fn first(&self, mut input: impl BufRead, refuse: impl Fn(&str)) -> Option<CallbackParams> {
        loop {
            let mut line = Vec::new();
            let count = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).ok()?;
            if count == 0 {
                return None;
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            match self.check(text) {
                Ok(params) => return Some(params),
                // The text itself is not repeated, because it may have a code.
                Err(problem) => refuse(&problem),
            }
        }
    }

    /// Checks everything that shows without the login's record, because the record is taken before the
    /// library checks the callback.
    fn check(&self, text: &str) -> Result<CallbackParams, String> {
        let url = Url::parse(text).map_err(|_| self.other())?;
        let mut place = url.clone();
        place.set_query(None);
        place.set_fragment(None);
        let has =
            |name: &str| url.query_pairs().any(|(key, value)| key == name && !value.is_empty());
        if has("request_uri") {
            return Err(format!("This URL begins the login. {}", self.advice()));
        }
        let params = CallbackParams::parse(text).map_err(|problem| match problem {
            CallbackProblem::Missing(_) if place == self.redirect_uri => self.incomplete(),
            CallbackProblem::Missing(_) | CallbackProblem::Unreadable => self.other(),
            problem => format!("This URL can't be used: {problem}."),
        })?;
        if params.state() != self.state {
            return Err(
                "This URL belongs to another login. This login still waits for its own.".to_owned()
            );
        }
        if place != self.redirect_uri {
            return Err(self.other());
        }
        let is_complete = match (has("code"), has("error")) {
            (true, false) => has("iss"),
            (false, is_denied) => is_denied,
            (true, true) => false,
        };
        if is_complete { Ok(params) } else { Err(self.incomplete()) }
    }

    fn other(&self) -> String {
        format!("This is not the URL that the browser ended on. {}", self.advice())
    }

    fn incomplete(&self) -> String {
        format!("This URL is not complete. {}", self.advice())
    }

    fn advice(&self) -> String {
        format!("Copy the whole address, which begins with {}?", self.redirect_uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        let redirect_uri = Url::parse("http://127.0.0.1:7777/callback").unwrap();
        Expected { redirect_uri, state: "right".to_owned() }
    }

    #[test]
    fn the_prompt_goes_on_until_the_url_of_its_login_comes() {
        // Rule L-20
        let right = "http://127.0.0.1:7777/callback?iss=i&state=right&code=c";
        let wrong = [
            ("garbage", "not the URL"),
            ("alice.test", "not the URL"),
            ("https://bsky.social/oauth/authorize?client_id=x&request_uri=y", "begins the login"),
            ("http://127.0.0.1:7777/callback", "not complete"),
            ("http://127.0.0.1:7777/callback?iss=i&state=right", "not complete"),
            ("http://127.0.0.1:7777/callback?state=right&code=c", "not complete"),
            ("http://127.0.0.1:7777/callback?iss=i&code=c", "not complete"),
            ("http://127.0.0.1:7777/callback?iss=i&state=right&code=c&error=e", "not complete"),
            ("http://127.0.0.1:7777/callback#iss=i&state=right&code=c", "not complete"),
            ("http://127.0.0.1:7777/callback?iss=i&state=right&code=c&code=c", "twice"),
            ("http://127.0.0.1:7777/callback?iss=i&state=foreign&code=c", "another login"),
            ("http://127.0.0.1:7778/callback?iss=i&state=right&code=c", "not the URL"),
            ("http://127.0.0.1:7777/other?iss=i&state=right&code=c", "not the URL"),
            ("https://evil.example.com/callback?iss=i&state=right&code=c", "not the URL"),
        ];
        for (text, told) in wrong {
            let problem = expected().check(text).unwrap_err();
            assert!(problem.contains(told), "{text}: {problem}");
        }
        let mut input = wrong.map(|(text, _)| text).join("\r\n");
        assert!(expected().first(input.as_bytes(), |_| {}).is_none());
        input.push_str(&format!("\n\n  {right} \r\nnot read"));
        assert_eq!(expected().first(input.as_bytes(), |_| {}).unwrap().state(), "right");
        assert_eq!(expected().first(right.as_bytes(), |_| {}).unwrap().state(), "right");
    }

    #[test]
    fn a_denial_may_be_pasted() {
        let denied = "http://127.0.0.1:7777/callback?iss=i&state=right&error=access_denied";
        assert!(expected().check(denied).is_ok());
    }

    #[test]
    fn a_line_without_end_is_bounded() {
        let endless = io::BufReader::new(io::repeat(b'a').take(3 * MAX_LINE));
        assert!(expected().first(endless, |_| {}).is_none());
    }
}
