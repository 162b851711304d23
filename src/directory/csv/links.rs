//! A file of accounts that are with nobody, with one column to fill in: whose each is.
//!
//! The other columns are the key of the row. They are there to be read, not to be changed: a row whose key is not that of
//! its account is refused, so that nobody is linked to an account that has become another in the meantime. What does not
//! live here: reading a file into rows, and writing it (`read`, `write`).

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::sync::Arc;

use entity::changeset::ChangesetKind;
use entity::integration_account::{self, AccountStatus, AssociationRule};
use entity::{IntegrationAccountId, UserId};
use sea_orm::ConnectionTrait;

use super::compare::blocking;
use super::errors::TITLES;
use super::header::suggest;
use super::import::{ImportOptions, ImportReport};
use super::parameters::truth;
use super::problem::Findings;
use super::rows::open;
use super::{Problem, Reader, Row, Style, Writer};
use crate::database::Transaction;
use crate::directory::association::is_sticky;
use crate::directory::{Actor, Directory, Error, Result, fetch};
use crate::filter::Violation;
use crate::index::{Index, UnmatchedQuery};
use crate::value::{GlobalId, fold, shorten};

/// Accounts that are read and compared at a time.
const CHUNK: usize = 1_000;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Account,
    Integration,
    ExternalId,
    Username,
    Email,
    DisplayName,
    User,
}

impl Column {
    const ALL: [Self; 7] = [
        Self::Account,
        Self::Integration,
        Self::ExternalId,
        Self::Username,
        Self::Email,
        Self::DisplayName,
        Self::User,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Account => "Account ID",
            Self::Integration => "Integration",
            Self::ExternalId => "External ID",
            Self::Username => "Username",
            Self::Email => "Email",
            Self::DisplayName => "Display name",
            Self::User => "User",
        }
    }

    /// What the cell of an account says.
    fn cell(self, account: &integration_account::Model, index: &Index) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        match self {
            Self::Account => account.id.to_global(),
            Self::Integration => {
                index.integration(account.integration_id).map(|row| row.name.clone()).unwrap_or_default()
            }
            Self::ExternalId => text(&account.external_id),
            Self::Username => text(&account.username),
            Self::Email => text(&account.email),
            Self::DisplayName => text(&account.display_name),
            Self::User => String::new(),
        }
    }
}

/// A file of accounts that are with nobody, on its way. Each call of [`LinksExport::next`] gives the next piece.
pub struct LinksExport {
    index: Index,
    transaction: Arc<Transaction>,
    style: Style,
    accounts: std::vec::IntoIter<IntegrationAccountId>,
    head: Option<Vec<u8>>,
    total: usize,
}

impl Directory {
    /// Which accounts an export of links is to have, and how it is written, as an address says it.
    ///
    /// # Errors
    /// `Invalid`: a parameter that is not known or not right is never passed over; `NotFound` for the integration.
    pub fn link_parameters(&self, parameters: &[(String, String)]) -> Result<(UnmatchedQuery, Style)> {
        const NAMES: [&str; 7] = ["integration", "search", "isBot", "hasEmail", "raw", "delimiter", "bom"];
        let (mut query, mut style) = (UnmatchedQuery::default(), Style::default());
        let mut violations = Vec::new();
        for (at, (name, value)) in parameters.iter().enumerate() {
            let read = if parameters[..at].iter().any(|(known, _)| known == name) {
                Err(("DUPLICATE", "it is given twice".to_owned()))
            } else {
                match name.as_str() {
                    "integration" => {
                        query.integration = Some(self.find_integration(value)?);
                        Ok(())
                    }
                    "search" => {
                        query.search = Some(value.clone());
                        Ok(())
                    }
                    "isBot" => truth(value).map(|truth| query.is_bot = Some(truth)),
                    "hasEmail" => truth(value).map(|truth| query.has_email = Some(truth)),
                    "raw" => truth(value).map(|truth| style.raw = truth),
                    "bom" => truth(value).map(|truth| style.mark = truth),
                    "delimiter" => value
                        .parse()
                        .map(|delimiter| style.delimiter = delimiter)
                        .map_err(|why: &str| ("NOT_A_DELIMITER", why.to_owned())),
                    other => {
                        let hint = suggest(other, NAMES);
                        Err((
                            "UNKNOWN_PARAMETER",
                            format!("an export of unmatched accounts takes no such parameter{hint}"),
                        ))
                    }
                }
            };
            if let Err((code, message)) = read {
                violations.push(Violation::new(shorten(name), code, message));
            }
        }
        if violations.is_empty() { Ok((query, style)) } else { Err(Error::Invalid(violations)) }
    }

