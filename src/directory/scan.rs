//! Reading whole tables, fast: many rows come as one JSON text, which costs both drivers a fraction of what as many
//! rows of columns do.

use entity::integration_account::AccountStatus;
use entity::{IntegrationAccountId, IntegrationId, UserId};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, Statement, Value};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::future::poll_fn;
use std::task::Poll;
use uuid::Uuid;

use super::error::{Error, Result};
use super::{attribute, integration, last_number, org_unit};
use crate::database::Database;
use crate::index::{AccountRow, Index, Loader, UserRow};
use crate::value::GlobalId;

/// Rows in one text.
const ROWS: u64 = 5_000;

/// A user, read in bulk.
#[derive(Deserialize)]
struct UserLine<'a> {
    id: Uuid,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    email: Cow<'a, str>,
    #[serde(borrow)]
    attributes: &'a RawValue,
}

#[derive(Deserialize)]
struct FurtherEmail<'a> {
    user_id: Uuid,
    #[serde(borrow)]
    email: Cow<'a, str>,
}

/// An account, read in bulk.
#[derive(Deserialize)]
struct AccountLine<'a> {
    id: Uuid,
    integration_id: Uuid,
    #[serde(borrow)]
    external_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    username: Option<Cow<'a, str>>,
    #[serde(borrow)]
    email: Option<Cow<'a, str>>,
    #[serde(borrow)]
    display_name: Option<Cow<'a, str>>,
    is_bot: Truth,
    status: AccountStatus,
    user_id: Owner,
}

/// SQLite writes a truth as a number, PostgreSQL as one.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Truth {
    Boolean(bool),
    Number(u8),
}

impl Truth {
    pub(super) fn holds(&self) -> bool {
        match self {
            Self::Boolean(truth) => *truth,
            Self::Number(number) => *number != 0,
        }
    }
}

/// Whose a row is. An absent UUID is null from PostgreSQL, and from SQLite, whose `hex` knows no null, the empty text.
pub(super) struct Owner(pub(super) Option<UserId>);

impl<'de> Deserialize<'de> for Owner {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        let text: Option<Cow<'de, str>> = Option::deserialize(from)?;
        match text.as_deref() {
            None | Some("") => Ok(Self(None)),
            Some(text) => Uuid::try_parse(text).map(|id| Self(Some(UserId(id)))).map_err(serde::de::Error::custom),
        }
    }
}

/// The SQL of one text of rows, for either database.
pub(super) struct Text {
    pub(super) table: &'static str,
    /// What is read, in the order of the struct that takes it.
    pub(super) columns: &'static [(&'static str, Kind)],
    pub(super) condition: &'static str,
}

/// What stands in a column.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Text, a number, a truth or a time.
    Plain,
    /// An id.
    Uuid,
    /// A document.
    Json,
    /// Not a column but a statement that selects emails: all of them as one list, or null.
    Emails,
    /// Not a column but a statement that selects merged ids: all of them as one list, or null.
    Ids,
}

const USERS: Text = Text {
    table: "\"user\"",
    columns: &[("id", Kind::Uuid), ("name", Kind::Plain), ("email", Kind::Plain), ("attributes", Kind::Json)],
    condition: "true",
};

const ACCOUNTS: Text = Text {
    table: "integration_account",
    columns: &[
        ("id", Kind::Uuid),
        ("integration_id", Kind::Uuid),
        ("external_id", Kind::Plain),
        ("username", Kind::Plain),
        ("email", Kind::Plain),
        ("display_name", Kind::Plain),
        ("is_bot", Kind::Plain),
        ("status", Kind::Plain),
        ("user_id", Kind::Uuid),
    ],
    condition: "true",
};

impl Text {
    /// The expression that makes one text of all rows.
    fn lines(&self, backend: DbBackend) -> String {
        let columns: Vec<String> = self.columns.iter().map(|(column, kind)| kind.expression(column, backend)).collect();
        let columns = columns.join(", ");
        match backend {
            DbBackend::Postgres => format!("json_agg(json_build_array({columns}))::text"),
            _ => format!("json_group_array(json_array({columns}))"),
        }
    }

    /// The statement for the rows whose key comes after `after`, in the order of the key.
    fn statement(&self, backend: DbBackend, key: &str, after: Option<Value>, rows: u64) -> Statement {
        let (comes_after, values) = match after {
            Some(after) => {
                let place = if backend == DbBackend::Postgres { "$1" } else { "?" };
                (format!("{key} > {place} AND "), vec![after])
            }
            None => (String::new(), Vec::new()),
        };
        let sql = format!(
            "SELECT {} AS lines FROM (SELECT * FROM {} WHERE {comes_after}{} ORDER BY {key} LIMIT {rows}) AS part",
            self.lines(backend),
            self.table,
            self.condition
        );
        Statement::from_sql_and_values(backend, sql, values)
    }
}

