//! What the first readings of a file find: whose its rows and accounts are, and who becomes part of whom.

use std::sync::Arc;

use entity::attribute::AttributeType;
use entity::integration_account::{self, AccountStatus, AssociationRule};
use entity::{IntegrationAccountId, IntegrationId, UserId, attribute};

use super::cell::{Token, split_tokens};
use super::claim::{Claims, find_claims};
use super::compare::Source;
use super::heir::Heirs;
use super::import::{ImportMode, ImportOptions, ImportReport};
use super::plan::Step;
use super::problem::Findings;
use super::rows::{Rows, match_rows};
use super::{ColumnSource, Columns, Problem, Row, Target};
use crate::directory::Clock;
use crate::directory::association::{Rules, Stamp};
use crate::directory::attribute::new_attribute;
use crate::index::Index;
use crate::record::{Change, Record, RecordId};
use crate::value::{Email, GlobalId};

/// What the readings before have found, shared by all that compare.
pub(super) struct Known {
    pub(super) index: Index,
    pub(super) columns: Columns,
    pub(super) rows: Rows,
    pub(super) claims: Claims,
    pub(super) heirs: Heirs,
    pub(super) mode: ImportMode,
    pub(super) attributes: Vec<Arc<attribute::Model>>,
    pub(super) stamp: Stamp,
    pub(super) clock: Clock,
    pub(super) rules_of_association: Box<Rules>,
}

/// The first readings; none where the file cannot be read at all.
pub(super) fn read(
    mut index: Index,
    stamp: Stamp,
    clock: Clock,
    source: &Source,
    findings: &mut Findings,
    report: &mut ImportReport,
) -> Option<(Known, Step)> {
    let mut reader = source.open().map_err(|problem| findings.refuse(problem)).ok()?;
    report.detected = Some(reader.detected());
    let made = make_attributes(&mut index, &source.options, reader.header(), &stamp, &clock, findings);
    let attributes = index.attributes().to_vec();
    let plain: Vec<_> = attributes.iter().map(|row| row.as_ref().clone()).collect();
    let integrations: Vec<_> = index.integrations().iter().map(|row| row.as_ref().clone()).collect();
    let mut mapping = source.options.mapping.clone();
    mapping.columns.extend(source.options.new_attributes.iter().zip(&made).map(|((header, _), row)| {
        (header.clone(), ColumnSource::Attribute { key: row.key.clone(), date_format: None })
    }));
    let columns = Columns::find(reader.header(), &plain, &integrations, &mapping)
        .map_err(|problems| problems.into_iter().for_each(|problem| findings.refuse(problem)))
        .ok()?;
    report.columns = columns.describe(&plain, &integrations);
    if findings.is_refused {
        return None;
    }
    let rows = match_rows(&mut reader, &columns, &index, &clock, &source.skip, findings);
    // What stands before the place at which a file breaks off is not what it says.
    if findings.is_refused {
        return None;
    }
    let has_accounts = columns.targets().any(|target| matches!(target, Target::Accounts(_)));
    let claims = match source.open() {
        Ok(mut reader) if has_accounts => find_claims(&mut reader, &columns, &index, &rows, findings),
        _ => Claims::default(),
    };
    let heirs = Heirs::find(&index, &columns, &rows, &claims, findings);
    let records = made.into_iter().map(|row| (None, Some(Record::Attribute(row)))).collect();
    let made = Step { records, changes: Vec::new() };
    let mode = source.options.mode;
    let rules_of_association = Box::new(Rules::of(&index));
    Some((Known { index, columns, rows, claims, heirs, mode, attributes, stamp, clock, rules_of_association }, made))
}

/// Makes the attributes that columns of the file are to become, in the index that the file is compared with.
fn make_attributes(
    index: &mut Index,
    options: &ImportOptions,
    header: &Row,
    stamp: &Stamp,
    clock: &Clock,
    findings: &mut Findings,
) -> Vec<attribute::Model> {
    let mut made = Vec::new();
    for (column, new) in &options.new_attributes {
        match new_attribute(index, new, stamp, clock) {
            Ok(row) => {
                let change = Change { id: RecordId::Attribute(row.id), after: Some(Record::Attribute(row.clone())) };
                index.apply(index.version(), vec![change]);
                made.push(row);
            }
            Err(error) => {
                let message = format!("the column cannot become an attribute: {error}");
                findings.refuse(Problem::new(header.line(), "NEW_ATTRIBUTE", message).in_column(Some(column)));
            }
        }
    }
    made
}

