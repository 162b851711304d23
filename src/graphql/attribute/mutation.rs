//! What can be done to attributes.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::AttributeId;

use super::{Attribute, AttributeType};
use crate::access;
use crate::directory::{Actor, AttributeChange, Directory, NewAttribute, Renamed, Retype, Retyped, ValueRename};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::org_unit::OrgUnit;
use crate::graphql::role::Role;
use crate::graphql::scalar::{parse_id, to_id};
use crate::value::DateFormat;

/// An attribute to make.
#[derive(Debug, InputObject)]
pub(crate) struct CreateAttributeInput {
    /// The heading that people see; 1 to 100 characters, unique ignoring case.
    title: String,
    /// The name in filters and inputs: lower-case letters, digits and `_`. Made from the title if left out.
    key: Option<String>,
    /// What its values are.
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
    /// The roles that may read it and its values, beside ADMIN: of `[]` ADMIN alone. Everybody who reads attributes, if it is
    /// left out or null. For others it does not exist.
    readable_by: Option<Vec<Role>>,
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

/// What is to change of an attribute. What is left out stays; null does the same everywhere but in `readableBy`.
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
    /// The roles that may read it and its values, beside ADMIN: of `[]` ADMIN alone. Null makes it readable by everybody who
    /// reads attributes.
    readable_by: MaybeUndefined<Vec<Role>>,
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

/// What the values of an attribute are to be.
#[derive(Debug, InputObject)]
pub(crate) struct ChangeAttributeTypeInput {
    /// The attribute's id.
    id: ID,
    /// The version of the attribute that you read. If it has changed since, the change is refused with `CONFLICT`.
    expected_version: Option<i64>,
    /// The type.
    r#type: AttributeType,
    /// What can be chosen, in order, of SELECT and `MULTI_SELECT`. Left out, it is the values that users have.
    options: Option<Vec<String>>,
    /// How days are written in texts that become days, such as `DD/MM/YYYY`; `YYYY-MM-DD` if left out.
    date_format: Option<String>,
    /// Whether values that cannot be read as the new type are emptied. Else they stand in the way.
    #[graphql(default)]
    clear_others: bool,
}

/// The attribute after the change.
#[derive(Debug, SimpleObject)]
pub(crate) struct ChangeAttributeTypePayload {
    /// The attribute.
    attribute: Attribute,
    /// How many users have a value of the new type.
    converted_count: u64,
    /// How many users have lost a value that could not be read.
    cleared_count: u64,
    /// The version of the directory after the change.
    version: i64,
}

/// A value that is to be another, wherever it stands.
#[derive(Debug, InputObject)]
pub(crate) struct RenameValueInput {
    /// The key of a custom attribute whose values are no users.
    attribute: String,
    /// The version of the attribute that you read. If it has changed since, the renaming is refused with `CONFLICT`.
    expected_version: Option<i64>,
    /// The value, or an option, ignoring case.
    from: String,
    /// What it is to be, as it will be spelt.
    to: String,
}

/// What a renaming has changed.
#[derive(Debug, SimpleObject)]
pub(crate) struct RenameValuePayload {
    /// The attribute.
    attribute: Attribute,
    /// How many users have another value, or another spelling of it.
    user_count: u64,
    /// The org units whose filter names the new value now.
    org_units: Vec<OrgUnit>,
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
            readable_by: input.readable_by.map(roles),
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
        let id = input.make(directory, &ctx.actor()).await?;
        Ok(UpdateAttributePayload { attribute: read(directory, id)?, version: directory.version() })
    }

    /// Deletes a custom attribute with all its values. Refused with `IN_USE` while the filter of an org unit names it.
    async fn delete_attribute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to delete.")] input: DeleteAttributeInput,
    ) -> Result<DeleteAttributePayload> {
        let directory = ctx.directory()?;
        let id = input.make(directory, &ctx.actor()).await?;
        Ok(DeleteAttributePayload { deleted_attribute_id: to_id(id), version: directory.version() })
    }

    /// Gives a custom attribute another type; the values of all users are read anew, as they stand in an export.
    /// Refused with the values that cannot be read, the most frequent first, and with `IN_USE` while the filter of an
    /// org unit names the attribute.
    async fn change_attribute_type(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which attribute, and what its values are to be.")] input: ChangeAttributeTypeInput,
    ) -> Result<ChangeAttributeTypePayload> {
        let directory = ctx.directory()?;
        let (id, retyped) = input.make(directory, &ctx.actor()).await?;
        Ok(ChangeAttributeTypePayload {
            attribute: read(directory, id)?,
            converted_count: retyped.converted,
            cleared_count: retyped.cleared,
            version: directory.version(),
        })
    }

    /// Renames a value of an attribute in users, options and the filters of org units together. Spellings that differ
    /// in case alone become one; where there is the new value already, the two become one.
    async fn rename_value(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which value, and what it is to be.")] input: RenameValueInput,
    ) -> Result<RenameValuePayload> {
        let directory = ctx.directory()?;
        let renamed = input.make(directory, &ctx.actor()).await?;
        let index = directory.index();
        let units = renamed.org_units.iter().filter_map(|unit| index.org_unit(*unit).cloned().map(OrgUnit::new));
        Ok(RenameValuePayload {
            attribute: read(directory, renamed.attribute)?,
            user_count: renamed.users,
            org_units: units.collect(),
            version: index.version(),
        })
    }
}

impl UpdateAttributeInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<AttributeId> {
        let id = parse_id(&self.id, "id")?;
        let change = AttributeChange {
            expected_version: self.expected_version,
            title: self.title,
            description: self.description,
            options: self.options,
            is_required: self.is_required,
            is_unique: self.is_unique,
            readable_by: match self.readable_by {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(readers) => Some(Some(roles(readers))),
            },
            position: self.position.map(|position| position as usize),
        };
        directory.update_attribute(actor, id, change).await?;
        Ok(id)
    }
}

impl DeleteAttributeInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<AttributeId> {
        let id = parse_id(&self.id, "id")?;
        directory.delete_attribute(actor, id, self.expected_version).await?;
        Ok(id)
    }
}

impl ChangeAttributeTypeInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<(AttributeId, Retyped)> {
        let id = parse_id(&self.id, "id")?;
        let dates = self.date_format.as_deref().map(DateFormat::parse).transpose();
        let retype = Retype {
            expected_version: self.expected_version,
            r#type: self.r#type.into(),
            options: self.options,
            dates: dates.map_err(|why| Failure::invalid("dateFormat", "NOT_A_DATE_FORMAT", why))?.unwrap_or_default(),
            clear_others: self.clear_others,
        };
        Ok((id, directory.change_attribute_type(actor, id, retype).await?))
    }
}

impl RenameValueInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<Renamed> {
        let Self { attribute, expected_version, from, to } = self;
        Ok(directory.rename_value(actor, ValueRename { key: attribute, from, to, expected_version }).await?)
    }
}

fn roles(roles: Vec<Role>) -> Vec<access::Role> {
    roles.into_iter().map(Into::into).collect()
}

/// The attribute as it is now.
fn read(directory: &Directory, id: AttributeId) -> Result<Attribute> {
    let index = directory.index();
    let found = index.attributes().iter().find(|attribute| attribute.id == id);
    found.cloned().map(Attribute).ok_or_else(|| Failure::missing(id))
}
