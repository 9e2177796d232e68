//! The end of the wait for the browser: by the listener, by the prompt, or by a signal.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use atproto_oauth_core::CallbackParams;

use crate::account::listener::{Browser, Listener, Listening};
use crate::account::paste::Expected;
use crate::output::tell;

/// The event that ends the wait.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// The browser has called the listener, and waits for a page.
    Browser(Browser),
    /// The user has pasted the redirect URL.
    Pasted(CallbackParams),
    /// The user has pressed Ctrl-C, or the system ends the process.
    Interrupted,
}

/// Waits for the first [`Arrival`], without work in the meantime.
#[derive(Debug)]
pub(crate) struct Arrivals {
    sender: Sender<Arrival>,
    receiver: Receiver<Arrival>,
}

impl Arrivals {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self { sender, receiver }
    }

    /// Lets the listener deliver the callback with this `state`.
    pub(crate) fn listen(&self, listener: Listener, state: &str) -> io::Result<Listening> {
        let sender = self.sender.clone();
        // A later callback is dropped, which closes its connection.
        listener.listen(state, move |browser| drop(sender.send(Arrival::Browser(browser))))
    }

    /// Lets the prompt deliver the redirect URL.
    pub(crate) fn prompt(&self, expected: Expected) -> io::Result<()> {
        let sender = self.sender.clone();
        expected.read_in_background(move |params| drop(sender.send(Arrival::Pasted(params))))
    }

    /// Lets signals end the wait. A signal after the wait does not end the process, because then the
    /// code is being exchanged, and its tokens have to be stored or revoked first.
    pub(crate) fn handle_signals(&self) -> Result<(), ctrlc::Error> {
        let sender = self.sender.clone();
        // The handler also replaces an ignored signal, such as that of a job that a script began in the background.
        ctrlc::set_handler(move || {
            if sender.send(Arrival::Interrupted).is_err() {
                let told = "The login has its answer. The command ends when the result is stored.";
                tell(told);
            }
        })
    }

    /// Waits for at most `time`; `None` if nothing arrives.
    pub(crate) fn wait(self, time: Duration) -> Option<Arrival> {
        self.receiver.recv_timeout(time).ok()
    }
}
