//! Whose an account is: by email, by what a person or an import says, and what becomes of users made from accounts.

use std::collections::BTreeSet;

use entity::IntegrationId;
use entity::attribute::AttributeType;
use entity::integration::IntegrationKind;
use entity::integration_account::{AccountStatus, AssociationRule, Model};
use proptest::prelude::*;
use roster::directory::csv::{ImportMode, ImportOptions};
use roster::directory::{AccountQuery, Directory, IdRange, SyncMode, SyncOutcome, SyncedAccount, UserChange};
use serde_json::json;

use crate::support::{
    Site, account, attribute, filter, import, integration, me, new_unit, on_both, on_sqlite, problems, unit, user,
    user_of,
};

/// Three tools; Ann has one email in all of them, and another one in a second account on GitHub.
struct Seed {
    jira: IntegrationId,
    github: IntegrationId,
    slack: IntegrationId,
}

async fn seed(site: &Site) -> Seed {
    let jira = integration(site, IntegrationKind::Jira, "Jira").await;
    let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
    let slack = integration(site, IntegrationKind::Slack, "Slack").await;
    sync(site, jira, vec![account("j1", "ann", "ann@corp.example")]).await;
    sync(site, github, vec![account("g1", "ann-work", "Ann@Corp.Example"), octo()]).await;
    sync(site, slack, vec![account("s1", "ann.s", " ann@corp.example ")]).await;
    Seed { jira, github, slack }
}

fn octo() -> SyncedAccount {
    SyncedAccount { display_name: Some("Ann at home".into()), ..account("g2", "octo", "ann@home.example") }
}

async fn sync(directory: &Directory, integration: IntegrationId, accounts: Vec<SyncedAccount>) -> SyncOutcome {
    directory.sync_accounts(&me(), integration, accounts, SyncMode::Delta).await.unwrap()
}

async fn the_account(directory: &Directory, integration: IntegrationId, external_id: &str) -> Model {
    let query = AccountQuery { integration: Some(integration), ..AccountQuery::default() };
    let all = IdRange { limit: 1_000, ..IdRange::default() };
    let rows = directory.list_accounts(&query, all).await.unwrap().rows;
    rows.into_iter().find(|row| row.external_id.as_deref() == Some(external_id)).unwrap()
}

async fn rule_of(directory: &Directory, integration: IntegrationId, external_id: &str) -> AssociationRule {
    the_account(directory, integration, external_id).await.rule
}

/// All emails of everybody, one user a text, in order of email.
async fn everybody(directory: &Directory) -> Vec<String> {
    let ids: Vec<_> = directory.index().user_ids().collect();
    let mut users: Vec<String> = directory
        .find_users(&ids)
        .await
        .unwrap()
        .values()
        .map(|user| user.emails().collect::<Vec<_>>().join(" "))
        .collect();
    users.sort();
    users
}

/// Every account with its user's email.
async fn partition(directory: &Directory) -> Vec<String> {
    let all = IdRange { limit: 1_000, ..IdRange::default() };
    let rows = directory.list_accounts(&AccountQuery::default(), all).await.unwrap().rows;
    let mut texts: Vec<String> = rows
        .iter()
        .map(|row| {
            let owner = row.user_id.and_then(|user| directory.email_of(user));
            format!("{} {}", row.external_id.as_deref().unwrap_or("-"), owner.as_deref().unwrap_or("-"))
        })
        .collect();
    texts.sort();
    texts
}

#[test]
fn one_email_in_three_tools_is_one_user_and_another_email_is_a_second() {
    on_both(async |site: &Site| {
        let Seed { jira, github, slack } = seed(site).await;
        assert_eq!(everybody(site).await, ["ann@corp.example", "ann@home.example"]);
        for (integration, id) in [(jira, "j1"), (github, "g1"), (slack, "s1")] {
            assert_eq!(user_of(site, integration, id).await, "ann@corp.example");
        }
        assert_eq!(rule_of(site, jira, "j1").await, AssociationRule::Detected);
        assert_eq!(rule_of(site, slack, "s1").await, AssociationRule::Email);
        let second = site.find_user("ann@home.example").unwrap();
        let second = &site.find_users(&[second]).await.unwrap()[&second];
        assert_eq!((second.row.name.as_str(), second.row.is_automatic), ("Ann at home", true));
    });
}

