//! IMPORT of users from a CSV file; of org units: `import_org_units`. What does not live here: reading the file and comparing it, which the directory does.

use async_graphql::{Context, Description, Enum, ID, InputObject, Object, SimpleObject, Upload};

use super::attribute::AttributeType;
use super::context::ContextExt;
use super::error::{Failure, Result};
use crate::directory::csv::{self, ColumnSource, ImportOptions, Mapping, Problem};
use crate::directory::{Error, NewAttribute};
use crate::value::DateFormat;

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::import_draft::ImportKind")]
pub(crate) enum ImportKind {
    /// Users.
    Users,
    /// Org units.
    OrgUnits,
}

/// What a column of a file of org units holds, beside ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum ImportOrgUnitColumn {
    /// The names from the root down to the unit, with `/` between.
    Path,
    /// The unit's name; with `PARENT` in place of `PATH`.
    Name,
    /// The id or the path of the unit above.
    Parent,
    /// What the unit is for.
    Description,
    /// Among whom its filter selects: `ALL` or `PARENT`.
    Scope,
    /// Its filter, as text or as JSON.
    Filter,
    /// The emails or ids of users who are members whatever the filter says, between `;`.
    Pinned,
    /// The emails or ids of users who are never members, between `;`.
    Excluded,
}

/// What becomes of users, or org units, that the file does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::directory::csv::ImportMode")]
pub(crate) enum ImportMode {
    /// They stay as they are.
    Merge,
    /// They are removed.
    Replace,
}

/// How the characters of a file are written as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::directory::csv::Encoding")]
pub(crate) enum ImportEncoding {
    /// UTF-8, with or without a byte-order mark.
    #[graphql(name = "UTF_8")]
    Utf8,
    /// UTF-16, little end first, as spreadsheets save "Unicode text".
    #[graphql(name = "UTF_16LE")]
    Utf16Le,
    /// UTF-16, big end first.
    #[graphql(name = "UTF_16BE")]
    Utf16Be,
    /// Windows-1252, which also reads Latin-1.
    #[graphql(name = "WINDOWS_1252")]
    Windows1252,
}

/// What a column of the file holds, where its header does not say. Exactly one of `ignore`, `id`, `attribute`,
/// `integration` and `orgUnitColumn` is given.
#[derive(Debug, InputObject)]
pub(crate) struct ImportColumnInput {
    /// The column's header in the file, ignoring case.
    header: String,
    /// True: the column is not read.
    #[graphql(default)]
    ignore: bool,
    /// True: the column has the ids of users, or of org units.
    #[graphql(default)]
    id: bool,
    /// The key or title of the attribute whose values it has; `name` and `email` are attributes, too.
    attribute: Option<String>,
    /// The name or id of the integration whose accounts it has.
    integration: Option<ID>,
    /// In a file of org units: what of them it has.
    org_unit_column: Option<ImportOrgUnitColumn>,
    /// With `attribute`: how its days are written, such as `DD/MM/YYYY`; `YYYY-MM-DD` if left out.
    date_format: Option<String>,
}

/// Whether rows that cannot be imported keep the others from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub(crate) enum ImportRows {
    /// Nothing is imported unless every row can be.
    AllOrNothing,
    /// Rows that cannot be imported are left out, and so are those that lean on them.
    ValidRows,
}

/// An attribute to make for a column of the file.
#[derive(Debug, InputObject)]
pub(crate) struct ImportAttributeInput {
    /// The column's header in the file, ignoring case.
    header: String,
    /// The attribute's heading; the column's header if left out.
    title: Option<String>,
    /// The name in filters and inputs. Made from the title if left out.
    key: Option<String>,
    /// What its values are.
    r#type: AttributeType,
    /// Where the values come from and what they mean.
    #[graphql(default)]
    description: String,
    /// What can be chosen, in order. Needed for SELECT and `MULTI_SELECT`, and for no other type.
    #[graphql(default)]
    options: Vec<String>,
}

/// How to read a CSV file of users, or of org units, and compare it.
#[derive(Debug, InputObject)]
pub(crate) struct ImportOptionsInput {
    /// What becomes of users, or org units, that the file does not have.
    #[graphql(default_with = "ImportMode::Merge")]
    mode: ImportMode,
    /// Whether a column that matches nothing is skipped rather than an error.
    #[graphql(default)]
    ignore_unknown_columns: bool,
    /// What columns hold, where their headers do not say. Several columns for `name` are joined in this order.
    #[graphql(default)]
    columns: Vec<ImportColumnInput>,
    /// Attributes to make for columns of a file of users, in the same changeset.
    #[graphql(default)]
    new_attributes: Vec<ImportAttributeInput>,
    /// How the file is written; by its byte-order mark, else UTF-8, if left out.
    encoding: Option<ImportEncoding>,
    /// What stands between cells, one ASCII character; found by the header if left out.
    delimiter: Option<String>,
    /// Whether values are as they stand, as in an export with `raw`: no `'` before a formula is taken away.
    #[graphql(default)]
    raw: bool,
}

