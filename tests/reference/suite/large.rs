//! A video of 50 MB, from a file and back into one, without being held whole.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::task::{Context, Poll};
use std::time::Duration;

use atproto_oauth_core::{Session, xrpc};
use atproto_oauth_ureq::AttachedBody;
use atproto_sansio::Body;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use crate::adapters::Adapter;
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

/// A record that keeps a blob, which the server throws away otherwise; and the way to fetch it.
fn keep(client: &dyn Adapter, session: &Session, uploaded: &Value) -> Request<Body> {
    let did = session.did().as_str();
    let record = json!({
        "repo": did,
        "collection": "com.example.note",
        "record": {"$type": "com.example.note", "video": uploaded["blob"]},
    });
    let create = xrpc::procedure("com.atproto.repo.createRecord", &record).unwrap();
    xrpc::check(&client.request(session, create).unwrap()).unwrap();
    let cid = uploaded["blob"]["ref"]["$link"].as_str().unwrap();
    xrpc::query("com.atproto.sync.getBlob", [("did", did), ("cid", cid)]).unwrap()
}

/// As if some minutes had passed, the nonce is asked for with a small request first; that one is
/// repeated, and the large one is sent once.
fn check_upload(network: &Network, answer: &Response<Bytes>) -> Value {
    let uploaded: Value = xrpc::json(answer).unwrap();
    assert_eq!(uploaded["blob"]["size"], LENGTH);
    assert_eq!(
        wire::check(network),
        [
            "GET /xrpc/com.atproto.server.getSession 401",
            "GET /xrpc/com.atproto.server.getSession 200",
            "POST /xrpc/com.atproto.repo.uploadBlob 200",
        ]
    );
    uploaded
}

fn upload() -> Request<Body> {
    xrpc::upload("com.atproto.repo.uploadBlob", "video/mp4").unwrap()
}

fn same(mut original: File, mut copy: File) {
    original.rewind().unwrap();
    copy.rewind().unwrap();
    let (mut original, mut copy) = (BufReader::new(original), BufReader::new(copy));
    let (mut a, mut b) = ([0; 4096], [0; 4096]);
    for part in 0..LENGTH / 4096 {
        original.read_exact(&mut a).unwrap();
        copy.read_exact(&mut b).unwrap();
        assert_eq!(a, b, "part {part}");
    }
    assert_eq!(copy.read(&mut b).unwrap(), 0, "and nothing more");
}

#[test]
fn a_large_blob_goes_up_and_comes_down() {
    let network = Network::get();
    let session = network.log_in(&network.client(), "alice.test");
    let client = network.client();
    network.clear_log();
    let mut file = video();
    let body = AttachedBody { reader: Box::new(BufReader::new(&mut file)), length: Some(LENGTH) };
    let answer = client.upload(&session, upload(), body, TIME).unwrap();
    let uploaded = check_upload(&network, &answer);

    let get = keep(&client, &session, &uploaded);
    let (head, down) = client.download(&session, get, TIME).unwrap();
    assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
    let mut copy = tempfile::tempfile().unwrap();
    assert_eq!(std::io::copy(&mut down.unwrap(), &mut copy).unwrap(), LENGTH);
    same(file, copy);
}

#[test]
fn a_large_blob_goes_up_and_comes_down_in_pieces() {
    let network = Network::get();
    let session = network.log_in(&network.client(), "alice.test");
    let client = network.asynchronous_client(network.loopback());
    network.clear_log();
    let file = video();
    let mut reader = BufReader::with_capacity(PIECE, file.try_clone().unwrap());
    let pieces = move |_: &mut Context<'_>| {
        let mut piece = vec![0; PIECE];
        Poll::Ready(match reader.read(&mut piece) {
            Ok(0) => None,
            Ok(length) => {
                piece.truncate(length);
                Some(Ok(Bytes::from(piece)))
            }
            Err(error) => Some(Err(error)),
        })
    };
    let body = atproto_oauth_reqwest::AttachedBody::new(pieces, Some(LENGTH));
    let sent = client.client.upload(&session, upload(), body, TIME);
    let uploaded = check_upload(&network, &client.runtime.block_on(sent).unwrap());

    let get = keep(&client, &session, &uploaded);
    let copy = client.runtime.block_on(async {
        let (head, down) = client.client.download(&session, get, TIME).await.unwrap();
        assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
        let (mut down, mut copy) = (down.unwrap(), tempfile::tempfile().unwrap());
        while let Some(piece) = down.next().await {
            copy.write_all(&piece.unwrap()).unwrap();
        }
        copy
    });
    same(file, copy);
}

const PIECE: usize = 64 * 1024;
