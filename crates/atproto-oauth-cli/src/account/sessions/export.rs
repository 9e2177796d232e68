//! `sessions export`: writes a session with its secrets to a file.

use std::path::{Path, PathBuf};

use atproto_oauth_ureq::store::{Deleted, Expect, Store, StoreError};
use clap::Args;

use crate::account::{accounts, store};
use crate::arguments::Folder;
use crate::failure::{CONFIGURATION, Failure, SESSION_OVER};
use crate::output;
use crate::private_file::Draft;

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// Account of the session, if several are logged in
    #[arg(value_name = "HANDLE|DID", env = "ATPROTO_OAUTH_ACCOUNT")]
    account: Option<String>,

    /// New file for the session, readable by you only; - prints the session
    #[arg(long, value_name = "FILE")]
    output: PathBuf,

    /// Keep the session here, too. Its refresh token is single-use, so only one of the two places can go on
    /// with it
    #[arg(long)]
    keep: bool,

    #[command(flatten)]
    folder: Folder,
}

pub(super) fn run(options: &Export) -> Result<(), Failure> {
    let folder = &options.folder;
    let stored = accounts::newest(folder, options.account.as_deref())?;
    let (store, record) = (store::open(folder)?, format!("session/{}", stored.key));
    let failed = |error: StoreError| Failure::new(CONFIGURATION, error.to_string());
    let before = store.load(&record).map_err(failed)?;
    // The tokens are read after the version: if they are renewed meanwhile, nothing is removed.
    let stored = accounts::newest(folder, options.account.as_deref())?;
    let json = stored.session.to_json()?;
    let name = accounts::name(&stored.session);
    if options.output == Path::new("-") {
        output::write(format!("{}\n", json.expose()).as_bytes())?;
    } else {
        Draft::create("the session file", &options.output)?.add(json.expose())?;
        output::write(format!("Wrote: {}\n", options.output.display()).as_bytes())?;
    }
    if options.keep {
        eprintln!("The session of {name} stays here, too: use it in one place only.");
        return Ok(());
    }
    let expect = before.map_or(Expect::Absent, |before| Expect::Version(before.version));
    match store.delete(&record, expect).map_err(failed)? {
        Deleted::Conflict => Err(Failure::new(
            SESSION_OVER,
            format!("another process has renewed the session of {name} meanwhile: export it again"),
        )),
        _ => {
            eprintln!("The session of {name} is no longer here. `sessions import` brings it back.");
            Ok(())
        }
    }
}
