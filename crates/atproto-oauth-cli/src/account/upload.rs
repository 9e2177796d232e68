//! `upload-blob`: streams a file to the account's server.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use atproto_oauth_core::xrpc;
use atproto_oauth_ureq::AttachedBody;
use clap::Args;
use indicatif::ProgressBar;
use serde_json::Value;

use crate::account::accounts;
use crate::arguments::Common;
use crate::failure::{CONFIGURATION, Failure, NETWORK};
use crate::method::media_type;
use crate::output::Format;
use crate::progress;

#[derive(Args, Debug)]
pub(crate) struct Upload {
    /// File to upload
    file: PathBuf,

    /// Media type of the file; without it, the server finds it out
    #[arg(
        long,
        value_name = "TYPE",
        value_parser = media_type,
        default_value = "application/octet-stream",
        hide_default_value = true
    )]
    content_type: String,

    /// Account to upload for, if several are logged in
    #[arg(long, env = "ATPROTO_OAUTH_ACCOUNT", value_name = "HANDLE|DID")]
    account: Option<String>,

    /// Minutes for the whole upload
    #[arg(long, default_value_t = 30, value_name = "MINUTES")]
    timeout: u32,

    #[command(flatten)]
    format: Format,

    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(upload: &Upload) -> Result<(), Failure> {
    let common = &upload.common;
    let failed = |error: &io::Error| Failure::file("the file", &upload.file, error);
    let length = std::fs::metadata(&upload.file).map_err(|error| failed(&error))?;
    if !length.is_file() {
        let message = format!("{} is no file", upload.file.display());
        return Err(Failure::new(CONFIGURATION, message, "name a file to upload"));
    }
    let request = xrpc::upload("com.atproto.repo.uploadBlob", &[], &upload.content_type)?;
    let stored = accounts::newest(&common.folder, upload.account.as_deref())?;
    let bar = progress::bar(length.len());
    // If the server refuses the access token, the file is read again for a second attempt.
    let open = || {
        let file = File::open(&upload.file)?;
        let length = file.metadata()?.len();
        bar.set_position(0);
        Ok(AttachedBody::new(Counted { file, bar: bar.clone() }, Some(length)))
    };
    let time = Duration::from_secs(60 * u64::from(upload.timeout));
    let sent =
        accounts::send_within(stored, common, |session| session.upload_from(request, open, time));
    bar.finish_and_clear();
    let (_, reply) = sent?;
    let answer: Value = xrpc::json(&reply.response)?;
    let Some(blob) = answer.get("blob") else {
        return Err(Failure::new(
            NETWORK,
            "the server has answered without a `blob`",
            "upload the file again",
        ));
    };
    upload.format.print(&format!("{blob:#}\n"), blob)
}

/// A file whose progress is shown.
struct Counted {
    file: File,
    bar: ProgressBar,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.bar.inc(u64::try_from(count).unwrap_or_default());
        Ok(count)
    }
}
