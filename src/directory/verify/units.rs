//! Org units: their tree, their names, their filters, and who is pinned to them.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use entity::org_unit::OrgUnitScope;
use entity::{OrgUnitId, UserId, org_unit, org_unit_pin};

use super::catalogue::Catalogue;
use super::rows::Rows;
use super::{Result, Verify};
use crate::directory::read_stored;
use crate::filter::{self, Checked};
use crate::index::{Loader, OrgUnitShape};
use crate::record::{OrgUnitRecord, Record};
use crate::value::{GlobalId, fold};

const TABLE: &str = "org_unit";

impl Verify {
    /// Looks at all org units.
    pub(super) async fn units(&mut self, catalogue: &Catalogue) -> Result<()> {
        let rows = self.all::<org_unit::Entity>().await?;
        let mut units: HashMap<OrgUnitId, OrgUnitRecord> = rows
            .into_iter()
            .map(|row| (row.id, OrgUnitRecord { row, pinned: BTreeSet::new(), excluded: BTreeSet::new() }))
            .collect();
        let mut pins = Rows::<org_unit_pin::Entity>::all();
        loop {
            let some = pins.next(self).await?;
            if some.is_empty() {
                break;
            }
            for pin in some {
                let Some(unit) = units.get_mut(&pin.org_unit_id) else { continue };
                if pin.is_member { &mut unit.pinned } else { &mut unit.excluded }.insert(pin.user_id);
            }
        }
        let mut units: Vec<OrgUnitRecord> = units.into_values().collect();
        units.sort_by_key(|unit| unit.row.id);
        let records: Vec<Record> = units.iter().cloned().map(Record::OrgUnit).collect();
        for some in records.chunks(500) {
            self.replay(some).await?;
        }
        self.tree(&units);
        self.filters(catalogue, &units).await
    }

    fn tree(&mut self, units: &[OrgUnitRecord]) {
        let parents: HashMap<OrgUnitId, Option<OrgUnitId>> =
            units.iter().map(|unit| (unit.row.id, unit.row.parent_id)).collect();
        let mut names = HashMap::new();
        for unit in units {
            let (row, name) = (&unit.row, unit.row.id.to_global());
            let mut add = |code, message, mend| self.said.add(TABLE, name.clone(), code, message, mend);
            if row.name_key != fold(&row.name) {
                add(
                    "KEY",
                    format!("its name is `{}` and is found as `{}`", row.name, row.name_key),
                    "save its name anew",
                );
            }
            if let Some(other) = names.insert((row.parent_id, fold(&row.name)), row.id) {
                let message = format!("it has the name of its sibling {}", other.to_global());
                add("DOUBLE", message, "give one of the two another name");
            }
            if row.parent_id.is_none() && row.scope == OrgUnitScope::Parent {
                let message = "it selects among its parent's members, and has no parent".to_owned();
                add("SCOPE", message, "set its scope to ALL, or move it");
            }
            let mut seen = HashSet::from([row.id]);
            let mut above = row.parent_id;
            while let Some(id) = above.filter(|id| seen.insert(*id)) {
                above = parents.get(&id).copied().flatten();
            }
            if above == Some(row.id) {
                add("CYCLE", "it stands below itself".to_owned(), "move one of the units of the circle to the root");
            }
            if let Some(both) = unit.pinned.intersection(&unit.excluded).next() {
                let message = format!("{} is both pinned and excluded", both.to_global());
                add("PIN", message, "save its pinned and excluded users anew");
            }
        }
    }

    async fn filters(&mut self, catalogue: &Catalogue, units: &[OrgUnitRecord]) -> Result<()> {
        let ids: HashSet<OrgUnitId> = units.iter().map(|unit| unit.row.id).collect();
        let attributes: Vec<_> = catalogue.attributes.iter().cloned().map(Arc::new).collect();
        let integrations: Vec<_> = catalogue.integrations.iter().cloned().map(Arc::new).collect();
        let mut shapes = Vec::new();
        let mut named: HashMap<UserId, OrgUnitId> = HashMap::new();
        for unit in units {
            let row = &unit.row;
            let users = RefCell::new(Vec::new());
            let known = filter::Catalogue {
                attributes: &attributes,
                integrations: &integrations,
                has_org_unit: &|id| ids.contains(&id),
                find_user: &|text| {
                    let id = UserId::parse(text).ok()?;
                    users.borrow_mut().push(id);
                    Some(id)
                },
                today: self.now.date_naive(),
            };
            let checked: Option<std::result::Result<Checked, String>> = row.filter.as_ref().map(|stored| {
                let filter = read_stored(stored.clone()).map_err(|_| "it cannot be read".to_owned())?;
                filter::check(&filter, &known)
                    .map_err(|wrong| wrong.first().map(|wrong| wrong.message.clone()).unwrap_or_default())
            });
            if let Some(Err(why)) = &checked {
                let message = format!("its filter selects nobody: {why}");
                self.said.add(TABLE, row.id.to_global(), "FILTER", message, "save its filter anew");
            }
            named.extend(users.into_inner().into_iter().map(|user| (user, row.id)));
            let asks = checked.iter().flatten().flat_map(Checked::org_units).collect();
            shapes.push(OrgUnitShape { id: row.id, parent_id: row.parent_id, scope: row.scope, asks });
        }
        let users: Vec<_> = named.keys().map(|user| user.0).collect();
        let there = self.there("user", "id", &users).await?;
        let merged = self.there("user_merged_id", "merged_id", &users).await?;
        for (user, unit) in named.iter().filter(|(user, _)| !there.contains(&user.0) && !merged.contains(&user.0)) {
            let message = format!("its filter names {}, who is not there", user.to_global());
            self.said.add(TABLE, unit.to_global(), "FILTER", message, "save its filter anew");
        }
        let is_tree = self.said.findings.iter().all(|finding| (finding.table, finding.code) != (TABLE, "CYCLE"));
        if is_tree {
            let index = Loader::new(self.version, Vec::new(), Vec::new()).finish(Vec::new());
            if let Some(first) = index.org_unit_cycle(&shapes).iter().min() {
                let message = "its members depend on themselves, by the filters of units or by their scopes";
                self.said.add(TABLE, first.to_global(), "CYCLE", message, "save its filter or its scope anew");
            }
        }
        Ok(())
    }
}
