//! The sandbox on sockets, as strangers to it see it.

mod logins;
