//! Permission sets: lexicon documents that an `include:` scope stands for.
//!
//! The authorization server expands the scope. An application that has the document can do so, too, and
//! tell before the login what the user will be asked.
//!
//! atproto «Permissions», «Permission Sets».

use serde_json::{Map, Value};
use thiserror::Error;

use crate::permission::Permission;
use crate::permission::include::Include;
use crate::permission::nsids::Nsids;
use crate::permission::repo::{Repo, RepoAction};
use crate::permission::rpc::{Audience, Rpc};
use crate::xrpc::Nsid;

/// The lexicon document of a permission set.
#[derive(Clone, Debug, PartialEq)]
pub struct PermissionSet {
    nsid: Nsid,
    permissions: Vec<Map<String, Value>>,
}

/// The reason why a document is not that of a permission set.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum PermissionSetError {
    /// The document is not JSON.
    #[error("the lexicon document is not JSON: {0}")]
    Json(String),
    /// The member `id` is missing, or not an NSID.
    #[error("the lexicon document has no NSID as its `id`")]
    Id,
    /// The main definition has another type.
    #[error(
        "the lexicon document is not that of a permission set: `defs.main.type` is not `permission-set`"
    )]
    Type,
    /// The main definition has no list of permissions.
    #[error("the permission set has no list `permissions`")]
    Permissions,
}

impl PermissionSet {
    /// Reads a lexicon document.
    ///
    /// # Errors
    ///
    /// A [`PermissionSetError`] if it is none of a permission set. A single permission that is unknown or
    /// not allowed is no error: [`expand`](Self::expand) leaves it out, as servers do.
    pub fn parse(document: &[u8]) -> Result<Self, PermissionSetError> {
        let document: Value = serde_json::from_slice(document)
            .map_err(|error| PermissionSetError::Json(error.to_string()))?;
        let id = document.get("id").and_then(Value::as_str).ok_or(PermissionSetError::Id)?;
        let nsid = Nsid::parse(id).map_err(|_| PermissionSetError::Id)?;
        let main = document.pointer("/defs/main").ok_or(PermissionSetError::Type)?;
        if main.get("type").and_then(Value::as_str) != Some("permission-set") {
            return Err(PermissionSetError::Type);
        }
        let permissions = main.get("permissions").and_then(Value::as_array);
        let permissions = permissions.ok_or(PermissionSetError::Permissions)?;
        let permissions = permissions.iter().filter_map(Value::as_object).cloned().collect();
        Ok(Self { nsid, permissions })
    }

    /// Name of the set.
    pub fn nsid(&self) -> &Nsid {
        &self.nsid
    }

    /// The permissions that `include` stands for, in the order of the document. It is empty if `include`
    /// names another set.
    ///
    /// A set grants only what its author controls: records and methods of its own group. It can't grant
    /// `*`, uploads, or rights on the account.
    pub fn expand(&self, include: &Include) -> Vec<Permission> {
        if include.nsid != self.nsid {
            return Vec::new();
        }
        self.permissions.iter().filter_map(|permission| expand(permission, include)).collect()
    }
}

fn expand(permission: &Map<String, Value>, include: &Include) -> Option<Permission> {
    if text(permission, "type")? != "permission" {
        return None;
    }
    match text(permission, "resource")? {
        "repo" => {
            has_only(permission, &["collection", "action"])?;
            let collections = nsids(permission, "collection", include)?;
            let actions = match permission.get("action") {
                None => RepoAction::ALL.to_vec(),
                Some(_) => {
                    let named = texts(permission, "action")?;
                    let known = |name| RepoAction::ALL.into_iter().find(|own| own.as_str() == name);
                    named.into_iter().map(known).collect::<Option<Vec<_>>>()?
                }
            };
            (!actions.is_empty()).then(|| Permission::Repo(Repo::new(collections, actions)))
        }
        "rpc" => {
            has_only(permission, &["lxm", "aud", "inheritAud"])?;
            let methods = nsids(permission, "lxm", include)?;
            let inherits = match permission.get("inheritAud") {
                None => false,
                Some(inherits) => inherits.as_bool()?,
            };
            let audience = match (permission.get("aud"), inherits) {
                (None, true) => Audience::Service(include.audience.clone()?),
                (Some(aud), false) => match aud.as_str()? {
                    "*" => Audience::Any,
                    // The author of a set must not choose the service.
                    _ => return None,
                },
                _ => return None,
            };
            Rpc::new(methods, audience).ok().map(Permission::Rpc)
        }
        _ => None,
    }
}

/// An unknown parameter may narrow the permission, so the permission is left out.
fn has_only(permission: &Map<String, Value>, names: &[&str]) -> Option<()> {
    let is_known = |name: &str| ["type", "resource"].contains(&name) || names.contains(&name);
    permission.keys().all(|name| is_known(name)).then_some(())
}

