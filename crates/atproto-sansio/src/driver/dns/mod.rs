//! DNS for drivers that look TXT records up themselves: the messages.

mod message;

pub use message::{Answer, Question, absolute, failure, records};
