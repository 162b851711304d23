//! An import: a file of users, compared with the directory and applied as one changeset, all of it or nothing.
//!
//! What does not live here: what a row makes of its user ([`super::plan`]), and of accounts ([`super::claim`]).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use entity::UserId;
use entity::changeset::ChangesetKind;
use entity::integration_account::AssociationRule;
use tokio::sync::mpsc;

use super::claim::Claims;
use super::plan::{Planned, Planner};
use super::rows::{Match, Rows, match_rows, open};
use super::{Columns, Detected, Encoding, Limits, Mapping, Problem, Reader, Row};
use crate::directory::attribute::find_cycle;
use crate::directory::changeset::Changeset;
use crate::directory::{Actor, Directory, Error, Result};
use crate::record::{Record, UserRecord};

/// Rows that are compared and applied at a time.
const CHUNK: usize = 1_000;

/// The most problems that a report lists; it counts them all.
const LISTED: usize = 1_000;

/// What becomes of users that the file does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImportMode {
    /// They stay as they are.
    #[default]
    Merge,
    /// They are removed.
    Replace,
}

/// How a file is imported.
#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    /// What becomes of users that the file does not have.
    pub mode: ImportMode,
    /// Whether to only say what the import would do.
    pub dry_run: bool,
    /// What the caller says of the columns.
    pub mapping: Mapping,
    /// The encoding, where the file does not say.
    pub encoding: Option<Encoding>,
    /// The delimiter, where the header does not say.
    pub delimiter: Option<u8>,
    /// What a file may be at most.
    pub limits: Limits,
    /// How many users may be removed, where that is more than a tenth of all.
    pub confirm_removals: Option<u64>,
    /// Counts the rows that are done.
    pub progress: Arc<AtomicU64>,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default)]
pub struct ImportReport {
    /// Whether the directory is as the file says.
    pub applied: bool,
    /// The directory's version after it.
    pub version: i64,
    /// How the file is written; none where it cannot be read at all.
    pub detected: Option<Detected>,
    /// Rows read.
    pub rows: u64,
    /// Users made.
    pub created: u64,
    /// Users changed, themselves or in their accounts.
    pub updated: u64,
    /// Rows that say what is so already.
    pub unchanged: u64,
    /// Users removed because the file does not have them.
    pub removed: u64,
    /// Automatic users removed because another user got their last account.
    pub absorbed: u64,
    /// Accounts that came to another user, or to a user at all.
    pub accounts_moved: u64,
    /// Accounts named that no integration has reported yet.
    pub accounts_claimed: u64,
    /// Accounts that their user no longer has.
    pub accounts_unlinked: u64,
    /// What is wrong; where there is anything, nothing was applied.
    pub errors: Problems,
    /// What is worth a look.
    pub warnings: Problems,
}

/// Problems, the first of them kept and all of them counted.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    /// The first ones, at most a thousand.
    pub listed: Vec<Problem>,
    /// How many there are.
    pub count: u64,
}

