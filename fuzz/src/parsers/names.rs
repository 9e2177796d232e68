//! Handles, DIDs, and the subject of a login as a person types it.

use atproto_identity::{Did, Handle, Identifier};
use atproto_oauth_core::Subject;

use crate::parsers::text;

/// An accepted handle is in lower case, fits into DNS, and is read again as itself.
pub(crate) fn handle(data: &[u8]) -> bool {
    let text = text(data);
    let typed = Handle::from_user_input(&text);
    let Ok(handle) = text.parse::<Handle>() else {
        if let Ok(typed) = typed {
            assert_eq!(typed.as_str().parse(), Ok(typed), "a typed handle is a handle");
        }
        return false;
    };
    assert_eq!(typed.as_ref(), Ok(&handle), "each handle can be typed");
    assert_eq!(handle.as_str(), text.to_ascii_lowercase());
    assert!(handle.as_str().len() <= 253 && handle.as_str().contains('.'));
    assert_eq!(handle.as_str().parse(), Ok(handle.clone()));
    assert_eq!(handle.as_str().parse::<Identifier>(), Ok(Identifier::Handle(handle)));
    true
}

/// An accepted DID is kept byte for byte. If AT Protocol allows it, it is also a typed identifier.
pub(crate) fn did(data: &[u8]) -> bool {
    let text = text(data);
    let Ok(did) = Did::parse(&text) else { return false };
    assert_eq!(did.as_str(), text);
    assert!(did.as_str().is_ascii() && did.as_str().len() <= 2048);
    let public = did.check(false).is_ok();
    assert!(!public || did.check(true).is_ok(), "development allows more, not less");
    if public {
        let typed = Identifier::from_user_input(&text);
        assert_eq!(typed, Ok(Identifier::Did(did)));
    }
    public
}

/// An accepted subject is read again from its own text.
pub(crate) fn subject(data: &[u8]) -> bool {
    let text = text(data);
    let Ok(subject) = Subject::parse(&text) else { return false };
    assert_eq!(Subject::parse(&subject.to_string()).ok(), Some(subject));
    true
}