#[test]
fn a_record_that_takes_the_second_email_takes_the_account_and_the_second_user_goes() {
    on_both(async |site: &Site| {
        let Seed { github, .. } = seed(site).await;
        let (ann, version) = (site.find_user("ann@corp.example").unwrap(), site.version());
        let further_emails = Some(vec!["ANN@home.example".to_owned()]);
        site.update_user(&me(), ann, UserChange { further_emails, ..UserChange::default() }).await.unwrap();
        assert_eq!(site.version(), version + 1, "all of it is one changeset");
        assert_eq!(everybody(site).await, ["ann@corp.example ann@home.example"]);
        assert_eq!(user_of(site, github, "g2").await, "ann@corp.example");
        assert_eq!(rule_of(site, github, "g2").await, AssociationRule::Email);
        let again = sync(site, github, vec![octo()]).await;
        assert_eq!((again.unchanged, again.version), (1, version + 1));
    });
}

#[test]
fn a_person_who_links_the_account_takes_the_emails_of_the_user_who_goes() {
    on_both(async |site: &Site| {
        let Seed { github, .. } = seed(site).await;
        let (ann, version) = (site.find_user("ann@corp.example").unwrap(), site.version());
        let octo = the_account(site, github, "g2").await;
        site.link_account(&me(), octo.id, ann, Some(octo.version)).await.unwrap();
        assert_eq!(site.version(), version + 1);
        assert_eq!(everybody(site).await, ["ann@corp.example ann@home.example"]);
        assert_eq!(rule_of(site, github, "g2").await, AssociationRule::Manual);
    });
}

#[test]
fn an_import_moves_the_account_that_it_names_by_username_email_or_id() {
    for cell in ["ann-work; octo", "ann-work; OCTO", "ann-work; ann@home.example", "ann-work; id:g2"] {
        on_both(async |site: &Site| {
            let Seed { github, .. } = seed(site).await;
            let version = site.version();
            let content = format!("Name,Email,GitHub\nAnn,ann@corp.example,{cell}\n");
            let report = import(site, content, ImportOptions::default()).await;
            assert_eq!(problems(&report.errors), [""; 0]);
            assert_eq!((report.updated, report.accounts_moved, report.absorbed), (1, 1, 1), "{cell}");
            assert_eq!(site.version(), version + 1, "all of it is one changeset");
            assert_eq!(everybody(site).await, ["ann@corp.example ann@home.example"]);
            assert_eq!(rule_of(site, github, "g2").await, AssociationRule::Import);
            let again = sync(site, github, vec![octo()]).await;
            assert_eq!(again.version, version + 1, "a sync leaves it there");
        });
    }
}

#[test]
fn what_a_person_said_survives_syncs_that_say_otherwise() {
    on_both(async |site: &Site| {
        let Seed { jira, github, .. } = seed(site).await;
        let bob = user(site, "Bob", "bob@corp.example", json!({})).await;
        let row = the_account(site, jira, "j1").await;
        site.link_account(&me(), row.id, bob, None).await.unwrap();
        let row = the_account(site, github, "g1").await;
        site.unlink_account(&me(), row.id, None).await.unwrap();
        sync(site, jira, vec![account("j1", "renamed", "someone@else.example")]).await;
        sync(site, github, vec![account("g1", "ann-work", "ann@corp.example")]).await;
        assert_eq!(user_of(site, jira, "j1").await, "bob@corp.example");
        assert_eq!(user_of(site, github, "g1").await, "-");
        assert_eq!(the_account(site, jira, "j1").await.username.as_deref(), Some("renamed"));
        let users = everybody(site).await;
        assert_eq!(users, ["ann@corp.example", "ann@home.example", "bob@corp.example"]);
    });
}