impl Problems {
    pub(super) fn error(&mut self, problem: Problem) {
        self.count += 1;
        if self.listed.len() < LISTED {
            self.listed.push(problem);
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl Directory {
    /// Imports a file of users: makes and changes the users that it has, in `REPLACE` mode removes those that it does
    /// not have, and gives accounts to the users whose cells name them. All in one changeset, or nothing.
    ///
    /// What is wrong with the file is data in the report, not an error.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn import_users(&self, actor: &Actor, file: File, options: ImportOptions) -> Result<ImportReport> {
        let mut report = ImportReport { version: self.refresh().await?, ..ImportReport::default() };
        let opened = {
            let file = file.try_clone().map_err(Error::internal)?;
            let options = options.clone();
            blocking(move || open(&file, &options)).await?
        };
        let mut reader = match opened {
            Ok(reader) => reader,
            Err(problem) => {
                report.errors.error(problem);
                return Ok(report);
            }
        };
        report.detected = Some(reader.detected());
        let mut changeset = self.begin(ChangesetKind::Import, actor).await?;
        let columns = match self.find_columns(&reader, &options.mapping) {
            Ok(columns) => Arc::new(columns),
            Err(problems) => {
                problems.into_iter().for_each(|problem| report.errors.error(problem));
                return Ok(report);
            }
        };
        let rows = {
            let (directory, columns) = (self.clone(), columns.clone());
            let mut problems = Problems::default();
            let (rows, problems) = blocking(move || {
                let rows = match_rows(&mut reader, &columns, &directory.index(), directory.clock(), &mut problems);
                (rows, problems)
            })
            .await?;
            report.errors = problems;
            rows
        };
        report.rows = rows.matches.len() as u64;
        let mut import = Import::new(self, &columns, &rows, &options, report);
        import.free_emails(&mut changeset).await?;
        let mut chunks = read_again(file, options.clone());
        let mut matches = rows.matches.iter();
        while let Some(chunk) = chunks.recv().await {
            import.chunk(&mut changeset, &chunk, &mut matches).await?;
            options.progress.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
        if matches.next().is_some() && import.report.errors.is_empty() {
            let message = "the file could not be read to its end a second time; send it again";
            import.report.errors.error(Problem::new(1, "UNREADABLE", message));
        }
        import.finish(&mut changeset).await?;
        let mut report = import.report;
        if report.errors.is_empty() {
            report.absorbed += changeset.settle().await? as u64;
            if !options.dry_run {
                report.version = changeset.commit().await?;
                report.applied = true;
            }
        }
        Ok(report)
    }

    fn find_columns(&self, reader: &Reader, mapping: &Mapping) -> Result<Columns, Vec<Problem>> {
        let index = self.index();
        let attributes: Vec<_> = index.attributes().iter().map(|row| row.as_ref().clone()).collect();
        let integrations: Vec<_> = index.integrations().iter().map(|row| row.as_ref().clone()).collect();
        Columns::find(reader.header(), &attributes, &integrations, mapping)
    }
}

/// Runs what reads files off the threads that serve requests.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}

/// The rows of the file once more, some at a time; `None` for one with a problem of syntax.
fn read_again(file: File, options: ImportOptions) -> mpsc::Receiver<Vec<Option<Row>>> {
    let (send, receive) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let Ok(mut reader) = open(&file, &options) else { return };
        loop {
            let mut chunk = Vec::with_capacity(CHUNK);
            while chunk.len() < CHUNK {
                let mut row = Row::default();
                match reader.next(&mut row) {
                    Ok(true) => chunk.push(Some(row)),
                    Ok(false) => break,
                    Err(_) if reader.is_broken() => break,
                    Err(_) => chunk.push(None),
                }
            }
            if chunk.is_empty() || send.blocking_send(chunk).is_err() {
                return;
            }
        }
    });
    receive
}

/// An import on its way.
struct Import<'a> {
    directory: &'a Directory,
    rows: &'a Rows,
    options: &'a ImportOptions,
    planner: Planner<'a>,
    claims: Claims,
    report: ImportReport,
}

impl<'a> Import<'a> {
    fn new(
        directory: &'a Directory,
        columns: &'a Columns,
        rows: &'a Rows,
        options: &'a ImportOptions,
        report: ImportReport,
    ) -> Self {
        let planner = Planner::new(directory, columns, rows, options.mode);
        let claims = Claims::default();
        Self { directory, rows, options, planner, claims, report }
    }

    /// Frees the emails that users of the file give up, as their rows give them others, and other users of the file
    /// take, so that the order of their rows does not matter.
    async fn free_emails(&self, changeset: &mut Changeset) -> Result<()> {
        let taken: Vec<String> = {
            let index = self.directory.index();
            let gives_up = |owner, email: &str| match self.rows.lines.contains_key(&owner) {
                true => index.email_of(owner) == Some(email),
                false => self.options.mode == ImportMode::Replace,
            };
            let taken = self.rows.emails.iter().filter(|(email, user)| {
                index.user_with_email(email).is_some_and(|owner| owner != **user && gives_up(owner, email))
            });
            taken.map(|(email, _)| email.clone()).collect()
        };
        changeset.free_emails(&taken).await
    }

    async fn chunk(
        &mut self,
        changeset: &mut Changeset,
        chunk: &[Option<Row>],
        matches: &mut impl Iterator<Item = &Match>,
    ) -> Result<()> {
        let rows: Vec<(&Row, Match)> =
            chunk.iter().zip(matches).filter_map(|(row, found)| Some((row.as_ref()?, *found))).collect();
        let known: Vec<UserId> = rows
            .iter()
            .filter_map(|(_, found)| match found {
                Match::Known(user) | Match::Leftover(user) => Some(*user),
                Match::New(_) | Match::Nobody => None,
            })
            .collect();
        let mut records = changeset.users(&known).await?;
        let mut planned = Vec::with_capacity(rows.len());
        // What is left of a record is compared first, since planning a row takes its record away.
        for (row, found) in &rows {
            if let Match::Leftover(user) = found
                && let Some(record) = records.get(user)
            {
                self.planner.compare_leftover(row, *user, record, changeset, &mut self.report);
            }
        }
        for (row, found) in rows {
            let (user, before) = match found {
                Match::Nobody | Match::Leftover(_) => continue,
                Match::New(user) => (user, None),
                // One that is gone was automatic, and a row further up took its email.
                Match::Known(user) => match records.remove(&user) {
                    Some(record) => (user, Some(record)),
                    None => continue,
                },
            };
            if let Some(plan) = self.planner.plan(row, user, before, changeset, &mut self.report) {
                planned.push(plan);
            }
        }
        self.apply(changeset, planned).await
    }

