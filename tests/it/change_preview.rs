//! A change that is tried out says what the change does, and does nothing; renamed values, and attributes of another
//! type.

use std::collections::{BTreeMap, BTreeSet};

use entity::attribute::AttributeType;
use entity::{OrgUnitId, UserId};
use roster::directory::{Directory, Error, Retype, Retyped, ValueRename};
use roster::value::{DateFormat, GlobalId};
use serde_json::{Value as Json, json};

use crate::support::{Server, Site, attribute, cast, filter, me, on_both, tables, unit, user, violations};

/// The members of each org unit.
fn members(directory: &Directory) -> BTreeMap<String, BTreeSet<String>> {
    let index = directory.index();
    let units: Vec<OrgUnitId> = index.org_units().map(|unit| unit.row.id).collect();
    let emails = |unit| -> BTreeSet<String> {
        let ids: Vec<UserId> = index.ids_by_name(&index.members_of_unit(unit)).unwrap();
        ids.iter().map(|id| id.to_global()).collect()
    };
    units.into_iter().map(|unit| (unit.to_global(), emails(unit))).collect()
}

const PREVIEW: &str = "query($change: ChangeInput!) { previewChange(change: $change) {
    version refusal { code message violations { path code } } changes { noun created updated deleted }
    impactCount impact(first: 20) { orgUnit { id } membersBefore membersAfter joinedCount leftCount joined(first: 100) { id } left { id } }
} }";

/// Tries a change out, makes it, and holds what was said against what came.
async fn hold(site: &Site, server: &Server, mutation: &str, input: Json) {
    let (directory, before): (&Directory, String) = (site, tables(site).await);
    let (version, was) = (directory.version(), members(directory));
    let reply = server.execute(PREVIEW, json!({ "change": { mutation: input } }), None).await.json();
    let said = reply["data"]["previewChange"].clone();
    assert!(said.is_object(), "{mutation}: {reply}");
    assert_eq!(tables(site).await, before, "trying {mutation} out writes nothing");
    assert_eq!((directory.version(), said["version"].as_i64()), (version, Some(version)));

    let type_name = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
    let document = format!("mutation($input: {type_name}!) {{ {mutation}(input: $input) {{ version }} }}");
    let made = server.execute(&document, json!({ "input": input }), None).await.json();
    if let Some(error) = made["errors"].get(0) {
        assert_eq!(said["refusal"]["code"], error["extensions"]["code"], "{mutation}: {made}");
        assert_eq!(said["refusal"]["message"], error["message"]);
        return;
    }
    assert!(said["refusal"].is_null(), "{mutation}: {said}");
    let log = "{ changesets(first: 1) { edges { node { number changes(first: 100) { edges { node { noun before after } } } } } } }";
    let log = server.execute(log, json!({}), None).await.json();
    let log = &log["data"]["changesets"]["edges"][0]["node"];
    assert_eq!(log["number"], json!(version + 1), "one changeset: {mutation}");
    let mut counts: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    for change in log["changes"]["edges"].as_array().unwrap() {
        let change = &change["node"];
        let at = if change["before"].is_null() {
            0
        } else if change["after"].is_null() {
            2
        } else {
            1
        };
        counts.entry(change["noun"].as_str().unwrap().to_owned()).or_default()[at] += 1;
    }
    let told = said["changes"].as_array().unwrap().iter().map(|total| {
        let count = |name: &str| total[name].as_u64().unwrap();
        (total["noun"].as_str().unwrap().to_owned(), [count("created"), count("updated"), count("deleted")])
    });
    assert_eq!(told.collect::<BTreeMap<_, _>>(), counts, "{mutation}");

    let now = members(directory);
    let nobody = BTreeSet::new();
    let mut expected = BTreeMap::new();
    for (unit, had) in &was {
        let has = now.get(unit).unwrap_or(&nobody);
        if had != has || !now.contains_key(unit) {
            let joined: BTreeSet<String> = has.difference(had).cloned().collect();
            let left: BTreeSet<String> = had.difference(has).cloned().collect();
            let after = now.get(unit).map(|has| has.len() as u64);
            expected.insert(unit.clone(), (had.len() as u64, after, joined, left));
        }
    }
    let ids = |users: &Json| -> BTreeSet<String> {
        users.as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect()
    };
    let told = said["impact"].as_array().unwrap().iter().map(|impact| {
        let (joined, left) = (ids(&impact["joined"]), ids(&impact["left"]));
        assert_eq!(impact["joinedCount"].as_u64(), Some(joined.len() as u64));
        assert_eq!(impact["leftCount"].as_u64(), Some(left.len() as u64));
        let counts = (impact["membersBefore"].as_u64().unwrap(), impact["membersAfter"].as_u64());
        (impact["orgUnit"]["id"].as_str().unwrap().to_owned(), (counts.0, counts.1, joined, left))
    });
    assert_eq!(said["impactCount"], json!(expected.len()));
    assert_eq!(told.collect::<BTreeMap<_, _>>(), expected, "{mutation}");
}

