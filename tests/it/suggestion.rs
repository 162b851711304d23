//! Who is suggested as one person, what is decided of it, and that the list keeps up with the directory.

use entity::IntegrationId;
use entity::integration::IntegrationKind;
use entity::merge_decision::Decision;
use proptest::prelude::*;
use roster::directory::{
    Clock, Directory, Merge, SUGGEST, Subject, Suggestion, SuggestionQuery, SyncMode, SyncedAccount, UndoOptions,
};
use roster::index::AccountBy;
use serde_json::json;

use crate::support::{Site, account, integration, me, on_both, on_sqlite, user};

const ALL: SuggestionQuery = SuggestionQuery { min_score: SUGGEST, of: None };

fn shown(account: SyncedAccount, name: &str) -> SyncedAccount {
    SyncedAccount { display_name: Some(name.into()), ..account }
}

async fn sync(site: &Directory, integration: IntegrationId, accounts: Vec<SyncedAccount>) {
    site.sync_accounts(&me(), integration, accounts, SyncMode::Delta).await.unwrap();
}

fn accept(subjects: &[Subject]) -> Merge {
    let (choices, expected_versions) = (Vec::new(), Vec::new());
    Merge { survivor: None, subjects: subjects.to_vec(), choices, expected_versions, is_suggested: true }
}

async fn pending(site: &Directory) -> Vec<Suggestion> {
    let page = site.list_suggestions(&ALL, None, 1_000).await.unwrap();
    assert_eq!(page.total, page.rows.len() as u64);
    page.rows.into_iter().map(|(_, suggestion)| suggestion).collect()
}

/// What the subjects are called, and why they are suggested.
fn named(site: &Directory, suggestion: &Suggestion) -> String {
    let index = site.index();
    let name = |subject: &Subject| match subject {
        Subject::User(id) => index.email_of(*id).unwrap_or_default().to_owned(),
        Subject::Account(id) => format!("account of {:?}", index.owner_of(*id)),
    };
    let [a, b] = &suggestion.subjects;
    format!("{} and {}: {}", name(a), name(b), suggestion.reasons[0])
}

/// Two users who are one, an account without an email that is hers, and somebody else.
async fn seed(site: &Site) -> [Subject; 3] {
    let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
    let jira = integration(site, IntegrationKind::Jira, "Jira").await;
    let ann = user(site, "Annegret Zwetschge", "annegret.zwetschge@corp.example", json!({})).await;
    user(site, "Bo Lind", "bo.lind@corp.example", json!({})).await;
    sync(site, github, vec![shown(account("g1", "azwetschge", "zwetschge@home.example"), "Annegret Zwetschge")]).await;
    sync(site, jira, vec![shown(account("j1", "annegret.zwetschge", ""), "Zwetschge, Annegret")]).await;
    let home = site.find_user("zwetschge@home.example").unwrap();
    let found = site.index().resolve(jira, AccountBy::ExternalId("j1")).unwrap();
    [Subject::User(ann), Subject::User(home), Subject::Account(found.account)]
}

#[test]
fn users_and_accounts_that_are_one_person_are_suggested_with_reasons() {
    let told = on_both(async |site: &Site| {
        let [ann, home, jira] = seed(site).await;
        let suggestions = pending(site).await;
        let pairs: Vec<_> = suggestions.iter().map(|suggestion| suggestion.subjects).collect();
        for pair in [[ann, home], [ann, jira], [home, jira]] {
            assert!(pairs.contains(&pair), "{pair:?} of {pairs:?}");
        }
        assert!(suggestions.is_sorted_by(|a, b| a.score >= b.score));
        let of = SuggestionQuery { of: Some(jira), ..ALL };
        let page = site.list_suggestions(&of, None, 10).await.unwrap();
        assert_eq!(page.total, 2, "only those with the account");
        suggestions.iter().map(|suggestion| named(site, suggestion)).collect::<Vec<_>>()
    });
    assert!(told.iter().any(|told| told.contains("same rare name")), "{told:?}");
}

