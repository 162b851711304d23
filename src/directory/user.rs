//! Users: reading them by key, and changing them one at a time.

use std::collections::{BTreeSet, HashMap};

use entity::changeset::ChangesetKind;
use entity::{UserId, user};
use serde_json::Value as Json;

use super::attribute::{ATTRIBUTES, Values};
use super::changeset::Changeset;
use super::error::{Error, Result};
use super::{Actor, Directory, expect_version, fetch, missing};
use crate::filter::Violation;
use crate::record::{Record, UserRecord};
use crate::value::{Email, GlobalId, is_blank, nfc};
use entity::integration_account::AssociationRule;

/// The most further emails in one call.
const EMAILS: usize = 100;
/// The longest name, in characters.
const LONGEST_NAME: usize = 200;

/// A user to be made.
#[derive(Clone, Debug, Default)]
pub struct NewUser {
    /// The name.
    pub name: String,
    /// The primary email.
    pub email: String,
    /// Further emails.
    pub further_emails: Vec<String>,
    /// Custom values by attribute key.
    pub attributes: Vec<(String, Json)>,
}

/// What is to change of a user; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// The version that the client read.
    pub expected_version: Option<i64>,
    /// The name.
    pub name: Option<String>,
    /// The primary email; the one before it becomes a further email.
    pub email: Option<String>,
    /// All further emails.
    pub further_emails: Option<Vec<String>>,
    /// Custom values by attribute key; null empties one; others stay.
    pub attributes: Vec<(String, Json)>,
}

impl Directory {
    /// Users by id; those that do not exist are left out. One statement a thousand users.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn find_users(&self, ids: &[UserId]) -> Result<HashMap<UserId, UserRecord>> {
        fetch::users(self.database().readers(), ids).await
    }

    /// Makes a user. An automatic user that has one of the emails, and that nothing else holds, becomes part of it.
    ///
    /// # Errors
    /// `Invalid` with every violation; `AlreadyExists` where another user has one of the emails.
    pub async fn create_user(&self, actor: &Actor, new: NewUser) -> Result<UserId> {
        check_lengths(&new.further_emails, &new.attributes)?;
        let mut changeset = self.begin(ChangesetKind::User, actor).await?;
        let mut violations = Vec::new();
        let name = check_name(&new.name, "name", &mut violations);
        let email = check_email(&new.email, "email", &mut violations);
        let further = check_emails(&new.further_emails, &mut violations);
        let values = self.check_values(&new.attributes, &mut violations);
        let mut attributes = Json::Object(serde_json::Map::new());
        values.apply(&mut attributes);
        self.check_required(&attributes, &mut violations);
        refuse(violations)?;
        let id: UserId = self.clock().id();
        self.check_unique_values(id, &values)?;
        let mut user = UserRecord {
            row: user::Model {
                id,
                name,
                email,
                attributes,
                is_automatic: false,
                is_locked: false,
                reviewed_at: None,
                reviewed_by: None,
                version: changeset.number(),
                created_at: changeset.now(),
                updated_at: changeset.now(),
            },
            further_emails: further,
            merged_ids: BTreeSet::new(),
        };
        user.further_emails.remove(&user.row.email);
        put_user(&mut changeset, None, user).await?;
        changeset.settle().await?;
        changeset.commit().await?;
        Ok(id)
    }

    /// Changes a user.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`; `Invalid` with every violation; `AlreadyExists` where another user has an email.
    pub async fn update_user(&self, actor: &Actor, id: UserId, change: UserChange) -> Result<()> {
        check_lengths(change.further_emails.as_deref().unwrap_or_default(), &change.attributes)?;
        let mut changeset = self.begin(ChangesetKind::User, actor).await?;
        let id = self.current_user(id);
        let before = changeset.user(id).await?;
        expect_version(id, change.expected_version, before.row.version)?;
        let mut violations = Vec::new();
        let mut after = before.clone();
        if let Some(name) = &change.name {
            after.row.name = check_name(name, "name", &mut violations);
        }
        if let Some(emails) = &change.further_emails {
            after.further_emails = check_emails(emails, &mut violations);
        }
        if let Some(email) = &change.email {
            after.set_email(check_email(email, "email", &mut violations));
        }
        after.further_emails.remove(&after.row.email);
        let values = self.check_values(&change.attributes, &mut violations);
        values.apply(&mut after.row.attributes);
        self.check_required(&after.row.attributes, &mut violations);
        refuse(violations)?;
        self.check_unique_values(id, &values)?;
        self.check_references(&[(id, &values)])?;
        if !Record::User(before.clone()).same_content(&Record::User(after.clone())) {
            after.row.is_automatic = false;
        }
        put_user(&mut changeset, Some(before), after).await?;
        changeset.settle().await?;
        changeset.commit().await?;
        Ok(())
    }

    /// Deletes a user. Its accounts stay, with nobody; values that name the user are emptied; pins go.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`; `InUse` where an org unit's filter names the user.
    pub async fn delete_user(&self, actor: &Actor, id: UserId, expected_version: Option<i64>) -> Result<()> {
        let mut changeset = self.begin(ChangesetKind::User, actor).await?;
        let user = changeset.user(id).await?;
        expect_version(id, expected_version, user.row.version)?;
        changeset.delete_users(vec![user], AssociationRule::Manual).await?;
        changeset.commit().await?;
        Ok(())
    }
}