impl ImportOptionsInput {
    /// The options, checked.
    ///
    /// # Errors
    /// `Invalid`, with the place.
    pub(in crate::graphql) fn read(self) -> Result<ImportOptions> {
        let columns =
            self.columns.into_iter().enumerate().map(|(at, column)| column.read(at)).collect::<Result<_>>()?;
        Ok(ImportOptions {
            mode: self.mode.into(),
            mapping: Mapping { columns, ignore_unknown: self.ignore_unknown_columns, ..Mapping::default() },
            new_attributes: self.new_attributes.into_iter().map(ImportAttributeInput::read).collect(),
            encoding: self.encoding.map(Into::into),
            delimiter: self.delimiter.as_deref().map(delimiter).transpose()?,
            raw: self.raw,
            ..ImportOptions::default()
        })
    }
}

impl ImportAttributeInput {
    /// The column's header and what it becomes.
    fn read(self) -> (String, NewAttribute) {
        let new = NewAttribute {
            title: self.title.unwrap_or_else(|| self.header.clone()),
            key: self.key,
            r#type: self.r#type.into(),
            description: self.description,
            options: self.options,
            is_required: false,
            is_unique: false,
            readable_by: None,
            position: None,
        };
        (self.header, new)
    }
}

/// A CSV file of users, and how to read it. A column that is in the file is the truth for what it has, an empty cell
/// included; what has no column is left alone. A row is matched by `ID` if the file has that column, else by email.
#[derive(Debug, InputObject)]
pub(crate) struct ImportUsersInput {
    /// The file, whose first row names its columns by titles or keys of attributes, or names of integrations.
    file: Upload,
    /// What becomes of users whom the file does not have.
    #[graphql(default_with = "ImportMode::Merge")]
    mode: ImportMode,
    /// Whether to only say what the import would do.
    #[graphql(default)]
    dry_run: bool,
    /// Whether a column that matches nothing is skipped rather than an error.
    #[graphql(default)]
    ignore_unknown_columns: bool,
    /// What columns hold, where their headers do not say. Several columns for `name` are joined in this order.
    #[graphql(default)]
    columns: Vec<ImportColumnInput>,
    /// Attributes to make for columns, in the same changeset.
    #[graphql(default)]
    new_attributes: Vec<ImportAttributeInput>,
    /// How the file is written; by its byte-order mark, else UTF-8, if left out.
    encoding: Option<ImportEncoding>,
    /// What stands between cells, one ASCII character; found by the header if left out.
    delimiter: Option<String>,
    /// Whether values are as they stand, as in an export with `raw`: no `'` before a formula is taken away.
    #[graphql(default)]
    raw: bool,
    /// Whether rows that cannot be imported keep the others from it.
    #[graphql(default_with = "ImportRows::AllOrNothing")]
    rows: ImportRows,
    /// With `REPLACE`: how many users may be removed. Needed where that is more than a tenth of all users.
    confirm_removals: Option<u32>,
}

/// What an import did, or with `dryRun` would do. Mistakes in the file are data here, and if there is one, nothing was
/// applied.
#[derive(Debug, SimpleObject)]
pub(crate) struct ImportUsersPayload {
    /// Whether the directory is now as the file says, apart from rows that were left out with `VALID_ROWS`.
    applied: bool,
    /// Whether something is wrong with the file as a whole, so that no row of it can be imported, with `VALID_ROWS` either.
    is_refused: bool,
    /// The version of the directory after the import.
    version: i64,
    /// How many rows were read.
    rows: u64,
    /// How many users were made.
    created: u64,
    /// How many users changed, themselves or in their accounts.
    updated: u64,
    /// How many rows say what is so already.
    unchanged: u64,
    /// How many users were removed because the file does not have them.
    removed: u64,
    /// How many automatically made users went because their last account came to another user.
    absorbed: u64,
    /// How many accounts came to another user, or to a user at all.
    accounts_moved: u64,
    /// How many accounts were named that no integration has reported yet.
    accounts_claimed: u64,
    /// How many accounts their users no longer have.
    accounts_unlinked: u64,
    /// What is wrong with the file: the first 1,000 mistakes.
    errors: Vec<ImportProblem>,
    /// How many mistakes there are.
    error_count: u64,
    /// What is worth a look: the first 1,000 places.
    warnings: Vec<ImportProblem>,
    /// How many such places there are.
    warning_count: u64,
}

/// Something in a file that is wrong, or worth a look.
#[derive(Clone, Debug, Description)]
pub(crate) struct ImportProblem(pub(super) Problem);

