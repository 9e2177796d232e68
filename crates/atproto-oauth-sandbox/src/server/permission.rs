//! Permissions that scopes grant (AT Protocol "Permissions"; the transitional scopes of the OAuth
//! profile).
//!
//! A scope with invalid syntax is no permission: it is left out of the granted scopes.

use atproto_identity::Did;

use crate::form::Form;

/// The permission that one scope grants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Permission {
    /// `atproto` and the `transition:` scopes.
    Plain,
    /// `repo`: write records of these collections with these actions; an empty list of actions
    /// means all actions.
    Repo { collections: Vec<String>, actions: Vec<String> },
    /// `blob`: upload blobs of these MIME types.
    Blob { accept: Vec<String> },
    /// `rpc`: call these methods of other services through the PDS.
    Rpc { methods: Vec<String>, audience: String },
    /// `account`: read or manage this attribute of the account (`email`, `repo` or `status`).
    Account { attr: String },
    /// `identity`: change the handle (`handle`), or everything in the DID document (`*`).
    Identity,
    /// `include`: a published permission set.
    Include,
}

const PLAIN: [&str; 4] =
    ["atproto", "transition:generic", "transition:email", "transition:chat.bsky"];

impl Permission {
    /// Parses a scope of the form `resource:positional?name=value&…`; `None` if its syntax is
    /// invalid.
    pub(crate) fn parse(scope: &str) -> Option<Self> {
        if PLAIN.contains(&scope) {
            return Some(Self::Plain);
        }
        let (head, query) = scope.split_once('?').unwrap_or((scope, ""));
        let (resource, positional) = match head.split_once(':') {
            Some((resource, positional)) => (resource, Some(decoded(positional)?)),
            None => (head, None),
        };
        let mut parameters = Parameters { positional, named: Form::parse(query.as_bytes()) };
        let permission = match resource {
            "repo" => Self::Repo {
                collections: parameters.first("collection", is_nsid_or_all)?,
                actions: parameters.all("action", |action| ACTIONS.contains(&action))?,
            },
            "blob" => Self::Blob { accept: parameters.first("accept", is_accept)? },
            "rpc" => Self::Rpc {
                methods: parameters.first("lxm", is_nsid_or_all)?,
                audience: parameters.one("aud", is_audience)?,
            },
            "account" => {
                let attr =
                    parameters.first("attr", |a| ["email", "repo", "status"].contains(&a))?;
                parameters.all("action", |action| ["read", "manage"].contains(&action))?;
                Self::Account { attr: single(attr)? }
            }
            "identity" => {
                single(parameters.first("attr", |attr| ["handle", "*"].contains(&attr))?)?;
                Self::Identity
            }
            "include" => {
                single(parameters.first("nsid", is_nsid)?)?;
                parameters.all("aud", |audience| audience != "*" && is_audience(audience))?;
                Self::Include
            }
            _ => return None,
        };
        let is_everything = matches!(&permission, Self::Rpc { methods, audience }
            if audience == "*" && methods.iter().any(|method| method == "*"));
        (parameters.named.0.is_empty() && !is_everything).then_some(permission)
    }
}

const ACTIONS: [&str; 3] = ["create", "update", "delete"];

/// Whether the scopes allow `action` (`create`, `update` or `delete`) on records of `collection`.
pub(crate) fn allows_record(scopes: &[String], collection: &str, action: &str) -> bool {
    scopes.iter().any(|scope| match Permission::parse(scope) {
        Some(Permission::Repo { collections, actions }) => {
            collections.iter().any(|this| this == "*" || this == collection)
                && (actions.is_empty() || actions.iter().any(|this| this == action))
        }
        _ => scope == "transition:generic",
    })
}

/// Whether the scopes allow the upload of a blob with this MIME type.
pub(crate) fn allows_blob(scopes: &[String], content_type: &str) -> bool {
    let accepted = |pattern: &String| match pattern.strip_suffix('*') {
        Some("*/") => true,
        Some(start) => content_type.starts_with(start),
        None => pattern == content_type,
    };
    scopes.iter().any(|scope| match Permission::parse(scope) {
        Some(Permission::Blob { accept }) => accept.iter().any(accepted),
        _ => scope == "transition:generic",
    })
}

