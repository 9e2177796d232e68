//! What scopes allow (AT Protocol "Permissions"; the transitional scopes of the OAuth profile).

use crate::form::Form;

/// Whether this server understands a scope. One that it does not is left out of what it grants.
pub(crate) fn is_known(scope: &str) -> bool {
    const PLAIN: [&str; 4] =
        ["atproto", "transition:generic", "transition:email", "transition:chat.bsky"];
    let (resource, parameters) = parse(scope);
    match resource {
        "repo" => !parameters.named("collection").is_empty(),
        "blob" => !parameters.named("accept").is_empty(),
        "rpc" | "account" | "identity" | "include" => !parameters.0.0.is_empty(),
        _ => PLAIN.contains(&scope),
    }
}

/// Whether a record may be written: `action` is `create`, `update` or `delete`.
pub(crate) fn allows_record(scopes: &[String], collection: &str, action: &str) -> bool {
    scopes.iter().any(|scope| {
        let (resource, parameters) = parse(scope);
        let collections = parameters.named("collection");
        let actions = parameters.named("action");
        scope == "transition:generic"
            || resource == "repo"
                && (collections.contains(&"*") || collections.contains(&collection))
                && (actions.is_empty() || actions.contains(&action))
    })
}

/// Whether bytes of this type may be uploaded.
pub(crate) fn allows_blob(scopes: &[String], content_type: &str) -> bool {
    scopes.iter().any(|scope| {
        let (resource, parameters) = parse(scope);
        let accepted = |pattern: &str| match pattern.strip_suffix("/*") {
            Some("*") => true,
            Some(kind) => content_type.split('/').next() == Some(kind),
            None => pattern == content_type,
        };
        scope == "transition:generic"
            || resource == "blob" && parameters.named("accept").into_iter().any(accepted)
    })
}

/// Whether the account's e-mail address may be read.
pub(crate) fn allows_email(scopes: &[String]) -> bool {
    scopes.iter().any(|scope| {
        let (resource, parameters) = parse(scope);
        let attribute = parameters.named("attr");
        scope == "transition:email" || resource == "account" && attribute.contains(&"email")
    })
}

/// Whether a method of another service may be called in the account's name.
pub(crate) fn allows_rpc(scopes: &[String], method: &str) -> bool {
    let is_chat = method.starts_with("chat.bsky.");
    scopes.iter().any(|scope| {
        let (resource, parameters) = parse(scope);
        let methods = parameters.named("lxm");
        match &**scope {
            "transition:generic" => !is_chat,
            "transition:chat.bsky" => is_chat,
            _ => resource == "rpc" && (methods.contains(&"*") || methods.contains(&method)),
        }
    })
}

/// `resource:positional?name=value&…`
fn parse(scope: &str) -> (&str, Parameters) {
    let (head, query) = scope.split_once('?').unwrap_or((scope, ""));
    let (resource, positional) = head.split_once(':').unwrap_or((head, ""));
    let mut form = Form::parse(query.as_bytes());
    if !positional.is_empty() {
        let name = match resource {
            "repo" => "collection",
            "blob" => "accept",
            "rpc" => "lxm",
            "account" | "identity" => "attr",
            _ => "nsid",
        };
        form.0.push((name.to_owned(), positional.to_owned()));
    }
    (resource, Parameters(form))
}

struct Parameters(Form);

impl Parameters {
    fn named<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        self.0.all(name).collect()
    }
}