#[test]
fn a_user_made_from_an_account_goes_with_its_unlinking_and_does_not_come_back() {
    on_both(async |site: &Site| {
        let Seed { github, .. } = seed(site).await;
        let row = the_account(site, github, "g2").await;
        site.unlink_account(&me(), row.id, None).await.unwrap();
        assert_eq!(everybody(site).await, ["ann@corp.example"]);
        sync(site, github, vec![octo()]).await;
        assert_eq!(everybody(site).await, ["ann@corp.example"]);
        assert_eq!(user_of(site, github, "g2").await, "-");
    });
}

#[test]
fn an_import_that_empties_a_cell_unlinks_the_account_for_good() {
    on_both(async |site: &Site| {
        let Seed { github, .. } = seed(site).await;
        let content = "Name,Email,GitHub\nAnn,ann@corp.example,\n";
        let report = import(site, content, ImportOptions::default()).await;
        assert_eq!((report.updated, report.accounts_unlinked), (1, 1));
        sync(site, github, vec![account("g1", "ann-work", "ann@corp.example")]).await;
        assert_eq!(user_of(site, github, "g1").await, "-");
        assert_eq!(rule_of(site, github, "g1").await, AssociationRule::Import);
    });
}

#[test]
fn accounts_of_a_deleted_user_stay_with_nobody_until_a_person_makes_the_user_again() {
    on_both(async |site: &Site| {
        let Seed { jira, github, .. } = seed(site).await;
        let ann = site.find_user("ann@corp.example").unwrap();
        site.delete_user(&me(), ann, None).await.unwrap();
        sync(site, jira, vec![account("j1", "ann", "ann@corp.example")]).await;
        assert_eq!(everybody(site).await, ["ann@home.example"], "a sync does not bring the user back");
        assert_eq!(rule_of(site, jira, "j1").await, AssociationRule::Manual);
        user(site, "Ann", "ann@corp.example", json!({})).await;
        assert_eq!(user_of(site, jira, "j1").await, "ann@corp.example");
        assert_eq!(user_of(site, github, "g1").await, "ann@corp.example");
    });
}

#[test]
fn a_claim_of_a_deleted_user_is_nobodys_word_on_the_account() {
    on_both(async |site: &Site| {
        let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
        let bob = user(site, "Bob", "bob@corp.example", json!({})).await;
        import(site, "Name,Email,GitHub\nAnn,ann@corp.example,octo\n", ImportOptions::default()).await;
        site.delete_user(&me(), site.find_user("ann@corp.example").unwrap(), None).await.unwrap();
        sync(site, github, vec![account("g1", "octo", "bob@corp.example")]).await;
        assert_eq!(user_of(site, github, "g1").await, site.email_of(bob).unwrap());
    });
}

#[test]
fn an_email_that_a_tool_has_corrected_counts_no_longer() {
    on_both(async |site: &Site| {
        let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        sync(site, github, vec![account("g1", "octo", "old@home.example")]).await;
        sync(site, github, vec![account("g1", "octo", "new@home.example")]).await;
        assert_eq!(everybody(site).await, ["new@home.example"]);
        let ann = user(site, "Ann", "ann@corp.example", json!({})).await;
        let change = UserChange { further_emails: Some(vec!["new@home.example".into()]), ..UserChange::default() };
        site.update_user(&me(), ann, change).await.unwrap();
        // Whoever has the email now is somebody else, as if Jira had reported first.
        sync(site, jira, vec![account("j1", "", "old@home.example")]).await;
        assert_eq!(user_of(site, jira, "j1").await, "old@home.example");
        assert_eq!(user_of(site, github, "g1").await, "ann@corp.example");
    });
}

