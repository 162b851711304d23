//! The org units of the made-up organisation: departments, their largest teams, and some that cut across.

use std::collections::BTreeSet;

use entity::integration::IntegrationKind;
use entity::org_unit::OrgUnitScope;
use entity::{OrgUnitId, UserId};

use super::organisation::{DEPARTMENTS, team_name};
use super::user::{Population, managing_titles};
use crate::directory::{Actor, Directory, NewOrgUnit, Result};
use crate::filter::{AccountFilter, AttributeFilter, Condition, Filter, OrgUnitFilter, Scalar};

/// Whom an org unit's filter selects.
enum Selects {
    /// There is no filter.
    Nobody,
    /// Those who pass it.
    Filter(Filter),
    /// The members of these units, by their places in the plan, and of those below them.
    MembersOf(Vec<usize>),
}

/// An org unit to be made.
struct Unit {
    name: String,
    /// The place in the plan of the unit above.
    parent: Option<usize>,
    description: String,
    scope: OrgUnitScope,
    selects: Selects,
    /// The numbers of pinned users.
    pinned: Vec<u64>,
    /// The numbers of excluded users.
    excluded: Vec<u64>,
}

/// Makes the org units; says after each how many there are and will be. Gives how many it made.
pub(super) async fn create(
    directory: &Directory,
    actor: &Actor,
    population: &Population,
    mut progress: impl FnMut(u64, u64),
) -> Result<u64> {
    let plan = plan(population);
    let total = plan.len() as u64;
    let mut ids: Vec<OrgUnitId> = Vec::with_capacity(plan.len());
    for unit in plan {
        let filter = match unit.selects {
            Selects::Nobody => None,
            Selects::Filter(filter) => Some(filter),
            Selects::MembersOf(units) => {
                let id = |unit: usize| crate::value::GlobalId::to_global(ids[unit]);
                let of = |unit| Filter::OrgUnit(OrgUnitFilter { id: id(unit), descendants: true });
                Some(Filter::Any(units.into_iter().map(of).collect()))
            }
        };
        let users = |numbers: Vec<u64>| -> BTreeSet<UserId> {
            let index = directory.index();
            numbers.into_iter().filter_map(|user| index.user_with_email(&population.email(user))).collect()
        };
        let new = NewOrgUnit {
            parent_id: unit.parent.map(|parent| ids[parent]),
            name: unit.name,
            description: unit.description,
            scope: unit.scope,
            filter,
            pinned: users(unit.pinned),
            excluded: users(unit.excluded),
        };
        ids.push(directory.create_org_unit(actor, new).await?);
        progress(ids.len() as u64, total);
    }
    Ok(total)
}

/// All units, each after the one above it.
fn plan(population: &Population) -> Vec<Unit> {
    let mut plan = vec![Unit {
        description: "Everybody in the directory, whoever they report to.".to_owned(),
        ..unit("Harbour", None, Selects::Filter(Filter::All(Vec::new())))
    }];
    let parts = &population.organisation.parts;
    // A few teams of each department: more of them in a larger organisation, and never hundreds.
    let teams = u64::from(population.users.max(1).ilog2() / 3);
    let mut departments = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let department = &DEPARTMENTS[at];
        departments.push(plan.len());
        let this = plan.len();
        plan.push(Unit {
            description: format!("Everybody whose department is {}.", department.name),
            ..unit(department.name, Some(0), Selects::Filter(is("department", department.name)))
        });
        for team in 0..part.teams().min(teams) {
            let name = team_name(at, team);
            let filter = Selects::Filter(is("team", &name));
            plan.push(Unit { description: format!("The team {name}."), ..unit(&name, Some(this), filter) });
        }
        if department.is_on_call {
            let filter = Selects::Filter(attribute("on_call", Condition::Equals(Scalar::Boolean(true))));
            plan.push(Unit {
                scope: OrgUnitScope::Parent,
                description: "Who of this department takes calls this week.".to_owned(),
                ..unit("On call", Some(this), filter)
            });
        }
    }
    plan.extend(across(population, &departments, plan.len()));
    plan
}

/// The units that cut across departments; the first of them, above the others, will stand at `place`.
fn across(population: &Population, departments: &[usize], place_of_first: usize) -> Vec<Unit> {
    let above = Some(place_of_first);
    let heads: Vec<u64> = population.organisation.parts.iter().map(|part| part.head).collect();
    let mut units = vec![Unit {
        description: "Units that have nothing to do with departments. It has no filter, so that it has no members."
            .to_owned(),
        ..unit("Across departments", None, Selects::Nobody)
    }];
    let managers = Condition::In(managing_titles().map(|title| Scalar::Text(title.to_owned())).collect());
    units.push(Unit {
        description: "Everybody who supervises somebody.".to_owned(),
        ..unit("Managers", above, Selects::Filter(attribute("role", managers)))
    });
    if let Some(head) = heads.first() {
        let reports = Condition::ReportsTo(population.email(*head));
        units.push(Unit {
            description: "Everybody who reports to the head of Engineering, directly or through others.".to_owned(),
            ..unit("Below the head of Engineering", above, Selects::Filter(attribute("supervisor", reports)))
        });
    }
    let since = Condition::AtLeast(Scalar::Text("2026-01-01".to_owned()));
    units.push(Unit {
        description: "Who started in 2026 or later.".to_owned(),
        ..unit("Newcomers", above, Selects::Filter(attribute("start_date", since)))
    });
    units.push(Unit {
        description: "Architects by appointment, not by a filter: the members are pinned.".to_owned(),
        pinned: heads.iter().take(5).map(|head| head + 1).filter(|user| *user < population.users).collect(),
        ..unit("Architecture Council", above, Selects::Nobody)
    });
    let skills = Condition::HasAny(["Rust", "Go"].map(str::to_owned).to_vec());
    let seniors = attribute("level", Condition::AtLeast(Scalar::Number(5.0)));
    units.push(Unit {
        description: "Seasoned developers of Rust or Go; the head of Engineering asked not to be listed.".to_owned(),
        excluded: heads.iter().take(1).copied().collect(),
        ..unit("Systems Guild", above, Selects::Filter(Filter::All(vec![attribute("skills", skills), seniors])))
    });
    let github = AccountFilter { kind: Some(IntegrationKind::GitHub), ..AccountFilter::default() };
    units.push(Unit {
        description: "Whose work in GitHub is not seen yet.".to_owned(),
        ..unit("Without GitHub", above, Selects::Filter(Filter::Not(Box::new(Filter::Account(github)))))
    });
    units.push(Unit {
        description: "The members of two departments, by what those units select.".to_owned(),
        ..unit("Builders", above, Selects::MembersOf(departments.iter().take(2).copied().collect()))
    });
    units
}

/// A unit among all users that pins and excludes nobody.
fn unit(name: &str, parent: Option<usize>, selects: Selects) -> Unit {
    Unit {
        name: name.to_owned(),
        parent,
        description: String::new(),
        scope: OrgUnitScope::All,
        selects,
        pinned: Vec::new(),
        excluded: Vec::new(),
    }
}

fn attribute(key: &str, is: Condition) -> Filter {
    Filter::Attribute(AttributeFilter { key: key.to_owned(), is })
}

fn is(key: &str, text: &str) -> Filter {
    attribute(key, Condition::Equals(Scalar::Text(text.to_owned())))
}
