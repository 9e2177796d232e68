//! Operations that a list of scopes allows, and scopes that it lacks.

use crate::permission::{Allowed, Operation, Permission, PermissionError};
use crate::scope::Scopes;

impl Scopes {
    /// The meaning of each scope, in the order of the list. A scope that this version does not know, or
    /// that breaks a rule, is an error in its place.
    pub fn permissions(&self) -> impl Iterator<Item = Result<Permission, PermissionError>> {
        self.iter().map(Permission::parse)
    }

    /// Whether the scopes allow `operation`, for example those of
    /// [`Session::scopes`](crate::Session::scopes). A scope that is no known permission allows nothing.
    ///
    /// ```
    /// use atproto_oauth_core::Scopes;
    /// use atproto_oauth_core::permission::{Allowed, Operation, RepoAction};
    ///
    /// let granted = Scopes::parse("atproto repo:app.example.post include:app.example.authFull")?;
    /// let post = Operation::repo("app.example.post", RepoAction::Create)?;
    /// let like = Operation::repo("app.example.like", RepoAction::Create)?;
    /// assert_eq!(granted.allows(&post), Allowed::Yes);
    /// assert_eq!(granted.allows(&like), Allowed::Maybe);
    /// assert_eq!(granted.allows(&Operation::blob("image/png")?), Allowed::No);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn allows(&self, operation: &Operation) -> Allowed {
        let known = self.permissions().filter_map(Result::ok);
        known.map(|permission| permission.allows(operation)).max().unwrap_or(Allowed::No)
    }

    /// The scopes to ask for in a new login, so that the account's session allows `operations`, too: these
    /// scopes, and the smallest permission for each operation that they do not allow. `None` if they allow
    /// all, or if a permission set may.
    ///
    /// The client has to declare the new scopes, in the same spelling. The new session takes the place of
    /// the old one with [`OnRelogin::ReplaceAndRevoke`](crate::OnRelogin::ReplaceAndRevoke).
    pub fn upgraded(&self, operations: &[Operation]) -> Option<Self> {
        let mut scopes = self.clone();
        for operation in operations {
            if scopes.allows(operation) == Allowed::No {
                scopes.0.push(operation.needed().to_string());
            }
        }
        (scopes.0.len() > self.0.len()).then_some(scopes)
    }

    /// The list in canonical form: `atproto` first, each permission in its canonical form and once. Scopes
    /// that are no known permissions stay as they are. The order of the others stays.
    ///
    /// Servers compare the scopes of a login with the client's metadata as text. So give both the same
    /// form.
    pub fn normalized(&self) -> Self {
        let mut normalized = vec!["atproto".to_owned()];
        for scope in self.iter() {
            let text = Permission::parse(scope)
                .map_or_else(|_| scope.to_owned(), |permission| permission.to_string());
            if !normalized.contains(&text) {
                normalized.push(text);
            }
        }
        Self(normalized)
    }
}
