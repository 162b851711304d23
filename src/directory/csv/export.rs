//! An export: users as CSV, in order of name, piece by piece; and a sample for a directory without users.

use std::collections::HashMap;

use entity::attribute::AttributeType;
use entity::{UserId, attribute, integration};
use std::sync::Arc;

use super::cell::{Token, join_tokens};
use super::{Style, Writer};
use crate::directory::scan::{self, AccountLine, UserLine};
use crate::directory::{Directory, Error, Result};
use crate::filter::Filter;
use crate::index::{AccountKey, Index};
use crate::value::{GlobalId, Value, show};

/// Users that are read and written at a time.
const CHUNK: usize = 2_000;

/// An export on its way. Each call of [`Export::next`] gives the next piece of the file.
pub struct Export {
    directory: Directory,
    transaction: sea_orm::DatabaseTransaction,
    /// Whom to write, in order: fixed at the beginning, so that later writes change nothing.
    users: Vec<UserId>,
    attributes: Vec<Arc<attribute::Model>>,
    integrations: Vec<Arc<integration::Model>>,
    writer: Writer<Vec<u8>>,
    rows: usize,
    is_done: bool,
}

impl Directory {
    /// Begins an export of the users that `filter` selects; without one, of everybody.
    ///
    /// The rows are of one state of the database, whatever is written while the export goes on.
    ///
    /// # Errors
    /// `Invalid` for the filter; where the database cannot be read.
    pub async fn export_users(&self, filter: Option<&Filter>, style: Style) -> Result<Export> {
        // The state that is read must be the one that the index selects from: if a write came between, once more.
        let (transaction, users, (attributes, integrations)) = loop {
            self.refresh().await?;
            let transaction = self.database().begin_read().await?;
            let version = super::super::last_number(&transaction).await?;
            let members = self.select(filter)?;
            let index = self.index();
            if index.version() == version
                && members.version() == version
                && let Ok(users) = index.ids_by_name(&members)
            {
                break (transaction, users, columns(&index));
            }
        };
        Ok(Export {
            directory: self.clone(),
            transaction,
            users,
            writer: header(&attributes, &integrations, style)?,
            attributes,
            integrations,
            rows: 0,
            is_done: false,
        })
    }

    /// A file of two made-up users with the columns that an import takes, for a directory without users.
    ///
    /// # Errors
    /// None that a client can cause.
    pub fn sample_csv(&self, style: Style) -> Result<Vec<u8>> {
        let (attributes, integrations) = columns(&self.index());
        let mut writer = header(&attributes, &integrations, style)?;
        for (name, email) in [("Ann Example", "ann@corp.example"), ("Ben Example", "ben@corp.example")] {
            let mut cells = vec![String::new(), name.to_owned(), email.to_owned()];
            cells.extend(attributes.iter().map(|attribute| sample_value(attribute)));
            cells.extend(integrations.iter().map(|_| name.split(' ').next().unwrap_or_default().to_lowercase()));
            writer.write_row(cells.iter().map(String::as_str)).map_err(Error::internal)?;
        }
        writer.finish().map_err(Error::internal)
    }
}

/// The custom attributes and the integrations, in the order of their columns.
fn columns(index: &Index) -> (Vec<Arc<attribute::Model>>, Vec<Arc<integration::Model>>) {
    let attributes = index.attributes().iter().filter(|attribute| !attribute.is_built_in).cloned().collect();
    (attributes, index.integrations())
}

fn header(
    attributes: &[Arc<attribute::Model>],
    integrations: &[Arc<integration::Model>],
    style: Style,
) -> Result<Writer<Vec<u8>>> {
    let titles = ["ID", "Name", "Email"]
        .into_iter()
        .chain(attributes.iter().map(|attribute| attribute.title.as_str()))
        .chain(integrations.iter().map(|integration| integration.name.as_str()));
    Writer::open(Vec::new(), style, titles).map_err(Error::internal)
}