#[test]
fn a_user_who_is_named_by_the_value_that_comes_with_its_email_does_not_go() {
    on_both(async |site: &Site| {
        attribute(site, "Supervisor", AttributeType::User, &[]).await;
        let seed = seed(site).await;
        let ann = site.find_user("ann@corp.example").unwrap();
        let second = site.find_user("ann@home.example").unwrap();
        let change = UserChange {
            further_emails: Some(vec!["ann@home.example".into()]),
            attributes: vec![("supervisor".into(), json!("ann@home.example"))],
            ..UserChange::default()
        };
        let refusal = site.update_user(&me(), ann, change).await.unwrap_err();
        assert_eq!(refusal.code(), "ALREADY_EXISTS");
        assert_eq!(user_of(site, seed.github, "g2").await, "ann@home.example");
        // In a file, the rows may stand in either order and far apart.
        use roster::value::GlobalId;
        let taker = format!("{},Ann,ann@home.example,\n", ann.to_global());
        let namer = format!(",Bob,bob@corp.example,{}\n", second.to_global());
        let between: String = (0..1_000).map(|n| format!(",U{n},u{n}@corp.example,\n")).collect();
        for rows in [
            format!("{taker}{namer}"),
            format!("{namer}{taker}"),
            format!("{taker}{between}{namer}"),
            format!("{namer}{between}{taker}"),
        ] {
            let report = import(site, format!("ID,Name,Email,Supervisor\n{rows}"), ImportOptions::default()).await;
            assert!(!report.applied, "{:?}", report.errors.count);
        }
    });
}

#[test]
fn a_file_that_replaces_everybody_leaves_emails_to_who_got_the_account() {
    on_both(async |site: &Site| {
        let seed = seed(site).await;
        let options =
            ImportOptions { mode: ImportMode::Replace, confirm_removals: Some(1), ..ImportOptions::default() };
        let file = "Name,Email,GitHub\nAnn,ann@corp.example,ann-work; octo\n";
        let report = import(site, file, options).await;
        assert_eq!((problems(&report.errors), report.applied), (vec![], true));
        assert_eq!(everybody(site).await, ["ann@corp.example ann@home.example"]);
        sync(site, seed.slack, vec![account("s2", "", "ann@home.example")]).await;
        assert_eq!(user_of(site, seed.slack, "s2").await, "ann@corp.example");
    });
}

#[test]
fn a_bot_makes_no_user_and_still_belongs_to_the_user_of_its_email() {
    on_both(async |site: &Site| {
        let Seed { jira, github, .. } = seed(site).await;
        let bot = |id: &str, email: &str| SyncedAccount { is_bot: true, ..account(id, "bot", email) };
        let outcome = sync(site, jira, vec![bot("b1", "bot@corp.example"), bot("b2", "ann@corp.example")]).await;
        assert_eq!((outcome.created, outcome.users_created), (2, 0));
        assert_eq!(user_of(site, jira, "b1").await, "-");
        assert_eq!(user_of(site, jira, "b2").await, "ann@corp.example");
        // Once it is no longer one, it is a person's like any other.
        let outcome = sync(site, jira, vec![account("b1", "bot", "bot@corp.example")]).await;
        assert_eq!(outcome.users_created, 1);
        assert_eq!(user_of(site, github, "g2").await, "ann@home.example");
    });
}

#[test]
fn a_bot_that_is_reported_before_the_user_of_its_email_belongs_to_that_user_too() {
    on_both(async |site: &Site| {
        let Seed { jira, slack, .. } = seed(site).await;
        let bot = SyncedAccount { is_bot: true, ..account("b1", "bot", "di@corp.example") };
        sync(site, jira, vec![bot.clone(), account("j5", "di5", "")]).await;
        assert_eq!(user_of(site, jira, "b1").await, "-");
        let outcome = sync(site, slack, vec![account("s5", "di", "di@corp.example")]).await;
        assert_eq!((outcome.created, outcome.users_created), (1, 1));
        assert_eq!(user_of(site, jira, "b1").await, "di@corp.example");
        assert_eq!(sync(site, jira, vec![bot]).await.version, outcome.version, "the sync of the bot changes nothing");
    });
}