#[Object(use_type_description)]
impl ImportProblem {
    /// The line, from 1, as an editor counts it.
    async fn line(&self) -> u64 {
        self.0.line
    }

    /// The header of the column; null where it is about the whole line or file.
    async fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }

    /// What kind of mistake it is, in capitals. It does not change.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// What stands there, shortened.
    async fn value(&self) -> Option<&str> {
        self.0.value.as_deref()
    }

    /// What is wrong and how to mend it.
    async fn message(&self) -> &str {
        &self.0.message
    }
}

/// Mutations that take files.
#[derive(Debug, Default)]
pub(crate) struct ImportMutation;

#[Object]
impl ImportMutation {
    /// Imports users from a CSV file: all of it in one changeset, or nothing. The file comes as the multipart request
    /// of the GraphQL multipart specification.
    async fn import_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file, and how to read it.")] input: ImportUsersInput,
    ) -> Result<ImportUsersPayload> {
        let read = ImportOptionsInput {
            mode: input.mode,
            ignore_unknown_columns: input.ignore_unknown_columns,
            columns: input.columns,
            new_attributes: input.new_attributes,
            encoding: input.encoding,
            delimiter: input.delimiter,
            raw: input.raw,
        };
        let options = ImportOptions {
            dry_run: input.dry_run,
            valid_rows: input.rows == ImportRows::ValidRows,
            confirm_removals: input.confirm_removals.map(u64::from),
            ..read.read()?
        };
        let file = input.file.value(ctx).map_err(|cause| Failure(Error::internal(cause)))?.content;
        let report = ctx.directory()?.import_users(&ctx.actor(), file, options).await?;
        let problems = |problems: Vec<Problem>| problems.into_iter().map(ImportProblem).collect();
        Ok(ImportUsersPayload {
            applied: report.applied,
            is_refused: report.is_refused,
            version: report.version,
            rows: report.rows,
            created: report.created,
            updated: report.updated,
            unchanged: report.unchanged,
            removed: report.removed,
            absorbed: report.absorbed,
            accounts_moved: report.accounts_moved,
            accounts_claimed: report.accounts_claimed,
            accounts_unlinked: report.accounts_unlinked,
            error_count: report.errors.count,
            errors: problems(report.errors.listed),
            warning_count: report.warnings.count,
            warnings: problems(report.warnings.listed),
        })
    }
}

impl ImportColumnInput {
    /// The column's header and what it holds.
    fn read(self, at: usize) -> Result<(String, csv::ColumnSource)> {
        let path = |name: &str| format!("columns[{at}].{name}");
        if self.date_format.is_some() && self.attribute.is_none() {
            return Err(Failure::invalid(path("dateFormat"), "CONTRADICTION", "only an attribute has a date format"));
        }
        let date_format = match self.date_format.as_deref().map(DateFormat::parse) {
            Some(Err(why)) => return Err(Failure::invalid(path("dateFormat"), "NOT_A_DATE_FORMAT", why)),
            Some(Ok(format)) => Some(format),
            None => None,
        };
        let source = match (self.ignore, self.id, self.attribute, self.integration, self.org_unit_column) {
            (true, false, None, None, None) => ColumnSource::Ignore,
            (false, true, None, None, None) => ColumnSource::Id,
            (false, false, Some(key), None, None) => ColumnSource::Attribute { key, date_format },
            (false, false, None, Some(integration), None) => ColumnSource::Integration(integration.0),
            (false, false, None, None, Some(column)) => ColumnSource::OrgUnit(column.into()),
            _ => {
                let message = "give exactly one of `ignore`, `id`, `attribute`, `integration` and `orgUnitColumn`";
                return Err(Failure::invalid(format!("columns[{at}]"), "EXACTLY_ONE", message));
            }
        };
        Ok((self.header, source))
    }
}

impl From<ImportOrgUnitColumn> for csv::OrgUnitColumn {
    fn from(column: ImportOrgUnitColumn) -> Self {
        match column {
            ImportOrgUnitColumn::Path => Self::Path,
            ImportOrgUnitColumn::Name => Self::Name,
            ImportOrgUnitColumn::Parent => Self::Parent,
            ImportOrgUnitColumn::Description => Self::Description,
            ImportOrgUnitColumn::Scope => Self::Scope,
            ImportOrgUnitColumn::Filter => Self::Filter,
            ImportOrgUnitColumn::Pinned => Self::Pinned,
            ImportOrgUnitColumn::Excluded => Self::Excluded,
        }
    }
}

pub(super) fn delimiter(text: &str) -> Result<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() => Ok(*byte),
        _ => Err(Failure::invalid("delimiter", "NOT_A_DELIMITER", "a delimiter is one ASCII character, such as `;`")),
    }
}