/// Whether the scopes allow reading the account's e-mail address.
pub(crate) fn allows_email(scopes: &[String]) -> bool {
    scopes.iter().any(|scope| match Permission::parse(scope) {
        Some(Permission::Account { attr }) => attr == "email",
        _ => scope == "transition:email",
    })
}

/// Whether the scopes allow calling a method of `service` on behalf of the account. `None`: the
/// request has no `atproto-proxy` header.
pub(crate) fn allows_rpc(scopes: &[String], method: &str, service: Option<&str>) -> bool {
    let is_chat = method.starts_with("chat.bsky.");
    scopes.iter().any(|scope| match Permission::parse(scope) {
        Some(Permission::Rpc { methods, audience }) => {
            methods.iter().any(|this| this == "*" || this == method)
                && (audience == "*" || service == Some(&*audience))
        }
        _ => match &**scope {
            "transition:generic" => !is_chat,
            "transition:chat.bsky" => is_chat,
            _ => false,
        },
    })
}

struct Parameters {
    positional: Option<String>,
    named: Form,
}

impl Parameters {
    /// Takes the values of a parameter that is given either after the colon or by its name. `None`
    /// if the parameter is missing, is given in both ways, or has an invalid value.
    fn first(&mut self, name: &str, is_valid: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let mut values = self.all(name, &is_valid)?;
        match (self.positional.take(), values.is_empty()) {
            (Some(value), true) if is_valid(&value) => values.push(value),
            (None, false) => {}
            _ => return None,
        }
        Some(values)
    }

    fn one(&mut self, name: &str, is_valid: impl Fn(&str) -> bool) -> Option<String> {
        single(self.all(name, is_valid)?)
    }

    /// Takes all values of the named parameter; `None` if any of them is invalid.
    fn all(&mut self, name: &str, is_valid: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let of_name: Vec<String> = self.named.all(name).map(str::to_owned).collect();
        self.named.0.retain(|(this, _)| this != name);
        of_name.iter().all(|value| is_valid(value)).then_some(of_name)
    }
}

fn single(values: Vec<String>) -> Option<String> {
    <[String; 1]>::try_from(values).ok().map(|[value]| value)
}

/// Decodes the percent-encoded text of a scope parameter. A `+` stays a `+`, as opposed to form
/// encoding.
fn decoded(text: &str) -> Option<String> {
    let pair = format!("v={}", text.replace('+', "%2B").replace('&', "%26"));
    Form::parse(pair.as_bytes()).get("v").map(str::to_owned)
}

fn is_nsid_or_all(text: &str) -> bool {
    text == "*" || is_nsid(text)
}

/// Checks the syntax of `*`, or of a service in a DID document:
/// `did:web:api.bsky.app#bsky_appview`.
pub(crate) fn is_audience(text: &str) -> bool {
    text == "*"
        || text.split_once('#').is_some_and(|(did, fragment)| {
            let is_fragment =
                |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte);
            !fragment.is_empty()
                && fragment.bytes().all(is_fragment)
                && Did::parse(did).is_ok_and(|did| did.check(true).is_ok())
        })
}

fn is_accept(text: &str) -> bool {
    let Some((kind, rest)) = text.split_once('/') else { return false };
    let is_plain = |text: &str| !text.is_empty() && !text.contains(['*', '/', ' ']);
    text == "*/*" || is_plain(kind) && (rest == "*" || is_plain(rest))
}

