#![doc = include_str!("../README.md")]

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
mod point;
#[cfg(feature = "ring")]
mod ring;

#[cfg(feature = "aws-lc-rs")]
pub use self::aws_lc::AwsLcKeys;
#[cfg(feature = "ring")]
pub use self::ring::RingKeys;
