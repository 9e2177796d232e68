//! The sandbox on sockets, as those see it who know nothing of it.

mod hosts;
mod life;
mod logins;
mod names;
mod outcomes;
mod page;
mod raw;
