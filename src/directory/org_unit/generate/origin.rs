//! What a generated unit remembers: what it was generated from, and as what.

use entity::org_unit::OrgUnitScope;
use entity::{OrgUnitId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::record::OrgUnitRecord;
use crate::value::fold;

/// Where a generated unit comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The unit below which it was generated; none for the root.
    pub under: Option<OrgUnitId>,
    /// What it was generated from.
    pub source: Source,
    /// As what it was generated. Where the unit is otherwise, a person has changed it.
    pub made: Made,
}

/// What a unit is generated from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// Values of attributes, one for each level down to the unit.
    Values(Vec<SourceValue>),
    /// A user who has reports.
    Supervisor {
        /// The key of the USER attribute by which they report.
        attribute: String,
        /// Whom they report to.
        user: UserId,
    },
}

/// A value that the members of a generated unit have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SourceValue {
    /// The key of the attribute.
    pub attribute: String,
    /// The value as text.
    pub value: String,
}

/// A unit as it was generated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    /// Its name.
    pub name: String,
    /// The unit above.
    pub parent_id: Option<OrgUnitId>,
    /// Among whom its filter selects.
    pub scope: OrgUnitScope,
    /// Its filter in the stored form.
    pub filter: Json,
    /// The supervisor, if pinned.
    pub pinned: Option<UserId>,
}

impl Origin {
    /// The origin of a unit that was generated.
    #[must_use]
    pub fn of(unit: &OrgUnitRecord) -> Option<Self> {
        serde_json::from_value(unit.row.origin.clone()?).ok()
    }
}

impl Source {
    /// The same source, whatever its values' spelling.
    pub(super) fn folded(&self) -> Self {
        match self {
            Self::Values(values) => {
                let folded = |value: &SourceValue| SourceValue { value: fold(&value.value), ..value.clone() };
                Self::Values(values.iter().map(folded).collect())
            }
            Self::Supervisor { .. } => self.clone(),
        }
    }
}
