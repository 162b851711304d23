//! Typed record ids: a `UUIDv7` each, so that an id of one noun cannot stand where another's is meant.

use sea_orm::{DbErr, DeriveValueType, TryFromU64, entity::prelude::Uuid};
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    };
}

id!(
    /// The id of a `user` row.
    UserId
);
id!(
    /// The id of an `attribute` row.
    AttributeId
);
id!(
    /// The id of an `integration` row.
    IntegrationId
);
id!(
    /// The id of an `integration_account` row.
    IntegrationAccountId
);
id!(
    /// The id of an `org_unit` row.
    OrgUnitId
);
id!(
    /// The id of an `import_draft` row.
    ImportDraftId
);
id!(
    /// The id of an `integration_run` row.
    IntegrationRunId
);
id!(
    /// The id of an `association_rules` row.
    AssociationRulesId
);
id!(
    /// The id of a `token` row.
    TokenId
);

impl AssociationRulesId {
    /// The only one: there is one set of rules.
    pub const ONLY: Self = Self(Uuid::from_u128(1));
}