    /// Puts what rows say into the changeset; once there is an error only compares on, since nothing will be applied.
    async fn apply(&mut self, changeset: &mut Changeset, planned: Vec<Planned>) -> Result<()> {
        let touched = if self.planner.has_accounts() {
            self.claims.apply(changeset, self.directory, &planned, &mut self.report).await?
        } else {
            HashSet::new()
        };
        let mut puts = Vec::with_capacity(planned.len());
        let mut takes = Vec::new();
        for plan in planned {
            let is_same = plan.before.as_ref().is_some_and(|before| same(before, &plan.after));
            match (&plan.before, is_same && !touched.contains(&plan.after.row.id)) {
                (None, _) => self.report.created += 1,
                (Some(_), true) => self.report.unchanged += 1,
                (Some(_), false) => self.report.updated += 1,
            }
            let mut after = plan.after;
            if plan.before.as_ref().is_some_and(|before| before.row.email != after.row.email) {
                takes.push((plan.line, after.row.id, after.row.email.clone()));
            }
            if !is_same || touched.contains(&after.row.id) {
                after.row.is_automatic = false;
                puts.push((plan.before, after));
            }
        }
        for (_, after) in &puts {
            changeset.note_references(after);
        }
        let mut taken: HashMap<UserId, BTreeSet<String>> = HashMap::new();
        for (line, user, email) in takes {
            match changeset.take_emails(user, &[email], AssociationRule::Import).await {
                Ok(emails) => {
                    taken.insert(user, emails);
                }
                Err(error @ Error::AlreadyExists { .. }) => {
                    self.report.errors.error(Problem::new(line, "EMAIL_TAKEN", error.to_string()));
                }
                Err(error) => return Err(error),
            }
        }
        for (_, after) in &mut puts {
            let (id, rows) = (after.row.id, self.rows);
            // An email that another row gives to another user is that user's.
            let taken = taken.remove(&id).into_iter().flatten();
            after.further_emails.extend(taken.filter(|email| rows.emails.get(email).is_none_or(|owner| *owner == id)));
            after.further_emails.remove(&after.row.email);
        }
        if self.report.errors.is_empty() {
            changeset.put_users(puts).await?;
            changeset.flush_if_large().await?;
        }
        Ok(())
    }

    /// What can only be said when all rows are read.
    async fn finish(&mut self, changeset: &mut Changeset) -> Result<()> {
        {
            let index = self.directory.index();
            let references: Vec<(String, HashMap<UserId, Option<UserId>>)> = self.planner.take_references();
            for (key, changed) in references {
                if let Some(user) = find_cycle(&index, &key, &changed) {
                    let line = self.rows.lines.get(&user).copied().unwrap_or_default();
                    let message = format!("by `{key}`, this user would come to report to itself");
                    self.report.errors.error(Problem::new(line, "CYCLE", message));
                }
            }
        }
        if self.options.mode == ImportMode::Merge || !self.report.errors.is_empty() {
            return Ok(());
        }
        // Who only loses the last account to a row becomes part of its user, emails and all, and is not removed.
        self.report.absorbed = changeset.settle().await? as u64;
        let (absent, all) = {
            let index = self.directory.index();
            let absent: Vec<UserId> = index.user_ids().filter(|user| !self.rows.lines.contains_key(user)).collect();
            (absent, index.everybody().len())
        };
        let absent: Vec<UserRecord> = {
            let mut found = changeset.users(&absent).await?;
            absent.iter().filter_map(|user| found.remove(user)).collect()
        };
        let count = absent.len() as u64;
        if count * 10 > all && self.options.confirm_removals != Some(count) {
            let message = format!(
                "the file lacks {count} of {all} users, and REPLACE removes them; if that is meant, confirm the \
                 number of removals: {count}"
            );
            self.report.errors.error(Problem::new(1, "REMOVALS_NOT_CONFIRMED", message));
            return Ok(());
        }
        self.report.removed = count;
        match changeset.delete_users(absent, AssociationRule::Import).await {
            Err(error @ Error::InUse { .. }) => {
                self.report.errors.error(Problem::new(1, "IN_USE", error.to_string()));
                Ok(())
            }
            other => other,
        }
    }
}

fn same(before: &UserRecord, after: &UserRecord) -> bool {
    Record::User(before.clone()).same_content(&Record::User(after.clone()))
}
