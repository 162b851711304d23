//! The comparison of a file with the directory: what every row changes, worked out without changing anything, each
//! record once.
//!
//! The file is read several times: for whose the rows are (`rows`), whose accounts are (`claim`), who becomes part of
//! another (`heir`), and then to compare, some rows at a time, while the records of the next ones are fetched.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use entity::import_draft::ImportKind;
use entity::integration_account::{self, AccountStatus, AssociationRule};
use entity::{IntegrationAccountId, UserId};
use roaring::RoaringBitmap;
use sea_orm::ConnectionTrait;
use tokio::sync::mpsc;

use super::change::{ChangeKind, RowChange, account_cells, cells};
use super::heir::user_columns;
use super::import::{ImportMode, ImportOptions, ImportReport};
use super::known::{Known, read};
use super::plan::{Fetched, Planner, Step};
use super::problem::Findings;
use super::reference::find_cycles;
use super::rows::{Match, each_row, open};
use super::spelling::other_spelling;
use super::{Problem, Reader, Row, Target};
use crate::directory::association::{Stamp, associate};
use crate::directory::{Directory, Error, Result, fetch};
use crate::index::Index;
use crate::record::Record;
use crate::value::{Email, GlobalId, Key, Value};

/// Rows that are compared at a time.
const CHUNK: usize = 1_000;

/// Takes what a comparison finds, in order.
pub(in crate::directory) trait Output {
    /// Whether to say what changes, beside the records.
    const TELLS: bool;

    /// Frees emails that users of the file get from others, before any record is taken.
    async fn free_emails(&mut self, emails: Vec<String>) -> Result<()>;

    /// Takes the records of some rows.
    async fn take(&mut self, step: Step) -> Result<()>;

    /// Forgets what it has taken: the comparison begins again.
    async fn begin_again(&mut self) -> Result<()>;
}

/// What a comparison says at its end.
pub(in crate::directory) struct Outcome {
    pub(in crate::directory) report: ImportReport,
    pub(in crate::directory) findings: Findings,
}

/// A file and how it is to be read.
#[derive(Clone)]
pub(in crate::directory) struct Source {
    pub(in crate::directory) file: Arc<File>,
    /// What its rows are.
    pub(in crate::directory) kind: ImportKind,
    pub(in crate::directory) options: ImportOptions,
    /// The lines of rows that are left out, as they cannot be imported.
    pub(in crate::directory) skip: RoaringBitmap,
    /// The lines of the rows that change something, where a comparison with the same version has found that.
    pub(in crate::directory) only: Option<RoaringBitmap>,
    /// Whether many removals must be confirmed before they are compared any further.
    pub(in crate::directory) guards_removals: bool,
}

/// Some rows, and what is needed to compare them.
struct Chunk {
    rows: Vec<(u32, Row)>,
    users: Vec<UserId>,
    accounts: Vec<IntegrationAccountId>,
    count: u64,
}

impl Source {
    /// A file of which every row is compared.
    pub(in crate::directory) fn new(file: Arc<File>, kind: ImportKind, options: ImportOptions) -> Self {
        let options = options.limited(kind);
        Self { file, kind, options, skip: RoaringBitmap::new(), only: None, guards_removals: true }
    }

    pub(super) fn open(&self) -> Result<Reader, Problem> {
        open(&self.file, &self.options)
    }
}

