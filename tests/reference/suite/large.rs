//! A video of 50 MB, from a file and back into one, without being held whole.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::time::Duration;

use atproto_oauth_core::xrpc;
use atproto_oauth_ureq::AttachedBody;
use serde_json::{Value, json};

use crate::network::Network;
use crate::wire;

const LENGTH: u64 = 50 * 1024 * 1024;
const TIME: Duration = Duration::from_secs(120);

/// A file whose parts differ, so that none can stand for another.
fn video() -> File {
    let mut file = BufWriter::new(tempfile::tempfile().unwrap());
    for number in 0..LENGTH / 8 {
        file.write_all(&number.to_be_bytes()).unwrap();
    }
    let mut file = file.into_inner().unwrap();
    file.rewind().unwrap();
    file
}

#[test]
fn a_large_blob_goes_up_and_comes_down() {
    let network = Network::get();
    let client = network.client();
    let session = network.log_in(&client, "alice.test");
    // As if some minutes had passed: the nonce is asked for with a small request first.
    let client = network.client();
    network.clear_log();

    let mut file = video();
    let request = xrpc::upload("com.atproto.repo.uploadBlob", "video/mp4").unwrap();
    let body = AttachedBody { reader: Box::new(BufReader::new(&mut file)), length: Some(LENGTH) };
    let answer = client.upload(&session, request, body, TIME).unwrap();
    let uploaded: Value = xrpc::json(&answer).unwrap();
    assert_eq!(uploaded["blob"]["size"], LENGTH);
    // A small nonce-less request is repeated, and the large one is sent once.
    assert_eq!(
        wire::check(&network),
        [
            "GET /xrpc/com.atproto.server.getSession 401",
            "GET /xrpc/com.atproto.server.getSession 200",
            "POST /xrpc/com.atproto.repo.uploadBlob 200",
        ]
    );

    let did = session.did().as_str();
    let record = json!({
        "repo": did,
        "collection": "com.example.note",
        "record": {"$type": "com.example.note", "video": uploaded["blob"]},
    });
    let create = xrpc::procedure("com.atproto.repo.createRecord", &record).unwrap();
    xrpc::check(&client.request(&session, create).unwrap()).unwrap();

    let cid = uploaded["blob"]["ref"]["$link"].as_str().unwrap();
    let get = xrpc::query("com.atproto.sync.getBlob", [("did", did), ("cid", cid)]).unwrap();
    let (head, down) = client.download(&session, get, TIME).unwrap();
    assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
    let mut copy = tempfile::tempfile().unwrap();
    assert_eq!(std::io::copy(&mut down.unwrap(), &mut copy).unwrap(), LENGTH);

    file.rewind().unwrap();
    copy.rewind().unwrap();
    let (mut original, mut copy) = (BufReader::new(file), BufReader::new(copy));
    let (mut a, mut b) = ([0; 4096], [0; 4096]);
    for part in 0..LENGTH / 4096 {
        original.read_exact(&mut a).unwrap();
        copy.read_exact(&mut b).unwrap();
        assert_eq!(a, b, "part {part}");
    }
}
