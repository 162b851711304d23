//! All that a directory holds, as text: its tables, the answers of its index, its export.

use std::fmt::Write;

use entity::{
    association_rules, attribute, change, changeset, integration, integration_account, org_unit, org_unit_pin, user,
    user_email, user_merged_id,
};
use roster::directory::Directory;
use roster::directory::csv::ExportOptions;
use roster::index::{AccountBy, FacetWindow, Order, OrderBy, Window};
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value as Json, json};

/// Everybody, as CSV.
pub(crate) async fn export(directory: &Directory) -> String {
    export_as(directory, &ExportOptions::default()).await
}

/// An export, whole.
pub(crate) async fn export_as(directory: &Directory, options: &ExportOptions) -> String {
    let mut export = directory.export_users(options).await.unwrap();
    let mut all = Vec::new();
    while let Some(piece) = export.next().await.unwrap() {
        all.extend(piece);
    }
    assert_eq!(export.rows(), export.total());
    String::from_utf8(all).unwrap()
}

/// Every row of the tables of records, with the table's name, in an order that does not depend on the database.
pub(crate) async fn records(directory: &Directory) -> Vec<(&'static str, Json)> {
    let from = directory.database().readers();
    let mut lines = Vec::new();
    macro_rules! table {
        ($noun:ident, $($key:ident),+) => {
            let rows = $noun::Entity::find()$(.order_by_asc($noun::Column::$key))+.all(from).await.unwrap();
            lines.extend(rows.iter().map(|row| (stringify!($noun), serde_json::to_value(row).unwrap())));
        };
    }
    table!(attribute, Id);
    table!(integration, Id);
    table!(user, Id);
    table!(user_email, UserId, Email);
    table!(user_merged_id, MergedId);
    table!(integration_account, Id);
    table!(org_unit, Id);
    table!(org_unit_pin, OrgUnitId, UserId);
    table!(association_rules, Id);
    lines.into_iter().map(|(noun, row)| (noun, sorted(row))).collect()
}

/// Every row of every table, one a line, in an order that does not depend on the database.
pub(crate) async fn tables(directory: &Directory) -> String {
    let from = directory.database().readers();
    let mut lines = records(directory).await;
    let changesets = changeset::Entity::find().order_by_asc(changeset::Column::Number).all(from).await.unwrap();
    lines.extend(changesets.iter().map(|row| ("changeset", serde_json::to_value(row).unwrap())));
    let mut changes = change::Entity::find()
        .order_by_asc(change::Column::ChangesetNumber)
        .order_by_asc(change::Column::Position)
        .all(from)
        .await
        .unwrap();
    changes.sort_by_key(|change| (change.changeset_number, change.noun, change.record_id));
    lines.extend(changes.iter().map(|change| {
        let state = |json: &Option<String>| json.as_deref().map(|json| serde_json::from_str::<Json>(json).unwrap());
        let (before, after) = (state(&change.before), state(&change.after));
        ("change", json!({ "changeset": change.changeset_number, "before": before, "after": after }))
    }));
    lines.into_iter().fold(String::new(), |mut text, (noun, row)| {
        writeln!(text, "{noun} {}", sorted(row)).unwrap();
        text
    })
}

