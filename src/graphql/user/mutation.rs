//! What can be done to users.

use std::sync::Arc;

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::UserId;

use super::User;
use crate::directory::{Actor, Directory, NewUser, UserChange};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::scalar::{AttributeInputValue, parse_id, to_id};

/// A value to set.
#[derive(Debug, InputObject)]
pub(crate) struct AttributeValueInput {
    /// The key of a custom attribute.
    key: String,
    /// The value, as the attribute's type asks for it. Null, or left out, empties the attribute.
    value: Option<AttributeInputValue>,
}

/// A user to make.
#[derive(Debug, InputObject)]
pub(crate) struct CreateUserInput {
    /// The name as people write it; 1 to 200 characters.
    name: String,
    /// The primary email. Accounts with this email that nobody has are associated with the user.
    email: String,
    /// Further emails of the user, at most 100.
    #[graphql(default)]
    further_emails: Vec<String>,
    /// Values of custom attributes; every required attribute needs one.
    #[graphql(default)]
    attributes: Vec<AttributeValueInput>,
}

/// The user who was made.
#[derive(Debug, SimpleObject)]
pub(crate) struct CreateUserPayload {
    /// The user.
    user: User,
    /// The version of the directory after the change.
    version: i64,
}

/// What is to change of a user. What is left out, or null, stays.
#[derive(Debug, InputObject)]
pub(crate) struct UpdateUserInput {
    /// The user's id.
    id: ID,
    /// The version of the user that you read. If the user has changed since, the update is refused with `CONFLICT`.
    expected_version: Option<i64>,
    /// The name as people write it.
    name: Option<String>,
    /// The primary email. The one before it becomes a further email.
    email: Option<String>,
    /// All further emails, at most 100. Accounts with a new one come to this user, unless a person or an import gave them to another.
    further_emails: Option<Vec<String>>,
    /// Values of custom attributes. Attributes that are not listed stay.
    #[graphql(default)]
    attributes: Vec<AttributeValueInput>,
}

/// The user after the change.
#[derive(Debug, SimpleObject)]
pub(crate) struct UpdateUserPayload {
    /// The user.
    user: User,
    /// The version of the directory after the change.
    version: i64,
}

/// Which user to delete.
#[derive(Debug, InputObject)]
pub(crate) struct DeleteUserInput {
    /// The user's id.
    id: ID,
    /// The version of the user that you read. If the user has changed since, the deletion is refused with `CONFLICT`.
    expected_version: Option<i64>,
}

/// Which user was deleted.
#[derive(Debug, SimpleObject)]
pub(crate) struct DeleteUserPayload {
    /// The id that the user had.
    deleted_user_id: ID,
    /// The version of the directory after the change.
    version: i64,
}

/// Mutations of users.
#[derive(Debug, Default)]
pub(crate) struct UserMutation;

#[Object]
impl UserMutation {
    /// Makes a user. An automatically made user with one of the emails becomes part of it.
    async fn create_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateUserInput,
    ) -> Result<CreateUserPayload> {
        let directory = ctx.directory()?;
        let new = NewUser {
            name: input.name,
            email: input.email,
            further_emails: input.further_emails,
            attributes: values(input.attributes),
        };
        let id = directory.create_user(&ctx.actor(), new).await?;
        Ok(CreateUserPayload { user: read(directory, id).await?, version: directory.version() })
    }

    /// Changes a user.
    async fn update_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateUserInput,
    ) -> Result<UpdateUserPayload> {
        let directory = ctx.directory()?;
        let id = input.make(directory, &ctx.actor()).await?;
        Ok(UpdateUserPayload { user: read(directory, id).await?, version: directory.version() })
    }

    /// Deletes a user. The accounts stay, with nobody; values that name the user are emptied; pins go. Refused with
    /// `IN_USE` while the filter of an org unit names the user.
    async fn delete_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whom to delete.")] input: DeleteUserInput,
    ) -> Result<DeleteUserPayload> {
        let directory = ctx.directory()?;
        let id = input.make(directory, &ctx.actor()).await?;
        Ok(DeleteUserPayload { deleted_user_id: to_id(id), version: directory.version() })
    }
}

impl UpdateUserInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<UserId> {
        let id = parse_id(&self.id, "id")?;
        let change = UserChange {
            expected_version: self.expected_version,
            name: self.name,
            email: self.email,
            further_emails: self.further_emails,
            attributes: values(self.attributes),
        };
        directory.update_user(actor, id, change).await?;
        Ok(id)
    }
}

impl DeleteUserInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<UserId> {
        let id = parse_id(&self.id, "id")?;
        directory.delete_user(actor, id, self.expected_version).await?;
        Ok(id)
    }
}

pub(super) fn values(inputs: Vec<AttributeValueInput>) -> Vec<(String, serde_json::Value)> {
    inputs.into_iter().map(|input| (input.key, input.value.map(|value| value.0).unwrap_or_default())).collect()
}

/// The user as the record is now.
pub(super) async fn read(directory: &Directory, id: UserId) -> Result<User> {
    let id = directory.current_user(id);
    let found = directory.find_users(&[id]).await?.remove(&id);
    found.map(|record| User::new(Arc::new(record))).ok_or_else(|| Failure::missing(id))
}
