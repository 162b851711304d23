//! Why: what came of a filter for one user, node by node, and why the user is a member of an org unit or not.
//!
//! The plain evaluator says what holds. What it asks of other records comes from here: managers, and members of units.

use std::cell::RefCell;
use std::sync::Arc;

use entity::org_unit::OrgUnitScope;
use entity::{OrgUnitId, UserId, integration_account};
use roaring::RoaringBitmap;
use rustc_hash::{FxHashMap, FxHashSet};

use super::Index;
use super::evaluate::Evaluation;
use crate::filter::{Account, Checked, Facts, Filter, Line, Node, Stored, Test, node_matches, outline};
use crate::record::{OrgUnitRecord, UserRecord};
use crate::value::{GlobalId, Value, show};

/// The most values that one condition says it saw.
const SEEN: usize = 100;

/// Why a user is a member, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A member: the filter selects the user.
    Filter,
    /// A member: the filter does not select the user, who is pinned.
    Pinned,
    /// Not a member: the user is excluded.
    Excluded,
    /// Not a member: the filter does not select the user.
    NotSelected,
    /// Not a member: the unit selects among the parent's members, and the user is none of them.
    NotInScope,
    /// Not a member: the unit has no filter.
    NoFilter,
    /// Not a member: the unit's filter no longer passes the check.
    InvalidFilter,
    /// Not a member: the unit's members would depend on themselves, so it has none.
    Circular,
}

impl Reason {
    /// Whether it is one for being a member.
    #[must_use]
    pub fn is_member(self) -> bool {
        matches!(self, Self::Filter | Self::Pinned)
    }
}

/// Why a user is a member of an org unit, or is not; or whether a filter selects the user.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The unit; none of a filter alone.
    pub org_unit: Option<Arc<OrgUnitRecord>>,
    /// Why.
    pub reason: Reason,
    /// Whether the user is pinned to the unit.
    pub is_pinned: bool,
    /// Whether the user is excluded from the unit.
    pub is_excluded: bool,
    /// What came of each node of the filter, in the order of [`outline`]; of none without a filter.
    pub outcomes: Vec<Outcome>,
    /// The same of the parent, where the unit selects among its members.
    pub scope: Option<Box<Explanation>>,
}

/// What came of one node of a filter for one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Where it stands, as in violations.
    pub path: String,
    /// How many nodes it stands in.
    pub depth: usize,
    /// What it says, as text; none where that would be too long.
    pub text: Option<String>,
    /// Whether it holds.
    pub holds: bool,
    /// What it looked at, as people read it; at most 100 values.
    pub saw: Vec<String>,
}

impl Index {
    /// Whether a filter selects a user, and why.
    #[must_use]
    pub fn explain_filter(
        &self,
        filter: &Filter,
        checked: &Checked,
        user: &UserRecord,
        accounts: &[&integration_account::Model],
    ) -> Explanation {
        let outcomes = Subject::new(self, user, accounts).outcomes(filter, checked);
        let reason = if holds(&outcomes) { Reason::Filter } else { Reason::NotSelected };
        Explanation { org_unit: None, reason, is_pinned: false, is_excluded: false, outcomes, scope: None }
    }

    /// Why a user is a member of an org unit, or is not; none where there is no such unit.
    #[must_use]
    pub fn explain_unit(
        &self,
        id: OrgUnitId,
        user: &UserRecord,
        accounts: &[&integration_account::Model],
    ) -> Option<Explanation> {
        Subject::new(self, user, accounts).explain(id)
    }

    /// What came of each node of an org unit's filter for a user; of none without a filter.
    #[must_use]
    pub fn unit_outcomes(
        &self,
        unit: &OrgUnitRecord,
        user: &UserRecord,
        accounts: &[&integration_account::Model],
    ) -> Vec<Outcome> {
        Subject::new(self, user, accounts).unit_outcomes(unit)
    }

