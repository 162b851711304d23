//! The rules of association: how they are chosen, what a change of them does and says beforehand, why an account is whose
//! it is, and the lists that people work through: accounts with nobody, and conflicts.

use std::collections::{BTreeMap, BTreeSet};

use entity::IntegrationId;
use entity::integration::IntegrationKind;
use entity::integration_account::{AssociationRule, Model};
use proptest::prelude::*;
use roster::directory::csv::{ImportOptions, ImportReport, Style};
use roster::directory::{
    AccountLink, AccountQuery, ConflictKind, Directory, Error, IdRange, IntegrationChoice, Range, RulesChange,
    RulesOutcome, SyncMode, SyncOutcome, SyncedAccount, UndoOptions, UnmatchedQuery, UserChange,
};
use roster::value::GlobalId;
use serde_json::json;

use crate::support::{
    Server, Site, account, file, filter, import, integration, me, new_unit, on_both, on_sqlite, problems, tables, unit,
    user, user_of, violations,
};

async fn sync(directory: &Directory, integration: IntegrationId, accounts: Vec<SyncedAccount>) -> SyncOutcome {
    directory.sync_accounts(&me(), integration, accounts, SyncMode::Delta).await.unwrap()
}

async fn change(directory: &Directory, change: RulesChange) -> RulesOutcome {
    directory.update_association_rules(&me(), change).await.unwrap()
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn plus_tags() -> RulesChange {
    RulesChange { ignores_plus_tags: Some(true), ..RulesChange::default() }
}

fn detected(on: bool) -> RulesChange {
    RulesChange { detected: Some(on), ..RulesChange::default() }
}

fn choice(integration: &str) -> IntegrationChoice {
    IntegrationChoice { integration: integration.into(), email: None, detected: None, is_trusted: true }
}

/// All of a list.
fn whole<C>() -> Range<C> {
    Range { after: None, before: None, limit: 1_000, from_end: false }
}

async fn all(directory: &Directory) -> Vec<Model> {
    let all = IdRange { limit: 10_000, ..IdRange::default() };
    directory.list_accounts(&AccountQuery::default(), all).await.unwrap().rows
}

async fn the(directory: &Directory, external_id: &str) -> Model {
    all(directory).await.into_iter().find(|row| row.external_id.as_deref() == Some(external_id)).unwrap()
}

/// Which accounts each user has, and which nobody has, by their external ids.
async fn partition(directory: &Directory) -> BTreeSet<Vec<String>> {
    let mut groups: BTreeMap<Option<entity::UserId>, Vec<String>> = BTreeMap::new();
    for row in all(directory).await {
        let id = row.external_id.clone().unwrap_or_default();
        // Nobody's accounts are alone, each for itself.
        match row.user_id {
            Some(user) => groups.entry(Some(user)).or_default().push(id),
            None => groups.entry(None).or_default().push(format!("{id} alone")),
        }
    }
    groups.values_mut().for_each(|group| group.sort());
    groups.into_values().collect()
}

/// Every account with its user's email, its rule and what decided.
async fn whose(directory: &Directory) -> Vec<String> {
    let mut texts: Vec<String> = all(directory)
        .await
        .iter()
        .map(|row| {
            let owner = row.user_id.and_then(|user| directory.index().email_of(user).map(str::to_owned));
            let (id, evidence) = (row.external_id.as_deref().unwrap_or("-"), row.evidence.as_deref().unwrap_or("-"));
            format!("{id} {} {:?} {evidence}", owner.as_deref().unwrap_or("-"), row.rule)
        })
        .collect();
    texts.sort();
    texts
}

/// The rules that were tried of an account, each with its outcome and code.
async fn tried(directory: &Directory, external_id: &str) -> Vec<String> {
    let why = directory.why_associated(the(directory, external_id).await.id).await.unwrap();
    why.tried.iter().map(|tried| format!("{:?} {:?} {}", tried.rule, tried.outcome, tried.code)).collect()
}

/// The code that kept an account from the rules `EMAIL` and `DETECTED`.
async fn codes(directory: &Directory, external_id: &str) -> [String; 2] {
    let tried = tried(directory, external_id).await;
    [2, 3].map(|at: usize| tried[at].split(' ').next_back().unwrap().to_owned())
}

#[test]
fn each_association_says_by_which_rule_it_came_by_which_email_and_in_which_changeset() {
    on_both(async |site: &Site| {
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        user(site, "Ann", "ann@corp.example", json!({})).await;
        sync(site, jira, vec![account("j1", "ann", "Ann@Corp.example"), account("j2", "bob", "bob@corp.example")])
            .await;
        let synced = site.version();
        assert_eq!(
            whose(site).await,
            ["j1 ann@corp.example Email ann@corp.example", "j2 bob@corp.example Detected bob@corp.example"]
        );
        let why = site.why_associated(the(site, "j1").await.id).await.unwrap();
        assert_eq!((why.is_sticky, why.history.len(), why.history[0].changeset.number), (false, 1, synced));
        assert_eq!(
            tried(site, "j1").await,
            [
                "Manual DidNotApply NOBODY_SAID",
                "Import DidNotApply NO_FILE_SAID",
                "Email Applied MATCHED",
                "Detected NotReached NOT_REACHED",
                "Unmatched NotReached NOT_REACHED",
            ]
        );
        let bob = site.find_user("bob@corp.example").unwrap();
        site.link_account(&me(), the(site, "j1").await.id, bob, None).await.unwrap();
        let why = site.why_associated(the(site, "j1").await.id).await.unwrap();
        assert_eq!((why.is_sticky, why.history.len(), why.account.evidence), (true, 2, None));
        assert_eq!(why.history[0].changeset.number, synced + 1);
        assert_eq!((why.history[0].to, why.history[0].rule), (Some(bob), AssociationRule::Manual));
        assert_eq!(why.history[0].from, why.history[1].to);
        assert_eq!(why.history[1].evidence.as_deref(), Some("ann@corp.example"));
        assert_eq!(tried(site, "j1").await[0], "Manual Applied SAID");
        // What has been undone is as it was, with what had decided.
        let undo = UndoOptions { number: synced + 1, ..UndoOptions::default() };
        site.undo_changeset(&me(), undo).await.unwrap();
        assert_eq!(the(site, "j1").await.evidence.as_deref(), Some("ann@corp.example"));
    });
}

#[test]
fn an_account_with_nobody_says_of_each_rule_why_it_does_not_apply() {
    on_both(async |site: &Site| {
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        let git = integration(site, IntegrationKind::Git, "Git").await;
        let slack = integration(site, IntegrationKind::Slack, "Slack").await;
        change(
            site,
            RulesChange {
                excluded_emails: Some(strings(&["build@", "*@lists.corp.example"])),
                excluded_names: Some(strings(&["root"])),
                bot_names: Some(strings(&["*[bot]"])),
                integrations: Some(vec![
                    IntegrationChoice { is_trusted: false, ..choice("slack") },
                    IntegrationChoice { email: Some(false), detected: Some(false), ..choice("Git") },
                ]),
                ..RulesChange::default()
            },
        )
        .await;
        let bot = SyncedAccount { is_bot: true, ..account("bot", "ci", "ci@corp.example") };
        let accounts = vec![
            account("none", "x", ""),
            bot,
            account("named", "Dependabot[bot]", "dependabot@corp.example"),
            account("build", "b", "build@corp.example"),
            account("list", "l", "team@lists.corp.example"),
            account("root", "ROOT", "admin@corp.example"),
        ];
        sync(site, jira, accounts).await;
        sync(site, slack, vec![account("slack", "s", "s@corp.example")]).await;
        sync(site, git, vec![account("git", "g", "g@corp.example")]).await;
        assert_eq!(site.index().user_count(), 0);
        for (id, email, made) in [
            ("none", "NO_EMAIL", "NO_EMAIL"),
            ("bot", "NO_USER", "BOT"),
            ("named", "NO_USER", "BOT_NAME"),
            ("build", "EXCLUDED_EMAIL", "EXCLUDED_EMAIL"),
            ("list", "EXCLUDED_EMAIL", "EXCLUDED_EMAIL"),
            ("root", "EXCLUDED_NAME", "EXCLUDED_NAME"),
            ("slack", "NOT_TRUSTED", "NOT_TRUSTED"),
            ("git", "RULE_OFF_IN_INTEGRATION", "RULE_OFF_IN_INTEGRATION"),
        ] {
            assert_eq!(codes(site, id).await, [email, made], "{id}");
            assert_eq!(tried(site, id).await[4], "Unmatched Applied NO_RULE", "{id}");
        }
        // A person's word stands above all rules.
        let ann = user(site, "Ann", "ann@corp.example", json!({})).await;
        let further = ["build@corp.example", "s@corp.example", "g@corp.example", "admin@corp.example"];
        let update = UserChange { further_emails: Some(strings(&further)), ..UserChange::default() };
        site.update_user(&me(), ann, update).await.unwrap();
        assert_eq!(user_of(site, jira, "build").await, "-", "what is excluded does not come by an email either");
        site.link_account(&me(), the(site, "build").await.id, ann, None).await.unwrap();
        assert_eq!(user_of(site, jira, "build").await, "ann@corp.example");
        change(site, RulesChange { email: Some(false), detected: Some(false), ..RulesChange::default() }).await;
        assert_eq!(codes(site, "named").await, ["RULE_OFF", "RULE_OFF"]);
        assert_eq!(user_of(site, jira, "build").await, "ann@corp.example");
    });
}

#[test]
fn rules_that_cannot_be_meant_are_refused_each_with_its_place() {
    on_both(async |site: &Site| {
        integration(site, IntegrationKind::Jira, "Jira").await;
        let wrong = RulesChange {
            alias_domains: Some(vec![
                strings(&["corp.example", "not a domain"]),
                strings(&["corp.example", "corp.test"]),
                strings(&["alone.example"]),
            ]),
            excluded_emails: Some(strings(&["build", " ", "*@*", "ok@"])),
            excluded_names: Some(strings(&["*"])),
            bot_names: Some(vec!["x".repeat(300)]),
            integrations: Some(vec![choice("Jira"), choice("jira"), choice("Jiro")]),
            ..RulesChange::default()
        };
        let refusal = site.update_association_rules(&me(), wrong).await.unwrap_err();
        assert_eq!(
            violations(&refusal),
            [
                "aliasDomains[0][1]: NOT_A_DOMAIN",
                "aliasDomains[1][0]: DUPLICATE",
                "aliasDomains[2]: TOO_FEW",
                "excludedEmails[0]: NOT_A_PATTERN",
                "excludedEmails[1]: REQUIRED",
                "excludedEmails[2]: NOT_A_PATTERN",
                "excludedNames[0]: NOT_A_PATTERN",
                "botNames[0]: TOO_LONG",
                "integrations[1].integration: DUPLICATE",
                "integrations[2].integration: NOT_FOUND",
            ]
        );
        let version = site.version();
        assert_eq!(change(site, RulesChange::default()).await.version, version, "what changes nothing is no changeset");
        let stale = RulesChange { expected_version: Some(7), ..plus_tags() };
        assert!(matches!(site.update_association_rules(&me(), stale).await, Err(Error::Conflict { actual: 0, .. })));
        change(site, RulesChange { expected_version: Some(0), ..plus_tags() }).await;
        let (rules, row) = site.association_rules();
        assert_eq!((rules.ignores_plus_tags, row.unwrap().version), (true, version + 1));
        // Undone, there are no chosen rules any more.
        let undo = UndoOptions { number: version + 1, ..UndoOptions::default() };
        assert!(site.undo_changeset(&me(), undo).await.unwrap().applied);
        assert!(site.association_rules().1.is_none());
    });
}

#[test]
fn emails_with_tags_and_of_domains_that_mean_the_same_are_one_users_when_the_rules_say_so() {
    on_both(async |site: &Site| {
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        let git = integration(site, IntegrationKind::Git, "Git").await;
        user(site, "Ann", "ann@corp.example", json!({})).await;
        sync(site, jira, vec![account("j1", "", "ann@corp.example"), account("j2", "", "bob+jira@corp.test")]).await;
        sync(site, git, vec![account("g1", "", "ann+git@corp.example"), account("g2", "", "bob@corp.example")]).await;
        assert_eq!(site.index().user_count(), 4);
        let before = tables(site).await;
        let rules = RulesChange { alias_domains: Some(vec![strings(&["corp.example", "Corp.Test"])]), ..plus_tags() };
        let outcome = change(site, rules).await;
        assert_eq!((outcome.users_removed, outcome.users_created), (2, 0));
        assert_eq!(
            whose(site).await,
            [
                // The user of this account became part of Ann, with its email.
                "g1 ann@corp.example Email ann+git@corp.example",
                "g2 bob+jira@corp.test Email bob@corp.example",
                "j1 ann@corp.example Email ann@corp.example",
                "j2 bob+jira@corp.test Detected bob+jira@corp.test",
            ]
        );
        // What comes later is compared in the same way, by the email of the user.
        sync(site, git, vec![account("g3", "", "ann+other@corp.test")]).await;
        assert_eq!(whose(site).await[2], "g3 ann@corp.example Email ann@corp.example");
        assert_eq!(sync(site, git, vec![account("g3", "", "ann+other@corp.test")]).await.unchanged, 1);
        // Undone, every account and user is back.
        let undo = UndoOptions { number: outcome.version + 1, ..UndoOptions::default() };
        assert!(site.undo_changeset(&me(), undo).await.unwrap().applied);
        let undo = UndoOptions { number: outcome.version, ..UndoOptions::default() };
        assert!(site.undo_changeset(&me(), undo).await.unwrap().applied);
        assert_eq!(site.index().user_count(), 4);
        let of_accounts = |tables: &str| -> Vec<String> {
            let lines = tables.lines().filter(|line| line.starts_with("integration_account"));
            lines
                .map(|line| {
                    line.split("\"version\"").next().unwrap().split("\"updated_at\"").next().unwrap().to_owned()
                })
                .collect()
        };
        assert_eq!(of_accounts(&before), of_accounts(&tables(site).await));
    });
}

#[test]
fn two_users_whom_people_know_and_who_share_a_key_are_a_conflict_and_no_silent_winner() {
    on_both(async |site: &Site| {
        let git = integration(site, IntegrationKind::Git, "Git").await;
        user(site, "Ann", "ann@corp.example", json!({})).await;
        user(site, "Other Ann", "ann+other@corp.example", json!({})).await;
        change(site, plus_tags()).await;
        sync(site, git, vec![account("g1", "", "ann+git@corp.example"), account("g2", "", "ann@corp.example")]).await;
        assert_eq!(user_of(site, git, "g1").await, "-", "whose it is, nobody can tell");
        assert_eq!(user_of(site, git, "g2").await, "ann@corp.example", "just this email is hers");
        assert_eq!(codes(site, "g1").await, ["SEVERAL_USERS", "SEVERAL_USERS"]);
        let found = site.association_conflicts(None, whole()).await.unwrap();
        assert_eq!((found.total, found.items[0].place.kind()), (1, ConflictKind::SharedEmail));
        assert_eq!((found.items[0].users.len(), found.items[0].value.as_deref()), (2, Some("ann@corp.example")));
        assert_eq!(found.items[0].accounts, [the(site, "g1").await.id]);
        // Mended, it is gone from the list, and the account comes at its next report.
        let other = site.find_user("ann+other@corp.example").unwrap();
        site.delete_user(&me(), other, None).await.unwrap();
        sync(site, git, vec![account("g1", "", "ann+git@corp.example")]).await;
        assert_eq!(user_of(site, git, "g1").await, "ann@corp.example");
        let found = site.association_conflicts(None, whole()).await.unwrap();
        assert_eq!(found.total, 0);
    });
}

#[test]
fn a_user_made_by_hand_takes_in_automatic_users_whose_emails_are_one_with_theirs() {
    on_both(async |site: &Site| {
        let git = integration(site, IntegrationKind::Git, "Git").await;
        change(site, plus_tags()).await;
        sync(site, git, vec![account("g1", "", "ann+git@corp.example")]).await;
        assert_eq!(user_of(site, git, "g1").await, "ann+git@corp.example");
        user(site, "Ann", "ann@corp.example", json!({})).await;
        assert_eq!(user_of(site, git, "g1").await, "ann@corp.example");
        assert_eq!(site.index().user_count(), 1);
        // A bot that came first comes along, too.
        let bot = SyncedAccount { is_bot: true, ..account("b1", "bot", "bob+ci@corp.example") };
        sync(site, git, vec![bot]).await;
        sync(site, git, vec![account("g2", "", "bob@corp.example")]).await;
        assert_eq!(user_of(site, git, "b1").await, "bob@corp.example");
    });
}

#[test]
fn users_that_no_account_would_make_any_more_go_unless_something_holds_them_and_come_back_with_the_rule() {
    on_both(async |site: &Site| {
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        let slack = integration(site, IntegrationKind::Slack, "Slack").await;
        let accounts = |of: &str| {
            ["ann", "bob", "eve"].map(|name| account(&format!("{of}-{name}"), name, &format!("{name}@corp.example")))
        };
        sync(site, jira, accounts("j").to_vec()).await;
        sync(site, slack, accounts("s").to_vec()).await;
        user(site, "Cy", "cy@corp.example", json!({})).await;
        let bob = site.find_user("bob@corp.example").unwrap();
        let mut pinned = new_unit("Guests", None, None);
        pinned.pinned = BTreeSet::from([bob]);
        site.create_org_unit(&me(), pinned).await.unwrap();
        // A person's word on an account.
        let eve = site.find_user("eve@corp.example").unwrap();
        site.link_account(&me(), the(site, "s-eve").await.id, eve, None).await.unwrap();
        let outcome = change(site, detected(false)).await;
        assert_eq!((outcome.users_removed, outcome.users_created), (1, 0));
        assert_eq!(
            whose(site).await,
            [
                "j-ann - Unmatched -",
                "j-bob bob@corp.example Email bob@corp.example",
                "j-eve eve@corp.example Email eve@corp.example",
                "s-ann - Unmatched -",
                "s-bob bob@corp.example Email bob@corp.example",
                "s-eve eve@corp.example Manual -",
            ]
        );
        assert_eq!(codes(site, "j-ann").await, ["NO_USER", "RULE_OFF"]);
        let outcome = change(site, detected(true)).await;
        assert_eq!((outcome.users_created, outcome.accounts_moved), (1, 2));
        assert_eq!(user_of(site, slack, "s-ann").await, "ann@corp.example");
    });
}

#[test]
fn an_account_that_was_nobodys_only_because_a_user_had_its_email_makes_one_when_that_user_goes() {
    on_both(async |site: &Site| {
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        change(site, RulesChange { email: Some(false), ..RulesChange::default() }).await;
        let accounts = |of_first: &str| vec![account("j1", "one", of_first), account("j2", "two", "ann@corp.example")];
        sync(site, jira, accounts("ann@corp.example")).await;
        assert_eq!(whose(site).await, ["j1 ann@corp.example Detected ann@corp.example", "j2 - Unmatched -"]);
        // The tool reports another email of the one that the user was made from.
        let outcome = sync(site, jira, accounts("bob@corp.example")).await;
        assert_eq!((outcome.users_removed, outcome.users_created), (1, 2));
        let said = ["j1 bob@corp.example Detected bob@corp.example", "j2 ann@corp.example Detected ann@corp.example"];
        assert_eq!(whose(site).await, said);
        // A person says of the one, and new rules of the other, that nobody has it.
        sync(site, jira, vec![account("j3", "three", "ann@corp.example")]).await;
        let ann = site.find_user("ann@corp.example").unwrap();
        let rules = RulesChange { bot_names: Some(strings(&["two"])), ..RulesChange::default() };
        let outcome = change(site, rules).await;
        assert_eq!((outcome.users_removed, outcome.users_created), (0, 0));
        assert_eq!(
            site.find_user("ann@corp.example").unwrap(),
            ann,
            "who is made from another account stays who they are"
        );
        assert_eq!(whose(site).await, [said[0], "j2 - Unmatched -", "j3 ann@corp.example Detected ann@corp.example"]);
        sync(site, jira, vec![account("j4", "four", "ann@corp.example")]).await;
        site.unlink_account(&me(), the(site, "j3").await.id, None).await.unwrap();
        assert_eq!(whose(site).await[2..], ["j3 - Manual -", "j4 ann@corp.example Detected ann@corp.example"]);
    });
}

#[test]
fn what_a_person_or_a_file_has_said_never_moves() {
    on_both(async |site: &Site| {
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        let ann = user(site, "Ann", "ann@corp.example", json!({})).await;
        sync(site, jira, vec![account("j1", "one", "x+1@corp.example"), account("j2", "two", "x+2@corp.example")])
            .await;
        sync(site, jira, vec![account("j3", "three", "x+3@corp.example")]).await;
        site.link_account(&me(), the(site, "j1").await.id, ann, None).await.unwrap();
        import(site, "Name,Email,Jira\nAnn,ann@corp.example,one; two\n", ImportOptions::default()).await;
        site.unlink_account(&me(), the(site, "j3").await.id, None).await.unwrap();
        let said = whose(site).await;
        for rules in [
            plus_tags(),
            detected(false),
            RulesChange { email: Some(false), ..RulesChange::default() },
            RulesChange { excluded_emails: Some(strings(&["x@", "x+1@", "x+2@"])), ..RulesChange::default() },
            RulesChange {
                integrations: Some(vec![IntegrationChoice { is_trusted: false, ..choice("Jira") }]),
                ..RulesChange::default()
            },
        ] {
            change(site, rules).await;
            assert_eq!(whose(site).await, said);
        }
    });
}

/// Accounts that the properties are about: which integration, which email, whether a bot.
type Drawn = (u8, Option<u8>, bool);

const EMAILS: [&str; 8] = [
    "ann@corp.example",
    "ann+git@corp.example",
    "ann@corp.test",
    "bob@corp.example",
    "bob+x@corp.test",
    "build@corp.example",
    "eve@home.example",
    "eve+1@home.example",
];

fn rules() -> impl Strategy<Value = RulesChange> {
    let on = || prop_oneof![3 => Just(None), 1 => Just(Some(false)), 1 => Just(Some(true))];
    let own = (on(), on(), any::<bool>());
    // Where emails decide nothing, users that share a key stay apart.
    let shares = |on: &[bool; 7]| on[2] || on[3];
    (any::<[bool; 7]>(), proptest::option::of(own)).prop_map(move |(on, own)| RulesChange {
        expected_version: None,
        email: Some(on[0] || on[6] || shares(&on)),
        detected: Some(on[1] || on[5]),
        ignores_plus_tags: Some(on[2]),
        alias_domains: Some(if on[3] { vec![strings(&["corp.example", "corp.test"])] } else { Vec::new() }),
        excluded_emails: Some(if on[4] { strings(&["build@"]) } else { Vec::new() }),
        excluded_names: None,
        bot_names: Some(if on[5] { strings(&["n3", "n7"]) } else { Vec::new() }),
        integrations: own.map(|(email, detected, is_trusted)| {
            vec![IntegrationChoice {
                integration: "Jira".into(),
                email: email.filter(|_| !shares(&on)),
                detected,
                is_trusted,
            }]
        }),
    })
}

async fn two(site: &Site) -> [IntegrationId; 2] {
    [integration(site, IntegrationKind::Jira, "Jira").await, integration(site, IntegrationKind::GitHub, "GitHub").await]
}

async fn report(site: &Site, integrations: [IntegrationId; 2], drawn: &[Drawn]) {
    for (at, (which, email, is_bot)) in drawn.iter().enumerate() {
        let email = email.map_or("", |email| EMAILS[usize::from(email) % EMAILS.len()]);
        let reported = SyncedAccount { is_bot: *is_bot, ..account(&format!("x{at}"), &format!("n{at}"), email) };
        sync(site, integrations[usize::from(*which) % 2], vec![reported]).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_change_of_rules_does_what_its_simulation_says_and_leads_to_what_would_have_been(
        drawn in prop::collection::vec((0..2_u8, proptest::option::weighted(0.9, 0..8_u8), any::<bool>()), 1..9),
        chosen in rules(),
        known in proptest::option::of(0..8_u8),
    ) {
        let make = |first: bool| {
            let (drawn, chosen) = (drawn.clone(), chosen.clone());
            on_sqlite(async move |site: &Site| {
                let integrations = two(site).await;
                if let Some(email) = known {
                    user(site, "Known", EMAILS[usize::from(email)], json!({})).await;
                }
                unit(site, "All", None, Some(filter(json!({ "all": [] })))).await;
                if first {
                    change(site, chosen.clone()).await;
                    report(site, integrations, &drawn).await;
                    return partition(site).await;
                }
                report(site, integrations, &drawn).await;
                let before = tables(site).await;
                let simulation = site.simulate_association(&me(), chosen.clone()).await.unwrap();
                assert_eq!(tables(site).await, before, "a simulation writes nothing");
                let moves = simulation.moves(whole()).await.unwrap();
                let owners: BTreeMap<_, _> = all(site).await.iter().map(|row| (row.id, row.user_id)).collect();
                let users: BTreeSet<_> = site.index().user_ids().collect();
                let outcome = change(site, chosen.clone()).await;
                let mut said = simulation.outcome;
                said.version = outcome.version;
                assert_eq!(said, outcome);
                let moved: Vec<_> = all(site).await.into_iter().filter(|row| owners[&row.id] != row.user_id).collect();
                assert_eq!(moves.total, moved.len() as u64);
                for (said, row) in moves.items.iter().zip(&moved) {
                    assert_eq!((said.account, said.from), (row.id, owners[&row.id]));
                    // A user that is made has another id when it is made in earnest.
                    assert_eq!(said.to.filter(|to| users.contains(to)), row.user_id.filter(|to| users.contains(to)));
                    assert_eq!(said.to.is_some(), row.user_id.is_some());
                }
                let now: BTreeSet<_> = site.index().user_ids().collect();
                let gone = simulation.users_gone(whole()).await.unwrap();
                assert_eq!(gone.items, users.difference(&now).copied().collect::<Vec<_>>());
                let made = simulation.users_made(whole()).await.unwrap();
                assert_eq!(made.total, now.difference(&users).count() as u64);
                // The same rules again move nothing.
                let version = site.version();
                assert_eq!(change(site, chosen.clone()).await.version, version);
                partition(site).await
            })
        };
        prop_assert_eq!(make(false), make(true));
    }
}

#[test]
fn accounts_with_nobody_are_found_by_what_tools_know_of_them_and_paged() {
    on_both(async |site: &Site| {
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        let slack = integration(site, IntegrationKind::Slack, "Slack").await;
        change(site, detected(false)).await;
        let named = |id: &str, username: &str, email: &str, name: &str| SyncedAccount {
            display_name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            ..account(id, username, email)
        };
        let bot = SyncedAccount { is_bot: true, ..named("J4", "builder", "", "Straße Bot") };
        sync(site, jira, vec![named("J1", "Ann.A", "", "Ann A"), named("J2", "", "zoe@corp.example", ""), bot]).await;
        sync(site, slack, vec![named("S1", "STRASSE", "", ""), named("S2", "50%_off", "a@b.example", "")]).await;
        site.sync_accounts(&me(), slack, vec![named("S2", "50%_off", "a@b.example", "")], SyncMode::Full)
            .await
            .unwrap();
        let found = async |query: UnmatchedQuery| {
            let part = site.unmatched_accounts(query, whole()).await.unwrap();
            assert_eq!(part.total, part.items.len() as u64);
            let rows = site.find_accounts(&part.items).await.unwrap();
            part.items.iter().map(|id| rows[id].external_id.clone().unwrap()).collect::<Vec<_>>().join(" ")
        };
        let search = |text: &str| UnmatchedQuery { search: Some(text.into()), ..UnmatchedQuery::default() };
        assert_eq!(found(UnmatchedQuery::default()).await, "J1 J2 J4 S1 S2");
        assert_eq!(found(search("ANN")).await, "J1");
        assert_eq!(found(search("straße")).await, "J4 S1");
        assert_eq!(found(search("%_")).await, "S2", "no sign is a pattern");
        assert_eq!(found(search("corp.EXAMPLE")).await, "J2");
        assert_eq!(found(search("J4")).await, "J4");
        assert_eq!(found(search("J")).await, "", "of an external id the whole");
        assert_eq!(found(UnmatchedQuery { integration: Some(jira), is_bot: Some(false), ..search("") }).await, "J1 J2");
        assert_eq!(found(UnmatchedQuery { kind: Some(IntegrationKind::Slack), ..search("") }).await, "S1 S2");
        assert_eq!(found(UnmatchedQuery { is_gone: Some(true), ..search("") }).await, "S1");
        assert_eq!(found(UnmatchedQuery { has_email: Some(true), ..search("") }).await, "J2 S2");
        let page = |after, before, from_end| Range { after, before, limit: 2, from_end };
        let first = site.unmatched_accounts(search(""), page(None, None, false)).await.unwrap();
        let second = site.unmatched_accounts(search(""), page(first.items.last().copied(), None, false)).await.unwrap();
        let back = site.unmatched_accounts(search(""), page(None, second.items.first().copied(), true)).await.unwrap();
        assert_eq!((first.total, first.has_next, second.has_previous, second.has_next), (5, true, true, true));
        assert_eq!(first.items, back.items);
        assert!(first.items.iter().all(|id| !second.items.contains(id)));
    });
}

#[test]
fn many_accounts_are_linked_in_one_changeset_or_none_is() {
    on_both(async |site: &Site| {
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        let ann = user(site, "Ann", "ann@corp.example", json!({})).await;
        sync(site, jira, (0..5).map(|n| account(&format!("j{n}"), &format!("n{n}"), "")).collect()).await;
        sync(site, jira, vec![account("auto", "auto", "auto@corp.example")]).await;
        let auto = site.find_user("auto@corp.example").unwrap();
        let mut links = Vec::new();
        for (id, user) in [("j0", ann), ("j1", ann), ("j2", auto), ("auto", ann)] {
            links.push(AccountLink { account: the(site, id).await.id, user, expected_version: None });
        }
        let version = site.version();
        let nobody = entity::UserId(entity::AssociationRulesId::ONLY.0);
        let mut wrong = links.clone();
        wrong[0].user = nobody;
        wrong[1].expected_version = Some(1);
        wrong.push(links[2]);
        let report = site.link_accounts(&me(), wrong).await.unwrap();
        let refused: Vec<_> =
            report.refusals.iter().map(|refusal| (refusal.index, refusal.field, refusal.error.code())).collect();
        assert_eq!(
            refused,
            [(0, "userId", "NOT_FOUND"), (1, "accountId", "CONFLICT"), (4, "accountId", "INVALID_INPUT")]
        );
        assert_eq!((report.applied, site.version()), (false, version));
        let report = site.link_accounts(&me(), links.clone()).await.unwrap();
        assert_eq!((report.applied, report.linked, report.version), (true, 4, version + 1));
        // Who was made from an account and is linked to by a person stays.
        assert_eq!(user_of(site, jira, "j2").await, "auto@corp.example");
        let again = site.link_accounts(&me(), links).await.unwrap();
        assert_eq!((again.linked, again.unchanged, again.version), (0, 4, version + 1));
    });
}

async fn links(site: &Site, style: Style) -> String {
    let mut export = site.export_account_links(UnmatchedQuery::default(), style).await.unwrap();
    let mut all = Vec::new();
    while let Some(piece) = export.next().await.unwrap() {
        all.extend(piece);
    }
    String::from_utf8(all).unwrap()
}

async fn import_links(site: &Site, content: &str, dry_run: bool) -> ImportReport {
    let options = ImportOptions { dry_run, ..ImportOptions::default() };
    site.import_account_links(&me(), file(content), options).await.unwrap()
}

#[test]
fn a_file_of_unmatched_accounts_is_filled_in_and_the_same_file_again_changes_nothing() {
    on_both(async |site: &Site| {
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        let ann = user(site, "Ann", "ann@corp.example", json!({})).await;
        let odd = SyncedAccount { display_name: Some("@SUM(1)".into()), ..account("=1", "+x, \"y\"", "") };
        sync(site, jira, vec![odd, account("j2", "two", ""), account("j3", "three", "")]).await;
        let exported = links(site, Style::default()).await;
        let lines: Vec<&str> = exported.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[1].contains("'=1") && lines[1].contains("'+x") && lines[1].contains("'@SUM(1)"), "{exported}");
        assert_eq!(import_links(site, &exported, false).await.unchanged, 3, "as it was exported it says nothing");
        let filled =
            format!("{}\n{}{}\n{}ANN@corp.example\n{}\n", lines[0], lines[1], ann.to_global(), lines[2], lines[3]);
        let version = site.version();
        let dry = import_links(site, &filled, true).await;
        assert_eq!((dry.applied, dry.updated, dry.unchanged, site.version()), (false, 2, 1, version));
        let report = import_links(site, &filled, false).await;
        assert_eq!(problems(&report.errors), [""; 0]);
        assert_eq!((report.applied, report.updated, report.version), (true, 2, version + 1));
        assert_eq!(
            whose(site).await,
            ["=1 ann@corp.example Import -", "j2 ann@corp.example Import -", "j3 - Unmatched -"]
        );
        let again = import_links(site, &filled, false).await;
        assert_eq!((again.updated, again.unchanged, again.version), (0, 3, version + 1));
        assert_eq!(links(site, Style::default()).await.lines().count(), 2, "what is linked is no longer in the list");
    });
}

#[test]
fn a_file_of_links_with_a_mistake_says_its_place_and_changes_nothing() {
    on_both(async |site: &Site| {
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        let ann = user(site, "Ann", "ann@corp.example", json!({})).await;
        user(site, "Bob", "bob@corp.example", json!({})).await;
        sync(site, jira, (1..=4).map(|n| account(&format!("j{n}"), &format!("n{n}"), "")).collect()).await;
        let exported = links(site, Style::default()).await;
        let lines: Vec<&str> = exported.lines().collect();
        site.link_account(&me(), the(site, "j3").await.id, ann, None).await.unwrap();
        let version = site.version();
        let content = [
            lines[0].to_owned(),
            lines[1].replace("n1", "other") + "ann@corp.example",
            lines[2].to_owned() + "nobody@corp.example",
            lines[3].to_owned() + "bob@corp.example",
            lines[4].to_owned() + "ann@corp.example",
            lines[4].to_owned() + "bob@corp.example",
            "acc_0,Jira,,,,,".to_owned(),
            "acc_00000000000000000000000000000000,Jira,,,,,".to_owned(),
            "too,few".to_owned(),
        ]
        .join("\n");
        let report = import_links(site, &content, false).await;
        let twice = format!("line 6, Account ID: CLAIMED_TWICE `{}`", the(site, "j4").await.id.to_global());
        assert_eq!(
            problems(&report.errors),
            [
                "line 2, Username: KEY_CHANGED `other`",
                "line 3, User: UNKNOWN_USER `nobody@corp.example`",
                "line 4, User: ALREADY_LINKED `bob@corp.example`",
                twice.as_str(),
                "line 7, Account ID: UNKNOWN_ACCOUNT `acc_0`",
                "line 8, Account ID: UNKNOWN_ACCOUNT `acc_00000000000000000000000000000000`",
                "line 9, -: WRONG_CELL_COUNT `too`",
            ]
        );
        assert_eq!((report.applied, site.version()), (false, version));
        let report = import_links(site, "Account ID,User,Usr\n", false).await;
        assert!(report.is_refused);
        assert_eq!(problems(&report.errors).len(), 6, "one column too many, five too few");
        for content in ["", "\u{0}", "\"open\n"] {
            assert!(import_links(site, content, false).await.is_refused);
        }
    });
}

#[test]
fn conflicts_are_listed_with_all_that_is_involved_until_they_are_mended() {
    on_both(async |site: &Site| {
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        let git = integration(site, IntegrationKind::Git, "Git").await;
        let github = integration(site, IntegrationKind::GitHub, "GitHub").await;
        let ann = user(site, "Ann", "ann@corp.example", json!({})).await;
        let bob = user(site, "Bob", "bob@corp.example", json!({})).await;
        let kinds = async || -> Vec<ConflictKind> {
            let found = site.association_conflicts(None, whole()).await.unwrap();
            assert_eq!(found.total, found.items.len() as u64);
            found.items.iter().map(|conflict| conflict.place.kind()).collect()
        };
        assert_eq!(kinds().await, []);
        // Two in one tool are listed; in a repository that is as it should be.
        sync(site, jira, vec![account("j1", "", "ann@corp.example"), account("j2", "", "ann@corp.example")]).await;
        sync(site, git, vec![account("g1", "", "bob@corp.example"), account("g2", "", "bob@corp.example")]).await;
        assert_eq!(kinds().await, [ConflictKind::SeveralAccounts]);
        // A bot that is somebody's.
        let bot = SyncedAccount { is_bot: true, ..account("b", "ci", "bob@corp.example") };
        sync(site, github, vec![bot]).await;
        assert_eq!(kinds().await, [ConflictKind::SeveralAccounts, ConflictKind::BotOfUser]);
        // One claims by username and the other by email what turns out to be one account.
        import(site, "Name,Email,GitHub\nAnn,ann@corp.example,octo\n", ImportOptions::default()).await;
        import(site, "Name,Email,GitHub\nBob,bob@corp.example,id:b; octo@home.example\n", ImportOptions::default())
            .await;
        sync(site, github, vec![account("h1", "octo", "octo@home.example")]).await;
        let claimed = site.association_conflicts(Some(ConflictKind::ClaimedTwice), whole()).await.unwrap();
        assert_eq!(claimed.total, 1);
        assert_eq!(claimed.items[0].users, [ann, bob]);
        assert_eq!(user_of(site, github, "h1").await, "ann@corp.example");
        let again = sync(site, github, vec![account("h1", "octo", "octo@home.example")]).await;
        assert_eq!(again.unchanged, 1, "it stays so until a person decides");
        // A claim of a name that two accounts have.
        import(site, "Name,Email,Jira\nBob,bob@corp.example,same\n", ImportOptions::default()).await;
        sync(site, jira, vec![account("k1", "other", ""), account("k2", "other", "")]).await;
        assert_eq!(site.association_conflicts(Some(ConflictKind::AmbiguousClaim), whole()).await.unwrap().total, 0);
        // Mended: Bob's claim is withdrawn.
        let claim = all(site).await.into_iter().find(|row| row.external_id.is_none() && row.email.is_some()).unwrap();
        assert_eq!(claim.user_id, Some(bob));
        site.unlink_account(&me(), claim.id, None).await.unwrap();
        let claimed = site.association_conflicts(Some(ConflictKind::ClaimedTwice), whole()).await.unwrap();
        assert_eq!(claimed.total, 0);
    });
}

#[test]
fn the_list_of_unmatched_accounts_is_downloaded_as_a_file_and_wrong_parameters_are_named() {
    on_both(async |site: &Site| {
        let jira = integration(site, IntegrationKind::Jira, "Jira").await;
        sync(site, jira, vec![account("j1", "one", ""), account("j2", "two", "")]).await;
        let server = Server::new(site);
        let get = async |address: &str| {
            let request = http::Request::get(address).body(axum::body::Body::empty()).unwrap();
            server.send(request).await
        };
        let reply = get("/export/unmatched-accounts.csv?integration=Jira&search=TW&delimiter=%3B").await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body.lines().count(), 2);
        assert!(reply.body.contains("Jira;j2;two;;;"), "{}", reply.body);
        for (wrong, status) in
            [("integration=Jiro", 404), ("isBot=maybe", 400), ("serch=x", 400), ("raw=true&raw=true", 400)]
        {
            let reply = get(&format!("/export/unmatched-accounts.csv?{wrong}")).await;
            assert_eq!(reply.status, status, "{wrong}: {}", reply.body);
        }
    });
}
