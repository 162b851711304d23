//! The ids that users had who became part of others; the primary key keeps an id to one user.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::UserId;

/// A row of `user_merged_id`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "user_merged_id")]
pub struct Model {
    /// The id of a user that there is no more.
    #[sea_orm(primary_key, auto_increment = false)]
    pub merged_id: UserId,
    /// Whose id it is now.
    pub user_id: UserId,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