/// NSIDs of the set's own group. If one is not, the permission is left out.
fn nsids(permission: &Map<String, Value>, name: &str, include: &Include) -> Option<Nsids> {
    let named = texts(permission, name)?;
    let own = |text| Nsid::parse(text).ok().filter(|nsid| include.covers(nsid));
    let only = named.into_iter().map(own).collect::<Option<std::collections::BTreeSet<_>>>()?;
    (!only.is_empty()).then_some(Nsids::Only(only))
}

fn text<'a>(permission: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    permission.get(name)?.as_str()
}

fn texts<'a>(permission: &'a Map<String, Value>, name: &str) -> Option<Vec<&'a str>> {
    permission.get(name)?.as_array()?.iter().map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expanded(include: &str, permissions: &Value) -> Vec<String> {
        let document = json!({
            "lexicon": 1,
            "id": "app.example.authBasic",
            "defs": {"main": {"type": "permission-set", "permissions": permissions}},
        });
        let set = PermissionSet::parse(document.to_string().as_bytes()).unwrap();
        let Permission::Include(include) = Permission::parse(include).unwrap() else {
            unreachable!("{include}")
        };
        set.expand(&include).iter().map(Permission::to_string).collect()
    }

    fn repo(collections: &Value) -> Value {
        json!({"type": "permission", "resource": "repo", "collection": collections})
    }

    #[test]
    fn a_set_stands_for_permissions_of_its_own_group() {
        // Rule I-42
        let permissions = json!([
            repo(&json!(["app.example.post", "app.example.feed.like"])),
            {"type": "permission", "resource": "repo", "collection": ["app.example.post"], "action": ["delete"]},
            {"type": "permission", "resource": "rpc", "lxm": ["app.example.getFeed"], "aud": "*"},
            {"type": "permission", "resource": "rpc", "lxm": ["app.example.getFeed"], "inheritAud": true},
        ]);
        assert_eq!(
            expanded("include:app.example.authBasic?aud=did:web:a.dev%23x", &permissions),
            [
                "repo?collection=app.example.feed.like&collection=app.example.post",
                "repo:app.example.post?action=delete",
                "rpc:app.example.getFeed?aud=*",
                "rpc:app.example.getFeed?aud=did:web:a.dev%23x",
            ]
        );
        // Without a service there is nothing to inherit.
        assert_eq!(expanded("include:app.example.authBasic", &permissions).len(), 3);
        assert!(expanded("include:app.example.authFull", &permissions).is_empty());
    }

    #[test]
    fn a_set_can_grant_nothing_else() {
        let rpc = |lxm: &str, extra: Value| {
            let mut rpc = json!({"type": "permission", "resource": "rpc", "lxm": [lxm]});
            let extra = extra.as_object().unwrap().clone();
            rpc.as_object_mut().unwrap().extend(extra);
            rpc
        };
        for refused in [
            repo(&json!(["app.bsky.feed.post"])),
            repo(&json!(["app.examples.post"])),
            repo(&json!(["app.example.post", "app.bsky.feed.post"])),
            repo(&json!(["*"])),
            repo(&json!([])),
            repo(&json!("app.example.post")),
            rpc("app.example.getFeed", json!({})),
            rpc("app.example.getFeed", json!({"aud": "did:web:evil.dev#x"})),
            rpc("app.example.getFeed", json!({"aud": "*", "inheritAud": true})),
            rpc("app.example.getFeed", json!({"aud": "*", "limit": 5})),
            rpc("*", json!({"inheritAud": true})),
            json!({"type": "permission", "resource": "blob", "accept": ["*/*"]}),
            json!({"type": "permission", "resource": "account", "attr": "email"}),
            json!({"type": "permission", "resource": "identity", "attr": "*"}),
            json!({"type": "other", "resource": "repo", "collection": ["app.example.post"]}),
            json!("repo"),
        ] {
            let include = "include:app.example.authBasic?aud=did:web:a.dev%23x";
            assert!(expanded(include, &json!([refused])).is_empty(), "{refused}");
        }
    }

    #[test]
    fn a_document_of_another_kind_is_an_error() {
        for (document, error) in [
            (json!([]), PermissionSetError::Id),
            (json!({"id": "a.b"}), PermissionSetError::Id),
            (json!({"id": "a.b.c"}), PermissionSetError::Type),
            (json!({"id": "a.b.c", "defs": {"main": {"type": "query"}}}), PermissionSetError::Type),
            (
                json!({"id": "a.b.c", "defs": {"main": {"type": "permission-set"}}}),
                PermissionSetError::Permissions,
            ),
        ] {
            assert_eq!(PermissionSet::parse(document.to_string().as_bytes()), Err(error));
        }
        assert!(matches!(PermissionSet::parse(b"{"), Err(PermissionSetError::Json(_))));
    }
}