#[test]
fn an_account_without_an_email_is_nobodys_whatever_its_name() {
    on_both(async |site: &Site| {
        let Seed { jira, .. } = seed(site).await;
        let named = SyncedAccount { display_name: Some("ann@corp.example".into()), ..account("j2", "ann", "") };
        let outcome = sync(site, jira, vec![named, account("j3", "ann@corp.example", "no email at all")]).await;
        assert_eq!((outcome.created, outcome.users_created), (2, 0));
        let warnings: Vec<_> = outcome.warnings.iter().map(|warning| (warning.path.as_str(), warning.code)).collect();
        assert_eq!(warnings, [("accounts[1].email", "NOT_AN_EMAIL")]);
        for id in ["j2", "j3"] {
            assert_eq!(user_of(site, jira, id).await, "-");
            assert_eq!(rule_of(site, jira, id).await, AssociationRule::Unmatched);
        }
    });
}

#[test]
fn an_account_that_an_import_claims_is_its_users_when_the_tool_reports_it() {
    let reported = account("g7", "Newcomer", "someone@else.example");
    for cell in ["newcomer", "someone@else.example", "id:g7"] {
        on_both(async |site: &Site| {
            let Seed { github, .. } = seed(site).await;
            let content = format!("Name,Email,GitHub\nNew,new@corp.example,{cell}\n");
            let report = import(site, content, ImportOptions::default()).await;
            assert_eq!((report.created, report.accounts_claimed, report.accounts_moved), (1, 1, 0), "{cell}");
            let outcome = sync(site, github, vec![reported.clone()]).await;
            assert_eq!((outcome.created, outcome.updated, outcome.users_created), (0, 1, 0), "{cell}");
            let row = the_account(site, github, "g7").await;
            assert_eq!((row.status, row.rule), (AccountStatus::Active, AssociationRule::Import));
            assert_eq!(row.username.as_deref(), Some("Newcomer"));
            assert_eq!(user_of(site, github, "g7").await, "new@corp.example");
        });
    }
}

#[test]
fn a_claim_that_is_taken_back_leaves_no_account() {
    on_both(async |site: &Site| {
        seed(site).await;
        let before = site.count_accounts(&AccountQuery::default()).await.unwrap();
        import(site, "Name,Email,GitHub\nNew,new@corp.example,newcomer\n", ImportOptions::default()).await;
        assert_eq!(site.count_accounts(&AccountQuery::default()).await.unwrap(), before + 1);
        let report = import(site, "Name,Email,GitHub\nNew,new@corp.example,\n", ImportOptions::default()).await;
        assert_eq!((report.updated, report.accounts_unlinked), (1, 1));
        assert_eq!(site.count_accounts(&AccountQuery::default()).await.unwrap(), before);
    });
}

#[test]
fn two_claims_of_one_account_become_one_account_when_the_tool_reports_it() {
    on_both(async |site: &Site| {
        let Seed { github, .. } = seed(site).await;
        let content = "Name,Email,GitHub\nNew,new@corp.example,newcomer; n@home.example\n";
        assert_eq!(import(site, content, ImportOptions::default()).await.accounts_claimed, 2);
        sync(site, github, vec![account("g7", "newcomer", "n@home.example")]).await;
        assert_eq!(user_of(site, github, "g7").await, "new@corp.example");
        let claimed = AccountQuery { status: Some(AccountStatus::Claimed), ..AccountQuery::default() };
        assert_eq!(site.count_accounts(&claimed).await.unwrap(), 0, "nothing is left to claim");
    });
}

#[test]
fn a_claim_of_a_username_that_could_be_an_email_is_of_that_username_too() {
    on_both(async |site: &Site| {
        let Seed { jira, .. } = seed(site).await;
        import(site, "Name,Email,Jira\nNew,new@corp.example,New.Comer@Corp.example\n", ImportOptions::default()).await;
        let outcome = sync(site, jira, vec![account("j7", "new.comer@corp.example", "")]).await;
        assert_eq!((outcome.created, outcome.updated), (0, 1));
        assert_eq!(user_of(site, jira, "j7").await, "new@corp.example");
    });
}

