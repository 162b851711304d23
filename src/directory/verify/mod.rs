//! VERIFY. Whether the database holds a sound directory: all that is wrong, each with its table, its row and the mend.
//!
//! One state of the database is read, beside whoever writes, and nothing is changed. Rows are read some at a time, also
//! those that no other part of Roster could read (`rows`). What stays in memory is the attributes, integrations and org
//! units, and of users 32 bytes for each value that must be unique or names another user.
//!
//! The log is looked at by itself (`log`): its chain, and that it has no gaps. Then each table: that its rows are as the log
//! says (`replay`), and keep the rules of the directory (`catalogue`, `units`, `users`, `accounts`, `beside`). What does not
//! live here: mending.

mod accounts;
mod beside;
mod catalogue;
mod log;
mod replay;
mod rows;
mod units;
mod users;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, Statement};

use super::Directory;
use super::error::{Error, Result};
use crate::database::{Database, Transaction, own_check, without_timeout};
use catalogue::Catalogue;
pub(super) use rows::{as_text, shown};
pub(super) use users::sound_value;

/// The most findings that are told; all are counted.
const TOLD: usize = 1_000;

/// Something that is wrong in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The table, as the database calls it.
    pub table: &'static str,
    /// Which row: its id as clients see it, or what else is its key.
    pub row: String,
    /// What kind of damage, in capitals; stable.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What puts it right.
    pub mend: &'static str,
}

/// The head of the log at some time, which whoever wrote it down can have compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the changeset.
    pub number: i64,
    /// Its digest, in hexadecimal.
    pub digest: String,
}

impl std::fmt::Display for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.number, self.digest)
    }
}

impl std::str::FromStr for Head {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let wrong = "a head is a number and a digest, such as 12:9f86d0…, as the server logs it";
        let (number, digest) = text.trim().split_once(':').ok_or(wrong)?;
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        match number.parse() {
            Ok(number) if number > 0 && is_digest => Ok(Self { number, digest: digest.to_ascii_lowercase() }),
            _ => Err(wrong),
        }
    }
}

/// What was looked at, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// The first thousand of what is wrong.
    pub findings: Vec<Finding>,
    /// How much is wrong.
    pub finding_count: u64,
    /// The head of the log; none of a database in which nothing was ever done.
    pub head: Option<Head>,
    /// Changes in the log.
    pub changes: u64,
    /// Records in the tables.
    pub records: u64,
}

impl Verification {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.finding_count == 0
    }

    fn add(
        &mut self,
        table: &'static str,
        row: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
        mend: &'static str,
    ) {
        self.finding_count += 1;
        if self.findings.len() < TOLD {
            self.findings.push(Finding { table, row: row.into(), code, message: message.into(), mend });
        }
    }
}

/// One state of the database, and what is found wrong with it.
struct Verify {
    transaction: Transaction,
    said: Verification,
    /// The number of the last changeset.
    version: i64,
    now: DateTime<Utc>,
}

impl Directory {
    /// Looks whether the database holds a sound directory, and whether its log still has the changeset that `head` names.
    /// No directory need be open on it: one that is not sound may not be opened.
    ///
    /// # Errors
    /// Where the database cannot be read at all.
    pub async fn verify(database: &Database, now: DateTime<Utc>, head: Option<&Head>) -> Result<Verification> {
        let (said, transaction) = Self::verify_in(database.begin_read().await?, now, head).await?;
        transaction.rollback().await?;
        Ok(said)
    }

    /// The same in a transaction, which it gives back.
    pub(super) async fn verify_in(
        transaction: Transaction,
        now: DateTime<Utc>,
        head: Option<&Head>,
    ) -> Result<(Verification, Transaction)> {
        without_timeout(&transaction).await?;
        let mut verify = Verify { transaction, said: Verification::default(), version: 0, now };
        verify.own_check().await?;
        verify.log(head).await?;
        let catalogue = Catalogue::read(&mut verify).await?;
        verify.units(&catalogue).await?;
        verify.users(&catalogue).await?;
        verify.accounts().await?;
        verify.beside().await?;
        Ok((verify.said, verify.transaction))
    }
}

impl Verify {
    /// What the database itself finds wrong.
    async fn own_check(&mut self) -> Result<()> {
        for says in own_check(&self.transaction).await? {
            let mend = "restore the last backup that is sound; the file is damaged";
            self.said.add("sqlite", "the file", "DAMAGED", says, mend);
        }
        Ok(())
    }

    /// One number that a statement gives.
    async fn number(&self, sql: &str) -> Result<i64> {
        let statement = Statement::from_string(self.transaction.get_database_backend(), sql);
        let row = self.transaction.query_one_raw(statement).await?;
        row.ok_or_else(|| Error::internal("a count without a row"))?.try_get_by_index(0).map_err(Into::into)
    }
}