    /// Which of `units` a user is a member of, in the same order.
    fn units_with(&self, user: UserId, units: &[OrgUnitId]) -> Vec<OrgUnitId> {
        let universe: RoaringBitmap = self.users.find(user).into_iter().collect();
        let evaluation = Evaluation::new(self, Some(&universe));
        units.iter().copied().filter(|unit| !evaluation.unit(*unit).is_empty()).collect()
    }

    /// The user whom a user names by a USER attribute, the one whom that user names, and so on; each once.
    fn managers_above(&self, key: &str, user: UserId) -> Vec<UserId> {
        let mut seen = FxHashSet::default();
        std::iter::successors(self.refers_to(key, user), |manager| self.refers_to(key, *manager))
            .take_while(|manager| seen.insert(*manager))
            .collect()
    }
}

fn holds(outcomes: &[Outcome]) -> bool {
    outcomes.first().is_some_and(|root| root.holds)
}

/// The user who is asked about.
struct Subject<'a> {
    index: &'a Index,
    user: &'a UserRecord,
    accounts: Vec<(entity::integration::IntegrationKind, integration_account::Model)>,
    /// Of the units that a filter asks about, and of those below them, which the user is a member of.
    units: RefCell<FxHashMap<(OrgUnitId, bool), Vec<OrgUnitId>>>,
    managers: RefCell<FxHashMap<String, Vec<UserId>>>,
}

impl<'a> Subject<'a> {
    fn new(index: &'a Index, user: &'a UserRecord, accounts: &[&integration_account::Model]) -> Self {
        let name = |account: &integration_account::Model| {
            index.integration(account.integration_id).map(|integration| integration.name_key.clone())
        };
        let mut accounts: Vec<_> = accounts
            .iter()
            .filter_map(|account| Some((index.integration(account.integration_id)?.kind, (*account).clone())))
            .collect();
        accounts.sort_by_key(|(_, account)| (name(account), account.id));
        Self { index, user, accounts, units: RefCell::default(), managers: RefCell::default() }
    }

    fn id(&self) -> UserId {
        self.user.row.id
    }

    fn explain(&self, id: OrgUnitId) -> Option<Explanation> {
        let unit = self.index.org_unit(id)?;
        let outcomes = self.unit_outcomes(unit);
        let is_circular = self.index.units.place(id).is_none();
        let is_pinned = unit.pinned.contains(&self.id());
        let is_excluded = unit.excluded.contains(&self.id());
        // The units above one that is in no circle are in none either, so they end.
        let above = unit.row.parent_id.filter(|_| unit.row.scope == OrgUnitScope::Parent && !is_circular);
        let scope = above.and_then(|parent| self.explain(parent));
        let is_in_scope = scope.as_ref().is_none_or(|parent| parent.reason.is_member());
        let reason = if is_circular {
            Reason::Circular
        } else if is_excluded {
            Reason::Excluded
        } else if is_in_scope && holds(&outcomes) {
            Reason::Filter
        } else if is_pinned {
            Reason::Pinned
        } else if unit.row.filter.is_none() {
            Reason::NoFilter
        } else if self.index.org_unit_filter(id).is_none() {
            Reason::InvalidFilter
        } else if is_in_scope {
            Reason::NotSelected
        } else {
            Reason::NotInScope
        };
        let (org_unit, scope) = (Some(Arc::clone(unit)), scope.map(Box::new));
        Some(Explanation { org_unit, reason, is_pinned, is_excluded, outcomes, scope })
    }

    fn unit_outcomes(&self, unit: &OrgUnitRecord) -> Vec<Outcome> {
        let stored = unit.row.filter.clone().and_then(|stored| serde_json::from_value::<Stored>(stored).ok());
        match (stored, self.index.org_unit_filter(unit.row.id)) {
            (Some(Stored { filter, .. }), Some(checked)) => self.outcomes(&filter, checked),
            _ => Vec::new(),
        }
    }

