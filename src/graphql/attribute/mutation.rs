//! What can be done to attributes.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::AttributeId;

use super::{Attribute, AttributeType};
use crate::directory::{AttributeChange, Directory, NewAttribute};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::scalar::{parse_id, to_id};

/// An attribute to make.
#[derive(Debug, InputObject)]
pub(crate) struct CreateAttributeInput {
    /// The heading that people see; 1 to 100 characters, unique ignoring case.
    title: String,
    /// The name in filters and inputs: lower-case letters, digits and `_`. Made from the title if left out.
    key: Option<String>,
    /// What its values are. It never changes.
    r#type: AttributeType,
    /// Where the values come from and what they mean.
    #[graphql(default)]
    description: String,
    /// What can be chosen, in order. Needed for SELECT and `MULTI_SELECT`, and for no other type.
    #[graphql(default)]
    options: Vec<String>,
    /// Whether every user must have a value. Only possible from the start while there are no users.
    #[graphql(default)]
    is_required: bool,
    /// Whether no two users may have the same value.
    #[graphql(default)]
    is_unique: bool,
    /// Its place among the attributes, from 0; the last if left out.
    position: Option<u32>,
}

/// The attribute that was made.
#[derive(Debug, SimpleObject)]
pub(crate) struct CreateAttributePayload {
    /// The attribute.
    attribute: Attribute,
    /// The version of the directory after the change.
    version: i64,
}

/// What is to change of an attribute. What is left out, or null, stays.
#[derive(Debug, InputObject)]
pub(crate) struct UpdateAttributeInput {
    /// The attribute's id.
    id: ID,
    /// The version of the attribute that you read. If it has changed since, the update is refused with `CONFLICT`.
    expected_version: Option<i64>,
    /// The heading that people see. The key stays.
    title: Option<String>,
    /// Where the values come from and what they mean.
    description: Option<String>,
    /// All that can be chosen, in order. An option that users have, or a filter names, cannot go.
    options: Option<Vec<String>>,
    /// Whether every user must have a value.
    is_required: Option<bool>,
    /// Whether no two users may have the same value.
    is_unique: Option<bool>,
    /// Its place among the attributes, from 0.
    position: Option<u32>,
}

/// The attribute after the change.
#[derive(Debug, SimpleObject)]
pub(crate) struct UpdateAttributePayload {
    /// The attribute.
    attribute: Attribute,
    /// The version of the directory after the change.
    version: i64,
}

/// Which attribute to delete.
#[derive(Debug, InputObject)]
pub(crate) struct DeleteAttributeInput {
    /// The attribute's id.
    id: ID,
    /// The version of the attribute that you read. If it has changed since, the deletion is refused with `CONFLICT`.
    expected_version: Option<i64>,
}

/// Which attribute was deleted.
#[derive(Debug, SimpleObject)]
pub(crate) struct DeleteAttributePayload {
    /// The id it had.
    deleted_attribute_id: ID,
    /// The version of the directory after the change.
    version: i64,
}

/// Mutations of attributes.
#[derive(Debug, Default)]
pub(crate) struct AttributeMutation;

#[Object]
impl AttributeMutation {
    /// Makes a custom attribute.
    async fn create_attribute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateAttributeInput,
    ) -> Result<CreateAttributePayload> {
        let directory = ctx.directory()?;
        let new = NewAttribute {
            title: input.title,
            key: input.key,
            r#type: input.r#type.into(),
            description: input.description,
            options: input.options,
            is_required: input.is_required,
            is_unique: input.is_unique,
            position: input.position.map(|position| position as usize),
        };
        let id = directory.create_attribute(&ctx.actor(), new).await?;
        Ok(CreateAttributePayload { attribute: read(directory, id)?, version: directory.version() })
    }

    /// Changes a custom attribute; of a built-in one the title, the description and the place.
    async fn update_attribute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateAttributeInput,
    ) -> Result<UpdateAttributePayload> {
        let directory = ctx.directory()?;
        let id = parse_id(&input.id, "id")?;
        let change = AttributeChange {
            expected_version: input.expected_version,
            title: input.title,
            description: input.description,
            options: input.options,
            is_required: input.is_required,
            is_unique: input.is_unique,
            position: input.position.map(|position| position as usize),
        };
        directory.update_attribute(&ctx.actor(), id, change).await?;
        Ok(UpdateAttributePayload { attribute: read(directory, id)?, version: directory.version() })
    }

    /// Deletes a custom attribute with all its values. Refused with `IN_USE` while the filter of an org unit names it.
    async fn delete_attribute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to delete.")] input: DeleteAttributeInput,
    ) -> Result<DeleteAttributePayload> {
        let directory = ctx.directory()?;
        let id: AttributeId = parse_id(&input.id, "id")?;
        directory.delete_attribute(&ctx.actor(), id, input.expected_version).await?;
        Ok(DeleteAttributePayload { deleted_attribute_id: to_id(id), version: directory.version() })
    }
}

/// The attribute as it is now.
fn read(directory: &Directory, id: AttributeId) -> Result<Attribute> {
    let index = directory.index();
    let found = index.attributes().iter().find(|attribute| attribute.id == id);
    found.cloned().map(Attribute).ok_or_else(|| Failure::missing(id))
}
