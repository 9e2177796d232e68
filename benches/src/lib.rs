#![doc = include_str!("../README.md")]
#![allow(clippy::unwrap_used, reason = "a program for developers")]

pub mod keys;
pub mod network;
pub mod processor;
pub mod session;
pub mod work;