impl UserRecord {
    /// Makes `email` the primary one; the one before it stays as a further email, so that the accounts that came by
    /// it stay too.
    pub(super) fn set_email(&mut self, email: String) {
        if self.row.email != email {
            let old = std::mem::replace(&mut self.row.email, email);
            // A user that is being made has had none.
            if !old.is_empty() {
                self.further_emails.insert(old);
            }
            self.further_emails.remove(&self.row.email);
        }
    }
}

/// Puts a user that a person has made or changed: takes its new emails from automatic users that have them, and
/// associates the accounts that nobody has.
async fn put_user(changeset: &mut Changeset, before: Option<UserRecord>, mut after: UserRecord) -> Result<()> {
    let old: BTreeSet<&str> = before.iter().flat_map(UserRecord::emails).collect();
    let new: Vec<String> = after.emails().filter(|email| !old.contains(email)).map(str::to_owned).collect();
    changeset.note_references(&after);
    let taken = changeset.take_emails(after.row.id, &new, AssociationRule::Manual).await?;
    after.further_emails.extend(taken);
    after.further_emails.remove(&after.row.email);
    changeset.put_users(vec![(before, after)]).await
}

/// A name as it is stored; what is wrong with it becomes a violation at `path`.
pub(super) fn check_name(name: &str, path: &str, violations: &mut Vec<Violation>) -> String {
    let name = nfc(name.trim());
    let problem = if is_blank(&name) {
        let seen = if name.is_empty() { "" } else { "; this has only characters that cannot be seen" };
        Some(("REQUIRED", format!("a user needs a name{seen}")))
    } else if name.contains('\0') {
        Some(("NOT_TEXT", "a name cannot hold the character NUL".to_owned()))
    } else if name.chars().count() > LONGEST_NAME {
        Some(("TOO_LONG", format!("a name has at most {LONGEST_NAME} characters")))
    } else {
        None
    };
    if let Some((code, message)) = problem {
        violations.push(Violation::new(path, code, message));
    }
    name
}

/// An email in its normal form; what is wrong with it becomes a violation at `path`.
pub(super) fn check_email(email: &str, path: &str, violations: &mut Vec<Violation>) -> String {
    let problem = match Email::parse(email) {
        Ok(email) => return email.into_string(),
        Err(_) if email.trim().is_empty() => ("REQUIRED", "a user needs an email".to_owned()),
        Err(why) => ("NOT_AN_EMAIL", why),
    };
    violations.push(Violation::new(path, problem.0, problem.1));
    String::new()
}

/// Refuses lists longer than they can usefully be, before the writer lock is taken and each item is looked at.
fn check_lengths(emails: &[String], attributes: &[(String, Json)]) -> Result<()> {
    if emails.len() > EMAILS {
        return Err(Error::LimitExceeded { what: "the number of further emails in one call", limit: EMAILS as u64 });
    }
    if attributes.len() > ATTRIBUTES {
        return Err(Error::LimitExceeded { what: "the number of values in one call", limit: ATTRIBUTES as u64 });
    }
    Ok(())
}

fn check_emails(emails: &[String], violations: &mut Vec<Violation>) -> BTreeSet<String> {
    emails
        .iter()
        .enumerate()
        .map(|(at, email)| check_email(email, &format!("furtherEmails[{at}]"), violations))
        .collect()
}

/// Stops where there are violations.
pub(super) fn refuse(violations: Vec<Violation>) -> Result<()> {
    if violations.is_empty() { Ok(()) } else { Err(Error::Invalid(violations)) }
}

/// The error that another user has `email`.
pub(super) fn email_taken(email: &str, owner: &UserRecord, hint: &str) -> Error {
    Error::AlreadyExists {
        noun: UserId::NOUN,
        key: email.to_owned(),
        hint: format!(": it is an email of {} ({}){hint}", owner.row.name, owner.row.id.to_global()),
    }
}

/// The error that there is no user with this id or email.
pub(super) fn unknown_user(reference: &str) -> Error {
    Error::not_found(UserId::NOUN, reference)
}

impl Directory {
    /// The user that a client names by id or email.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` where an id is of another noun.
    pub fn find_user(&self, reference: &str) -> Result<UserId> {
        let index = self.index();
        if reference.contains('@') {
            let email = Email::parse(reference).map_err(|why| Error::invalid("email", "NOT_AN_EMAIL", why))?;
            return index.user_with_email(email.as_str()).ok_or_else(|| unknown_user(reference));
        }
        let id = UserId::parse(reference).map_err(|why| Error::invalid("id", "WRONG_ID", why))?;
        index.current_user(id).ok_or_else(|| missing(id))
    }
}

impl Values {
    /// Writes the values into a stored document.
    pub(super) fn apply(&self, document: &mut Json) {
        if !document.is_object() {
            *document = Json::Object(serde_json::Map::new());
        }
        if let Json::Object(document) = document {
            for (attribute, value) in &self.0 {
                match value {
                    Some(value) => document.insert(attribute.key.clone(), value.to_stored()),
                    None => document.remove(&attribute.key),
                };
            }
        }
    }
}

/// The error that there is no attribute with this key.
pub(super) fn unknown_attribute(index: &crate::index::Index, key: &str) -> Error {
    Error::unknown("attribute", key, index.attributes().iter().map(|attribute| attribute.key.as_str()))
}