#[test]
fn what_is_accepted_is_one_user_in_one_changeset_and_undone_as_one() {
    on_both(async |site: &Site| {
        let [ann, home, jira] = seed(site).await;
        let before = pending(site).await;
        let merged = site.merge_users(&me(), &accept(&[home, ann, jira])).await.unwrap();
        let again = site.merge_users(&me(), &accept(&[home, ann, jira])).await.unwrap();
        assert_eq!((again.survivor, again.version, again.changeset), (merged.survivor, merged.version, None));
        assert_eq!(Subject::User(merged.survivor), ann, "a person knows her; the other was made from an account");
        assert_eq!([home, jira].map(|subject| site.standing(subject).unwrap()), [ann, ann]);
        assert_eq!(pending(site).await, [], "nothing is left to suggest");
        let decided = site.list_decisions(Decision::Accepted, None, 10).await.unwrap();
        assert_eq!(decided.len(), 2);
        assert!(decided.iter().all(|decided| decided.changeset == merged.changeset && decided.by == me().0));

        let number = merged.changeset.unwrap();
        let report = site.undo_changeset(&me(), UndoOptions { number, ..UndoOptions::default() }).await.unwrap();
        assert!(report.applied);
        assert_eq!(pending(site).await, before, "they are suggested again");
        assert_eq!(site.list_decisions(Decision::Accepted, None, 10).await.unwrap(), [], "and not accepted any more");
    });
}

#[test]
fn accounts_of_programs_are_nobody_to_be_merged_with() {
    on_both(async |site: &Site| {
        for (kind, name) in [(IntegrationKind::GitHub, "GitHub"), (IntegrationKind::Jira, "Jira")] {
            let tool = integration(site, kind, name).await;
            let builder = shown(account("b1", "release-builder", "builds@corp.example"), "Release Builder");
            sync(site, tool, vec![SyncedAccount { is_bot: true, ..builder }]).await;
        }
        assert_eq!(pending(site).await, []);
    });
}

#[test]
fn what_was_rejected_is_not_accepted_before_it_is_reopened() {
    on_both(async |site: &Site| {
        let [ann, home, jira] = seed(site).await;
        site.reject_suggestion(&me(), [jira, ann]).await.unwrap();
        let version = site.version();
        let error = site.merge_users(&me(), &accept(&[home, ann, jira])).await.unwrap_err();
        assert_eq!(crate::support::violations(&error), ["ids[2]: REJECTED"]);
        assert!(error.to_string().contains(&jira.to_global()), "{error}");
        assert_eq!(site.version(), version);
        let preview = site.preview_merge(&me(), &accept(&[ann, jira])).await.unwrap();
        assert!(preview.refusal.is_some());
        assert!(site.reopen_suggestion([ann, jira]).await.unwrap());
        let preview = site.preview_merge(&me(), &accept(&[ann, jira])).await.unwrap();
        let linked: Vec<Subject> =
            preview.plan.unwrap().linked.iter().map(|account| Subject::Account(account.id)).collect();
        assert_eq!(linked, [jira]);
        site.merge_users(&me(), &accept(&[home, ann, jira])).await.unwrap();
        let _ = site.reject_suggestion(&me(), [ann, jira]).await.unwrap_err();
        assert!(!site.reopen_suggestion([ann, jira]).await.unwrap(), "what was accepted stays");
        assert_eq!(site.count_decisions(Decision::Accepted).await.unwrap(), 2);
    });
}

#[test]
fn a_rejection_outlives_the_user_who_was_made_from_an_account() {
    on_both(async |site: &Site| {
        let [ann, home, jira] = seed(site).await;
        site.reject_suggestion(&me(), [ann, home]).await.unwrap();
        let Subject::User(id) = home else { panic!("{home:?}") };
        let account = site.accounts_of(&[id]).await.unwrap()[&id][0].id;
        site.unlink_account(&me(), account, None).await.unwrap();
        assert!(site.standing(home).is_err(), "nothing holds the user any more");
        let pairs: Vec<_> = pending(site).await.iter().map(|suggestion| suggestion.subjects).collect();
        assert!(pairs.contains(&[ann, jira]), "{pairs:?}");
        assert!(!pairs.contains(&[ann, Subject::Account(account)]), "{pairs:?}");
        assert!(site.reopen_suggestion([Subject::Account(account), ann]).await.unwrap());
        let pairs: Vec<_> = pending(site).await.iter().map(|suggestion| suggestion.subjects).collect();
        assert!(pairs.contains(&[ann, Subject::Account(account)]), "{pairs:?}");
    });
}

