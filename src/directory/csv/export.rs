//! An export: users as CSV, in order of name, piece by piece; or a template of such a file.
//!
//! An export is of one version of the directory: it reads its rows in one transaction, and looks up everything else in
//! the index of the same version. What does not live here: what stands in the columns (`layout`, `lines`).

use std::sync::Arc;

use entity::{OrgUnitId, UserId};
use tokio::task::{JoinHandle, spawn_blocking};

use super::layout::{self, Column};
use super::lines::Lines;
use super::template::template;
use super::{Style, Writer};
use crate::database::Transaction;
use crate::directory::{Directory, Error, Result, missing};
use crate::filter::Filter;
use crate::index::{Index, Members};
use crate::value::{GlobalId, noun_of};

/// Users that are read and written at a time.
const CHUNK: usize = 1_000;

/// Whom an export holds, in which columns, and how it is written.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// Only users that this filter selects.
    pub filter: Option<Filter>,
    /// Only members of this org unit, which is given by its id (`org_…`) or its path (`Engineering/Platform`).
    pub org_unit: Option<String>,
    /// With an org unit: members of the units below it, too.
    pub descendants: bool,
    /// The columns, in their order: `ID`, titles and keys of attributes, names of integrations. None for all.
    pub columns: Option<Vec<String>>,
    /// Whether integrations have no columns.
    pub without_accounts: bool,
    /// Made-up users instead of the directory's, for a file to fill in.
    pub template: bool,
    /// How the file is written.
    pub style: Style,
}

/// An export on its way. Each call of [`Export::next`] gives the next piece of the file.
pub struct Export {
    plan: Arc<Plan>,
    /// Until all is read.
    transaction: Option<Arc<Transaction>>,
    /// Whom to write, in order: fixed at the beginning, so that later writes change nothing.
    users: std::vec::IntoIter<UserId>,
    /// The next piece, which is there from the beginning: the header.
    head: Option<Vec<u8>>,
    /// The users after those that are written, who are read while these are.
    ahead: Option<JoinHandle<Result<Lines>>>,
    rows: usize,
    total: usize,
}

/// What rows are made by.
pub(super) struct Plan {
    pub(super) columns: Vec<Column>,
    pub(super) style: Style,
    pub(super) index: Index,
}

impl Directory {
    /// Begins an export.
    ///
    /// All of it is of one version of the directory, whatever is written while it goes on.
    ///
    /// # Errors
    /// `Invalid` for the filter and the columns; `NotFound` for the org unit; where the database cannot be read.
    pub async fn export_users(&self, options: &ExportOptions) -> Result<Export> {
        let (transaction, index) = self.begin_read_at().await?;
        let columns = layout::columns(&index, options)?;
        let members = select(&index, options)?;
        let style = options.style;
        let (users, head, rows) = if options.template {
            let (file, rows) = template(&columns, style)?;
            (Vec::new(), file, rows)
        } else {
            let header = Writer::open(Vec::new(), style, columns.iter().map(Column::title));
            let header = header.and_then(Writer::finish).map_err(Error::internal)?;
            (index.ids_by_name(&members).map_err(Error::internal)?, header, 0)
        };
        Ok(Export {
            plan: Arc::new(Plan { columns, style, index }),
            transaction: Some(Arc::new(transaction)),
            head: Some(head),
            ahead: None,
            rows,
            total: rows + users.len(),
            users: users.into_iter(),
        })
    }
}

/// Whom `options` ask for.
fn select(index: &Index, options: &ExportOptions) -> Result<Members> {
    let (filter, unit) = (options.filter.as_ref(), options.org_unit.as_deref());
    if options.template && (filter.is_some() || unit.is_some()) {
        let message = "a template has made-up users, so it takes neither a filter nor an org unit";
        return Err(Error::invalid("template", "CONTRADICTION", message));
    }
    if options.descendants && unit.is_none() {
        return Err(Error::invalid("descendants", "MISSING", "say below which org unit: give `orgUnit`"));
    }
    let selected = match filter {
        Some(filter) => index.select(&index.check(filter).map_err(Error::Invalid)?),
        None => index.everybody(),
    };
    let Some(unit) = unit else { return Ok(selected) };
    let unit = find_unit(index, unit)?;
    let members = if options.descendants { index.members_of_subtree(unit) } else { index.members_of_unit(unit) };
    selected.intersection(&members).map_err(Error::internal)
}

/// The org unit that an id or a path names.
fn find_unit(index: &Index, text: &str) -> Result<OrgUnitId> {
    match OrgUnitId::parse(text) {
        Ok(id) => return index.org_unit(id).map(|_| id).ok_or_else(|| missing(id)),
        Err(why) if text.split_once('_').is_some_and(|(prefix, id)| noun_of(prefix).is_some() && id.len() == 32) => {
            return Err(Error::invalid("orgUnit", "WRONG_ID", why));
        }
        Err(_) => {}
    }
    index.find_org_unit(text).map(|unit| unit.row.id).ok_or_else(|| {
        let paths: Vec<String> = index.org_units().map(|unit| index.path(unit.row.id)).collect();
        Error::unknown(OrgUnitId::NOUN, text, paths.iter().map(String::as_str))
    })
}

impl Export {
    /// The next piece of the file; none at its end.
    ///
    /// # Errors
    /// Where the database cannot be read. What has come by then is no whole file, and there is no more of it.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        if let Some(head) = self.head.take() {
            self.read_ahead();
            return Ok(Some(head));
        }
        let Some(read) = self.ahead.take() else {
            let is_whole = self.rows == self.total;
            return if is_whole { Ok(None) } else { Err(Error::internal("an export does not go on after an error")) };
        };
        let lines = read.await.map_err(Error::internal)??;
        let rows = self.rows + lines.len();
        self.read_ahead();
        let plan = self.plan.clone();
        let piece = spawn_blocking(move || lines.write(&plan)).await.map_err(Error::internal)??;
        self.rows = rows;
        Ok(Some(piece))
    }

    /// Has the database begin with the next users; lets go of it where there are none.
    fn read_ahead(&mut self) {
        let ids: Vec<UserId> = self.users.by_ref().take(CHUNK).collect();
        if ids.is_empty() {
            self.transaction = None;
        }
        let Some(transaction) = self.transaction.clone() else { return };
        let accounts = self.plan.columns.iter().any(|column| matches!(column, Column::Accounts(_)));
        self.ahead = Some(tokio::spawn(async move { Lines::read(&*transaction, ids, accounts).await }));
    }

    /// How many users have been written.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many users there are to write.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }

    /// The version of the directory that this is.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.plan.index.version()
    }
}