/// Checks the syntax of an NSID (AT Protocol "NSID").
pub(crate) fn is_nsid(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let [authority @ .., name] = &labels[..] else { return false };
    let starts_with_letter = |label: &str| label.starts_with(|c: char| c.is_ascii_alphabetic());
    let is_label = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 317
        && authority.len() >= 2
        && authority.iter().all(is_label)
        && authority.first().is_some_and(|first| starts_with_letter(first))
        && (1..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && starts_with_letter(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_with_invalid_syntax_is_no_permission() {
        for scope in [
            "atproto",
            "transition:generic",
            "repo:*",
            "repo:com.example.note?action=create&action=update",
            "repo?collection=com.example.note&collection=com.example.other",
            "blob:*/*",
            "blob:image/*",
            "blob?accept=image/png&accept=video/*",
            "rpc:app.bsky.feed.getTimeline?aud=did:web:api.bsky.app%23bsky_appview",
            "rpc:app.bsky.feed.getTimeline?aud=*",
            "rpc:*?aud=did:web:api.bsky.app%23bsky_appview",
            "account:email?action=manage",
            "identity:handle",
            "include:com.example.set",
            "include:com.example.set?aud=did:web:api.example.com%23api",
            "repo:com.ex-ample.note",
            "repo:a.b.c",
            &format!("repo:{}.noted", ["a"; 156].join(".")),
            &format!("repo:com.{}.note", "a".repeat(63)),
        ] {
            assert!(Permission::parse(scope).is_some(), "{scope}");
        }
        for scope in [
            "",
            "openid",
            "repo",
            "repo:",
            "repo:notansid",
            "repo:com.example.note&x",
            "repo:*&x",
            "blob:*/*&x",
            "account:email&x",
            "rpc:com.example.read&x?aud=*",
            "rpc:com.example.read?aud=did:web:api.example.com%23a%23b",
            "rpc:com.example.read?aud=did:web:api.example.com%23a%20b",
            "repo:com.example.note?action=bogus",
            "repo:com.example.note?x=1",
            "repo:com.example.note?collection=com.example.other",
            "blob:image",
            "blob:*/png",
            "rpc:app.bsky.feed.getTimeline",
            "rpc:*?aud=*",
            "rpc:app.bsky.feed.getTimeline?aud=did:web:api.bsky.app",
            "account:foo",
            "account?attr=email&attr=repo",
            "identity:foo",
            "include:foo",
            "include:com.example.set?aud=*",
            "include:com.example.set?aud=did:web:api.example.com",
            "include:com.example.set?aud=did:web:api.example.com%23",
            "repo:a.b",
            "repo:1om.example.note",
            "repo:com.-example.note",
            "repo:com.example-.note",
            "repo:com..note",
            "repo:com.example.2note",
            "repo:com.example.no-te",
            "repo:com.ex_ample.note",
            &format!("repo:{}.noteds", ["a"; 156].join(".")),
            &format!("repo:com.{}.note", "a".repeat(64)),
        ] {
            assert_eq!(Permission::parse(scope), None, "{scope}");
        }
    }

    #[test]
    fn a_scope_allows_only_the_actions_that_it_names() {
        let scopes = |text: &str| [text.to_owned()];
        let note = "com.example.note";
        assert!(allows_record(&scopes("repo:*"), note, "delete"));
        assert!(!allows_record(&scopes("repo:com.example.note?action=create"), note, "update"));
        assert!(!allows_record(&scopes("repo:com.example.other"), note, "create"));
        assert!(allows_blob(&scopes("blob:image/*"), "image/png"));
        assert!(!allows_blob(&scopes("blob:image/*"), "imagery/png"));
        assert!(!allows_blob(&scopes("blob:image/png"), "image/gif"));
        assert!(allows_email(&scopes("account:email")) && !allows_email(&scopes("account:repo")));
        let service = "did:web:api.example.com#api";
        let rpc = scopes("rpc:com.example.read?aud=did:web:api.example.com%23api");
        assert!(allows_rpc(&rpc, "com.example.read", Some(service)));
        assert!(!allows_rpc(&rpc, "com.example.read", Some("did:web:other.example.com#api")));
        assert!(!allows_rpc(&rpc, "com.example.write", Some(service)));
        assert!(!allows_rpc(&scopes("transition:generic"), "chat.bsky.convo.get", None));
        assert!(allows_rpc(&scopes("transition:chat.bsky"), "chat.bsky.convo.get", None));
    }
}