#[test]
fn who_is_split_is_not_suggested_as_one_again() {
    on_both(async |site: &Site| {
        let [ann, home, _] = seed(site).await;
        site.merge_users(&me(), &accept(&[ann, home])).await.unwrap();
        let [Subject::User(survivor), Subject::User(merged)] = [ann, home] else { panic!("{ann:?} {home:?}") };
        let split = site.split_user(&me(), &crate::merge::give_back(survivor, merged)).await.unwrap();
        let rejected = site.list_decisions(Decision::Rejected, None, 10).await.unwrap();
        assert_eq!(rejected.iter().map(|decided| decided.changeset).collect::<Vec<_>>(), [Some(split.version)]);
        assert!(
            pending(site).await.iter().all(|suggestion| suggestion.subjects != [ann, Subject::User(split.new_user)])
        );
        let options = UndoOptions { number: split.version, ..UndoOptions::default() };
        site.undo_changeset(&me(), options).await.unwrap();
        assert_eq!(site.count_decisions(Decision::Rejected).await.unwrap(), 0);
    });
}

#[test]
fn accounts_alone_are_no_user() {
    on_both(async |site: &Site| {
        let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        sync(site, github, vec![shown(account("g1", "qvillanueva", ""), "Quirin Villanueva")]).await;
        sync(site, jira, vec![shown(account("j1", "qvillanueva", ""), "Quirin Villanueva")]).await;
        let [suggestion] = pending(site).await.try_into().unwrap();
        let error = site.merge_users(&me(), &accept(&suggestion.subjects)).await.unwrap_err();
        assert_eq!(crate::support::violations(&error), ["ids: REQUIRED"]);
    });
}

#[test]
fn a_rejected_pair_never_returns_whatever_it_becomes_part_of_until_it_is_reopened() {
    on_both(async |site: &Site| {
        let [ann, home, jira] = seed(site).await;
        assert_eq!(pending(site).await.len(), 3);
        site.reject_suggestion(&me(), [jira, ann]).await.unwrap();
        assert!(pending(site).await.iter().all(|suggestion| suggestion.subjects != [ann, jira]));
        // The account becomes part of the second user: he is not Ann either, from now on.
        site.merge_users(&me(), &accept(&[home, jira])).await.unwrap();
        assert_eq!(pending(site).await, []);
        let rejected = site.list_decisions(Decision::Rejected, None, 10).await.unwrap();
        assert_eq!(rejected.len(), 1);
        assert!(site.reopen_suggestion([ann, home]).await.unwrap());
        assert!(!site.reopen_suggestion([ann, home]).await.unwrap(), "once is enough");
        assert_eq!(pending(site).await.len(), 1);
    });
}

#[test]
fn different_accounts_in_one_tool_are_two_people() {
    on_both(async |site: &Site| {
        let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
        let one = shown(account("g1", "azwetschge", "a@corp.example"), "Annegret Zwetschge");
        let two = shown(account("g2", "zwetschge-a", "b@corp.example"), "Annegret Zwetschge");
        sync(site, github, vec![one, two]).await;
        assert_eq!(pending(site).await, []);
        // Whoever has several emails is several authors.
        let git = integration(site, IntegrationKind::Git, "git").await;
        let one = shown(account("c@corp.example", "", "c@corp.example"), "Quirin Villanueva");
        let two = shown(account("d@home.example", "", "d@home.example"), "Quirin Villanueva");
        sync(site, git, vec![one, two]).await;
        assert_eq!(pending(site).await.len(), 1);
    });
}

