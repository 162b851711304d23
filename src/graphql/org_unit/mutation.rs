//! What can be done to org units.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};
use entity::OrgUnitId;

use super::{OrgUnit, OrgUnitScope};
use crate::directory::{Actor, Directory, NewOrgUnit, OrgUnitChange};
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::filter::{UserFilter, told};
use crate::graphql::scalar::{parse_id, parse_ids, to_id};

/// An org unit to make.
#[derive(Debug, InputObject)]
pub(crate) struct CreateOrgUnitInput {
    /// The unit above; left out for a root.
    parent_id: Option<ID>,
    /// Its name; 1 to 100 characters without `/`, unique among its siblings.
    name: String,
    /// What it is for.
    #[graphql(default)]
    description: String,
    /// Among whom its filter selects. A root can only select among `ALL`.
    #[graphql(default_with = "OrgUnitScope::All")]
    scope: OrgUnitScope,
    /// Whom it has as members; without a filter only pinned users.
    filter: Option<UserFilter>,
    /// The ids of users who are members whatever the filter says, at most 10,000.
    #[graphql(default)]
    pinned: Vec<ID>,
    /// The ids of users who are never members, at most 10,000.
    #[graphql(default)]
    excluded: Vec<ID>,
}

/// The org unit that was made.
#[derive(Debug, SimpleObject)]
pub(crate) struct CreateOrgUnitPayload {
    /// The org unit.
    org_unit: OrgUnit,
    /// The version of the directory after the change.
    version: i64,
}

/// What is to change of an org unit. What is left out stays; null does the same everywhere but in `filter`.
#[derive(Debug, InputObject)]
pub(crate) struct UpdateOrgUnitInput {
    /// The org unit's id.
    id: ID,
    /// The version of the org unit that you read. If it has changed since, the update is refused with `CONFLICT`.
    expected_version: Option<i64>,
    /// Its name.
    name: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Among whom its filter selects.
    scope: Option<OrgUnitScope>,
    /// Whom it has as members. Null takes the filter away, so that only pinned users are members.
    filter: MaybeUndefined<UserFilter>,
    /// The ids of all users who are members whatever the filter says, at most 10,000.
    pinned: Option<Vec<ID>>,
    /// The ids of all users who are never members, at most 10,000.
    excluded: Option<Vec<ID>>,
}

/// The org unit after the change.
#[derive(Debug, SimpleObject)]
pub(crate) struct UpdateOrgUnitPayload {
    /// The org unit.
    org_unit: OrgUnit,
    /// The version of the directory after the change.
    version: i64,
}

/// Where an org unit is to stand.
#[derive(Debug, InputObject)]
pub(crate) struct MoveOrgUnitInput {
    /// The org unit's id.
    id: ID,
    /// The unit that is to stand above it. Null, or left out, makes it a root.
    parent_id: Option<ID>,
    /// The version of the org unit that you read. If it has changed since, the move is refused with `CONFLICT`.
    expected_version: Option<i64>,
}

/// The org unit after the move.
#[derive(Debug, SimpleObject)]
pub(crate) struct MoveOrgUnitPayload {
    /// The org unit.
    org_unit: OrgUnit,
    /// The version of the directory after the change.
    version: i64,
}

/// Which org unit to delete.
#[derive(Debug, InputObject)]
pub(crate) struct DeleteOrgUnitInput {
    /// The org unit's id.
    id: ID,
    /// The version of the org unit that you read. If it has changed since, the deletion is refused with `CONFLICT`.
    expected_version: Option<i64>,
}

/// Which org unit was deleted.
#[derive(Debug, SimpleObject)]
pub(crate) struct DeleteOrgUnitPayload {
    /// The id it had.
    deleted_org_unit_id: ID,
    /// The version of the directory after the change.
    version: i64,
}

/// Mutations of org units.
#[derive(Debug, Default)]
pub(crate) struct OrgUnitMutation;

#[Object]
impl OrgUnitMutation {
    /// Makes an org unit.
    async fn create_org_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to make.")] input: CreateOrgUnitInput,
    ) -> Result<CreateOrgUnitPayload> {
        let directory = ctx.directory()?;
        let new = NewOrgUnit {
            parent_id: input.parent_id.map(|parent| parse_id(&parent, "parentId")).transpose()?,
            name: input.name,
            description: input.description,
            scope: input.scope.into(),
            filter: input.filter.map(Into::into),
            pinned: parse_ids(&input.pinned, "pinned")?,
            excluded: parse_ids(&input.excluded, "excluded")?,
        };
        let id = directory.create_org_unit(&ctx.actor(), new).await?;
        Ok(CreateOrgUnitPayload { org_unit: read(directory, id)?, version: directory.version() })
    }

    /// Changes an org unit where it stands.
    async fn update_org_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to change.")] input: UpdateOrgUnitInput,
    ) -> Result<UpdateOrgUnitPayload> {
        let directory = ctx.directory()?;
        let id = input.make(directory, &ctx.actor()).await?;
        Ok(UpdateOrgUnitPayload { org_unit: read(directory, id)?, version: directory.version() })
    }

    /// Moves an org unit, with everything below it, under another one or to the root.
    async fn move_org_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to move, and where to.")] input: MoveOrgUnitInput,
    ) -> Result<MoveOrgUnitPayload> {
        let directory = ctx.directory()?;
        let id = input.make(directory, &ctx.actor()).await?;
        Ok(MoveOrgUnitPayload { org_unit: read(directory, id)?, version: directory.version() })
    }

    /// Deletes an org unit. Refused with `IN_USE` while units stand below it, or the filter of another names it.
    async fn delete_org_unit(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to delete.")] input: DeleteOrgUnitInput,
    ) -> Result<DeleteOrgUnitPayload> {
        let directory = ctx.directory()?;
        let id = input.make(directory, &ctx.actor()).await?;
        Ok(DeleteOrgUnitPayload { deleted_org_unit_id: to_id(id), version: directory.version() })
    }
}

impl UpdateOrgUnitInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<OrgUnitId> {
        let id = parse_id(&self.id, "id")?;
        let ids = |ids: Option<Vec<ID>>, path| ids.map(|ids| parse_ids(&ids, path)).transpose();
        let change = OrgUnitChange {
            expected_version: self.expected_version,
            name: self.name,
            description: self.description,
            scope: self.scope.map(Into::into),
            filter: told(self.filter).map(|filter| filter.map(Into::into)),
            pinned: ids(self.pinned, "pinned")?,
            excluded: ids(self.excluded, "excluded")?,
        };
        directory.update_org_unit(actor, id, change).await?;
        Ok(id)
    }
}

impl MoveOrgUnitInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<OrgUnitId> {
        let id = parse_id(&self.id, "id")?;
        let parent = self.parent_id.map(|parent| parse_id(&parent, "parentId")).transpose()?;
        directory.move_org_unit(actor, id, parent, self.expected_version).await?;
        Ok(id)
    }
}

impl DeleteOrgUnitInput {
    /// Makes the change.
    pub(crate) async fn make(self, directory: &Directory, actor: &Actor) -> Result<OrgUnitId> {
        let id = parse_id(&self.id, "id")?;
        directory.delete_org_unit(actor, id, self.expected_version).await?;
        Ok(id)
    }
}

/// The org unit as it is now.
fn read(directory: &Directory, id: OrgUnitId) -> Result<OrgUnit> {
    directory.index().org_unit(id).cloned().map(OrgUnit::new).ok_or_else(|| Failure::missing(id))
}
