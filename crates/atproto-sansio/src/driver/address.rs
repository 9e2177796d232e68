//! [`is_public`]: the check whether an IP address is part of the public internet.
//!
//! An untrusted host name can resolve to an address in a private network (server-side request
//! forgery). A driver checks every address of a [`Reach::Public`](crate::Reach::Public) call with
//! [`is_public`] and connects to a checked address, never to the result of a second lookup.
//!
//! IANA IPv4 and IPv6 Special-Purpose Address Registries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns whether `address` is a global unicast address outside the special-purpose registries.
///
/// If an IPv6 address embeds an IPv4 address (mapped, NAT64, 6to4), the embedded address decides.
///
/// ```
/// use atproto_sansio::is_public;
///
/// assert!(is_public("1.1.1.1".parse().unwrap()));
/// assert!(!is_public("169.254.169.254".parse().unwrap()));
/// assert!(!is_public("::ffff:127.0.0.1".parse().unwrap()));
/// ```
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    !SPECIAL_V4.iter().any(|&(network, prefix)| bits >> (32 - prefix) == network >> (32 - prefix))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(v4) = embedded_v4(address) {
        return is_public_v4(v4);
    }
    let bits = u128::from(address);
    let within =
        |&(network, prefix): &(u128, u32)| bits >> (128 - prefix) == network >> (128 - prefix);
    within(&GLOBAL_UNICAST_V6) && !SPECIAL_V6.iter().any(within)
}

/// Returns the IPv4 address embedded in an IPv4-mapped, NAT64 or 6to4 address.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let last = |s: [u16; 8]| Ipv4Addr::from((u32::from(s[6]) << 16) | u32::from(s[7]));
    match address.segments() {
        s @ ([0, 0, 0, 0, 0, 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _]) => Some(last(s)),
        [0x2002, high, low, ..] => Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        _ => None,
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

const SPECIAL_V4: [(u32, u32); 15] = [
    (v4(0, 0, 0, 0), 8),       // "this network"
    (v4(10, 0, 0, 0), 8),      // private
    (v4(100, 64, 0, 0), 10),   // carrier-grade NAT
    (v4(127, 0, 0, 0), 8),     // loopback
    (v4(169, 254, 0, 0), 16),  // link-local, cloud metadata
    (v4(172, 16, 0, 0), 12),   // private
    (v4(192, 0, 0, 0), 24),    // protocol assignments
    (v4(192, 0, 2, 0), 24),    // documentation
    (v4(192, 88, 99, 0), 24),  // 6to4 relay
    (v4(192, 168, 0, 0), 16),  // private
    (v4(198, 18, 0, 0), 15),   // benchmarking
    (v4(198, 51, 100, 0), 24), // documentation
    (v4(203, 0, 113, 0), 24),  // documentation
    (v4(224, 0, 0, 0), 4),     // multicast
    (v4(240, 0, 0, 0), 4),     // reserved, broadcast
];

const GLOBAL_UNICAST_V6: (u128, u32) = (0x2000 << 112, 3);

const SPECIAL_V6: [(u128, u32); 6] = [
    (0x2001 << 112, 32),     // Teredo
    (0x2001_0002 << 96, 48), // benchmarking
    (0x2001_0010 << 96, 28), // ORCHID
    (0x2001_0020 << 96, 28), // ORCHIDv2
    (0x2001_0db8 << 96, 32), // documentation
    (0x3fff << 112, 20),     // documentation
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        // Rules J-03, J-04: the first and last address of each block.
        let special = "0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 \
            127.0.0.1 127.255.255.255 169.254.0.0 169.254.169.254 172.16.0.0 172.31.255.255 \
            192.0.0.1 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.0 198.19.255.255 \
            198.51.100.1 203.0.113.255 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 \
            :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::7f00:1 64:ff9b::10.0.0.1 64:ff9b:1::1 \
            2002:7f00:1:: 2002:0a00:1:: 2001::1 2001:db8::1 3fff::1 3fff:fff::1 2001:10::1 \
            2001:2f:ffff::1 fc00::1 fdff::1 fe80::1 fec0::1 ff02::1 100::1 4000::1";
        for text in special.split_whitespace() {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn neighbours_of_special_blocks_are_public() {
        let public = "1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 \
            128.0.0.0 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 \
            192.0.1.0 192.0.3.0 192.88.98.255 192.167.255.255 192.169.0.0 198.17.255.255 \
            198.20.0.0 203.0.112.255 223.255.255.255 2000::1 2606:4700::1111 2001:30::1 \
            2001:db7::1 2001:db9::1 3ffe::1 3fff:1000::1 2002:0101:0101:: 64:ff9b::1.1.1.1 \
            ::ffff:1.1.1.1";
        for text in public.split_whitespace() {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}
