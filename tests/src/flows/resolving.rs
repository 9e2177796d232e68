//! Resolution of handles by DNS, by DNS over HTTPS, and with a PLC directory that is down.

use atproto_identity::{Freshness, Resolver};

use crate::flows::Stage;

/// Returns a resolver that uses the PLC directory of the stage.
fn resolver(stage: &dyn Stage) -> Resolver {
    let resolver = Resolver::new().with_directories([stage.directory()]);
    if stage.loopback().development() { resolver.development() } else { resolver }
}

pub fn a_handle_is_found_by_every_method(stage: &dyn Stage) {
    let client = stage.client();
    let over_https = resolver(stage).with_dns_over_https(stage.dns_over_https());
    for name in stage.kinds() {
        let account = stage.account(name);
        for resolver in [resolver(stage), over_https.clone()] {
            let handle = account.handle.parse().unwrap();
            let identity = client.identity(resolver.identity(handle, Freshness::Fresh)).unwrap();
            assert_eq!(identity.did.as_str(), account.did);
            assert_eq!(identity.handle.unwrap().as_str(), account.handle);
        }
    }
}

pub fn a_plc_directory_that_is_down_is_skipped(stage: &dyn Stage) {
    let resolver = resolver(stage).with_directories([stage.closed_port(), stage.directory()]);
    let alice = stage.account("alice");
    let did = alice.did.parse().unwrap();
    let document = stage.client().document(resolver.did(did, Freshness::Fresh)).unwrap();
    assert_eq!(document.handle().unwrap().as_str(), alice.handle);
}
