//! Tests of the addresses that a driver remembers.

use std::net::SocketAddr;
use std::time::Duration;

use atproto_sansio::{AddressCache, Moment, UnixTime};

const HOST: &str = "pds.example.com";
const LIFETIME: Duration = Duration::from_secs(30);

/// The moment after `wall` seconds of the wall clock and `elapsed` seconds of the monotonic one.
fn at(wall: u64, elapsed: u64) -> Moment {
    Moment { now: UnixTime::from_secs(wall), elapsed: Duration::from_secs(elapsed) }
}

fn address(last: u8) -> SocketAddr {
    ([1, 1, 1, last], 0).into()
}

#[test]
fn addresses_are_remembered_for_their_lifetime() {
    let mut cache = AddressCache::new(LIFETIME);
    assert_eq!(cache.get(HOST, at(100, 100)), None);
    cache.put(HOST, &[address(1), address(2)], at(100, 100));
    assert_eq!(cache.get(HOST, at(129, 129)), Some(&[address(1), address(2)][..]));
    assert_eq!(cache.get("other.example.com", at(129, 129)), None);
    assert_eq!(cache.get(HOST, at(130, 130)), None);
    // A computer that slept is perhaps in another network, and its monotonic clock stood still.
    assert_eq!(cache.get(HOST, at(1000, 101)), None);
    // The wall clock was set back.
    assert_eq!(cache.get(HOST, at(0, 129)), Some(&[address(1), address(2)][..]));
    assert_eq!(cache.get(HOST, at(0, 130)), None);
}

#[test]
fn a_later_lookup_replaces_the_addresses() {
    let mut cache = AddressCache::new(LIFETIME);
    cache.put(HOST, &[address(1)], at(100, 100));
    cache.put(HOST, &[address(2)], at(120, 120));
    assert_eq!(cache.get(HOST, at(149, 149)), Some(&[address(2)][..]));
    // No address is left of an earlier lookup.
    cache.put(HOST, &[], at(121, 121));
    assert_eq!(cache.get(HOST, at(121, 121)), None);
}

#[test]
fn a_forgotten_host_has_no_addresses() {
    let mut cache = AddressCache::new(LIFETIME);
    cache.put(HOST, &[address(1)], at(100, 100));
    cache.put("other.example.com", &[address(2)], at(100, 100));
    cache.forget(HOST);
    assert_eq!(cache.get(HOST, at(100, 100)), None);
    assert!(cache.get("other.example.com", at(100, 100)).is_some());
}

#[test]
fn a_lifetime_of_zero_remembers_nothing() {
    let mut cache = AddressCache::new(Duration::ZERO);
    cache.put(HOST, &[address(1)], at(100, 100));
    assert_eq!(cache.get(HOST, at(100, 100)), None);
}

#[test]
fn the_number_of_hosts_and_addresses_is_bounded() {
    let mut cache = AddressCache::new(LIFETIME);
    let name = |number: u64| format!("host-{number}.example.com");
    for number in 0..1000 {
        cache.put(&name(number), &[address(1)], at(100 + number / 100, 100));
    }
    let now = at(109, 100);
    let kept: Vec<_> =
        (0..1000).filter(|number| cache.get(&name(*number), now).is_some()).collect();
    assert_eq!(kept.len(), 256);
    // The oldest are dropped first: entries of the same moment in no particular order.
    assert!(kept.iter().all(|number| *number >= 700), "{kept:?}");
    // An entry that has ended makes room, and no other entry does.
    cache.put(&name(1000), &[address(1)], at(138, 100));
    let still = kept.iter().filter(|number| cache.get(&name(**number), at(138, 100)).is_some());
    assert_eq!(still.count(), kept.iter().filter(|number| **number >= 900).count());

    cache.put(HOST, &[address(1); 65], at(138, 100));
    assert_eq!(cache.get(HOST, at(138, 100)), None);
}
