//! Why: the explanation of every user in every unit, held to the plain evaluator over plain records.

use entity::org_unit::OrgUnitScope;
use entity::{OrgUnitId, UserId};
use proptest::prelude::*;
use serde_json::json;

use super::directory::*;
use super::draw::filter;
use super::laws::{changesets, follow};
use crate::filter::{Filter, outline};
use crate::index::{Explanation, Index, Reason};
use crate::record::Record;
use crate::value::GlobalId;

/// What the reason must be, worked out from the records.
fn reason(directory: &Directory, index: &Index, unit: OrgUnitId, id: UserId) -> Reason {
    let record = &directory.units[&unit];
    let is_member = directory.is_member(index, unit, id);
    let filter = index.org_unit_filter(unit);
    let is_chosen = filter.is_some_and(|filter| directory.selects(index, filter, id));
    let is_in_scope = match (record.row.scope, record.row.parent_id) {
        (OrgUnitScope::Parent, Some(parent)) => directory.is_member(index, parent, id),
        _ => true,
    };
    if directory.is_circular(index, unit, &mut Vec::new()) {
        Reason::Circular
    } else if record.excluded.contains(&id) {
        Reason::Excluded
    } else if is_member {
        if is_chosen && is_in_scope { Reason::Filter } else { Reason::Pinned }
    } else if record.row.filter.is_none() {
        Reason::NoFilter
    } else if filter.is_none() {
        Reason::InvalidFilter
    } else if is_in_scope {
        Reason::NotSelected
    } else {
        Reason::NotInScope
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_explained_is_what_the_plain_evaluator_and_the_index_say(
        changesets in changesets(),
        filters in prop::collection::vec(filter(), 3),
    ) {
        let (directory, index) = follow(&changesets);
        for (id, user) in &directory.users {
            let accounts = directory.accounts_of(*id);
            for filter in &filters {
                let Ok(checked) = index.check(filter) else { continue };
                let explained = index.explain_filter(filter, &checked, user, &accounts);
                let is_selected = index.select(&checked).intersection(&index.these(&[*id])).unwrap().len() == 1;
                prop_assert_eq!(explained.reason.is_member(), is_selected);
                prop_assert_eq!(explained.outcomes[0].holds, is_selected);
                let lines = outline(filter, &checked);
                prop_assert_eq!(explained.outcomes.len(), lines.len());
                for (outcome, line) in explained.outcomes.iter().zip(lines) {
                    prop_assert_eq!(outcome.holds, directory.node_selects(&index, line.node, *id), "{}", outcome.path);
                    prop_assert_eq!(&outcome.text, &index.filter_text(line.filter));
                }
            }
            let memberships = index.memberships_of(&[*id]).remove(0);
            for (unit, record) in &directory.units {
                let explained = index.explain_unit(*unit, user, &accounts).unwrap();
                prop_assert_eq!(explained.reason, reason(&directory, &index, *unit, *id));
                let is_member = directory.is_member(&index, *unit, *id);
                prop_assert_eq!(explained.reason.is_member(), is_member);
                let membership = memberships.iter().find(|(member_of, _)| member_of == unit);
                prop_assert_eq!(membership.map(|(_, reason)| *reason), is_member.then_some(explained.reason));
                prop_assert_eq!(explained.is_pinned, record.pinned.contains(id));
                prop_assert_eq!(explained.is_excluded, record.excluded.contains(id));
                let mut above: Option<&Explanation> = Some(&explained);
                while let Some(explanation) = above {
                    let unit = &explanation.org_unit.as_ref().unwrap().row;
                    let is_within = unit.scope == OrgUnitScope::Parent && explanation.reason != Reason::Circular;
                    let parent = explanation.scope.as_ref().map(|scope| scope.org_unit.as_ref().unwrap().row.id);
                    prop_assert_eq!(parent, unit.parent_id.filter(|_| is_within));
                    above = explanation.scope.as_deref();
                }
            }
        }
    }
}

/// What each condition saw, one a line.
#[track_caller]
fn saw(filter: serde_json::Value, name: &str, expected: &[&str]) {
    let directory = super::named::cast();
    let mut index = directory.index();
    let below = unit(3, Some(2), OrgUnitScope::All, Some(Filter::All(Vec::new())));
    let change = |record: Record| crate::record::Change { id: record.id(), after: Some(record) };
    index.apply(2, vec![change(Record::OrgUnit(below))]);
    let filter: Filter = serde_json::from_value(filter).unwrap();
    let checked = index.check(&filter).unwrap();
    let user = directory.users.values().find(|user| user.row.name == name).unwrap();
    let explained = index.explain_filter(&filter, &checked, user, &directory.accounts_of(user.row.id));
    let lines: Vec<String> = explained
        .outcomes
        .iter()
        .map(|outcome| {
            let holds = if outcome.holds { "yes" } else { "no" };
            format!("{} {} {holds}: {}", outcome.depth, outcome.text.as_deref().unwrap(), outcome.saw.join(", "))
        })
        .collect();
    assert_eq!(lines, expected);
}

#[test]
fn each_condition_says_what_it_saw() {
    let attribute = |key: &str, is: serde_json::Value| json!({"attribute": {"key": key, "is": is}});
    saw(
        json!({"all": [
            attribute("department", json!({"equals": "PLATFORM"})),
            {"not": attribute("skills", json!({"hasAny": ["rust"]}))},
            {"any": [attribute("level", json!({"atLeast": 5.5})), {"email": {"endsWith": "@home.org"}}]},
            {"name": {"contains": "o"}},
        ]}),
        "Bob",
        &[
            "0 department eq \"PLATFORM\" and not (skills hasAny [\"rust\"]) and \
             (level ge 5.5 or email ew \"@home.org\") and name co \"o\" no: ",
            "1 department eq \"PLATFORM\" yes: Platform",
            "1 not (skills hasAny [\"rust\"]) no: ",
            "2 skills hasAny [\"rust\"] yes: Go, Rust",
            "1 level ge 5.5 or email ew \"@home.org\" yes: ",
            "2 level ge 5.5 no: 5",
            "2 email ew \"@home.org\" yes: bob@corp.com, bob@home.org",
            "1 name co \"o\" yes: Bob",
        ],
    );
    saw(
        attribute("manager", json!({"reportsTo": "ann@corp.com"})),
        "Dan",
        &["0 manager reportsTo \"ann@corp.com\" yes: bob@corp.com, ann@corp.com"],
    );
    saw(
        attribute("manager", json!({"equals": "ann@corp.com"})),
        "Dan",
        &["0 manager eq \"ann@corp.com\" no: bob@corp.com"],
    );
    saw(attribute("department", json!({"isEmpty": true})), "Dan", &["0 department eq null yes: "]);
    saw(
        json!({"account": {"kind": "GITHUB", "email": {"endsWith": "corp.com"}, "isBot": false}}),
        "Bob",
        &["0 accounts[kind eq \"GITHUB\" and email ew \"corp.com\" and isBot eq false] no: acme: Bobby, not a bot"],
    );
    saw(json!({"account": {}}), "Bob", &["0 accounts pr yes: acme: Bobby, Acme chat: bob@corp.com"]);
    saw(
        json!({"orgUnit": {"id": unit_id(2).to_global(), "descendants": true}}),
        "Flo",
        &["0 memberOf \"Unit 1/Unit 2\" withDescendants yes: Unit 1/Unit 2, Unit 1/Unit 2/Unit 3"],
    );
    saw(json!({"orgUnit": {"id": unit_id(2).to_global()}}), "Ann", &["0 memberOf \"Unit 1/Unit 2\" no: "]);
}