    fn outcomes(&self, filter: &Filter, checked: &Checked) -> Vec<Outcome> {
        let reports_to = |key: &str, manager: UserId| self.managers(key).contains(&manager);
        let is_member = |unit: OrgUnitId, descendants: bool| !self.units(unit, descendants).is_empty();
        let facts =
            Facts { record: self.user, accounts: &self.accounts, reports_to: &reports_to, is_member: &is_member };
        let outcome = |line: Line<'_>| Outcome {
            text: self.index.filter_text(line.filter),
            holds: node_matches(line.node, &facts),
            saw: self.saw(line.node),
            path: line.path,
            depth: line.depth,
        };
        outline(filter, checked).into_iter().map(outcome).collect()
    }

    fn managers(&self, key: &str) -> Vec<UserId> {
        let mut known = self.managers.borrow_mut();
        known.entry(key.to_owned()).or_insert_with(|| self.index.managers_above(key, self.id())).clone()
    }

    fn units(&self, unit: OrgUnitId, descendants: bool) -> Vec<OrgUnitId> {
        let mut known = self.units.borrow_mut();
        let find = || {
            let asked = if descendants { self.index.units.subtree(unit) } else { vec![unit] };
            self.index.units_with(self.id(), &asked)
        };
        known.entry((unit, descendants)).or_insert_with(find).clone()
    }

    /// What a node looks at. A list looks at nothing but its parts.
    fn saw(&self, node: &Node) -> Vec<String> {
        let mut seen = match node {
            Node::All(_) | Node::Any(_) | Node::Not(_) => Vec::new(),
            Node::Name(_) => vec![self.user.row.name.clone()],
            Node::Email(_) => std::iter::once(&self.user.row.email).chain(&self.user.further_emails).cloned().collect(),
            Node::Attribute { key, test: Test::ReportsTo(_), .. } => {
                self.managers(key).into_iter().map(|manager| self.named(manager)).collect()
            }
            Node::Attribute { key, r#type, .. } => {
                let stored = self.user.row.attributes.get(key);
                match stored.and_then(|stored| Value::from_stored(*r#type, stored)) {
                    None => Vec::new(),
                    Some(Value::Options(options)) => options,
                    Some(value) => vec![show(&value, |id| Some(self.named(id)))],
                }
            }
            Node::Account(wanted) => {
                let of_integration = |account: &&(_, integration_account::Model)| {
                    wanted.integration.is_none_or(|id| id == account.1.integration_id)
                        && wanted.kind.is_none_or(|kind| kind == account.0)
                };
                self.accounts.iter().filter(of_integration).map(|(_, account)| self.account(account, wanted)).collect()
            }
            Node::OrgUnit { id, descendants } => {
                self.units(*id, *descendants).into_iter().map(|unit| self.index.path(unit)).collect()
            }
        };
        seen.truncate(SEEN);
        seen
    }

    fn named(&self, user: UserId) -> String {
        self.index.email_of(user).map_or_else(|| user.to_global(), str::to_owned)
    }

    /// An account by its integration and what people know it by, with whatever else was asked of it: `GitHub: ann`.
    fn account(&self, account: &integration_account::Model, wanted: &Account) -> String {
        let integration = self.index.integration(account.integration_id);
        let names = [&account.username, &account.email, &account.display_name, &account.external_id];
        let known_by = names.iter().position(|name| name.is_some());
        let is_asked = [false, wanted.email.is_some(), wanted.display_name.is_some(), false];
        let mut told: Vec<&str> = (0..)
            .zip(names)
            .filter(|(at, _)| Some(*at) == known_by || is_asked[*at])
            .filter_map(|(_, name)| name.as_deref())
            .collect();
        if wanted.is_bot.is_some() {
            told.push(if account.is_bot { "a bot" } else { "not a bot" });
        }
        let integration = integration.map(|integration| integration.name.as_str()).unwrap_or_default();
        format!("{integration}: {}", told.join(", "))
    }
}
