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
    let file = options.output.display().to_string();
    let written = match is_printed {
        true => {
            output::write(format!("{}\n", json.expose()).as_bytes())?;
            "the printed session".to_owned()
        }
        false => {
            Draft::create("the session file", &options.output)?.add(json.expose())?;
            format!("the session in {file}")
        }
    };
    // The file is written first, so that the session is in one place at least. The result is printed last,
    // so that it can't fail while the session is in two places.
    if !options.keep {
        hand_over(&stored.session, options, &written)?;
    }
    if !is_printed {
        let described = json!({
            "did": stored.session.did(),
            "handle": stored.session.handle(),
            "session_id": stored.session.session_id(),
            "file": file,
        });
        let printed = options.format.print(&format!("Wrote: {file}\n"), &described);
        let kept = if options.keep { "here, too" } else { "no longer here" };
        printed.map_err(|failure| {
            let help = "use the session in one place only";
            failure.and(&format!("the session is in {file}, and {kept}")).help(help)
        })?;
    }
    if options.keep {
        tell(format_args!("The session of {name} stays here, too: use it in one place only."));
    } else {
        tell(format_args!(
            "The session of {name} is no longer here. `sessions import` brings it back."
        ));
    }
    Ok(())
}

/// Removes the session here. `written` names the copy that is elsewhere now.
fn hand_over(session: &Session, options: &Export, written: &str) -> Result<(), Failure> {
    let app = network::offline(&options.folder)?;
    let given = app.hand_over(session.clone()).map_err(|error| {
        let (fate, help) = match error.error == SessionError::Renewed.into() {
            true => ("is of no use", "run `sessions refresh`, and export it again"),
            false => ("may still be here, too", "use it in one place only"),
        };
        Failure::from(error).and(&format!("{written} {fate}")).help(help)
    });
    given.map(drop)
}