#[test]
fn a_change_that_is_tried_out_says_what_it_does_when_it_is_made() {
    on_both(async |site: &Site| {
        let cast = cast(site).await;
        let seniors = json!({ "attribute": { "key": "level", "is": { "in": ["Senior", "Junior"] } } });
        let seniors = unit(site, "Seniors", None, Some(filter(seniors))).await;
        let on_slack = filter(json!({ "account": { "kind": "SLACK" } }));
        let on_slack = unit(site, "On Slack", None, Some(on_slack)).await;
        let both = filter(
            json!({ "all": [{ "orgUnit": { "id": seniors.to_global() } }, { "orgUnit": { "id": cast.engineering.to_global(), "descendants": true } }] }),
        );
        unit(site, "Senior engineers", None, Some(both)).await;
        let server = Server::new(site);
        let id = |key: &str| site.attribute(key).unwrap().id.to_global();
        let user = |id: UserId| id.to_global();
        let changes = [
            (
                "updateUser",
                json!({ "id": user(cast.empty), "attributes": [{ "key": "department", "value": "Data" }, { "key": "level", "value": "Senior" }] }),
            ),
            ("updateUser", json!({ "id": user(cast.empty), "attributes": [{ "key": "level", "value": "Chief" }] })),
            (
                "updateOrgUnit",
                json!({ "id": seniors.to_global(), "filter": { "attribute": { "key": "level", "is": { "equals": "Senior" } } }, "pinned": [user(cast.formula)] }),
            ),
            ("moveOrgUnit", json!({ "id": cast.platform.to_global(), "parentId": seniors.to_global() })),
            ("deleteOrgUnit", json!({ "id": cast.engineering.to_global() })),
            ("deleteOrgUnit", json!({ "id": cast.guests.to_global() })),
            ("renameValue", json!({ "attribute": "level", "from": "junior", "to": "Senior" })),
            ("renameValue", json!({ "attribute": "teams", "from": "Platform", "to": "Foundations" })),
            ("renameValue", json!({ "attribute": "department", "from": "PLATFORM", "to": "SRE" })),
            ("deleteAttribute", json!({ "id": id("department") })),
            ("deleteAttribute", json!({ "id": id("start_date") })),
            ("changeAttributeType", json!({ "id": id("capacity"), "type": "TEXT" })),
            ("changeAttributeType", json!({ "id": id("home_page"), "type": "NUMBER" })),
            ("updateAttribute", json!({ "id": id("teams"), "options": ["Data"] })),
            ("unlinkIntegrationAccount", json!({ "accountId": account(site, cast.slack, "S5") })),
            (
                "linkIntegrationAccount",
                json!({ "accountId": account(site, cast.slack, "S5"), "userId": user(cast.umlaut) }),
            ),
            ("deleteIntegration", json!({ "id": cast.slack.to_global() })),
            ("deleteIntegration", json!({ "id": cast.github.to_global() })),
            ("updateOrgUnit", json!({ "id": on_slack.to_global(), "filter": null })),
            (
                "mergeUsers",
                json!({ "survivorId": user(cast.two_teams), "ids": [user(cast.umlaut), user(cast.detected)] }),
            ),
            ("mergeUsers", json!({ "survivorId": user(cast.two_teams), "ids": [] })),
            ("splitUser", json!({ "userId": user(cast.two_teams), "mergedId": user(cast.umlaut) })),
            ("splitUser", json!({ "userId": user(cast.two_teams), "emails": ["dee@home.example"] })),
            ("splitUser", json!({ "userId": user(cast.two_teams), "emails": ["nobody@home.example"] })),
            ("deleteUser", json!({ "id": user(cast.two_teams) })),
        ];
        for (mutation, input) in changes {
            hold(site, &server, mutation, input).await;
        }
    });
}

