//! Short ways to write what tests do most.

use std::fs::File;
use std::io::{Seek, Write};

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use entity::org_unit::OrgUnitScope;
use entity::{AttributeId, IntegrationId, OrgUnitId, UserId};
use roster::directory::csv::{ImportOptions, ImportReport, Problems};
use roster::directory::{Actor, Directory, Error, NewAttribute, NewIntegration, NewOrgUnit, NewUser, SyncedAccount};
use roster::filter::Filter;
use serde_json::Value as Json;

/// Who makes the changes of tests.
pub(crate) fn me() -> Actor {
    Actor("ann@corp.example".into())
}

/// A file to import.
pub(crate) fn file(content: impl AsRef<[u8]>) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content.as_ref()).unwrap();
    file.rewind().unwrap();
    file
}

/// Imports `content`.
pub(crate) async fn import(directory: &Directory, content: impl AsRef<[u8]>, options: ImportOptions) -> ImportReport {
    directory.import_users(&me(), file(content), options).await.unwrap()
}

/// Problems, one a text: line, column, code and the value that stands there.
pub(crate) fn problems(problems: &Problems) -> Vec<String> {
    assert_eq!(problems.count, problems.listed.len() as u64);
    problems
        .listed
        .iter()
        .map(|problem| {
            let column = problem.column.as_deref().unwrap_or("-");
            let value = problem.value.as_ref().map(|value| format!(" `{value}`")).unwrap_or_default();
            format!("line {}, {column}: {}{value}", problem.line, problem.code)
        })
        .collect()
}

/// The violations of an error, one a text: path and code.
pub(crate) fn violations(error: &Error) -> Vec<String> {
    match error {
        Error::Invalid(violations) => {
            violations.iter().map(|violation| format!("{}: {}", violation.path, violation.code)).collect()
        }
        other => panic!("{other} has no violations"),
    }
}

/// A filter from its stored form.
pub(crate) fn filter(json: Json) -> Filter {
    serde_json::from_value(json).unwrap()
}

/// Makes an attribute; options make it one of SELECT or `MULTI_SELECT`.
pub(crate) async fn attribute(
    directory: &Directory,
    title: &str,
    r#type: AttributeType,
    options: &[&str],
) -> AttributeId {
    let new = NewAttribute {
        title: title.into(),
        key: None,
        r#type,
        description: String::new(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        is_required: false,
        is_unique: false,
        readable_by: None,
        position: None,
    };
    directory.create_attribute(&me(), new).await.unwrap()
}

/// Makes an integration.
pub(crate) async fn integration(directory: &Directory, kind: IntegrationKind, name: &str) -> IntegrationId {
    directory.create_integration(&me(), NewIntegration { kind, name: name.into() }).await.unwrap()
}

/// Makes a user with values by attribute key, given as an object.
pub(crate) async fn user(directory: &Directory, name: &str, email: &str, attributes: Json) -> UserId {
    let attributes = attributes.as_object().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone()));
    let new = NewUser {
        name: name.into(),
        email: email.into(),
        further_emails: Vec::new(),
        attributes: attributes.collect(),
    };
    directory.create_user(&me(), new).await.unwrap()
}

/// Makes an org unit among everybody.
pub(crate) async fn unit(
    directory: &Directory,
    name: &str,
    parent_id: Option<OrgUnitId>,
    filter: Option<Filter>,
) -> OrgUnitId {
    directory.create_org_unit(&me(), new_unit(name, parent_id, filter)).await.unwrap()
}

/// An org unit among everybody, without pins.
pub(crate) fn new_unit(name: &str, parent_id: Option<OrgUnitId>, filter: Option<Filter>) -> NewOrgUnit {
    NewOrgUnit {
        parent_id,
        name: name.into(),
        description: String::new(),
        scope: OrgUnitScope::All,
        filter,
        pinned: Default::default(),
        excluded: Default::default(),
    }
}

/// An account as a tool reports it: its id there, and username and email where the tool shows them.
pub(crate) fn account(external_id: &str, username: &str, email: &str) -> SyncedAccount {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    SyncedAccount {
        external_id: external_id.into(),
        username: given(username),
        email: given(email),
        display_name: None,
        is_bot: false,
        is_gone: false,
    }
}

/// The email of the user who has the account of this external id; `-` for nobody.
pub(crate) async fn user_of(directory: &Directory, integration: IntegrationId, external_id: &str) -> String {
    directory.refresh().await.unwrap();
    let index = directory.index();
    let found = index.resolve(integration, roster::index::AccountBy::ExternalId(external_id)).unwrap();
    found.owner.and_then(|owner| index.email_of(owner)).unwrap_or("-").to_owned()
}
