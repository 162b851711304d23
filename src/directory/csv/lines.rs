//! The rows of an export: what is read of some users at a time, and the text that is made of it.
//!
//! The database's text is borrowed from down to the cell, and nothing is looked up that the order of reading gives: this
//! is done for every user of a directory. What does not live here: which users and columns (`export`, `layout`).

use std::borrow::Cow;
use std::fmt;
use std::io;

use entity::attribute::AttributeType;
use entity::{UserId, integration};
use sea_orm::ConnectionTrait;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Writer;
use super::cell::push_token;
use super::export::Plan;
use super::layout::Column;
use crate::directory::scan::{self, Kind, Text};
use crate::directory::{Error, Result};
use crate::index::Index;
use crate::value::{GlobalId, Value, show};

const USERS: Text = Text {
    table: "\"user\"",
    columns: &[("place", Kind::Plain), ("name", Kind::Plain), ("email", Kind::Plain), ("attributes", Kind::Json)],
    condition: "true",
};

const ACCOUNTS: Text = Text {
    table: "integration_account",
    columns: &[
        ("place", Kind::Plain),
        ("integration_id", Kind::Uuid),
        ("external_id", Kind::Plain),
        ("username", Kind::Plain),
        ("email", Kind::Plain),
    ],
    condition: "true",
};

/// A user, with the place among those who were asked for.
#[derive(Deserialize)]
struct UserLine<'a> {
    place: usize,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    email: Cow<'a, str>,
    #[serde(borrow)]
    attributes: Document<'a>,
}

/// An account, with the place of its user.
#[derive(Deserialize)]
struct AccountLine<'a> {
    place: usize,
    integration_id: Uuid,
    #[serde(borrow)]
    external_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    username: Option<Cow<'a, str>>,
    #[serde(borrow)]
    email: Option<Cow<'a, str>>,
}

/// Text that borrows where nothing in it is escaped.
#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

/// A document of values by key, each as it is written.
struct Document<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Document<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Document<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a document of values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Borrowed(key), value)) = map.next_entry()? {
                    members.push((key, value));
                }
                Ok(Document(members))
            }
        }
        from.deserialize_map(Members)
    }
}

impl Document<'_> {
    /// The value of a key as a cell shows it; empty without one.
    fn cell(&self, key: &str, r#type: AttributeType, index: &Index) -> Cow<'_, str> {
        let Some((_, stored)) = self.0.iter().find(|(known, _)| known == key) else { return Cow::Borrowed("") };
        if matches!(r#type, AttributeType::Text | AttributeType::Select | AttributeType::Email | AttributeType::Url) {
            return serde_json::from_str(stored.get()).map(|Borrowed(text)| text).unwrap_or_default();
        }
        let stored = serde_json::from_str(stored.get()).unwrap_or_default();
        let email_of = |id| index.email_of(id).map(str::to_owned);
        Value::from_stored(r#type, &stored).map(|value| show(&value, email_of)).unwrap_or_default().into()
    }
}

/// What is read of some users.
pub(super) struct Lines {
    ids: Vec<UserId>,
    users: String,
    accounts: String,
}

impl Lines {
    /// Reads users, and their accounts if those are wanted.
    pub(super) async fn read(connection: &impl ConnectionTrait, ids: Vec<UserId>, accounts: bool) -> Result<Self> {
        let users = scan::by_place(connection, &USERS, "id", &ids).await?;
        let accounts =
            if accounts { scan::by_place(connection, &ACCOUNTS, "user_id", &ids).await? } else { String::new() };
        Ok(Self { ids, users, accounts })
    }

    /// How many users they are.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The rows of these users, in their order.
    ///
    /// # Errors
    /// Where the database lacks a user, or holds what cannot be read.
    pub(super) fn write(&self, plan: &Plan) -> Result<Vec<u8>> {
        let mut users: Vec<UserLine<'_>> = scan::parse(&self.users)?;
        let mut accounts: Vec<AccountLine<'_>> = scan::parse(&self.accounts)?;
        // The database reads along the list, so that there is hardly anything to sort.
        users.sort_by_key(|user| user.place);
        accounts.sort_by_key(|account| account.place);
        let is_whole = users.len() == self.ids.len() && users.iter().enumerate().all(|(at, user)| user.place == at);
        if !is_whole {
            return Err(Error::internal("the index has users that the database does not have"));
        }
        let mut rows = Writer::resume(Vec::with_capacity(self.users.len()), plan.style);
        let mut groups = accounts.chunk_by(|one, other| one.place == other.place).peekable();
        for (user, id) in users.iter().zip(&self.ids) {
            let own = groups.next_if(|group| group.first().is_some_and(|account| account.place == user.place));
            write_row(&mut rows, plan, *id, user, own.unwrap_or_default()).map_err(Error::internal)?;
        }
        rows.finish().map_err(Error::internal)
    }
}

fn write_row(
    rows: &mut Writer<Vec<u8>>,
    plan: &Plan,
    id: UserId,
    user: &UserLine<'_>,
    accounts: &[AccountLine<'_>],
) -> io::Result<()> {
    for column in &plan.columns {
        match column {
            Column::Id => rows.write_cell(&id.to_global())?,
            Column::Name => rows.write_cell(&user.name)?,
            Column::Email => rows.write_cell(&user.email)?,
            Column::Attribute(attribute) => {
                rows.write_cell(&user.attributes.cell(&attribute.key, attribute.r#type, &plan.index))?;
            }
            Column::Accounts(integration) => rows.write_cell(&list(&plan.index, integration, accounts))?,
        }
    }
    rows.end_row()
}

/// The cell that lists those of a user's accounts that are in an integration: names in their order, then ids.
fn list(index: &Index, integration: &integration::Model, accounts: &[AccountLine<'_>]) -> String {
    let of_integration = accounts.iter().filter(|account| account.integration_id == integration.id.0);
    let mut tokens: Vec<(bool, &str)> =
        of_integration.filter_map(|account| token(index, integration, account)).collect();
    tokens.sort_unstable();
    let mut cell = String::new();
    for (is_id, text) in tokens {
        push_token(&mut cell, is_id, text);
    }
    cell
}

/// What names this account and no other in its integration: its username, else its email, else its id in the tool; and
/// whether it is the id.
fn token<'a>(index: &Index, integration: &integration::Model, account: &'a AccountLine<'_>) -> Option<(bool, &'a str)> {
    let mut names = [&account.username, &account.email].into_iter().filter_map(Option::as_deref);
    let name = names.find(|name| index.is_unambiguous(integration.id, name)).map(|name| (false, name));
    name.or_else(|| Some((true, account.external_id.as_deref()?)))
}
