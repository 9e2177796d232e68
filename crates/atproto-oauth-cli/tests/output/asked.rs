//! The outputs that are secrets because the user asks for them, each named.

/// A verb with the arguments that ask for secrets on standard output, and the names of these secrets.
const ASKED: [(&[&str], &[&str]); 5] = [
    (&["keygen", "--output", "-"], &["pem"]),
    (&["sessions", "export", "--output", "-"], &["access_token", "refresh_token", "d"]),
    (&["complete"], CREDENTIALS),
    (&["credentials", "refresh"], CREDENTIALS),
    (&["credentials", "call"], CREDENTIALS),
];

const CREDENTIALS: &[&str] = &["refresh_token", "d"];

/// Arguments with which credentials are not on standard output.
const ELSEWHERE: [&str; 4] = ["--output", "--file", "none", "--help"];

/// The names of the secrets that these arguments ask for on standard output.
pub(crate) fn asked(arguments: &[String]) -> &'static [&'static str] {
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    let is_asked = |words: &[&str], secrets: &[&str]| {
        let verb = words.iter().take_while(|word| !word.starts_with('-'));
        let is_verb = verb.clone().zip(arguments).all(|(word, argument)| word == argument);
        let is_elsewhere = secrets == CREDENTIALS && ELSEWHERE.iter().any(|word| has(word));
        is_verb && words.iter().all(|word| has(word)) && !is_elsewhere
    };
    let found = ASKED.iter().find(|(words, secrets)| is_asked(words, secrets));
    found.map_or(&[], |(_, secrets)| secrets)
}