/// Compares a file with the directory as `index` and `connection` have it; both are of one version.
///
/// What is wrong with the file is data in the findings, not an error.
pub(in crate::directory) async fn compare<C: ConnectionTrait, O: Output>(
    directory: &Directory,
    (index, stamp): (Index, Stamp),
    connection: &C,
    source: &Source,
    kept: usize,
    output: &mut O,
) -> Result<Outcome> {
    let mut findings = Findings::keeping(kept);
    let mut report = ImportReport { version: index.version(), ..ImportReport::default() };
    let clock = directory.clock().clone();
    let read = {
        let source = source.clone();
        blocking(move || {
            let known = read(index, stamp, clock, &source, &mut findings, &mut report);
            (known, findings, report)
        })
        .await?
    };
    let (known, mut findings, mut report) = read;
    let Some((known, made)) = known else { return Ok(Outcome { report, findings }) };
    source.options.total.store(known.rows.len() as u64, Ordering::Relaxed);
    let known = Arc::new(absorb(connection, source, known, &mut findings).await?);
    output.free_emails(known.heirs.freed_emails(&known.index, &known.rows)).await?;

    output.take(made).await?;
    let mut planner = Planner::new(known.clone(), O::TELLS);
    let mut chunks = read_chunks(source.clone(), known.clone(), O::TELLS);
    let mut next = fetch_next(connection, &mut chunks).await?;
    let mut seen = 0;
    while let Some((chunk, fetched)) = next {
        let (rows, count) = (chunk.rows, chunk.count);
        let plan = blocking(move || {
            let mut step = Step::default();
            for (number, row) in rows {
                let found = planner.known().rows.found(number);
                let Some(user) = found.subject() else { continue };
                let before = fetched.users.get(&user).cloned();
                planner.compare((number, &row), (user, before), &fetched, &mut report, &mut findings, &mut step);
            }
            (planner, report, findings, step)
        });
        let (planned, ahead) = tokio::join!(plan, fetch_next(connection, &mut chunks));
        let step;
        (planner, report, findings, step) = planned?;
        next = ahead?;
        if O::TELLS || findings.errors.is_empty() {
            output.take(step).await?;
        }
        seen += count;
        source.options.progress.fetch_add(count, Ordering::Relaxed);
    }
    report.rows = known.rows.len() as u64;
    if seen != report.rows && !findings.is_refused {
        let message = "the file could not be read to its end a second time; send it again";
        findings.refuse(Problem::new(1, "UNREADABLE", message));
    }
    compare_spellings(connection, &planner, &mut findings).await?;
    planner
        .renames
        .warn(known.columns.place_of(&Target::Name(0)).and_then(|place| known.columns.title(place)), &mut findings);
    find_cycles(&planner, &mut findings);
    if findings.errors.is_empty() {
        leave(connection, &known, source, &mut report, &mut findings, output).await?;
    }
    Ok(Outcome { report, findings })
}

/// Runs what needs a core for long off the threads that serve requests.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}

/// Finds out which automatic users become part of others, and looks at rows that are of such.
async fn absorb(
    connection: &impl ConnectionTrait,
    source: &Source,
    mut known: Known,
    findings: &mut Findings,
) -> Result<Known> {
    let mode = known.mode;
    let candidates = known.heirs.candidates();
    if !candidates.is_empty() {
        let records = fetch::users(connection, &candidates).await?;
        known.heirs.keep_loose(&known.index, &records, mode, findings);
    }
    let candidates: HashSet<UserId> = known.heirs.candidates().into_iter().collect();
    if !candidates.is_empty() || known.rows.has_leftovers() {
        let held;
        (known, held) = look(connection, source, known, &candidates, findings).await?;
        for user in held {
            known.heirs.hold(user, &known.index, mode, findings);
        }
    }
    known.heirs.settle();
    refuse_two_rows(&known, findings);
    Ok(known)
}

/// Refuses rows that take an account which the row of the user who has it names, too, and who stays: the file says two
/// things of one account.
fn refuse_two_rows(known: &Known, findings: &mut Findings) {
    for (row, account) in known.claims.taken() {
        let Some(owner) = known.index.owner_of(*account).filter(|owner| !known.heirs.is_absorbed(*owner)) else {
            continue;
        };
        let Some(own) = known.rows.row_of(owner) else { continue };
        if known.rows.found(own).subject().is_some() && !known.claims.has_left(own, *account) {
            let message =
                format!("line {} names the same account; name it in one of the two rows", known.rows.line(own));
            let holds = |target: &Target| match target {
                Target::Accounts(integration) => known.index.accounts_in(owner, *integration).contains(account),
                _ => false,
            };
            let place = known.columns.targets().position(holds);
            let problem = Problem::new(known.rows.line(*row), "CLAIMED_TWICE", message);
            findings.error(problem.in_column(place.and_then(|place| known.columns.title(place))));
        }
    }
}

