//! Filling an empty directory: attributes and integrations, then users, accounts, and org units over them.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use entity::integration::IntegrationKind;
use entity::{IntegrationId, UserId};

use super::accounts::{TOOLS, accounts, github_username, tool_name, write_claims_csv};
use super::org_units;
use super::progress::watch;
use super::user::{Population, attributes};
use super::write_users_csv;
use crate::directory::csv::{ImportOptions, ImportReport, Limits};
use crate::directory::{Actor, Directory, NewIntegration, SyncMode, SyncedAccount};
use crate::index::AccountKey;

/// The accounts of one call: with the users made from some of them, so few that the index follows in place rather than
/// on a copy.
const ACCOUNTS: usize = 16_000;

/// The number of a user whose account in GitHub has no email, and is given by hand.
const LINKED_BY_HAND: u64 = 11;

/// What is made up next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Users.
    Users,
    /// Accounts.
    Accounts,
    /// Org units.
    OrgUnits,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being made.
    pub step: Step,
    /// How many of them there are by now.
    pub done: u64,
    /// How many there will be; of accounts about how many.
    pub total: u64,
}

/// What a filled directory has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Users, those among them that were made from accounts.
    pub users: u64,
    /// Accounts.
    pub accounts: u64,
    /// Accounts that are with nobody.
    pub unmatched: u64,
    /// Org units.
    pub org_units: u64,
    /// The directory's version.
    pub version: i64,
}

/// Why a directory was not filled.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// It is not empty.
    #[error("the directory has {0}, and the demo only fills an empty one; choose another database or data directory")]
    NotEmpty(String),
    /// It refused something, or could not be written.
    #[error(transparent)]
    Directory(#[from] crate::directory::Error),
    /// It refused the made-up file of users.
    #[error("the directory refused the made-up users: line {line}: {message}")]
    Refused {
        /// The line of the first problem.
        line: u64,
        /// What it is.
        message: String,
    },
    /// The made-up file could not be written.
    #[error("the made-up users could not be written to a file: {0}")]
    File(#[from] io::Error),
}

/// Fills an empty directory with an organisation of `users` users, the same for the same `users` and `seed`; on top of
/// them come the users made from accounts. The file that the users are imported from stands in the folder `spool`,
/// without a name, while it is needed.
///
/// # Errors
/// [`FillError::NotEmpty`] where the directory has anything but its built-in attributes; what its verbs say.
pub async fn fill(
    directory: &Directory,
    actor: &Actor,
    (users, seed): (u64, u64),
    spool: &Path,
    mut progress: impl FnMut(Progress),
) -> Result<Filled, FillError> {
    directory.refresh().await?;
    check_empty(directory)?;
    let population = Arc::new(Population::new(users, seed));
    for attribute in attributes() {
        directory.create_attribute(actor, attribute).await?;
    }
    let mut integrations = Vec::with_capacity(TOOLS.len());
    for tool in TOOLS {
        let new = NewIntegration { kind: tool, name: tool_name(tool).to_owned() };
        integrations.push((tool, directory.create_integration(actor, new).await?));
    }

    let file = spooled(spool, move |file| write_users_csv(users, seed, file)).await?;
    let says = |done| progress(Progress { step: Step::Users, done, total: users });
    import(directory, actor, file, says).await?;

    let mut filler = Filler { directory, actor, population: &population, progress: &mut progress, accounts: 0 };
    for (tool, integration) in &integrations {
        filler.sync(*tool, *integration).await?;
    }
    let claims = population.clone();
    let file = spooled(spool, move |file| write_claims_csv(&claims, file).map(drop)).await?;
    import(directory, actor, file, |_| ()).await?;
    filler.link_by_hand(&integrations).await?;

    let says = |done, total| progress(Progress { step: Step::OrgUnits, done, total });
    let org_units = org_units::create(directory, actor, &population, says).await?;
    let index = directory.index();
    let (accounts, unmatched) = index.account_counts();
    Ok(Filled { users: index.user_count(), accounts, unmatched, org_units, version: index.version() })
}

fn check_empty(directory: &Directory) -> Result<(), FillError> {
    let index = directory.index();
    let custom = index.attributes().iter().filter(|attribute| !attribute.is_built_in).count();
    let found = [
        (index.user_count(), "users"),
        (custom as u64, "custom attributes"),
        (index.integrations().len() as u64, "integrations"),
        (index.org_units().count() as u64, "org units"),
    ];
    match found.into_iter().find(|(count, _)| *count > 0) {
        None => Ok(()),
        Some((count, what)) => Err(FillError::NotEmpty(format!("{count} {what}"))),
    }
}

/// A file without a name in `folder`, written off the threads that serve requests.
async fn spooled(
    folder: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()> + Send + 'static,
) -> io::Result<File> {
    let folder = folder.to_owned();
    let work = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&folder)?;
        let mut file = BufWriter::with_capacity(1 << 18, tempfile::tempfile_in(folder)?);
        write(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)
    });
    work.await.map_err(io::Error::other)?
}

