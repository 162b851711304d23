//! What a draft would do to the members of org units.

use async_graphql::{Context, Description, Object};

use crate::directory::{Impact, Mover};
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::org_unit::OrgUnit;
use crate::graphql::user::User;

/// What a draft would do to one org unit and its members.
#[derive(Clone, Debug, Description)]
pub(crate) struct ImportImpact(pub(super) Impact);

#[Object(use_type_description)]
impl ImportImpact {
    /// The unit as it is now; null for one that is to be made, or is gone.
    async fn org_unit(&self, ctx: &Context<'_>) -> Result<Option<OrgUnit>> {
        let index = ctx.directory()?.index();
        Ok(self.0.org_unit.and_then(|unit| index.org_unit(unit)).cloned().map(OrgUnit::new))
    }

    /// The path at which it would stand; of one that goes, the path that it had.
    async fn path(&self) -> &str {
        &self.0.path
    }

    /// How many members it had when the draft was compared; null for a unit that is to be made.
    async fn members_before(&self) -> Option<u64> {
        self.0.before
    }

    /// How many it would have; null for a unit that would be removed.
    async fn members_after(&self) -> Option<u64> {
        self.0.after
    }

    /// How many members it would gain.
    async fn joined_count(&self) -> u64 {
        self.0.joined_count
    }

    /// How many members it would lose.
    async fn left_count(&self) -> u64 {
        self.0.left_count
    }

    /// The first 25 of those whom it would gain.
    async fn joined(&self) -> Vec<ImportMover> {
        self.0.joined.iter().cloned().map(ImportMover).collect()
    }

    /// The first 25 of those whom it would lose.
    async fn left(&self) -> Vec<ImportMover> {
        self.0.left.iter().cloned().map(ImportMover).collect()
    }
}

/// A user who would join or leave an org unit.
#[derive(Clone, Debug, Description)]
pub(crate) struct ImportMover(Mover);

#[Object(use_type_description)]
impl ImportMover {
    /// The primary email: of one who would join as it would be, of one who would leave as it is.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// The user as it is now; null for one that is to be made, or is gone.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::find(ctx, self.0.user).await
    }
}
