//! `roster token`: what programs and people call the API with is made, listed and revoked.

use std::fmt::Write;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, Subcommand, ValueEnum};
use entity::TokenId;
use entity::token::{self, Role};
use sea_orm::ActiveEnum;
use serde::Serialize;

use super::report::printable;
use super::{EXIT_CODES, Outcome, Setup, actor, note, open_directory, print};
use crate::directory::{NewToken, Range};
use crate::value::GlobalId;

/// The tokens that are read at a time.
const PAGE: u64 = 1_000;

/// What to do with tokens.
#[derive(Clone, Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token, and print its secret, which is shown this once.
    Create(CreateTokenArgs),
    /// List tokens, newest first, also those that work no longer.
    List(ListTokensArgs),
    /// Revoke a token: every server refuses it within a second.
    Revoke(RevokeTokenArgs),
}

/// Which token to make.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct CreateTokenArgs {
    /// What the log calls whoever uses it.
    #[arg(long)]
    pub name: String,

    /// What may be done with it.
    #[arg(long, value_enum, ignore_case = true)]
    pub role: RoleName,

    /// After how long it is refused: hours or days, such as `12h` or `90d`. Without it, it does not expire.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub expires: Option<TimeDelta>,

    /// Print the token as JSON, with its secret.
    #[arg(long)]
    pub json: bool,
}

/// How to list tokens.
#[derive(Args, Clone, Copy, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct ListTokensArgs {
    /// Print a JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// Which token to revoke.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXIT_CODES)]
pub struct RevokeTokenArgs {
    /// The token's id: `tok_…`.
    #[arg(value_name = "ID")]
    pub id: String,

    /// Print the token as JSON.
    #[arg(long)]
    pub json: bool,
}

/// A role, as the command line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Tells whose an account is and which org units they are in; sees no emails.
    Resolver,
    /// Reads everything that is not private.
    Reader,
    /// Changes users, accounts and imports, too.
    Editor,
    /// Everything.
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Resolver => Self::Resolver,
            RoleName::Reader => Self::Reader,
            RoleName::Editor => Self::Editor,
            RoleName::Admin => Self::Admin,
        }
    }
}

/// Reads `12h` or `90d`.
fn time(text: &str) -> Result<TimeDelta, String> {
    let says = || "a time is a whole number with `h` or `d`, such as `90d`".to_owned();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: i64 = number.parse().map_err(|_| says())?;
    let hours = match unit {
        "h" => number,
        "d" => number.saturating_mul(24),
        _ => return Err(says()),
    };
    // A hundred years are for ever.
    (1..=876_600).contains(&hours).then(|| TimeDelta::hours(hours)).ok_or_else(|| "from 1h to 36525d".to_owned())
}

pub(super) async fn run(command: TokenCommand, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    match command {
        TokenCommand::Create(args) => create(args, setup).await,
        TokenCommand::List(args) => list(args, setup).await,
        TokenCommand::Revoke(args) => revoke(&args, setup).await,
    }
}

async fn create(args: CreateTokenArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let directory = open_directory(setup).await?;
    let expires_at = args.expires.map(|time| directory.now() + time);
    let new = NewToken { name: args.name, role: args.role.into(), expires_at };
    let (row, secret) = directory.create_token(&actor(), new).await?;
    if args.json {
        print(&(serde_json::to_string_pretty(&Line::new(&row, Some(secret.expose())))? + "\n"))?;
    } else {
        note(&format!("{} is made; its secret is shown this once:", row.id.to_global()));
        print(&format!("{}\n", secret.expose()))?;
    }
    Ok(Outcome::Done)
}

async fn list(args: ListTokensArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let directory = open_directory(setup).await?;
    let mut after = None;
    loop {
        let page = directory.list_tokens(Range { after, before: None, limit: PAGE, from_end: false }).await?;
        let mut text = String::new();
        for row in &page.rows {
            let line =
                if args.json { serde_json::to_string(&Line::new(row, None))? } else { as_text(row, directory.now()) };
            // Writing to a string does not fail.
            let _ = writeln!(text, "{line}");
        }
        print(&text)?;
        after = page.rows.last().map(|row| row.id);
        if !page.has_next {
            return Ok(Outcome::Done);
        }
    }
}

async fn revoke(args: &RevokeTokenArgs, setup: &Setup<'_>) -> anyhow::Result<Outcome> {
    let id = TokenId::parse(&args.id).map_err(anyhow::Error::msg)?;
    let directory = open_directory(setup).await?;
    let row = directory.revoke_token(&actor(), id, true).await?;
    if args.json {
        print(&(serde_json::to_string_pretty(&Line::new(&row, None))? + "\n"))?;
    } else {
        let at = row.revoked_at.context("the token is not revoked")?;
        print(&format!("{} was revoked at {}\n", id.to_global(), shown(at)))?;
    }
    Ok(Outcome::Done)
}

fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// A token as one line for people.
fn as_text(row: &token::Model, now: DateTime<Utc>) -> String {
    let id = row.id.to_global();
    let state = match (row.revoked_at, row.expires_at) {
        (Some(at), _) => format!("revoked {}", shown(at)),
        (None, Some(at)) if at <= now => format!("expired {}", shown(at)),
        (None, Some(at)) => format!("until {}", shown(at)),
        (None, None) => "for ever".to_owned(),
    };
    let used = row.last_used_at.map_or_else(|| "never used".to_owned(), |at| format!("used {}", shown(at)));
    let role = row.role.to_value();
    printable(&format!(
        "{id} {role:<8} {} ({state}; {used}; made {} by {})",
        row.name,
        shown(row.created_at),
        row.created_by
    ))
}

/// A token as JSON has it: the words are those of the GraphQL type.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    id: String,
    name: &'a str,
    role: Role,
    created_by: &'a str,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    revoked_by: Option<&'a str>,
    last_used_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn new(row: &'a token::Model, secret: Option<&'a str>) -> Self {
        Self {
            id: row.id.to_global(),
            name: &row.name,
            role: row.role,
            created_by: &row.created_by,
            created_at: shown(row.created_at),
            expires_at: row.expires_at.map(shown),
            revoked_at: row.revoked_at.map(shown),
            revoked_by: row.revoked_by.as_deref(),
            last_used_at: row.last_used_at.map(shown),
            secret,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_in_hours_or_days() {
        assert_eq!([time("12h"), time("90d")], [Ok(TimeDelta::hours(12)), Ok(TimeDelta::days(90))]);
        for wrong in ["", "d", "90", "0d", "90m", "-1d", "36526d", "99999999999999999999d", "9223372036854775807d"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