impl Known {
    /// The user that a value names, in the file or in the directory.
    pub(super) fn named(&self, reference: &str) -> Option<UserId> {
        match UserId::parse(reference) {
            Ok(id) => self.index.current_user(id),
            Err(_) => {
                let email = Email::parse(reference).ok()?.into_string();
                self.rows.with_email(&email).or_else(|| self.index.user_with_email(&email))
            }
        }
    }

    /// Whether a user of the file or the directory is there afterwards.
    pub(super) fn stays(&self, user: UserId) -> bool {
        !self.heirs.is_absorbed(user) && (self.mode == ImportMode::Merge || self.rows.row_of(user).is_some())
    }

    /// Whether a user is there afterwards and stays as it is.
    pub(super) fn is_untouched(&self, user: UserId) -> bool {
        self.stays(user) && !self.rows.changes(user)
    }

    /// The accounts that come to a user with those who become part of it, and that no row takes.
    pub(super) fn along(&self, user: UserId) -> impl Iterator<Item = IntegrationAccountId> {
        let accounts = self.heirs.absorbed_by(user).iter().flat_map(|absorbed| self.index.accounts_of(*absorbed));
        accounts.filter(|account| !self.claims.is_taken(*account))
    }

    /// The email that a user of the directory will have.
    pub(super) fn email_after(&self, user: UserId) -> Option<&str> {
        self.rows.new_email_of(user).or_else(|| self.index.email_of(user))
    }

    /// The email by which a cell of the row names a user that the file makes.
    pub(super) fn email_in(&self, row: &Row, user: UserId) -> Option<String> {
        let of_users = |target: &Target| match target {
            Target::Attribute { index, .. } => self.attributes[*index].r#type == AttributeType::User,
            _ => false,
        };
        let columns = self.columns.targets().enumerate().filter(|(_, target)| of_users(target));
        let cells = columns.map(|(place, _)| row.get(place).unwrap_or_default().trim());
        let mut named = cells.filter(|cell| self.named(cell) == Some(user));
        Email::parse(named.next()?).ok().map(Email::into_string)
    }

    /// Whether a row's cells of accounts name only what a user has.
    pub(super) fn repeats_accounts(&self, row: &Row, user: UserId) -> bool {
        self.columns.targets().enumerate().all(|(place, target)| {
            let Target::Accounts(integration) = target else { return true };
            let is_own = |token: &Token| {
                let found = self.index.find_accounts(*integration, token.as_ref());
                !found.is_empty() && found.iter().all(|account| self.index.owner_of(*account) == Some(user))
            };
            split_tokens(row.get(place).unwrap_or_default()).is_ok_and(|tokens| tokens.iter().all(is_own))
        })
    }

    /// An account that a cell names and no integration has reported yet.
    pub(super) fn claimed(
        &self,
        token: &Token,
        integration: IntegrationId,
        user: UserId,
    ) -> integration_account::Model {
        let (external_id, username, email) = match token {
            Token::ExternalId(id) => (Some(id.clone()), None, None),
            Token::Name(name) => match Email::parse(name) {
                Ok(email) => (None, None, Some(email.into_string())),
                Err(_) => (None, Some(name.clone()), None),
            },
        };
        let Stamp { number, now, actor } = &self.stamp;
        integration_account::Model {
            id: self.clock.id(),
            integration_id: integration,
            external_id,
            username,
            email,
            display_name: None,
            is_bot: false,
            status: AccountStatus::Claimed,
            user_id: Some(user),
            rule: AssociationRule::Import,
            evidence: None,
            associated_by: actor.0.clone(),
            associated_at: *now,
            version: *number,
            created_at: *now,
            updated_at: *now,
        }
    }
}