impl Kind {
    fn expression(self, column: &str, backend: DbBackend) -> String {
        match (self, backend) {
            (Self::Plain, _) | (Self::Uuid | Self::Json, DbBackend::Postgres) => column.to_owned(),
            (Self::Uuid, _) => format!("lower(hex({column}))"),
            (Self::Json, _) => format!("json({column})"),
            (Self::Emails, DbBackend::Postgres) => format!("(SELECT json_agg(email) FROM ({column}) AS list)"),
            (Self::Ids, DbBackend::Postgres) => format!("(SELECT json_agg(merged_id) FROM ({column}) AS list)"),
            (Self::Ids, _) => format!("(SELECT json_group_array(lower(hex(merged_id))) FROM ({column}))"),
            (Self::Emails, _) => format!("(SELECT json_group_array(email) FROM ({column}))"),
        }
    }
}

/// The one text that a statement gives, as `lines`; empty without rows.
pub(super) async fn read(connection: &impl ConnectionTrait, statement: Statement) -> Result<String> {
    let row = connection.query_one_raw(statement).await?;
    let text: Option<Option<String>> = row.map(|row| row.try_get("", "lines")).transpose()?;
    Ok(text.flatten().unwrap_or_default())
}

pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<Vec<T>> {
    if text.is_empty() { Ok(Vec::new()) } else { serde_json::from_str(text).map_err(Error::internal) }
}

impl AccountLine<'_> {
    fn to_row(&self) -> AccountRow<'_> {
        AccountRow {
            id: IntegrationAccountId(self.id),
            integration_id: IntegrationId(self.integration_id),
            external_id: self.external_id.as_deref(),
            username: self.username.as_deref(),
            email: self.email.as_deref(),
            display_name: self.display_name.as_deref(),
            is_bot: self.is_bot.holds(),
            is_gone: self.status == AccountStatus::Gone,
            user_id: self.user_id.0,
        }
    }
}

/// The rows whose `key` is one of `ids`.
pub(super) async fn by_key<I: GlobalId>(
    connection: &impl ConnectionTrait,
    text: &Text,
    key: &str,
    ids: &[I],
) -> Result<String> {
    let backend = connection.get_database_backend();
    let places: Vec<String> = match backend {
        DbBackend::Postgres => (1..=ids.len()).map(|place| format!("${place}")).collect(),
        _ => ids.iter().map(|_| "?".to_owned()).collect(),
    };
    let condition = format!("{key} IN ({})", places.join(", "));
    let sql = format!("SELECT {} AS lines FROM {} WHERE {condition}", text.lines(backend), text.table);
    read(connection, Statement::from_sql_and_values(backend, sql, ids.iter().map(|id| id.uuid().into()))).await
}

/// The rows whose `key` is one of `ids`. The first column of `text` is `place`: that of the id in `ids`, from 0.
///
/// Reads along the list, whose order an `IN` would give up, and on PostgreSQL has the index of `key` used however large
/// the list is: `OFFSET 0` keeps the planner from reading the whole table instead.
pub(super) async fn by_place(
    connection: &impl ConnectionTrait,
    text: &Text,
    key: &str,
    ids: &[UserId],
) -> Result<String> {
    let backend = connection.get_database_backend();
    let (lines, table) = (text.lines(backend), text.table);
    let sql = match backend {
        DbBackend::Postgres => format!(
            "SELECT {lines} AS lines FROM (SELECT value::uuid AS wanted, number - 1 AS place \
             FROM json_array_elements_text($1::json) WITH ORDINALITY AS list(value, number)) AS list \
             CROSS JOIN LATERAL (SELECT * FROM {table} WHERE {key} = wanted OFFSET 0) AS part"
        ),
        _ => format!(
            "SELECT {lines} AS lines FROM (SELECT unhex(value) AS wanted, key AS place FROM json_each(?)) \
             CROSS JOIN {table} ON {table}.{key} = wanted"
        ),
    };
    let list: Vec<String> = ids.iter().map(|id| id.0.simple().to_string()).collect();
    let list = serde_json::to_string(&list).map_err(Error::internal)?;
    read(connection, Statement::from_sql_and_values(backend, sql, [list.into()])).await
}