fn account(directory: &Directory, integration: entity::IntegrationId, id: &str) -> String {
    let by = roster::index::AccountBy::ExternalId(id);
    directory.index().resolve(integration, by).unwrap().account.to_global()
}

/// The values of an attribute, by the users' emails.
async fn values(directory: &Directory, key: &str) -> BTreeMap<String, Json> {
    let ids: Vec<UserId> = directory.index().user_ids().collect();
    let users = directory.find_users(&ids).await.unwrap();
    let value = |user: &roster::record::UserRecord| user.row.attributes.get(key).cloned();
    users.values().filter_map(|user| Some((user.row.email.clone(), value(user)?))).collect()
}

fn renaming(key: &str, from: &str, to: &str) -> ValueRename {
    ValueRename { key: key.into(), from: from.into(), to: to.into(), expected_version: None }
}

#[test]
fn a_value_is_renamed_in_users_options_and_filters_together() {
    on_both(async |site: &Site| {
        attribute(site, "Team", AttributeType::Text, &[]).await;
        attribute(site, "Skills", AttributeType::MultiSelect, &["Go", "Rust", "golang", "SQL"]).await;
        user(site, "Ann", "ann@corp.example", json!({ "team": "sre", "skills": ["golang", "SQL"] })).await;
        user(site, "Ben", "ben@corp.example", json!({ "team": "Sre", "skills": ["Go", "golang"] })).await;
        user(site, "Cid", "cid@corp.example", json!({ "team": "Data", "skills": ["Rust"] })).await;
        let sre = json!({ "attribute": { "key": "team", "is": { "in": ["SRE", "ops", "sre "] } } });
        let sre = unit(site, "Reliability", None, Some(filter(sre))).await;
        let go = json!({ "any": [
            { "not": { "attribute": { "key": "skills", "is": { "hasAny": ["golang", "Go"] } } } },
            { "attribute": { "key": "team", "is": { "contains": "sre" } } },
            { "name": { "equals": "golang" } },
        ]});
        let go = unit(site, "Gophers", None, Some(filter(go))).await;

        let renamed = site.rename_value(&me(), renaming("Team", " SRE", "SRE")).await.unwrap();
        assert_eq!((renamed.users, renamed.org_units), (2, vec![sre]), "one spelling");
        let teams = values(site, "team").await;
        assert_eq!(
            json!(teams),
            json!({ "ann@corp.example": "SRE", "ben@corp.example": "SRE", "cid@corp.example": "Data" })
        );
        let stored = |unit| site.index().org_unit(unit).unwrap().row.filter.clone().unwrap()["filter"].clone();
        assert_eq!(stored(sre)["attribute"]["is"], json!({ "in": ["SRE", "ops"] }));

        let version = site.version();
        let renamed = site.rename_value(&me(), renaming("skills", "GOLANG", "go")).await.unwrap();
        assert_eq!((renamed.users, renamed.org_units, site.version()), (2, vec![go], version + 1), "one changeset");
        assert_eq!(site.attribute("skills").unwrap().options, json!(["Go", "Rust", "SQL"]), "two options become one");
        let skills = values(site, "skills").await;
        assert_eq!(
            json!(skills),
            json!({ "ann@corp.example": ["Go", "SQL"], "ben@corp.example": ["Go"], "cid@corp.example": ["Rust"] })
        );
        assert_eq!(stored(go)["any"][0]["not"]["attribute"]["is"], json!({ "hasAny": ["Go"] }));
        assert_eq!(stored(go)["any"][1]["attribute"]["is"], json!({ "contains": "sre" }), "a pattern stays");
        assert_eq!(stored(go)["any"][2], json!({ "name": { "equals": "golang" } }), "another attribute stays");

        for (key, from, to, code) in [
            ("team", "Sales", "Marketing", "NOT_FOUND"),
            ("squad", "a", "b", "NOT_FOUND"),
            ("skills", "Perl", "Go", "UNKNOWN_OPTION"),
            ("skills", "Go", "C; C++", "NOT_AN_OPTION"),
            ("team", "SRE", " ", "REQUIRED"),
            ("email", "ann@corp.example", "a@corp.example", "NOT_POSSIBLE"),
        ] {
            let error = site.rename_value(&me(), renaming(key, from, to)).await.unwrap_err();
            let codes =
                if matches!(error, Error::Invalid(_)) { violations(&error) } else { vec![error.code().to_owned()] };
            assert!(codes.len() == 1 && codes[0].ends_with(code), "{key} {from}: {error} {codes:?}");
        }
        assert_eq!(site.version(), version + 1, "what is refused changes nothing");
    });
}

