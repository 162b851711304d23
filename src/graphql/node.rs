//! NODES: any record by its id alone.

use async_graphql::{Context, ID, Interface, Object};
use entity::{AttributeId, IntegrationAccountId, IntegrationId, OrgUnitId, UserId};
use futures_util::future::try_join_all;

use super::attribute::Attribute;
use super::context::ContextExt;
use super::error::{Failure, Result};
use super::integration::Integration;
use super::integration_account::IntegrationAccount;
use super::org_unit::OrgUnit;
use super::scalar::parse_id;
use super::user::User;
use crate::directory::Error;
use crate::value::{GlobalId, shorten};

/// The most ids in one call.
const IDS: usize = 100;

/// Any record that has an id.
#[derive(Clone, Debug, Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The record's id; its beginning tells what it is of: `usr_…`."))]
pub(crate) enum Node {
    /// A user.
    User(User),
    /// An attribute.
    Attribute(Attribute),
    /// An integration.
    Integration(Integration),
    /// An account.
    IntegrationAccount(IntegrationAccount),
    /// An org unit.
    OrgUnit(OrgUnit),
}

/// Queries for any record.
#[derive(Debug, Default)]
pub(crate) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The record of an id; null where there is none.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of a user, attribute, integration, account or org unit.")] id: ID,
    ) -> Result<Option<Node>> {
        find(ctx, &id, "id".to_owned()).await
    }

    /// The records of several ids, in the same order; null for each that there is none of.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ids, at most 100.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > IDS {
            return Err(Failure(Error::LimitExceeded { what: "the number of ids in one call", limit: IDS as u64 }));
        }
        try_join_all(ids.iter().enumerate().map(|(at, id)| find(ctx, id, format!("ids[{at}]")))).await
    }
}

async fn find(ctx: &Context<'_>, id: &ID, path: String) -> Result<Option<Node>> {
    let directory = ctx.directory()?;
    let prefix = id.split_once('_').map(|(prefix, _)| prefix);
    Ok(match prefix {
        Some(UserId::PREFIX) => User::find(ctx, parse_id(id, &path)?).await?.map(Node::User),
        Some(IntegrationAccountId::PREFIX) => {
            IntegrationAccount::find(ctx, parse_id(id, &path)?).await?.map(Node::IntegrationAccount)
        }
        Some(AttributeId::PREFIX) => {
            let id: AttributeId = parse_id(id, &path)?;
            let index = directory.index();
            let found = index.attributes().iter().find(|attribute| attribute.id == id);
            found.cloned().map(|row| Node::Attribute(Attribute(row)))
        }
        Some(IntegrationId::PREFIX) => {
            let found = directory.index().integration(parse_id(id, &path)?).cloned();
            found.map(|row| Node::Integration(Integration::new(row)))
        }
        Some(OrgUnitId::PREFIX) => {
            let found = directory.index().org_unit(parse_id(id, &path)?).cloned();
            found.map(|record| Node::OrgUnit(OrgUnit::new(record)))
        }
        _ => return Err(Failure::invalid(path, "WRONG_ID", format!("`{}` is not an id", shorten(id)))),
    })
}