/// The same JSON with the members of its objects in order, which PostgreSQL does not keep.
pub(crate) fn sorted(json: Json) -> Json {
    match json {
        Json::Object(members) => {
            let mut members: Vec<(String, Json)> = members.into_iter().collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(members.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Json::Array(items) => Json::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

/// What the index answers to every question that the records in the tables give rise to.
pub(crate) async fn answers(directory: &Directory) -> String {
    let from = directory.database().readers();
    let accounts =
        integration_account::Entity::find().order_by_asc(integration_account::Column::Id).all(from).await.unwrap();
    let emails = user_email::Entity::find().order_by_asc(user_email::Column::Email).all(from).await.unwrap();
    let merged = user_merged_id::Entity::find().order_by_asc(user_merged_id::Column::MergedId).all(from).await.unwrap();
    let users = user::Entity::find().order_by_asc(user::Column::Id).all(from).await.unwrap();
    let index = directory.index();
    let mut text = String::new();
    macro_rules! say {
        ($($words:tt)*) => { writeln!(text, $($words)*).unwrap() };
    }
    say!("version {}, {} users, accounts {:?}", index.version(), index.user_count(), index.account_counts());
    say!("attributes {:?}", index.attributes().iter().map(|row| (&row.key, row.version)).collect::<Vec<_>>());
    say!("integrations {:?}", index.integrations().iter().map(|row| (&row.name, row.version)).collect::<Vec<_>>());
    let keys: Vec<String> =
        index.attributes().iter().filter(|row| !row.is_built_in).map(|row| row.key.clone()).collect();
    let everybody = index.everybody();
    let orders = [OrderBy::Name, OrderBy::Email, OrderBy::Created].into_iter();
    for by in orders.chain(keys.iter().cloned().map(OrderBy::Attribute)) {
        let order = Order { by, descending: false };
        let page = index.page(&everybody, &order, &Window::default());
        let ids: Result<Vec<_>, _> =
            page.map(|page| page.ids.iter().map(|(id, _)| index.email_of(*id)).collect::<Vec<_>>());
        say!("by {:?}: {ids:?}", order.by);
    }
    for email in &emails {
        say!("{} is of {:?}", email.email, index.user_with_email(&email.email));
    }
    for row in &users {
        let id = row.id;
        let mut own = index.accounts_of(id);
        own.sort();
        say!("{} is {:?}, has {own:?}", row.email, index.folded_name_of(id));
        let alone = |locked, reviewed| !index.marked(&index.these(&[id]), locked, reviewed).is_empty();
        say!("  is locked: {}, reviewed: {}", index.is_locked(id), alone(None, Some(true)));
        say!("  in {:?}, in filters of {:?}", index.org_units_of(&[id]), index.org_units_naming_user(id));
        let manages = keys.iter().filter_map(|key| Some((key, index.refers_to(key, id)?)));
        say!("  refers to {:?}, is referred to: {}", manages.collect::<Vec<_>>(), index.is_referred_to(id));
    }
    for row in &merged {
        say!("{:?} has become part of {:?}", row.merged_id, index.current_user(row.merged_id));
    }
    for row in &accounts {
        let by = [
            row.external_id.as_deref().map(AccountBy::ExternalId),
            row.username.as_deref().map(AccountBy::Username),
            row.email.as_deref().map(AccountBy::Email),
        ];
        let found: Vec<_> = by.into_iter().flatten().map(|by| index.resolve(row.integration_id, by)).collect();
        say!("{:?} is of {:?}, found as {found:?}", row.id, index.owner_of(row.id));
    }
    say!("rules {:?}", index.association_rules());
    for row in &accounts {
        let mut like = row.email.as_deref().map(|email| index.emails_like(email)).unwrap_or_default();
        // One that nobody has any more may still be known.
        like.retain(|email| {
            emails.iter().any(|row| row.email == *email)
                || accounts.iter().any(|row| row.email.as_deref() == Some(email))
        });
        like.sort_unstable();
        let identity = index.account_place(row.id).and_then(|at| index.account_identity(at)).unwrap();
        say!("{identity:?} like {:?}", like);
    }
    let mut units: Vec<_> = index.org_units().map(|unit| unit.row.id).collect();
    units.sort();
    for id in units {
        let members = index.ids_by_name(&index.members_of_unit(id)).unwrap();
        let emails: Vec<_> = members.iter().map(|id| index.email_of(*id)).collect();
        say!("unit {}: {emails:?}, {} in all", index.path(id), index.members_of_subtree(id).len());
        say!("  {:?} below, {:?}", index.org_unit_children(Some(id)), index.org_unit_violations(id));
    }
    for key in &keys {
        let facets = index.facets(&everybody, key, &FacetWindow::ALL).unwrap().unwrap();
        let counts: Vec<_> = facets.values.iter().map(|facet| (&facet.key, facet.count)).collect();
        say!(
            "{key}: {counts:?}, {} without, in filters of {:?}",
            facets.without,
            index.org_units_naming_attribute(key)
        );
    }
    text
}