/// Reads the file for rows that name or change a user that may become part of another: gives those users. Compares what
/// is left of records that became part of others.
async fn look(
    connection: &impl ConnectionTrait,
    source: &Source,
    known: Known,
    candidates: &HashSet<UserId>,
    findings: &mut Findings,
) -> Result<(Known, HashSet<UserId>)> {
    let types = |at: usize| known.attributes.get(at).map(|attribute| attribute.r#type);
    let places = user_columns(&known.columns, types);
    let mut held = HashSet::new();
    let mut own = Vec::new();
    if let Ok(mut reader) = source.open() {
        each_row(&mut reader, |number, row| {
            let Some(row) = row else { return true };
            for place in &places {
                let cell = row.get(*place).unwrap_or_default().trim();
                held.extend(known.named(cell).filter(|user| candidates.contains(user)));
            }
            match known.rows.found(number) {
                Match::Known(user) if candidates.contains(&user) => own.push((number, user, row.clone())),
                Match::Leftover(user) => own.push((number, user, row.clone())),
                _ => {}
            }
            true
        });
    }
    let users: Vec<UserId> = own.iter().map(|(_, user, _)| *user).collect();
    let records = fetch::users(connection, &users).await?;
    // Comparing shares what is known so far, and gives it back.
    let shared = Arc::new(known);
    let mut planner = Planner::new(shared.clone(), false);
    for (number, user, row) in &own {
        let Some(record) = records.get(user) else { continue };
        if matches!(shared.rows.found(*number), Match::Leftover(_)) {
            planner.compare_leftover(*number, row, record, findings);
        } else {
            let after = planner.plan(*number, row, *user, Some(record), &mut Findings::default());
            if after.is_none_or(|after| after != *record) {
                held.insert(*user);
            }
        }
    }
    drop(planner);
    let known = Arc::into_inner(shared).ok_or_else(|| Error::internal("a comparison is still being used"))?;
    Ok((known, held))
}

/// The rows of the file once more, some at a time, with what is needed to compare them.
fn read_chunks(source: Source, known: Arc<Known>, tells: bool) -> mpsc::Receiver<Chunk> {
    let (send, receive) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let Ok(mut reader) = source.open() else { return };
        let mut chunk = Chunk::new();
        each_row(&mut reader, |number, row| {
            chunk.count += 1;
            let is_left_out = |row: &Row| {
                let only = source.only.as_ref();
                only.is_some_and(|only| u32::try_from(row.line()).is_ok_and(|line| !only.contains(line)))
            };
            if let Some(row) = row.filter(|row| !is_left_out(row))
                && let Some(user) = known.rows.found(number).subject()
            {
                chunk.add(number, row, user, &known, tells);
            }
            chunk.count < CHUNK as u64 || send.blocking_send(std::mem::replace(&mut chunk, Chunk::new())).is_ok()
        });
        if chunk.count > 0 {
            let _ = send.blocking_send(chunk);
        }
    });
    receive
}

impl Chunk {
    fn new() -> Self {
        Self { rows: Vec::with_capacity(CHUNK), users: Vec::new(), accounts: Vec::new(), count: 0 }
    }

    fn add(&mut self, number: u32, row: &Row, user: UserId, known: &Known, tells: bool) {
        let index = &known.index;
        let is_known = matches!(known.rows.found(number), Match::Known(_));
        if is_known {
            self.users.push(user);
        }
        self.accounts.extend(known.claims.taken_by(number));
        self.accounts.extend(known.claims.left_by(number));
        self.accounts.extend(known.along(user));
        let place = known.columns.place_of(&Target::Email);
        let cell = place.and_then(|place| row.get(place)).unwrap_or_default();
        if let Ok(email) = Email::parse(cell)
            && index.email_of(user) != Some(email.as_str())
        {
            self.accounts.extend(index.unmatched_with_email(email.as_str()));
        }
        if tells && is_known && known.claims.touches(number) {
            self.accounts.extend(index.accounts_of(user));
        }
        self.rows.push((number, row.clone()));
    }
}