    /// Begins a file of the accounts that are with nobody and that `query` asks for, in the order in which they came. All of
    /// it is of one version of the directory.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn export_account_links(&self, query: UnmatchedQuery, style: Style) -> Result<LinksExport> {
        let (transaction, index) = self.begin_read_at().await?;
        let found = index.clone();
        let accounts = blocking(move || {
            let mut accounts: Vec<IntegrationAccountId> = found.unmatched_accounts(&query).collect();
            accounts.sort_unstable();
            accounts
        })
        .await?;
        let header = Writer::open(Vec::new(), style, Column::ALL.map(Column::title));
        let header = header.and_then(Writer::finish).map_err(Error::internal)?;
        let total = accounts.len();
        let transaction = Arc::new(transaction);
        Ok(LinksExport { index, transaction, style, accounts: accounts.into_iter(), head: Some(header), total })
    }

    /// Links the accounts of a file to the users that its last column names, all of them in one changeset, or nothing. Rows
    /// whose last column is empty stay as they are. The same file again changes nothing.
    ///
    /// What is wrong with the file is data in the report, not an error.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn import_account_links(
        &self,
        actor: &Actor,
        file: File,
        options: ImportOptions,
    ) -> Result<ImportReport> {
        if options.dry_run {
            let (transaction, index) = self.begin_read_at().await?;
            return Ok(compare(&transaction, index, file, options).await?.0);
        }
        let mut changeset = self.begin(ChangesetKind::Import, actor).await?;
        let transaction = changeset.share();
        let (mut report, links) = compare(transaction.as_ref(), self.snapshot(), file, options).await?;
        drop(transaction);
        if !report.errors.is_empty() {
            return Ok(report);
        }
        for some in links.chunks(CHUNK) {
            let users: HashMap<IntegrationAccountId, UserId> = some.iter().copied().collect();
            let ids: Vec<IntegrationAccountId> = some.iter().map(|(account, _)| *account).collect();
            let mut rows = fetch::accounts(changeset.transaction(), &ids).await?;
            rows.sort_unstable_by_key(|row| row.id);
            let rows = rows.into_iter().filter_map(|row| users.get(&row.id).map(|user| (row, *user))).collect();
            changeset.link(rows, AssociationRule::Import).await?;
        }
        changeset.settle().await?;
        report.version = changeset.commit().await?;
        report.applied = true;
        Ok(report)
    }
}

impl LinksExport {
    /// The next piece of the file; none at its end.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if let Some(head) = self.head.take() {
            return Ok(Some(head));
        }
        let ids: Vec<IntegrationAccountId> = self.accounts.by_ref().take(CHUNK).collect();
        if ids.is_empty() {
            return Ok(None);
        }
        let mut rows = fetch::accounts(self.transaction.as_ref(), &ids).await?;
        rows.sort_unstable_by_key(|row| row.id);
        let mut writer = Writer::resume(Vec::new(), self.style);
        for row in &rows {
            let cells = Column::ALL.map(|column| column.cell(row, &self.index));
            writer.write_row(cells.iter().map(String::as_str)).map_err(Error::internal)?;
        }
        writer.finish().map(Some).map_err(Error::internal)
    }

    /// How many accounts the file has.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// The version of the directory that this is.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.index.version()
    }
}

