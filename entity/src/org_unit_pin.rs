//! A user whom a person put into an org unit, or kept out of it, whatever the filter says.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{OrgUnitId, UserId};

/// A row of `org_unit_pin`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "org_unit_pin")]
pub struct Model {
    /// The org unit.
    #[sea_orm(primary_key, auto_increment = false)]
    pub org_unit_id: OrgUnitId,
    /// The user.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// True: always a member. False: excluded.
    pub is_member: bool,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
