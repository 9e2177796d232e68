//! `sessions export`: writes a session with its secrets to a file.

use std::path::{Path, PathBuf};

use atproto_oauth_core::{Session, SessionError};
use clap::Args;
use serde_json::json;

use crate::account::accounts;
use crate::arguments::Folder;
use crate::failure::{Failure, USAGE};
use crate::output::{Format, tell};
use crate::private_file::Draft;
use crate::{network, output};

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
    format: Format,

    #[command(flatten)]
    folder: Folder,
}

pub(super) fn run(options: &Export) -> Result<(), Failure> {
    let is_printed = options.output == Path::new("-");
    if is_printed && options.format.json {
        let message = "with --output -, the output is the session alone";
        return Err(Failure::new(USAGE, message, "leave out --json, or name a file"));
    }
    let stored = accounts::newest(&options.folder, options.account.as_deref())?;
    let json = stored.session.to_json()?;
    let name = accounts::name(&stored.session);
    if is_printed {
        output::write(format!("{}\n", json.expose()).as_bytes())?;
    } else {
        Draft::create("the session file", &options.output)?.add(json.expose())?;
        let file = options.output.display().to_string();
        let described = json!({
            "did": stored.session.did(),
            "handle": stored.session.handle(),
            "session_id": stored.session.session_id(),
            "file": file,
        });
        options.format.print(&format!("Wrote: {file}\n"), &described)?;
    }
    if options.keep {
        tell(format_args!(
            "The session of {name} stays here, too: use it in one place only."
        ));
        return Ok(());
    }
    // The file is written first, so that the session is in one place at least.
    let given = Session::clone(&stored.session);
    network::offline(&options.folder)?.hand_over(given).map_err(|error| {
        let (fate, help) = match error.error == SessionError::Renewed.into() {
            true => {
                ("the written session is of no use", "run `sessions refresh`, and export it again")
            }
            false => ("the session may still be here, too", "use it in one place only"),
        };
        Failure::from(error).and(fate).help(help)
    })?;
    tell(format_args!("The session of {name} is no longer here. `sessions import` brings it back."));
    Ok(())
}
