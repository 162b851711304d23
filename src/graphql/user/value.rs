//! One value of a user: the same value in the forms that clients ask for.

use std::sync::Arc;

use async_graphql::{Context, Description, Object};
use entity::{UserId, attribute};

use super::User;
use crate::graphql::as_of::At;
use crate::graphql::attribute::Attribute;
use crate::graphql::error::Result;
use crate::graphql::scalar::Date;
use crate::index::Index;
use crate::record::UserRecord;
use crate::value::{Value, show};

/// The value that a user has for an attribute. Without a value everything but `attribute` is null.
#[derive(Clone, Debug, Description)]
pub(crate) struct AttributeValue {
    attribute: Arc<attribute::Model>,
    value: Option<Value>,
    /// The email of the user that a USER value names.
    email: Option<String>,
    at: At,
}

impl AttributeValue {
    /// The value of `user` for `attribute`.
    pub(super) fn of(at: At, index: &Index, attribute: &Arc<attribute::Model>, user: &UserRecord) -> Self {
        let stored = user.row.attributes.get(&attribute.key);
        Self::new(at, index, attribute, stored.and_then(|stored| Value::from_stored(attribute.r#type, stored)))
    }

    /// A value of an attribute, or none.
    pub(crate) fn new(at: At, index: &Index, attribute: &Arc<attribute::Model>, value: Option<Value>) -> Self {
        let email = match value {
            Some(Value::User(id)) => index.email_of(id).map(str::to_owned),
            _ => None,
        };
        Self { attribute: attribute.clone(), value, email, at }
    }

    fn names_user(&self) -> Option<UserId> {
        match self.value {
            Some(Value::User(id)) => Some(id),
            _ => None,
        }
    }
}

#[Object(use_type_description, serial)]
impl AttributeValue {
    /// The attribute that this is a value of.
    async fn attribute(&self) -> Attribute {
        Attribute(self.attribute.clone())
    }

    /// The value as a CSV file shows it, of any type; a user by email, options between `; `.
    async fn text(&self) -> Option<String> {
        self.value.as_ref().map(|value| show(value, |_| self.email.clone()))
    }

    /// The value of a NUMBER.
    async fn number(&self) -> Option<f64> {
        match self.value {
            Some(Value::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// The value of a BOOLEAN.
    async fn boolean(&self) -> Option<bool> {
        match self.value {
            Some(Value::Boolean(truth)) => Some(truth),
            _ => None,
        }
    }

    /// The value of a DATE.
    async fn date(&self) -> Option<Date> {
        match self.value {
            Some(Value::Date(day)) => Some(Date(day)),
            _ => None,
        }
    }

    /// What is chosen of a `MULTI_SELECT`, in the order of the attribute's options.
    async fn options(&self) -> Option<&[String]> {
        match &self.value {
            Some(Value::Options(options)) => Some(options),
            _ => None,
        }
    }

    /// The user that a USER value names.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match self.names_user() {
            Some(id) => User::find_at(ctx, self.at, id).await,
            None => Ok(None),
        }
    }
}
