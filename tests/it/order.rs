//! In which order accounts are reported does not matter: the end state is told by what each tool has said of each account
//! last.
//!
//! The end state is which accounts are together, which are with nobody, and which emails there are users for. Ids and names
//! of users that were made of accounts, and the rule of an account, tell of the way there.

use std::collections::{BTreeMap, BTreeSet};

use entity::IntegrationId;
use entity::integration::IntegrationKind;
use entity::integration_account::AccountStatus;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use roster::directory::{AccountQuery, Directory, IdRange, SyncMode, SyncedAccount};

use crate::support::{Site, account, integration, me, on_sqlite};

/// How many sequences one directory is for: its log becomes longer with each.
const SEQUENCES: u32 = 50;
const TOOLS: [IntegrationKind; 3] = [IntegrationKind::Jira, IntegrationKind::GitHub, IntegrationKind::Slack];

/// What a tool says of one of its accounts.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// It has it: the number of its email, if it shows one, and whether a program uses it.
    Seen(Option<u8>, bool),
    /// It has it no more.
    Gone,
}

/// What becomes of the accounts, each in its order, and two ways to shuffle them.
#[derive(Clone, Debug)]
struct Sequence {
    /// Of each account its tool and its events.
    accounts: Vec<(usize, Vec<Event>)>,
    orders: [Vec<(Index, bool)>; 2],
}

fn sequences() -> impl Strategy<Value = Sequence> {
    let email = prop_oneof![1 => Just(None), 6 => (0u8..4).prop_map(Some)];
    let seen = (email, prop::bool::weighted(0.25)).prop_map(|(email, is_bot)| Event::Seen(email, is_bot));
    let event = prop_oneof![6 => seen, 1 => Just(Event::Gone)];
    let accounts = prop::collection::vec((0..TOOLS.len(), prop::collection::vec(event, 1..5)), 2..8);
    let order = || prop::collection::vec((any::<Index>(), prop::bool::weighted(0.2)), 60);
    (accounts, order(), order()).prop_map(|(accounts, a, b)| Sequence { accounts, orders: [a, b] })
}

/// A directory's tools, as one sequence knows them.
struct Tools<'a> {
    directory: &'a Directory,
    integrations: Vec<IntegrationId>,
    domain: String,
}