/// Where each column stands in the file.
struct Header {
    places: Vec<(Column, usize)>,
    titles: Vec<String>,
}

impl Header {
    fn find(header: &Row, ignore_unknown: bool) -> std::result::Result<Self, Vec<Problem>> {
        let titles: Vec<String> = header.cells().map(|title| title.trim().to_owned()).collect();
        let mut places: Vec<(Column, usize)> = Vec::new();
        let mut problems = Vec::new();
        let problem = |code, title: &str, message| {
            Problem::new(header.line(), code, message).in_column(Some(title).filter(|title| !title.is_empty()))
        };
        for (place, title) in titles.iter().enumerate() {
            let folded = fold(title);
            match Column::ALL.into_iter().find(|column| fold(column.title()) == folded) {
                Some(column) if places.iter().any(|(known, _)| *known == column) => {
                    let message =
                        format!("the file has more than one column `{}`; remove or rename one", shorten(title));
                    problems.push(problem("DUPLICATE_COLUMN", title, message));
                }
                Some(column) => places.push((column, place)),
                None if ignore_unknown || TITLES.iter().any(|own| fold(own) == folded) => {}
                None => {
                    let hint = suggest(title, Column::ALL.map(Column::title));
                    let message = format!(
                        "a file of account links has no column `{}`{hint}; rename it, remove it, or have it ignored",
                        shorten(title)
                    );
                    problems.push(problem("UNKNOWN_COLUMN", title, message));
                }
            }
        }
        for column in Column::ALL.into_iter().filter(|column| !places.iter().any(|(known, _)| known == column)) {
            let message =
                format!("the file has no column `{}`; take the export anew, and fill in `User`", column.title());
            problems.push(problem("MISSING_COLUMN", column.title(), message));
        }
        if problems.is_empty() { Ok(Self { places, titles }) } else { Err(problems) }
    }

    fn cell<'a>(&self, row: &'a Row, column: Column) -> &'a str {
        let place = self.places.iter().find(|(known, _)| *known == column).map(|(_, place)| *place);
        place.and_then(|place| row.get(place)).unwrap_or_default().trim()
    }

    fn problem(&self, row: &Row, column: Column, code: &'static str, message: impl Into<String>) -> Problem {
        let place = self.places.iter().find(|(known, _)| *known == column).map(|(_, place)| *place);
        let title = place.and_then(|place| self.titles.get(place)).map(String::as_str);
        Problem::new(row.line(), code, message).in_column(title).of_value(self.cell(row, column))
    }
}

/// Compares a file with the directory: what there is to say, and which accounts come to whom.
async fn compare(
    connection: &impl ConnectionTrait,
    index: Index,
    file: File,
    options: ImportOptions,
) -> Result<(ImportReport, Vec<(IntegrationAccountId, UserId)>)> {
    let mut findings = Findings::default();
    let mut report = ImportReport { version: index.version(), ..ImportReport::default() };
    let mut links = Vec::new();
    let mut seen = HashSet::new();
    let ignore_unknown = options.mapping.ignore_unknown;
    let opened = blocking(move || open(&file, &options)).await?;
    let (mut reader, header) = match opened {
        Ok(reader) => match Header::find(reader.header(), ignore_unknown) {
            Ok(header) => (Some(reader), header),
            Err(problems) => {
                problems.into_iter().for_each(|problem| findings.refuse(problem));
                return Ok((finish(report, findings), links));
            }
        },
        Err(problem) => {
            findings.refuse(problem);
            return Ok((finish(report, findings), links));
        }
    };
    report.detected = reader.as_ref().map(Reader::detected);
    while let Some(next) = reader.take() {
        let (rows, problems, rest) = blocking(move || read_some(next)).await?;
        reader = rest;
        report.rows += (rows.len() + problems.len()) as u64;
        for (problem, is_broken) in problems {
            if is_broken { findings.refuse(problem) } else { findings.error(problem) }
        }
        let ids: Vec<IntegrationAccountId> =
            rows.iter().filter_map(|row| IntegrationAccountId::parse(header.cell(row, Column::Account)).ok()).collect();
        let known: HashMap<IntegrationAccountId, integration_account::Model> =
            fetch::accounts(connection, &ids).await?.into_iter().map(|row| (row.id, row)).collect();
        for row in &rows {
            match compare_row(row, &header, &known, &index, &mut seen) {
                Ok(Some((account, user, true))) => {
                    report.updated += 1;
                    report.accounts_moved += u64::from(index.owner_of(account) != Some(user));
                    links.push((account, user));
                }
                Ok(_) => report.unchanged += 1,
                Err(problem) => findings.error(problem),
            }
        }
    }
    Ok((finish(report, findings), links))
}