#[test]
fn a_claim_finds_an_account_that_takes_the_claimed_name_later() {
    on_both(async |site: &Site| {
        let Seed { jira, .. } = seed(site).await;
        sync(site, jira, vec![account("j7", "old-name", "")]).await;
        import(site, "Name,Email,Jira\nNew,new@corp.example,new-name\n", ImportOptions::default()).await;
        sync(site, jira, vec![account("j7", "new-name", "")]).await;
        assert_eq!(user_of(site, jira, "j7").await, "new@corp.example");
        let claimed = AccountQuery { status: Some(AccountStatus::Claimed), ..AccountQuery::default() };
        assert_eq!(site.count_accounts(&claimed).await.unwrap(), 0, "nothing is left to claim");
    });
}

#[test]
fn a_user_made_from_an_account_stays_while_something_else_holds_it() {
    /// What holds the second user.
    const HOLDERS: [&str; 7] = ["a pin", "an exclusion", "a reference", "a filter", "an account", "a person", "a link"];
    for holder in HOLDERS {
        on_both(async |site: &Site| {
            let Seed { jira, github, .. } = seed(site).await;
            attribute(site, "Supervisor", AttributeType::User, &[]).await;
            let second = site.find_user("ann@home.example").unwrap();
            let mut new = new_unit("Unit", None, None);
            match holder {
                "a pin" => new.pinned = BTreeSet::from([second]),
                "an exclusion" => new.excluded = BTreeSet::from([second]),
                "a reference" => {
                    user(site, "Bob", "bob@corp.example", json!({ "supervisor": "ann@home.example" })).await;
                }
                "a filter" => {
                    let reports = json!({ "key": "supervisor", "is": { "reportsTo": "ann@home.example" } });
                    new.filter = Some(filter(json!({ "attribute": reports })));
                }
                "an account" => {
                    sync(site, jira, vec![account("j5", "ann5", "ann@home.example")]).await;
                }
                "a person" => {
                    let change = UserChange { name: Some("Ann, second record".into()), ..UserChange::default() };
                    site.update_user(&me(), second, change).await.unwrap();
                }
                _ => {
                    sync(site, jira, vec![account("j5", "five", "")]).await;
                    let row = the_account(site, jira, "j5").await;
                    site.link_account(&me(), row.id, second, None).await.unwrap();
                    site.unlink_account(&me(), row.id, None).await.unwrap();
                }
            }
            site.create_org_unit(&me(), new).await.unwrap();
            let ann = site.find_user("ann@corp.example").unwrap();
            let row = the_account(site, github, "g2").await;
            site.link_account(&me(), row.id, ann, None).await.unwrap();
            assert_eq!(site.find_user("ann@home.example").unwrap(), second, "{holder}");
            assert_eq!(user_of(site, github, "g2").await, "ann@corp.example");
            // Its email is still its own, so a record that wants it is told whose it is.
            let further_emails = Some(vec!["ann@home.example".to_owned()]);
            let change = UserChange { further_emails, ..UserChange::default() };
            let refusal = site.update_user(&me(), ann, change).await;
            if holder != "an account" {
                assert_eq!(refusal.unwrap_err().code(), "ALREADY_EXISTS", "{holder}");
            }
        });
    }
}

#[test]
fn the_same_sync_again_changes_nothing_and_a_full_one_marks_what_is_gone() {
    on_both(async |site: &Site| {
        let Seed { github, .. } = seed(site).await;
        let version = site.version();
        let both = vec![octo(), account("g1", "ann-work", "ann@corp.example")];
        let again = site.sync_accounts(&me(), github, both.clone(), SyncMode::Full).await.unwrap();
        assert_eq!((again.unchanged, again.updated, again.gone, again.version), (2, 0, 0, version));
        let fewer = site.sync_accounts(&me(), github, vec![octo()], SyncMode::Full).await.unwrap();
        assert_eq!((fewer.unchanged, fewer.gone), (1, 1));
        assert_eq!(the_account(site, github, "g1").await.status, AccountStatus::Gone);
        assert_eq!(user_of(site, github, "g1").await, "ann@corp.example", "what is gone keeps its user");
        let back = site.sync_accounts(&me(), github, both, SyncMode::Full).await.unwrap();
        assert_eq!((back.unchanged, back.updated, back.gone), (1, 1, 0));
        assert_eq!(the_account(site, github, "g1").await.status, AccountStatus::Active);
    });
}

