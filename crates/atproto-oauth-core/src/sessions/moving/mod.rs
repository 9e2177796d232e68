//! Machines that bring a session into the store, and give it away.

pub(crate) mod add;
pub(crate) mod hand_over;