#[test]
fn pages_of_suggestions_are_the_list() {
    on_both(async |site: &Site| {
        seed(site).await;
        let git = integration(site, IntegrationKind::Git, "git").await;
        for (at, name) in ["Quirin Villanueva", "Ottokar Brzezinski", "Fenella Oyelaran"].iter().enumerate() {
            let authors = ["corp", "home"].map(|place| {
                let email = format!("{at}@{place}.example");
                shown(account(&email, "", &email), name)
            });
            sync(site, git, authors.into()).await;
        }
        let all = site.list_suggestions(&ALL, None, 100).await.unwrap();
        assert_eq!(all.total, 6);
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let page = site.list_suggestions(&ALL, after, 1).await.unwrap();
            after = page.rows.last().map(|(place, _)| *place);
            pages.extend(page.rows);
            if !page.has_next {
                break;
            }
        }
        assert_eq!(pages, all.rows);
    });
}

#[derive(Clone, Debug)]
enum Event {
    Seen(u8, u8, u8),
    Renamed(u8, u8),
    Deleted(u8),
    Linked(u8, u8),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => (0..3u8, 0..6u8, 0..4u8).prop_map(|(tool, who, shape)| Event::Seen(tool, who, shape)),
        1 => (0..6u8, 0..6u8).prop_map(|(user, name)| Event::Renamed(user, name)),
        1 => (0..6u8).prop_map(Event::Deleted),
        1 => (0..6u8, 0..6u8).prop_map(|(account, user)| Event::Linked(account, user)),
    ];
    prop::collection::vec(event, 1..12)
}

const NAMES: [&str; 6] =
    ["Quirin Villanueva", "Ottokar Brzezinski", "Fenella Oyelaran", "Bo Lind", "Ann Lind", "Quirin Lind"];

async fn happen(site: &Site, tools: &[IntegrationId], event: &Event) {
    let users: Vec<_> = site.index().user_ids().collect();
    match event {
        Event::Seen(tool, who, shape) => {
            let name = NAMES[usize::from(*who)];
            let handle = name.to_lowercase().replace(' ', if *shape == 1 { "" } else { "." });
            let email = match shape {
                0 => format!("{handle}@corp.example"),
                1 => format!("{handle}@home.example"),
                _ => String::new(),
            };
            let seen = shown(account(&format!("{who}{shape}"), &handle, &email), name);
            sync(site, tools[usize::from(*tool)], vec![seen]).await;
        }
        Event::Renamed(user, name) => {
            let Some(id) = users.get(usize::from(*user)) else { return };
            let name = Some(NAMES[usize::from(*name)].to_owned());
            let change = roster::directory::UserChange { name, ..Default::default() };
            site.update_user(&me(), *id, change).await.unwrap();
        }
        Event::Deleted(user) => {
            let Some(id) = users.get(usize::from(*user)) else { return };
            site.delete_user(&me(), *id, None).await.unwrap();
        }
        Event::Linked(account, user) => {
            let all = roster::directory::IdRange { limit: 100, ..Default::default() };
            let accounts = site.list_accounts(&Default::default(), all).await.unwrap().rows;
            let (Some(account), Some(user)) = (accounts.get(usize::from(*account)), users.get(usize::from(*user)))
            else {
                return;
            };
            site.link_account(&me(), account.id, *user, None).await.unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_list_that_followed_the_log_has_who_a_new_one_has(events in events()) {
        on_sqlite(async |site: &Site| {
            let mut tools = Vec::new();
            for (kind, name) in [(IntegrationKind::GitHub, "GitHub"), (IntegrationKind::Jira, "Jira"), (IntegrationKind::Git, "git")] {
                tools.push(integration(site, kind, name).await);
            }
            for event in &events {
                happen(site, &tools, event).await;
                let followed: Vec<_> = pending(site).await.iter().map(|suggestion| suggestion.subjects).collect();
                let anew = Directory::open(site.database().clone(), Clock::System).await.unwrap();
                let mut fresh: Vec<_> = pending(&anew).await.iter().map(|suggestion| suggestion.subjects).collect();
                let mut sorted = followed.clone();
                sorted.sort_unstable();
                fresh.sort_unstable();
                assert_eq!(sorted, fresh, "after {event:?}");
            }
        });
    }
}