#[test]
fn an_account_whose_email_changes_goes_to_the_user_of_the_new_one() {
    on_both(async |site: &Site| {
        let Seed { slack, github, .. } = seed(site).await;
        sync(site, slack, vec![account("s1", "ann.s", "ann@home.example")]).await;
        assert_eq!(user_of(site, slack, "s1").await, "ann@home.example");
        let outcome = sync(site, github, vec![account("g2", "octo", "ann@corp.example")]).await;
        assert_eq!(outcome.users_removed, 0, "the account in Slack still holds the second user");
        assert_eq!(user_of(site, github, "g2").await, "ann@corp.example");
    });
}

#[test]
fn deleting_an_integration_deletes_its_accounts_and_the_users_made_from_them_alone() {
    on_both(async |site: &Site| {
        let Seed { github, .. } = seed(site).await;
        site.delete_integration(&me(), github, None).await.unwrap();
        assert_eq!(everybody(site).await, ["ann@corp.example"]);
        assert_eq!(partition(site).await, ["j1 ann@corp.example", "s1 ann@corp.example"]);
    });
}

#[test]
fn what_a_person_wrote_of_a_user_is_kept_when_its_account_is_linked_elsewhere() {
    on_both(async |site: &Site| {
        let Seed { github, .. } = seed(site).await;
        unit(site, "Unit", None, None).await;
        let second = site.find_user("ann@home.example").unwrap();
        let row = the_account(site, github, "g2").await;
        // Linking an account to the user it is with already makes the record a person's.
        site.link_account(&me(), row.id, second, None).await.unwrap();
        let ann = site.find_user("ann@corp.example").unwrap();
        site.link_account(&me(), row.id, ann, None).await.unwrap();
        assert_eq!(everybody(site).await, ["ann@corp.example", "ann@home.example"]);
    });
}

/// One report of one account: integration, account, and which email it shows; the eighth is a bot's.
type Report = (usize, usize, Option<usize>);

async fn play(site: &Site, reports: &[Report]) -> Vec<String> {
    let mut integrations = Vec::new();
    for name in ["Jira", "GitHub", "Slack"] {
        integrations.push(integration(site, IntegrationKind::Other, name).await);
    }
    user(site, "Known", "e0@corp.example", json!({})).await;
    for (tool, number, email) in reports {
        let email = email.map(|email| format!("e{email}@corp.example")).unwrap_or_default();
        let is_bot = *number == 7;
        let account = SyncedAccount { is_bot, ..account(&format!("x{tool}{number}"), &format!("u{number}"), &email) };
        sync(site, integrations[*tool], vec![account]).await;
    }
    partition(site).await
}

/// Reports of different accounts, and another order of them.
fn reports_in_two_orders() -> impl Strategy<Value = (Vec<Report>, Vec<Report>)> {
    let report = (0..3_usize, 0..8_usize, proptest::option::of(0..4_usize));
    proptest::collection::vec(report, 1..10).prop_flat_map(|mut reports| {
        reports.sort();
        reports.dedup_by_key(|(tool, number, _)| (*tool, *number));
        (Just(reports.clone()), Just(reports).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whose_accounts_are_does_not_depend_on_the_order_in_which_they_are_reported(
        (one, other) in reports_in_two_orders(),
    ) {
        let first = on_sqlite(async |site: &Site| play(site, &one).await);
        let second = on_sqlite(async |site: &Site| {
            let once = play(site, &other).await;
            let version = site.version();
            // What is said twice is said once.
            for (tool, number, email) in &one {
                let email = email.map(|email| format!("e{email}@corp.example")).unwrap_or_default();
                let integration = site.find_integration(["Jira", "GitHub", "Slack"][*tool]).unwrap();
                let is_bot = *number == 7;
                let account = SyncedAccount { is_bot, ..account(&format!("x{tool}{number}"), &format!("u{number}"), &email) };
                sync(site, integration, vec![account]).await;
            }
            assert_eq!(site.version(), version);
            once
        });
        prop_assert_eq!(first, second);
    }
}