/// Hands all users to `take`, in the order of their ids, some at a time.
async fn users(connection: &impl ConnectionTrait, mut take: impl FnMut(&[UserLine<'_>]) -> Result<()>) -> Result<()> {
    let backend = connection.get_database_backend();
    let mut text = read(connection, USERS.statement(backend, "id", None, ROWS)).await?;
    loop {
        let lines: Vec<UserLine<'_>> = parse(&text)?;
        let Some(last) = lines.last().filter(|_| lines.len() as u64 == ROWS) else { return take(&lines) };
        let next = read(connection, USERS.statement(backend, "id", Some(last.id.into()), ROWS));
        text = ahead(next, || take(&lines)).await?;
    }
}

/// Has the database begin `next`, does `work`, and gives what `next` has become: a core for each.
async fn ahead(next: impl Future<Output = Result<String>>, work: impl FnOnce() -> Result<()>) -> Result<String> {
    let mut next = std::pin::pin!(next);
    let begun = poll_fn(|context| Poll::Ready(next.as_mut().poll(context))).await;
    work()?;
    match begun {
        Poll::Ready(text) => text,
        Poll::Pending => next.await,
    }
}

/// Loads the index from one state of the tables.
pub(super) async fn load(database: &Database) -> Result<Index> {
    let transaction = database.begin_read().await?;
    let version = last_number(&transaction).await?;
    let attributes = attribute::load_all(&transaction).await?;
    let integrations = integration::load_all(&transaction).await?;
    let rules = entity::association_rules::Entity::find().one(&transaction).await?;
    let mut loader = Loader::new(version, attributes, integrations).with_rules(rules);
    let count = |count: u64| usize::try_from(count).unwrap_or_default();
    loader.reserve(
        count(entity::user::Entity::find().count(&transaction).await?),
        count(entity::integration_account::Entity::find().count(&transaction).await?),
    );
    let further = further_emails(&transaction).await?;
    users(&transaction, |lines| {
        for line in lines {
            let further: Vec<&str> =
                further.get(&line.id).map(|emails| emails.iter().map(String::as_str).collect()).unwrap_or_default();
            let row = UserRow {
                id: UserId(line.id),
                name: &line.name,
                email: &line.email,
                further_emails: &further,
                attributes: line.attributes.get(),
            };
            loader.user(&row).map_err(Error::internal)?;
        }
        Ok(())
    })
    .await?;
    marks(&transaction, &mut loader).await?;
    let backend = transaction.get_database_backend();
    let mut text = read(&transaction, ACCOUNTS.statement(backend, "id", None, ROWS)).await?;
    loop {
        let lines: Vec<AccountLine<'_>> = parse(&text)?;
        let Some(last) = lines.last() else { break };
        let next = read(&transaction, ACCOUNTS.statement(backend, "id", Some(last.id.into()), ROWS));
        let take = || {
            lines.iter().for_each(|line| loader.account(&line.to_row()));
            Ok(())
        };
        text = ahead(next, take).await?;
    }
    let units = org_unit::load_all(&transaction).await?;
    transaction.rollback().await?;
    Ok(loader.finish(units))
}

async fn further_emails(connection: &impl ConnectionTrait) -> Result<std::collections::HashMap<Uuid, Vec<String>>> {
    const FURTHER: Text = Text {
        table: "user_email",
        columns: &[("user_id", Kind::Uuid), ("email", Kind::Plain)],
        condition: "NOT is_primary",
    };
    let mut found: std::collections::HashMap<Uuid, Vec<String>> = std::collections::HashMap::new();
    let mut after: Option<Value> = None;
    loop {
        let text = read(connection, FURTHER.statement(connection.get_database_backend(), "email", after, ROWS)).await?;
        let lines: Vec<FurtherEmail<'_>> = parse(&text)?;
        let Some(last) = lines.last() else { return Ok(found) };
        after = Some(last.email.to_string().into());
        for line in &lines {
            found.entry(line.user_id).or_default().push(line.email.to_string());
        }
    }
}

/// Hands to `loader` who is locked or reviewed, and the ids that stand for users since others became part of them.
async fn marks(connection: &impl ConnectionTrait, loader: &mut Loader) -> Result<()> {
    #[derive(Deserialize)]
    struct Marked(Uuid, Truth, Truth);
    #[derive(Deserialize)]
    struct Merged(Uuid, Uuid);
    const MARKED: Text = Text {
        table: "\"user\"",
        columns: &[("id", Kind::Uuid), ("is_locked", Kind::Plain), ("reviewed_at IS NOT NULL", Kind::Plain)],
        condition: "(is_locked OR reviewed_at IS NOT NULL)",
    };
    const MERGED: Text = Text {
        table: "user_merged_id",
        columns: &[("merged_id", Kind::Uuid), ("user_id", Kind::Uuid)],
        condition: "true",
    };
    let backend = connection.get_database_backend();
    let mut after: Option<Value> = None;
    loop {
        let text = read(connection, MARKED.statement(backend, "id", after, ROWS)).await?;
        let lines: Vec<Marked> = parse(&text)?;
        let Some(last) = lines.last() else { break };
        after = Some(last.0.into());
        lines.iter().for_each(|line| loader.mark(UserId(line.0), line.1.holds(), line.2.holds()));
    }
    let mut after: Option<Value> = None;
    loop {
        let text = read(connection, MERGED.statement(backend, "merged_id", after, ROWS)).await?;
        let lines: Vec<Merged> = parse(&text)?;
        let Some(last) = lines.last() else { return Ok(()) };
        after = Some(last.0.into());
        lines.iter().for_each(|line| loader.merged_id(UserId(line.0), UserId(line.1)));
    }
}
