//! What the values of users must keep to: their attributes' types and rules.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use entity::UserId;
use entity::attribute::{self, AttributeType};
use serde_json::Value as Json;

use super::circle::find_circles;
use crate::directory::Directory;
use crate::directory::error::{Error, Result};
use crate::filter::Violation;
use crate::value::{DateFormat, Value, fold, nearest, parse, shorten};

/// Values to be set, each checked against its attribute; `None` empties one.
#[derive(Clone, Debug, Default)]
pub(in crate::directory) struct Values(pub(in crate::directory) Vec<(Arc<attribute::Model>, Option<Value>)>);

impl Directory {
    /// Values as a client gives them, each checked against its attribute.
    pub(in crate::directory) fn check_values(
        &self,
        given: &[(String, Json)],
        violations: &mut Vec<Violation>,
    ) -> Values {
        let index = self.index();
        let mut values = Values::default();
        let mut seen = HashSet::new();
        for (at, (key, value)) in given.iter().enumerate() {
            let mut refuse = |path: String, code, message| violations.push(Violation::new(path, code, message));
            let Some(attribute) = index.attribute(&fold(key)) else {
                let hint = nearest(key, index.attributes().iter().map(|attribute| attribute.key.as_str()))
                    .map(|near| format!("; did you mean `{near}`?"))
                    .unwrap_or_default();
                let message = format!("there is no attribute `{}`{hint}", shorten(key));
                refuse(format!("attributes[{at}].key"), "UNKNOWN_ATTRIBUTE", message);
                continue;
            };
            if attribute.is_built_in {
                let message = format!("`{key}` is built in; set it by the field of its own");
                refuse(format!("attributes[{at}].key"), "BUILT_IN_ATTRIBUTE", message);
                continue;
            }
            if !seen.insert(attribute.id) {
                let message = format!("`{key}` is given twice");
                refuse(format!("attributes[{at}].key"), "DUPLICATE", message);
                continue;
            }
            let Some(text) = text_of(value) else {
                let message = "give a text, a number, true or false, null, or a list of texts".to_owned();
                refuse(format!("attributes[{at}].value"), "NOT_A_VALUE", message);
                continue;
            };
            match parse(attribute, &text, &DateFormat::default(), |reference| index.find_user(reference)) {
                Ok(value) => values.0.push((attribute.clone(), value)),
                Err((code, message)) => refuse(format!("attributes[{at}].value"), code, message),
            }
        }
        values
    }

    /// A violation for each required attribute that `document` has no value of.
    pub(in crate::directory) fn check_required(&self, document: &Json, violations: &mut Vec<Violation>) {
        for attribute in self.index().attributes() {
            if attribute.is_required && !attribute.is_built_in && document.get(&attribute.key).is_none() {
                violations.push(Violation::new(
                    "attributes",
                    "REQUIRED",
                    format!("`{}` must have a value", attribute.key),
                ));
            }
        }
    }

    /// Refuses values that another user has, of attributes whose values are unique.
    pub(in crate::directory) fn check_unique_values(&self, user: UserId, values: &Values) -> Result<()> {
        let index = self.index();
        for (attribute, value) in &values.0 {
            let (true, Some(value)) = (attribute.is_unique, value) else { continue };
            for key in value.keys() {
                if !index.other_holders(&attribute.key, &key, user).is_empty() {
                    return Err(Error::AlreadyExists {
                        noun: "value",
                        key: shorten(&crate::value::show(value, |id| index.email_of(id).map(str::to_owned))),
                        hint: format!(": another user has it as `{}`, whose values are unique", attribute.title),
                    });
                }
            }
        }
        Ok(())
    }

    /// Refuses values by which a user would come to report to itself.
    pub(in crate::directory) fn check_references(&self, changed: &[(UserId, &Values)]) -> Result<()> {
        let mut by_attribute: HashMap<&str, HashMap<UserId, Option<UserId>>> = HashMap::new();
        for (user, values) in changed {
            for (attribute, value) in &values.0 {
                if attribute.r#type == AttributeType::User {
                    let named = match value {
                        Some(Value::User(named)) => Some(*named),
                        _ => None,
                    };
                    by_attribute.entry(&attribute.key).or_default().insert(*user, named);
                }
            }
        }
        let index = self.index();
        for (key, changed) in by_attribute {
            let circles = find_circles(&index, key, changed.keys().copied(), |user| changed.get(&user).copied());
            if let Some(circle) = circles.first() {
                let email = |user| index.email_of(user).unwrap_or_default().to_owned();
                return Err(Error::invalid("attributes", "CYCLE", circle.message(key, email)));
            }
        }
        Ok(())
    }
}

/// A value of JSON as the text that the one reader of values takes.
fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::Null => Some(String::new()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) => Some(text.clone()),
        Json::Array(texts) => texts.iter().map(Json::as_str).collect::<Option<Vec<_>>>().map(|texts| texts.join(";")),
        Json::Object(_) => None,
    }
}