async fn fetch_next(
    connection: &impl ConnectionTrait,
    chunks: &mut mpsc::Receiver<Chunk>,
) -> Result<Option<(Chunk, Fetched)>> {
    let Some(chunk) = chunks.recv().await else { return Ok(None) };
    let users = fetch::users(connection, &chunk.users).await?;
    let accounts = accounts(connection, &chunk.accounts).await?;
    Ok(Some((chunk, Fetched { users, accounts })))
}

async fn accounts(
    connection: &impl ConnectionTrait,
    ids: &[IntegrationAccountId],
) -> Result<HashMap<IntegrationAccountId, integration_account::Model>> {
    let accounts = fetch::accounts(connection, ids).await?;
    Ok(accounts.into_iter().map(|account| (account.id, account)).collect())
}

/// Warns of texts that the rest of the directory spells in another way.
async fn compare_spellings(
    connection: &impl ConnectionTrait,
    planner: &Planner,
    findings: &mut Findings,
) -> Result<()> {
    let known = planner.known();
    let held = planner.spellings.new_texts().filter_map(|(at, text, line)| {
        let attribute = known.attributes.get(at)?;
        let key = Key::text(text);
        let holder = known.index.holders(&attribute.key, &key).take(100).find(|holder| !known.rows.changes(*holder))?;
        Some((attribute.clone(), text.to_owned(), line, holder))
    });
    let held: Vec<_> = held.collect();
    let holders: Vec<UserId> = held.iter().map(|(.., holder)| *holder).collect();
    let records = fetch::users(connection, &holders).await?;
    for (attribute, text, line, holder) in held {
        let stored = records.get(&holder).and_then(|record| record.row.attributes.get(&attribute.key));
        if let Some(Value::Text(theirs)) = stored.and_then(|stored| Value::from_stored(attribute.r#type, stored))
            && theirs != text
        {
            let problem = Problem::new(line, "OTHER_SPELLING", other_spelling("the directory", &theirs));
            findings.warn(problem.in_column(Some(&attribute.title)).of_value(&text));
        }
    }
    Ok(())
}

/// Removes those who became part of others and, in `REPLACE` mode, those whom the file does not have.
async fn leave<O: Output>(
    connection: &impl ConnectionTrait,
    known: &Known,
    source: &Source,
    report: &mut ImportReport,
    findings: &mut Findings,
    output: &mut O,
) -> Result<()> {
    let absorbed = known.heirs.absorbed();
    report.absorbed = absorbed.len() as u64;
    remove(connection, known, &absorbed, ChangeKind::Absorbed, output).await?;
    if known.mode == ImportMode::Merge {
        return Ok(());
    }
    let index = &known.index;
    let is_absent = |user: &UserId| known.rows.row_of(*user).is_none() && !known.heirs.is_absorbed(*user);
    let mut absent: Vec<UserId> = index.user_ids().filter(is_absent).collect();
    absent.sort_unstable();
    let (count, all) = (absent.len() as u64, index.user_count());
    report.removed = count;
    // A row that is left out, and of which cannot be told whose it is, may be that of one of them.
    let is_doubtful = count > 0 && !source.skip.is_empty() && known.rows.has_stranger(&source.skip);
    if (count * 10 > all || is_doubtful) && source.options.confirm_removals != Some(count) {
        let doubt = if is_doubtful { ", and rows that are left out may be theirs" } else { "" };
        let message = format!(
            "the file lacks {count} of {all} users{doubt}, and REPLACE removes them; if that is meant, confirm the \
             number of removals: {count}"
        );
        report.removals_to_confirm = Some(count);
        if source.guards_removals {
            findings.refuse(Problem::new(1, "REMOVALS_NOT_CONFIRMED", message));
            return Ok(());
        }
    }
    let gone: HashSet<UserId> = absent.iter().copied().collect();
    let stays = |user: &UserId| !gone.contains(user) && !known.heirs.is_absorbed(*user) && !known.rows.changes(*user);
    if let Some(user) = index.referring_to(&gone).into_iter().find(stays) {
        let email = index.email_of(user).unwrap_or_default();
        let message = format!(
            "{email} stays as it is, since its row cannot be imported, and names a user whom the file lacks; mend that row"
        );
        findings.refuse(Problem::new(known.rows.line_of(user).unwrap_or(1), "IN_USE", message));
        return Ok(());
    }
    if let Some((user, _)) = index.org_units_naming_users(&gone).first() {
        let units = index.org_units_naming_user(*user);
        let units: Vec<String> = units.into_iter().map(|unit| format!("`{}`", index.path(unit))).collect();
        let email = index.email_of(*user).unwrap_or_default();
        let message = format!("{email} is not in the file and cannot be removed: the filter of {}", units.join(", "));
        findings.refuse(Problem::new(1, "IN_USE", format!("{message} names this user")));
        return Ok(());
    }
    let mut step = Step::default();
    for before in index.org_units_pinning(&gone) {
        let mut after = before.clone();
        after.pinned.retain(|user| !gone.contains(user));
        after.excluded.retain(|user| !gone.contains(user));
        step.records.push((Some(Record::OrgUnit(before)), Some(Record::OrgUnit(after))));
    }
    output.take(step).await?;
    remove(connection, known, &absent, ChangeKind::Removed, output).await
}

/// Removes users; their accounts that no row takes stay, with nobody.
async fn remove<O: Output>(
    connection: &impl ConnectionTrait,
    known: &Known,
    users: &[UserId],
    kind: ChangeKind,
    output: &mut O,
) -> Result<()> {
    let index = &known.index;
    for some in users.chunks(CHUNK) {
        let mut records = fetch::users(connection, some).await?;
        let mut left: Vec<IntegrationAccountId> = match kind {
            ChangeKind::Removed => some.iter().flat_map(|user| index.accounts_of(*user)).collect(),
            _ => Vec::new(),
        };
        if !O::TELLS {
            left.retain(|account| !known.claims.is_taken(*account));
        }
        let mut step = Step::default();
        let left = accounts(connection, &left).await?;
        for account in left.values().filter(|account| !known.claims.is_taken(account.id)).cloned() {
            let mut after = account.clone();
            associate(&mut after, None, AssociationRule::Import, None, &known.stamp);
            let after = (account.status != AccountStatus::Claimed).then_some(Record::IntegrationAccount(after));
            step.records.push((Some(Record::IntegrationAccount(account)), after));
        }
        for user in some {
            let Some(mut record) = records.remove(user) else { continue };
            // Emails that others get are freed in the table by now.
            let emails = index.emails_of(*user).into_iter().filter(|email| *email != record.row.email);
            record.further_emails = emails.map(str::to_owned).collect();
            if O::TELLS {
                let email_of = |id| index.email_of(id).map(str::to_owned);
                let mut cells = cells(Some(&record), None, &known.attributes, [&email_of, &email_of]);
                let had: Vec<_> = index.accounts_of(*user).iter().filter_map(|id| left.get(id)).collect();
                cells.extend(account_cells(&had, &[], index));
                step.changes.push(RowChange {
                    line: known.rows.line_of(*user),
                    kind,
                    record: Some(user.to_global()),
                    label: record.row.name.clone(),
                    detail: record.row.email.clone(),
                    cells,
                    notes: Vec::new(),
                });
            }
            step.records.push((Some(Record::User(record)), None));
        }
        output.take(step).await?;
    }
    Ok(())
}
