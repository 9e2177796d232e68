//! The sandbox on sockets, as a client sees it on the wire.

mod hosts;
mod life;
mod logins;
mod names;
mod outcomes;
mod page;
mod raw;