/// Imports a file in one changeset, and says now and then how many rows are done.
async fn import(
    directory: &Directory,
    actor: &Actor,
    file: File,
    progress: impl FnMut(u64),
) -> Result<ImportReport, FillError> {
    let rows = Arc::new(AtomicU64::new(0));
    let limits = Limits { bytes: u64::MAX, rows: u64::MAX, ..Limits::default() };
    let options = ImportOptions { limits, progress: rows.clone(), ..ImportOptions::default() };
    let report = watch(Box::pin(directory.import_users(actor, file, options)), &rows, progress).await?;
    match report.errors.listed.first() {
        None => Ok(report),
        Some(problem) => Err(FillError::Refused { line: problem.line, message: problem.message.clone() }),
    }
}

/// A directory with users that gets its accounts.
struct Filler<'a, P> {
    directory: &'a Directory,
    actor: &'a Actor,
    population: &'a Population,
    progress: &'a mut P,
    /// How many accounts there are by now.
    accounts: u64,
}

impl<P: FnMut(Progress)> Filler<'_, P> {
    /// Reports all accounts of a tool, some at a time.
    async fn sync(&mut self, tool: IntegrationKind, integration: IntegrationId) -> Result<(), FillError> {
        let (users, seed) = (self.population.users, self.population.seed);
        let mut all = accounts(tool, users, seed);
        loop {
            let some: Vec<SyncedAccount> = all.by_ref().take(ACCOUNTS).collect();
            if some.is_empty() {
                return Ok(());
            }
            self.accounts += some.len() as u64;
            self.directory.sync_accounts(self.actor, integration, some, SyncMode::Delta).await?;
            // Nobody knows how many release software before they are counted; it is about half.
            let total = (users * 7 / 2).max(self.accounts);
            (self.progress)(Progress { step: Step::Accounts, done: self.accounts, total });
        }
    }

    /// Gives one account to its user as a person would in the console.
    async fn link_by_hand(&self, integrations: &[(IntegrationKind, IntegrationId)]) -> Result<(), FillError> {
        let Some((_, github)) = integrations.iter().find(|(tool, _)| *tool == IntegrationKind::GitHub) else {
            return Ok(());
        };
        if self.population.users <= LINKED_BY_HAND {
            return Ok(());
        }
        let username = github_username(self.population, LINKED_BY_HAND);
        let (account, user): (_, Option<UserId>) = {
            let index = self.directory.index();
            let accounts = index.find_accounts(*github, AccountKey::Name(&username));
            (accounts.first().copied(), index.user_with_email(&self.population.email(LINKED_BY_HAND)))
        };
        if let Some((account, user)) = account.zip(user) {
            self.directory.link_account(self.actor, account, user, None).await?;
        }
        Ok(())
    }
}
