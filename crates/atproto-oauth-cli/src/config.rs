//! The configuration file: values of options that neither the command line nor the environment has.
//!
//! It is TOML with the long names of options, for example `sessions = "/srv/sessions"`. A value applies to
//! each verb that has the option.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use clap::builder::OsStr;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::{Table, Value};

use crate::failure::{CONFIGURATION, Failure};

/// Environment variable with the path of the file. If it is empty, no file is read.
const VARIABLE: &str = "ATPROTO_OAUTH_CONFIG";

/// Options that a file may set. The others are about one call, or weaken a check.
const NAMES: [&str; 10] = [
    "account",
    "ca-certificate",
    "client-id",
    "client-key",
    "client-key-passphrase",
    "nameserver",
    "plc-directory",
    "scope",
    "sealing-key",
    "sessions",
];

/// Gives the options of `command` the values of the configuration file as their defaults.
pub(crate) fn apply(command: Command) -> Result<Command, Failure> {
    let (path, is_named) = match env::var_os(VARIABLE) {
        Some(path) if path.is_empty() => return Ok(command),
        Some(path) => (PathBuf::from(path), true),
        None => match dirs::config_dir() {
            Some(folder) => (folder.join("atproto-oauth").join("config.toml"), false),
            None => return Ok(command),
        },
    };
    match fs::read_to_string(&path) {
        Ok(text) => with_defaults(command, &text).map_err(|why| {
            let message = format!("the configuration file {}: {why}", path.display());
            Failure::new(CONFIGURATION, message, mend())
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => Ok(command),
        Err(error) => Err(unread(&path, &error)),
    }
}

fn unread(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::file("the configuration file", path, error);
    failure.help(mend())
}

fn mend() -> String {
    format!("mend it, or set {VARIABLE} to another file")
}

fn with_defaults(command: Command, text: &str) -> Result<Command, String> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
    table.iter().try_fold(command, |command, (name, value)| {
        if !NAMES.contains(&name.as_str()) {
            return Err(format!(
                "`{name}` can't be set there; the options are {}",
                NAMES.join(", ")
            ));
        }
        Ok(with_default(command, name, &texts(name, value)?))
    })
}

/// Whether the verb of `matches` has an option that a file may set.
pub(crate) fn is_used(command: &Command, matches: &ArgMatches) -> bool {
    let mut names = command.get_arguments().filter_map(Arg::get_long);
    names.any(|name| NAMES.contains(&name))
        || matches.subcommand().is_some_and(|(name, below)| {
            command.find_subcommand(name).is_some_and(|verb| is_used(verb, below))
        })
}

/// The texts of a value. A list sets an option that may be repeated.
fn texts(name: &str, value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::String(text) => Ok(vec![text.clone()]),
        Value::Boolean(is_set) => Ok(vec![is_set.to_string()]),
        Value::Array(values) => {
            let all = values.iter().map(|value| texts(name, value));
            Ok(all.collect::<Result<Vec<_>, _>>()?.concat())
        }
        _ => Err(format!("the value of `{name}` is neither a text nor true or false")),
    }
}

/// Sets the default in each verb that has the option.
fn with_default(command: Command, name: &str, values: &[String]) -> Command {
    let id = command
        .get_arguments()
        .find(|argument| argument.get_long() == Some(name))
        .map(|argument| argument.get_id().clone());
    let command = match id {
        Some(id) => command.mut_arg(id, |argument| {
            let defaults = values.iter().map(|value| OsStr::from(value.clone()));
            match argument.get_action() {
                ArgAction::Append => argument.default_values(defaults),
                _ => argument.default_values(defaults.take(1)),
            }
        }),
        None => command,
    };
    command.mut_subcommands(|verb| with_default(verb, name, values))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;
    use crate::arguments::{Arguments, Command as Verb};

    fn parsed(text: &str, arguments: &[&str]) -> Arguments {
        let command = with_defaults(Arguments::command(), text).unwrap();
        let matches = command.try_get_matches_from(arguments).unwrap();
        Arguments::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn a_file_sets_what_the_command_line_does_not() {
        let text = "sessions = \"/from/file\"\nscope = \"atproto\"\n\
                    plc-directory = [\"https://a.dev\", \"https://b.dev\"]\n";
        let Verb::Login(login) = parsed(text, &["atproto-oauth", "login"]).command else {
            unreachable!()
        };
        assert_eq!(login.folder.sessions.as_deref(), Some(Path::new("/from/file")));
        assert_eq!(login.scope, "atproto");
        assert_eq!(login.network.plc_directory.len(), 2);
        let arguments =
            ["atproto-oauth", "login", "--sessions", "/given", "--scope", "atproto a.b"];
        let Verb::Login(login) = parsed(text, &arguments).command else { unreachable!() };
        assert_eq!(login.folder.sessions.as_deref(), Some(Path::new("/given")));
        assert_eq!(login.scope, "atproto a.b");
        // A verb without the options is not disturbed.
        assert!(matches!(parsed(text, &["atproto-oauth", "man"]).command, Verb::Man));
    }

    #[test]
    fn a_mistake_in_the_file_is_named() {
        for (text, words) in [
            ("session = \"x\"", "`session` can't be set there; the options are account,"),
            ("sessions = 5", "the value of `sessions`"),
            ("sessions", "expected"),
        ] {
            let error = with_defaults(Arguments::command(), text).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn each_name_is_an_option_of_a_verb() {
        fn has(command: &Command, name: &str) -> bool {
            command.get_arguments().any(|argument| argument.get_long() == Some(name))
                || command.get_subcommands().any(|verb| has(verb, name))
        }
        for name in NAMES {
            assert!(has(&Arguments::command(), name), "{name}");
        }
    }
}