fn finish(report: ImportReport, findings: Findings) -> ImportReport {
    let Findings { errors, warnings, bad, is_refused } = findings;
    ImportReport { errors, warnings, bad_lines: bad, is_refused, ..report }
}

/// Some rows, problems that are the file's, each with whether the file breaks off there, and what reads on.
type Read = (Vec<Row>, Vec<(Problem, bool)>, Option<Reader>);

fn read_some(mut reader: Reader) -> Read {
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    while rows.len() < CHUNK {
        let mut row = Row::default();
        match reader.next(&mut row) {
            Ok(true) => rows.push(row),
            Ok(false) => return (rows, problems, None),
            Err(problem) if reader.is_broken() => {
                problems.push((problem, true));
                return (rows, problems, None);
            }
            Err(problem) => problems.push((problem, false)),
        }
    }
    (rows, problems, Some(reader))
}

/// Which account a row gives to whom, and whether that is new; none where nothing is filled in.
fn compare_row(
    row: &Row,
    header: &Header,
    known: &HashMap<IntegrationAccountId, integration_account::Model>,
    index: &Index,
    seen: &mut HashSet<IntegrationAccountId>,
) -> std::result::Result<Option<(IntegrationAccountId, UserId, bool)>, Problem> {
    let id = IntegrationAccountId::parse(header.cell(row, Column::Account)).map_err(|why| {
        header.problem(row, Column::Account, "UNKNOWN_ACCOUNT", format!("{why}; take it from the export"))
    })?;
    let Some(account) = known.get(&id) else {
        let message = "there is no such account any more; take the export anew";
        return Err(header.problem(row, Column::Account, "UNKNOWN_ACCOUNT", message));
    };
    for column in Column::ALL.into_iter().filter(|column| !matches!(column, Column::Account | Column::User)) {
        let own = column.cell(account, index);
        if header.cell(row, column) != own.trim() {
            let message = format!(
                "here stands `{}` in the directory; only the column `{}` is to be filled in; put it back, or take the export \
                 anew if the tool has changed it since",
                shorten(&own),
                Column::User.title()
            );
            return Err(header.problem(row, column, "KEY_CHANGED", message));
        }
    }
    let user = header.cell(row, Column::User);
    if user.is_empty() {
        return Ok(None);
    }
    if !seen.insert(id) {
        let message = "a line above names the same account; it is one user's, so leave one of the two";
        return Err(header.problem(row, Column::Account, "CLAIMED_TWICE", message));
    }
    let Some(user) = index.find_user(user) else {
        let message = "no user has this email or id; write one that there is, or leave the cell empty";
        return Err(header.problem(row, Column::User, "UNKNOWN_USER", message));
    };
    match account.user_id {
        Some(other) if other != user => {
            let email = index.email_of(other).unwrap_or_default();
            let message = format!("the account is {email}'s by now; unlink it first if it is not theirs");
            Err(header.problem(row, Column::User, "ALREADY_LINKED", message))
        }
        _ if account.status == AccountStatus::Claimed => {
            let message = "no tool has reported this account; it is only claimed";
            Err(header.problem(row, Column::Account, "UNKNOWN_ACCOUNT", message))
        }
        owner => Ok(Some((id, user, owner != Some(user) || !is_sticky(account.rule)))),
    }
}