#[test]
fn an_attribute_gets_another_type_where_its_values_can_be_read_as_that() {
    on_both(async |site: &Site| {
        let level = attribute(site, "Level", AttributeType::Text, &[]).await;
        attribute(site, "Lead", AttributeType::Text, &[]).await;
        for (name, level, lead) in [
            ("ann", "3", ""),
            ("ben", "3.0", "ann@corp.example"),
            ("cid", "n/a", "ben@corp.example"),
            ("dee", "N/A", "ben@corp.example"),
            ("eve", "old", ""),
        ] {
            let mut given = json!({ "level": level });
            if !lead.is_empty() {
                given["lead"] = json!(lead);
            }
            user(site, name, &format!("{name}@corp.example"), given).await;
        }
        let retype = |r#type, clear_others| Retype {
            expected_version: None,
            r#type,
            options: None,
            dates: DateFormat::default(),
            clear_others,
        };
        let before = tables(site).await;
        let error = site.change_attribute_type(&me(), level, retype(AttributeType::Number, false)).await.unwrap_err();
        let Error::Invalid(found) = &error else { panic!("{error}") };
        let told: Vec<bool> = found.iter().map(|found| found.message.contains("2 users have")).collect();
        assert_eq!(told, [true, false], "each value once, the most frequent first: {found:?}");
        assert!(found[1].message.ends_with("one user has `old`"), "{}", found[1].message);
        assert_eq!(tables(site).await, before);

        let done = site.change_attribute_type(&me(), level, retype(AttributeType::Number, true)).await.unwrap();
        assert_eq!(done, Retyped { converted: 2, cleared: 3 });
        assert_eq!(json!(values(site, "level").await), json!({ "ann@corp.example": 3, "ben@corp.example": 3 }));
        let three = filter(json!({ "attribute": { "key": "level", "is": { "atLeast": 3 } } }));
        assert_eq!(site.select(Some(&three)).unwrap().len(), 2, "the index has the new type");
        let used = unit(site, "Three", None, Some(three)).await;
        let error = site.change_attribute_type(&me(), level, retype(AttributeType::Text, false)).await.unwrap_err();
        assert!(matches!(&error, Error::InUse { by, .. } if by.contains("`Three`")), "{error}");
        site.delete_org_unit(&me(), used, None).await.unwrap();

        let done = site.change_attribute_type(&me(), level, retype(AttributeType::Select, false)).await.unwrap();
        assert_eq!(
            (done.converted, site.attribute("level").unwrap().options.clone()),
            (2, json!(["3"])),
            "the values become options"
        );

        let nothing = attribute(site, "Nothing", AttributeType::Text, &[]).await;
        user(site, "fay", "fay@corp.example", json!({ "nothing": " ; ; " })).await;
        let several = Retype { options: Some(vec!["One".into()]), ..retype(AttributeType::MultiSelect, false) };
        let error = site.change_attribute_type(&me(), nothing, several).await.unwrap_err();
        assert_eq!(violations(&error), ["type: NOT_AN_OPTION"], "a value does not go unasked");

        let lead = site.attribute("lead").unwrap().id;
        site.change_attribute_type(&me(), lead, retype(AttributeType::User, false)).await.unwrap();
        let below = filter(json!({ "attribute": { "key": "lead", "is": { "reportsTo": "ann@corp.example" } } }));
        assert_eq!(site.select(Some(&below)).unwrap().len(), 3, "texts become users");
        site.change_attribute_type(&me(), lead, retype(AttributeType::Text, false)).await.unwrap();
        let change = roster::directory::UserChange {
            attributes: vec![("lead".into(), json!("cid@corp.example"))],
            ..Default::default()
        };
        let ann = site.find_user("ann@corp.example").unwrap();
        site.update_user(&me(), ann, change).await.unwrap();
        let error = site.change_attribute_type(&me(), lead, retype(AttributeType::User, false)).await.unwrap_err();
        assert!(violations(&error).join("").contains("CYCLE"), "{error}");
    });
}
