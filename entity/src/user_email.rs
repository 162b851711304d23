//! Every email of every user; the primary key keeps an email to one user.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use crate::UserId;

/// A row of `user_email`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "user_email")]
pub struct Model {
    /// The email in its normal form.
    #[sea_orm(primary_key, auto_increment = false)]
    pub email: String,
    /// Whose it is.
    pub user_id: UserId,
    /// Whether it is the email that `user.email` names.
    pub is_primary: bool,
}

/// No relations are declared: reads are by key, in sets.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
