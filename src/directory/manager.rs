//! Managers: the tree that the values of a USER attribute make of users.
//!
//! What does not live here: that nobody comes to report to itself, which the verbs that change values see to.

use std::sync::Arc;

use entity::attribute::{self, AttributeType};

use super::error::{Error, Result};
use crate::index::Index;
use crate::value::{fold, nearest, shorten};

/// The attribute by which users have managers: that of `key`, or the only one of type USER. `path` is where a client names
/// it, or leaves it out.
///
/// # Errors
/// `Invalid`, where there is no such attribute, or several and none is named.
pub(crate) fn manager_attribute(index: &Index, key: Option<&str>, path: &str) -> Result<Arc<attribute::Model>> {
    let candidates = || index.attributes().iter().filter(|attribute| attribute.r#type == AttributeType::User);
    let keys = || candidates().map(|attribute| format!("`{}`", attribute.key)).collect::<Vec<_>>().join(", ");
    let Some(key) = key else {
        let mut found = candidates();
        return match (found.next(), found.next()) {
            (Some(only), None) => Ok(only.clone()),
            (None, _) => {
                let message = "no attribute is of type USER; make one, such as `supervisor`";
                Err(Error::invalid(path, "MISSING", message))
            }
            _ => Err(Error::invalid(path, "MISSING", format!("several attributes name users; give one of {}", keys()))),
        };
    };
    let wanted = fold(key);
    match index.attribute(&wanted) {
        Some(found) if found.r#type == AttributeType::User => Ok(found.clone()),
        Some(found) => {
            let hint = Some(keys()).filter(|keys| !keys.is_empty()).map(|keys| format!("; give one of {keys}"));
            let message = format!("`{}` does not name users{}", found.key, hint.unwrap_or_default());
            Err(Error::invalid(path, "WRONG_TYPE", message))
        }
        None => {
            let near = nearest(key, candidates().map(|attribute| attribute.key.as_str()));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let message = format!("there is no attribute `{}`{hint}", shorten(key));
            Err(Error::invalid(path, "UNKNOWN_ATTRIBUTE", message))
        }
    }
}