fn sample_value(attribute: &attribute::Model) -> String {
    let first_option = || attribute.options.get(0).and_then(|option| option.as_str()).unwrap_or_default().to_owned();
    match attribute.r#type {
        AttributeType::Text => attribute.title.clone(),
        AttributeType::Number => "1".into(),
        AttributeType::Boolean => "true".into(),
        AttributeType::Date => "2026-01-31".into(),
        AttributeType::Select | AttributeType::MultiSelect => first_option(),
        AttributeType::Url => "https://corp.example/".into(),
        AttributeType::Email => "other@corp.example".into(),
        AttributeType::User | AttributeType::Integration => String::new(),
    }
}

impl Export {
    /// The next piece of the file; none at its end.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if self.is_done {
            return Ok(None);
        }
        let ids: Vec<UserId> = self.users.iter().skip(self.rows).take(CHUNK).copied().collect();
        self.rows += ids.len();
        self.is_done = self.rows == self.users.len();
        if !ids.is_empty() {
            let users = scan::users_by_id(&self.transaction, &ids).await?;
            let accounts = if self.integrations.is_empty() {
                String::new()
            } else {
                scan::accounts_by_user(&self.transaction, &ids).await?
            };
            self.write(&ids, &users, &accounts)?;
        }
        self.writer.take().map(Some).map_err(Error::internal)
    }

    /// How many users have been written.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many users there are to write.
    #[must_use]
    pub fn total(&self) -> usize {
        self.users.len()
    }

    fn write(&mut self, ids: &[UserId], users: &str, accounts: &str) -> Result<()> {
        let users: Vec<UserLine<'_>> = scan::parse(users)?;
        let users: HashMap<UserId, UserLine<'_>> = users.into_iter().map(|line| (UserId(line.id), line)).collect();
        let mut by_user: HashMap<UserId, Vec<AccountLine<'_>>> = HashMap::new();
        for account in scan::parse::<AccountLine<'_>>(accounts)? {
            if let Some(user) = account.owner() {
                by_user.entry(user).or_default().push(account);
            }
        }
        let index = self.directory.index();
        let mut cells: Vec<String> = Vec::new();
        for user in ids.iter().filter_map(|id| users.get(id)) {
            let document: serde_json::Value = serde_json::from_str(user.attributes.get()).map_err(Error::internal)?;
            cells.clear();
            cells.extend([UserId(user.id).to_global(), user.name.to_string(), user.email.to_string()]);
            for attribute in &self.attributes {
                let stored = document.get(&attribute.key);
                let value = stored.and_then(|stored| Value::from_stored(attribute.r#type, stored));
                let email_of = |id| index.email_of(id).map(str::to_owned);
                cells.push(value.map(|value| show(&value, email_of)).unwrap_or_default());
            }
            let accounts = by_user.get(&UserId(user.id)).map(Vec::as_slice).unwrap_or_default();
            for integration in &self.integrations {
                let of_integration = accounts.iter().filter(|account| account.integration_id == integration.id.0);
                let mut tokens: Vec<(uuid::Uuid, Token)> = of_integration
                    .filter_map(|account| Some((account.id, token(&index, integration, account)?)))
                    .collect();
                tokens.sort_by_key(|(id, _)| *id);
                let tokens: Vec<Token> = tokens.into_iter().map(|(_, token)| token).collect();
                cells.push(join_tokens(&tokens));
            }
            self.writer.write_row(cells.iter().map(String::as_str)).map_err(Error::internal)?;
        }
        Ok(())
    }
}

/// What names this account and no other in its integration: its username, else its email, else its id in the tool.
fn token(index: &Index, integration: &integration::Model, account: &AccountLine<'_>) -> Option<Token> {
    let names = [account.username.as_deref(), account.email.as_deref()].into_iter().flatten();
    for name in names {
        if index.find_accounts(integration.id, AccountKey::Name(name)).len() <= 1 {
            return Some(Token::Name(name.to_owned()));
        }
    }
    Some(Token::ExternalId(account.external_id.as_deref()?.to_owned()))
}
