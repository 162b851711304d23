//! A small directory whose names tell why they are there.

use std::collections::BTreeSet;

use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use entity::org_unit::OrgUnitScope;
use entity::{IntegrationId, OrgUnitId, UserId};
use roster::directory::{Directory, NewAttribute, NewOrgUnit, SyncMode, SyncedAccount};
use serde_json::json;

use super::{account, attribute, filter, integration, me, unit, user};

/// The ids of the cast's records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cast {
    /// Is in two teams, and everybody's supervisor, directly or not.
    pub(crate) two_teams: UserId,
    /// Has accounts, none of which shows an email.
    pub(crate) no_email: UserId,
    /// Writes name and domain with umlauts.
    pub(crate) umlaut: UserId,
    /// Has a name that `LIKE` would take for a pattern.
    pub(crate) percent: UserId,
    /// Has a name that a spreadsheet would run.
    pub(crate) formula: UserId,
    /// Has quotes, commas and line breaks in every place that takes them.
    pub(crate) quote: UserId,
    /// Has no values and no accounts.
    pub(crate) empty: UserId,
    /// Was made from an account.
    pub(crate) detected: UserId,
    pub(crate) jira: IntegrationId,
    pub(crate) github: IntegrationId,
    pub(crate) slack: IntegrationId,
    /// All who have a department.
    pub(crate) engineering: OrgUnitId,
    /// Those of them in the team Platform, without `percent`.
    pub(crate) platform: OrgUnitId,
    /// Without a filter; `empty` is pinned.
    pub(crate) guests: OrgUnitId,
}

/// Fills an empty directory with the cast.
pub(crate) async fn cast(directory: &Directory) -> Cast {
    attribute(directory, "Department", AttributeType::Text, &[]).await;
    attribute(directory, "Teams", AttributeType::MultiSelect, &["Platform", "Payments", "Data"]).await;
    attribute(directory, "Level", AttributeType::Select, &["Junior", "Senior"]).await;
    attribute(directory, "Start date", AttributeType::Date, &[]).await;
    attribute(directory, "Capacity", AttributeType::Number, &[]).await;
    attribute(directory, "Remote", AttributeType::Boolean, &[]).await;
    attribute(directory, "Supervisor", AttributeType::User, &[]).await;
    attribute(directory, "Home page", AttributeType::Url, &[]).await;
    attribute(directory, "Private email", AttributeType::Email, &[]).await;
    let number = NewAttribute {
        title: "Employee number".into(),
        key: Some("number".into()),
        r#type: AttributeType::Text,
        description: "From the HR system; no two people share one.".into(),
        options: Vec::new(),
        is_required: false,
        is_unique: true,
        readable_by: None,
        position: None,
    };
    directory.create_attribute(&me(), number).await.unwrap();

    let jira = integration(directory, IntegrationKind::Jira, "Jira").await;
    let github = integration(directory, IntegrationKind::GitHub, "GitHub").await;
    let slack = integration(directory, IntegrationKind::Slack, "Slack").await;

    let two_teams = json!({
        "department": "Platform", "teams": ["Platform", "Payments"], "level": "Senior", "start_date": "2019-06-11",
        "capacity": 0.5, "remote": true, "number": "001", "home_page": "https://corp.example/~ann",
    });
    let two_teams = user(directory, "Ann Two-Teams", "ann@corp.example", two_teams).await;
    let no_email = json!({
        "department": "platform", "teams": ["Platform"], "level": "Junior", "start_date": "2024-02-29", "capacity": 1,
        "supervisor": "ann@corp.example", "number": "002",
    });
    let no_email = user(directory, "Bob No-Email", "bob@corp.example", no_email).await;
    let umlaut = json!({
        "department": "Straße", "teams": ["Data"], "level": "Senior", "capacity": 1, "remote": false,
        "supervisor": "ann@corp.example", "private_email": "Ä@bücher.example",
    });
    let umlaut = user(directory, "Umlaut Ä", "umlaut@Müller.example", umlaut).await;
    let percent = json!({
        "department": "100% _remote_", "teams": ["Platform"], "start_date": "2021-12-31", "capacity": -3.5,
        "remote": true, "supervisor": "bob@corp.example",
    });
    let percent = user(directory, "50%_off", "percent@corp.example", percent).await;
    let formula = json!({ "department": "=1+1", "supervisor": "bob@corp.example", "number": "'=003" });
    let formula = user(directory, "=formula", "formula@corp.example", formula).await;
    let quote = json!({ "department": "\"R&D\", \n2nd line", "teams": ["Data", "Payments"], "capacity": 0 });
    let quote = user(directory, "O'Quote, \"Newline\"", "quote@corp.example", quote).await;
    let empty = user(directory, "Zoë Empty", "empty@corp.example", json!({})).await;

    let bot = SyncedAccount { is_bot: true, ..account("j9", "builder", "builder@corp.example") };
    let accounts = vec![
        account("j1", "ann", "Ann@Corp.example"),
        account("j2", "bob", ""),
        account("j3", "umlaut", "UMLAUT@xn--mller-kva.example"),
        bot,
    ];
    directory.sync_accounts(&me(), jira, accounts, SyncMode::Full).await.unwrap();
    let display_name = Some("Dee Detected".to_owned());
    let dee = SyncedAccount { display_name, ..account("g4", "dee", "dee@home.example") };
    let accounts = vec![
        account("g1", "ann-two", "ann@corp.example"),
        account("g2", "bob;odd", ""),
        account("g3", "ghost", ""),
        dee,
    ];
    directory.sync_accounts(&me(), github, accounts, SyncMode::Full).await.unwrap();
    let accounts = vec![account("S1", "ann", "ann@corp.example"), account("S5", "=cmd", "formula@corp.example")];
    directory.sync_accounts(&me(), slack, accounts, SyncMode::Full).await.unwrap();
    let by_id = |integration, id| {
        directory.index().resolve(integration, roster::index::AccountBy::ExternalId(id)).unwrap().account
    };
    for account in [by_id(jira, "j2"), by_id(github, "g2")] {
        directory.link_account(&me(), account, no_email, None).await.unwrap();
    }
    let detected = directory.find_user("dee@home.example").unwrap();

    let has_department = json!({ "attribute": { "key": "department", "is": { "isEmpty": false } } });
    let engineering = unit(directory, "Engineering", None, Some(filter(has_department))).await;
    let in_platform = json!({ "attribute": { "key": "teams", "is": { "hasAny": ["Platform"] } } });
    let platform = NewOrgUnit {
        parent_id: Some(engineering),
        name: "Platform".into(),
        description: "Those of Engineering in the team Platform".into(),
        scope: OrgUnitScope::Parent,
        filter: Some(filter(in_platform)),
        pinned: BTreeSet::new(),
        excluded: BTreeSet::from([percent]),
    };
    let platform = directory.create_org_unit(&me(), platform).await.unwrap();
    let guests = NewOrgUnit {
        parent_id: None,
        name: "Guests".into(),
        description: String::new(),
        scope: OrgUnitScope::All,
        filter: None,
        pinned: BTreeSet::from([empty]),
        excluded: BTreeSet::new(),
    };
    let guests = directory.create_org_unit(&me(), guests).await.unwrap();
    Cast {
        two_teams,
        no_email,
        umlaut,
        percent,
        formula,
        quote,
        empty,
        detected,
        jira,
        github,
        slack,
        engineering,
        platform,
        guests,
    }
}