impl Tools<'_> {
    async fn new(directory: &Directory, domain: String) -> Tools<'_> {
        let mut integrations = Vec::new();
        for (number, kind) in TOOLS.into_iter().enumerate() {
            integrations.push(integration(directory, kind, &format!("{domain} {number}")).await);
        }
        Tools { directory, integrations, domain }
    }

    fn report(&self, number: usize, email: Option<u8>, is_bot: bool) -> SyncedAccount {
        let email = email.map(|email| self.email(email)).unwrap_or_default();
        SyncedAccount { is_bot, ..account(&number.to_string(), &format!("login{number}"), &email) }
    }

    fn email(&self, number: u8) -> String {
        format!("p{number}@{}", self.domain)
    }

    async fn sync(&self, tool: usize, accounts: Vec<SyncedAccount>, mode: SyncMode) {
        self.directory.sync_accounts(&me(), self.integrations[tool], accounts, mode).await.unwrap();
    }

    /// Has the tools report everything in one order; some of it twice, some of it in one call.
    async fn play(&self, accounts: &[(usize, Vec<Event>)], order: &[(Index, bool)]) {
        let mut left: Vec<std::slice::Iter<'_, Event>> = accounts.iter().map(|(_, events)| events.iter()).collect();
        let mut now: BTreeMap<usize, (Option<u8>, bool)> = BTreeMap::new();
        let mut together: BTreeMap<usize, SyncedAccount> = BTreeMap::new();
        let mut tool_of_call = 0;
        let mut choices = order.iter().cycle();
        loop {
            let open: Vec<usize> = (0..left.len()).filter(|at| left[*at].len() > 0).collect();
            if open.is_empty() {
                break;
            }
            let (choice, is_extra) = choices.next().unwrap();
            let number = *choice.get(&open);
            let tool = accounts[number].0;
            let event = left[number].next().unwrap();
            // What was gathered for one call is told before anything that does not fit into it.
            if !together.is_empty()
                && (tool != tool_of_call || together.contains_key(&number) || matches!(event, Event::Gone))
            {
                let call = std::mem::take(&mut together).into_values().collect();
                self.sync(tool_of_call, call, SyncMode::Delta).await;
            }
            match *event {
                Event::Seen(email, is_bot) => {
                    now.insert(number, (email, is_bot));
                    together.insert(number, self.report(number, email, is_bot));
                    tool_of_call = tool;
                    if !is_extra {
                        let call = std::mem::take(&mut together).into_values().collect();
                        self.sync(tool, call, SyncMode::Delta).await;
                    }
                }
                Event::Gone => {
                    now.remove(&number);
                    let rest = now.iter().filter(|(other, _)| accounts[**other].0 == tool);
                    let rest = rest.map(|(other, (email, is_bot))| self.report(*other, *email, *is_bot)).collect();
                    self.sync(tool, rest, SyncMode::Full).await;
                }
            }
            if *is_extra && let Some((again, (email, is_bot))) = now.iter().next_back() {
                let tool = accounts[*again].0;
                if !together.contains_key(again) {
                    self.sync(tool, vec![self.report(*again, *email, *is_bot)], SyncMode::Delta).await;
                }
            }
        }
        if !together.is_empty() {
            self.sync(tool_of_call, together.into_values().collect(), SyncMode::Delta).await;
        }
    }

    /// Every account with its state and its user's emails, and the emails of every user.
    async fn end(&self) -> (BTreeMap<usize, String>, BTreeSet<String>) {
        let mut accounts = BTreeMap::new();
        for integration in &self.integrations {
            let query = AccountQuery { integration: Some(*integration), ..AccountQuery::default() };
            let all = IdRange { limit: 1_000, ..IdRange::default() };
            for row in self.directory.list_accounts(&query, all).await.unwrap().rows {
                let index = self.directory.index();
                let owner = row.user_id.map(|user| index.emails_of(user).join(" "));
                let text = format!("{:?} {} {:?} {owner:?}", row.email, row.is_bot, row.status);
                accounts.insert(row.external_id.unwrap().parse().unwrap(), text);
            }
        }
        let index = self.directory.index();
        let users = index.user_ids().map(|user| index.emails_of(user).join(" "));
        (accounts, users.filter(|emails| emails.ends_with(&format!("@{}", self.domain))).collect())
    }

    /// The end state by what was said last of each account.
    fn expected(&self, accounts: &[(usize, Vec<Event>)]) -> (BTreeMap<usize, String>, BTreeSet<String>) {
        let mut last: BTreeMap<usize, (Option<String>, bool, AccountStatus)> = BTreeMap::new();
        for (number, (_, events)) in accounts.iter().enumerate() {
            for event in events {
                match event {
                    Event::Seen(email, is_bot) => {
                        let email = email.map(|email| self.email(email));
                        last.insert(number, (email, *is_bot, AccountStatus::Active));
                    }
                    Event::Gone => {
                        last.entry(number).and_modify(|(.., status)| *status = AccountStatus::Gone);
                    }
                }
            }
        }
        let of_people = last.values().filter(|(_, is_bot, _)| !is_bot);
        let users: BTreeSet<String> = of_people.filter_map(|(email, ..)| email.clone()).collect();
        let told = |(number, (email, is_bot, status)): (&usize, &(Option<String>, bool, AccountStatus))| {
            let owner = email.as_ref().filter(|email| users.contains(*email));
            (*number, format!("{email:?} {is_bot} {status:?} {owner:?}"))
        };
        (last.iter().map(told).collect(), users)
    }
}

/// Plays random sequences in two orders each.
pub(crate) fn play_many(cases: u32) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let mut left = cases;
    while left > 0 {
        let some = left.min(SEQUENCES);
        let batch = prop::collection::vec(sequences(), some as usize);
        let batch = batch.new_tree(&mut runner).unwrap().current();
        on_sqlite(async |site: &Site| {
            for (number, sequence) in batch.iter().enumerate() {
                for (way, order) in sequence.orders.iter().enumerate() {
                    let tools = Tools::new(site, format!("c{number}w{way}.example")).await;
                    tools.play(&sequence.accounts, order).await;
                    assert_eq!(tools.end().await, tools.expected(&sequence.accounts), "{sequence:?}");
                }
            }
        });
        left -= some;
    }
}

#[test]
fn the_end_state_does_not_depend_on_the_order_in_which_accounts_are_reported() {
    play_many(50);
}

#[test]
fn a_user_who_loses_a_person_and_gets_a_program_in_one_report_goes() {
    on_sqlite(async |site: &Site| {
        let tools = Tools::new(site, "one.example".to_owned()).await;
        tools.sync(0, vec![tools.report(1, Some(1), false), tools.report(2, Some(2), false)], SyncMode::Delta).await;
        // The program comes from a user who goes to one who goes.
        tools.sync(0, vec![tools.report(1, None, false), tools.report(2, Some(1), true)], SyncMode::Delta).await;
        let (accounts, users) = tools.end().await;
        assert_eq!(users, BTreeSet::new(), "{accounts:?}");
    });
}
