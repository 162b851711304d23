//! ATTRIBUTES in the API. What does not live here: values of users (`user::value`).

mod mutation;

pub(crate) use mutation::{
    AttributeMutation, ChangeAttributeTypeInput, DeleteAttributeInput, RenameValueInput, UpdateAttributeInput,
};

use std::sync::Arc;

use async_graphql::{Context, Description, Enum, ID, Object};
use entity::attribute;

use super::as_of::{AsOf, At};
use super::context::ContextExt;
use super::error::{Failure, Result};
use super::role::Role;
use super::scalar::{DateTime, to_id};
use crate::access;
use crate::value::{fold, nearest, shorten};

/// What values an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::attribute::AttributeType")]
pub(crate) enum AttributeType {
    /// Any text.
    Text,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A calendar day.
    Date,
    /// One of the attribute's options.
    Select,
    /// Some of the attribute's options.
    MultiSelect,
    /// Another user, such as a supervisor.
    User,
    /// An email address. It belongs to nobody's record and plays no part in association.
    Email,
    /// A web address.
    Url,
    /// The accounts of a user: one CSV column per integration. Only the built-in attribute `integration` has this type.
    Integration,
}

/// A column that user records have: its heading, what its values are, and where they come from.
#[derive(Clone, Debug, Description)]
pub(crate) struct Attribute(pub Arc<attribute::Model>);

#[Object(use_type_description, serial)]
impl Attribute {
    /// The attribute's id.
    pub(super) async fn id(&self) -> ID {
        to_id(self.0.id)
    }

    /// The name in filters, orders and inputs. It never changes; the title may.
    async fn key(&self) -> &str {
        &self.0.key
    }

    /// The heading that people see, also in CSV files.
    async fn title(&self) -> &str {
        &self.0.title
    }

    /// Where the values come from and what they mean.
    async fn description(&self) -> &str {
        &self.0.description
    }

    /// What its values are.
    async fn r#type(&self) -> AttributeType {
        self.0.r#type.into()
    }

    /// What can be chosen, in order, for SELECT and `MULTI_SELECT`; else empty.
    async fn options(&self) -> Vec<&str> {
        self.0.options.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).collect()
    }

    /// Whether every user must have a value.
    async fn is_required(&self) -> bool {
        self.0.is_required
    }

    /// Whether no two users may have the same value.
    async fn is_unique(&self) -> bool {
        self.0.is_unique
    }

    /// Whether it is one of `name`, `email` and `integration`, which every directory has.
    async fn is_built_in(&self) -> bool {
        self.0.is_built_in
    }

    /// The roles that may read it and its values, beside ADMIN; null where everybody may who reads attributes. For others
    /// it does not exist.
    async fn readable_by(&self) -> Option<Vec<Role>> {
        self.0.readable_by.as_ref()?;
        let others = access::Role::ALL.into_iter().filter(|role| *role != access::Role::Admin);
        Some(others.filter(|role| self.0.is_readable_by(*role)).map(Role::from).collect())
    }

    /// Its place among the attributes, from 0.
    async fn position(&self) -> i32 {
        self.0.position
    }

    /// The version of the directory at which it last changed; for `expectedVersion`.
    async fn version(&self) -> i64 {
        self.0.version
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// The one of `attributes` that `key`, which stands at `path`, names, ignoring case; `kind` says in words what they are.
///
/// # Errors
/// `Invalid`, with the nearest key.
pub(super) fn find<'a>(
    attributes: impl Iterator<Item = &'a Arc<attribute::Model>> + Clone,
    kind: &str,
    key: &str,
    path: impl Into<String>,
) -> Result<&'a Arc<attribute::Model>> {
    let wanted = fold(key);
    attributes.clone().find(|attribute| attribute.key == wanted).ok_or_else(|| {
        let hint = match nearest(key, attributes.map(|attribute| attribute.key.as_str())) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => String::new(),
        };
        let message = format!("there is no {kind} `{}`{hint}", shorten(key));
        Failure::invalid(path, "UNKNOWN_ATTRIBUTE", message)
    })
}

/// Queries about attributes.
#[derive(Debug, Default)]
pub(crate) struct AttributeQuery;

#[Object]
impl AttributeQuery {
    /// The attribute of this key, ignoring case; null where there is none.
    async fn attribute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The attribute's key, such as `department`.")] key: String,
    ) -> Result<Option<Attribute>> {
        Ok(ctx.directory()?.index().attribute(&fold(&key)).cloned().map(Attribute))
    }

    /// All attributes in their order, built-in ones included.
    async fn attributes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "As they were then; as they are now if left out.")] as_of: Option<AsOf>,
    ) -> Result<Vec<Attribute>> {
        let at = At::of(ctx, as_of, "asOf").await?;
        Ok(at.index(ctx).await?.attributes().iter().cloned().map(Attribute).collect())
    }
}
