//! `completions` and `man`: texts that follow from the command's arguments.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::{CONFIGURATION, Failure};
use crate::output;

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// Shell whose completions are printed
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints a script for the shell.
pub(crate) fn completions(options: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), NAME, &mut script);
    output::write(&script)
}

/// Prints the manual of the command and of all its verbs as one page, in the format of man(7).
pub(crate) fn man() -> Result<(), Failure> {
    let mut page = Vec::new();
    let mut command = Arguments::command();
    command.build();
    let failed = |error| {
        let message = format!("can't write the manual: {error}");
        Failure::new(CONFIGURATION, message, "--help of each verb has the same texts")
    };
    clap_mangen::Man::new(command.clone()).render(&mut page).map_err(failed)?;
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        section(verb, &mut page).map_err(failed)?;
        for below in verb.get_subcommands().filter(|below| below.get_name() != "help") {
            section(below, &mut page).map_err(failed)?;
        }
    }
    output::write(&page)
}

/// The description and the options of a verb, under a heading with its whole name.
fn section(verb: &clap::Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    let name = verb.get_bin_name().unwrap_or_else(|| verb.get_name());
    page.extend_from_slice(format!(".SH \"{}\"\n", name.to_uppercase()).as_bytes());
    let man = clap_mangen::Man::new(verb.clone());
    for render in [
        clap_mangen::Man::render_synopsis_section,
        clap_mangen::Man::render_description_section,
        clap_mangen::Man::render_options_section,
    ] {
        let mut part = Vec::new();
        render(&man, &mut part)?;
        // The headings of the parts become those of a section within the page.
        let text = String::from_utf8_lossy(&part).replace("\n.SH ", "\n.SS ");
        page.extend_from_slice(
            text.strip_prefix(".SH ")
                .map_or_else(|| text.to_string(), |rest| format!(".SS {rest}"))
                .as_bytes(),
        );
    }
    Ok(())
}

const NAME: &str = "atproto-oauth";
