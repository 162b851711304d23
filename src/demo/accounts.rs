//! The accounts that the made-up tools report, and the file in which people say whose some of them are.

use std::io::{self, Write};

use entity::integration::IntegrationKind;

use super::random::{mix, place, shuffled};
use super::user::{Population, Story};
use crate::directory::SyncedAccount;
use crate::directory::csv::{Style, Writer};

/// The tools, each of which is one integration of the directory.
pub const TOOLS: [IntegrationKind; 4] =
    [IntegrationKind::Jira, IntegrationKind::GitHub, IntegrationKind::Slack, IntegrationKind::Harness];

/// What the directory calls the integration of a tool.
pub(super) fn tool_name(tool: IntegrationKind) -> &'static str {
    match tool {
        IntegrationKind::Jira => "Jira",
        IntegrationKind::GitHub => "GitHub",
        IntegrationKind::Slack => "Slack",
        IntegrationKind::Harness => "Harness",
        IntegrationKind::GitLab => "GitLab",
        IntegrationKind::Git => "Git",
        IntegrationKind::Bitbucket => "Bitbucket",
        IntegrationKind::AzureDevOps => "Azure DevOps",
        IntegrationKind::PagerDuty => "PagerDuty",
        IntegrationKind::ServiceNow => "ServiceNow",
        IntegrationKind::Other => "Other",
    }
}

/// What programs are called in their accounts.
const BOTS: [&str; 8] =
    ["release", "deploy", "review", "triage", "standup", "dependency-updates", "flaky-tests", "reminders"];

/// The accounts of a tool in a directory of this many made-up users: first those of users, then those of programs.
///
/// Every user has one in Jira, GitHub and Slack, and those who release software in Harness. The items are made as they
/// are asked for; none is kept.
pub fn accounts(tool: IntegrationKind, users: u64, seed: u64) -> impl Iterator<Item = SyncedAccount> + Send {
    let population = Population::new(users, seed);
    let of_users = (0..users).filter_map(move |user| account(&population, tool, user));
    of_users.chain((0..bots(users)).map(move |bot| bot_account(tool, bot, seed)))
}

/// How many programs have accounts in each tool.
fn bots(users: u64) -> u64 {
    2 + users / 500
}

fn account(population: &Population, tool: IntegrationKind, user: u64) -> Option<SyncedAccount> {
    if tool == IntegrationKind::Harness && !population.releases(user) {
        return None;
    }
    let name = population.name(user);
    let story = population.story(user);
    let (username, email, display_name) = match tool {
        IntegrationKind::GitHub => {
            let email = match story {
                Story::SecondUser | Story::Claimed => Some(name.private_email()),
                Story::Hidden | Story::Found => None,
                Story::Same | Story::HiddenInJira => Some(name.email()),
            };
            (github_username(population, user), email, name.latin())
        }
        IntegrationKind::Jira => {
            let email = (story != Story::HiddenInJira).then(|| name.email());
            (format!("{}.{}", name.given, name.family), email, name.native)
        }
        IntegrationKind::Harness => (name.email(), Some(name.email()), name.latin()),
        // What other tools report has nothing of its own to show.
        _ => (format!("{}.{}", name.given, name.family), Some(name.email()), name.native),
    };
    Some(SyncedAccount {
        external_id: external_id(tool, user, population.users, population.seed),
        username: Some(username),
        email,
        display_name: Some(display_name),
        is_bot: false,
        is_gone: false,
    })
}

pub(super) fn github_username(population: &Population, user: u64) -> String {
    let name = population.name(user);
    format!("{}-{}", name.given, name.family)
}

fn bot_account(tool: IntegrationKind, bot: u64, seed: u64) -> SyncedAccount {
    let what = BOTS[place(bot % BOTS.len() as u64)];
    let number = bot / BOTS.len() as u64;
    let username = if number == 0 { format!("{what}-bot") } else { format!("{what}-bot-{}", number + 1) };
    SyncedAccount {
        external_id: format!("bot-{:08x}-{bot}", mix(seed, tool as u64, bot) >> 32),
        display_name: Some(format!("{username} ({})", tool_name(tool))),
        // Some programs have an email, and no user is made from it all the same.
        email: bot.is_multiple_of(2).then(|| format!("{username}@bots.example")),
        username: Some(username),
        is_bot: true,
        is_gone: false,
    }
}

/// An id as the tool would give it: in no order of users, and nobody else's.
fn external_id(tool: IntegrationKind, user: u64, users: u64, seed: u64) -> String {
    let topic = 20 + tool as u64;
    let nth = shuffled(seed, topic, user, users);
    let random = mix(seed, topic, user);
    match tool {
        IntegrationKind::Jira => format!("712020:{:08x}-{:012x}", random >> 32, nth),
        IntegrationKind::GitHub => (10_000_000 + nth * 7).to_string(),
        IntegrationKind::Slack => format!("U{:04X}{nth:06X}", random >> 48),
        _ => format!("{:08x}{nth:08x}", random >> 32),
    }
}

/// Writes the file in which people say whose accounts in GitHub are that no email tells: `Name`, `Email` and `GitHub`.
/// Gives the number of its rows.
pub(super) fn write_claims_csv(population: &Population, to: impl Write) -> io::Result<u64> {
    let mut writer = Writer::open(to, Style::default(), ["Name", "Email", tool_name(IntegrationKind::GitHub)])?;
    let mut rows = 0;
    for user in 0..population.users {
        let name = population.name(user);
        let accounts = match population.story(user) {
            Story::Claimed => github_username(population, user),
            // A sync compares what it reports with every claim that is open, so there are never many of those.
            Story::Found if user < 5_000 => {
                let username = github_username(population, user);
                format!("{username}; {username}-oss")
            }
            Story::Found => github_username(population, user),
            Story::Same | Story::SecondUser | Story::Hidden | Story::HiddenInJira => continue,
        };
        writer.write_row([name.native.as_str(), &name.email(), &accounts])?;
        rows += 1;
    }
    writer.finish()?;
    Ok(rows)
}
