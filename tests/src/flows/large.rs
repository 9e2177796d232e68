//! A file of 50 MiB is uploaded as a stream and downloaded as a stream.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, Write};

use atproto_oauth_core::{Session, xrpc};
use atproto_sansio::Body;
use http::Request;
use serde_json::{Value, json};

use crate::flows::{Stage, Streaming, Wire};

const LENGTH: u64 = 50 * 1024 * 1024;

/// Returns a file of [`LENGTH`] bytes without repetitions, so that a swapped chunk is detected.
fn video() -> File {
    let mut file = BufWriter::new(tempfile::tempfile().unwrap());
    for number in 0..LENGTH / 8 {
        file.write_all(&number.to_be_bytes()).unwrap();
    }
    let mut file = file.into_inner().unwrap();
    file.rewind().unwrap();
    file
}

/// Creates a record that refers to the blob, because a server may delete a blob without a record.
/// Returns the request that fetches the blob.
fn keep(client: &dyn Streaming, session: &Session, uploaded: &Value) -> Request<Body> {
    let did = session.did().as_str();
    let record = json!({
        "repo": did,
        "collection": "com.example.note",
        "record": {"$type": "com.example.note", "video": uploaded["blob"]},
    });
    let create = xrpc::procedure("com.atproto.repo.createRecord", &[], &record).unwrap();
    xrpc::check(&client.request(session, create).unwrap()).unwrap();
    let cid = uploaded["blob"]["ref"]["$link"].as_str().unwrap();
    xrpc::query("com.atproto.sync.getBlob", &[("did", did), ("cid", cid)]).unwrap()
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
    assert_eq!(copy.read(&mut b).unwrap(), 0, "no bytes follow");
}

/// Uploads and downloads a blob with `client`, whose memory must be empty: because it has no nonce,
/// it gets one by a small request, which is sent twice; the upload is sent once.
pub fn a_large_blob_is_uploaded_and_downloaded(stage: &dyn Stage, client: &dyn Streaming) {
    let session = stage.log_in(&*stage.client(), "alice");
    let mut wire = Wire::of(stage, session.pds().as_str());
    let file = video();
    let upload = xrpc::upload("com.atproto.repo.uploadBlob", &[], "video/mp4").unwrap();
    let answer = client.upload(&session, upload, &file, LENGTH).unwrap();
    let uploaded: Value = xrpc::json(&answer).unwrap();
    assert_eq!(uploaded["blob"]["size"], LENGTH);
    assert_eq!(
        wire.step(),
        [
            "GET /xrpc/com.atproto.server.getSession 401",
            "GET /xrpc/com.atproto.server.getSession 200",
            "POST /xrpc/com.atproto.repo.uploadBlob 200",
        ]
    );

    let get = keep(client, &session, &uploaded);
    let copy = tempfile::tempfile().unwrap();
    let head = client.download(&session, get, &copy).unwrap();
    assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
    assert_eq!(copy.metadata().unwrap().len(), LENGTH);
    same(file, copy);
}
