//! Why an account is whose it is: each rule in its order, what it saw, and what became of the account since it came.

use entity::integration_account::{self, AssociationRule};
use entity::{IntegrationAccountId, UserId, change, changeset};

use super::is_sticky;
use super::rules::{Obstacle, Owner, Rules};
use crate::directory::error::{Error, Result};
use crate::directory::history::Range;
use crate::directory::{Directory, fetch, missing};
use crate::index::{AccountIdentity, Index};
use crate::record::Record;
use crate::value::shorten;

/// Changes of whose an account is that are told at most, the newest.
const CHANGES: usize = 100;
/// Changes of an account that are looked through for them.
const LOOKED_THROUGH: u64 = 1_000;
/// Users that a message names at most.
const NAMED: usize = 3;

/// Why an account is whose it is.
#[derive(Clone, Debug)]
pub struct WhyAssociated {
    /// The account as it is.
    pub account: integration_account::Model,
    /// Whether automation leaves it alone.
    pub is_sticky: bool,
    /// The rules in their order.
    pub tried: Vec<Tried>,
    /// When it came to somebody, to somebody else or to nobody; newest first.
    pub history: Vec<AssociationChange>,
}

/// What came of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It decides.
    Applied,
    /// It does not apply.
    DidNotApply,
    /// A rule before it has decided.
    NotReached,
}

/// One rule, as it was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Which.
    pub rule: AssociationRule,
    /// What came of it.
    pub outcome: Outcome,
    /// Why, in a word that does not change.
    pub code: &'static str,
    /// Why, in words.
    pub message: String,
}

/// When an account came to somebody, or to nobody.
#[derive(Clone, Debug)]
pub struct AssociationChange {
    /// The changeset.
    pub changeset: changeset::Model,
    /// Whose it was.
    pub from: Option<UserId>,
    /// Whose it became.
    pub to: Option<UserId>,
    /// By which rule.
    pub rule: AssociationRule,
    /// The email that decided, where one did.
    pub evidence: Option<String>,
}

impl Directory {
    /// Why an account is whose it is, or nobody's.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn why_associated(&self, id: IntegrationAccountId) -> Result<WhyAssociated> {
        let account = fetch::accounts(self.database().readers(), &[id]).await?.pop().ok_or_else(|| missing(id))?;
        let tried = try_rules(&self.index(), &account);
        let range = Range { limit: LOOKED_THROUGH, ..Range::default() };
        let log = self.list_history(id.0, range, true).await?.rows;
        let mut history = Vec::new();
        for entry in log {
            history.extend(association_change(entry.changeset, &entry.change)?);
        }
        history.truncate(CHANGES);
        Ok(WhyAssociated { is_sticky: is_sticky(account.rule), account, tried, history })
    }
}

/// What a change of an account did to whose it is; none where it did nothing to that.
fn association_change(changeset: changeset::Model, change: &change::Model) -> Result<Option<AssociationChange>> {
    let read = |json: &Option<String>| -> Result<Option<integration_account::Model>> {
        let record = json.as_deref().map(|json| Record::from_json(change.noun, json)).transpose();
        Ok(match record.map_err(Error::internal)? {
            Some(Record::IntegrationAccount(row)) => Some(row),
            _ => None,
        })
    };
    let (before, after) = (read(&change.before)?, read(&change.after)?);
    let whose = |row: &integration_account::Model| (row.user_id, row.rule);
    if before.as_ref().map(whose) == after.as_ref().map(whose) {
        return Ok(None);
    }
    let from = before.and_then(|row| row.user_id);
    Ok(Some(match after {
        Some(row) => AssociationChange { changeset, from, to: row.user_id, rule: row.rule, evidence: row.evidence },
        None => AssociationChange { changeset, from, to: None, rule: AssociationRule::Unmatched, evidence: None },
    }))
}

fn try_rules(index: &Index, account: &integration_account::Model) -> Vec<Tried> {
    let identity = AccountIdentity::from(account);
    let rules = Rules::of(index);
    let mut list = List { decided: account.rule, tried: Vec::new() };
    let whom = if account.user_id.is_some() { "whose it is" } else { "that it is nobody's" };
    for (rule, who, nobody, code) in [
        (AssociationRule::Manual, "a person", "no person", "NOBODY_SAID"),
        (AssociationRule::Import, "an import", "no import", "NO_FILE_SAID"),
    ] {
        let said = format!("{who} has said {whom}: {}", account.associated_by);
        list.add(rule, "SAID", said, || (code, format!("{nobody} has said whose it is")));
    }
    let owner = account.email.as_deref().map_or(Owner::Nobody, |email| index.owner_of_email(email));
    let email = shorten(account.email.as_deref().unwrap_or_default());
    let evidence = shorten(account.evidence.as_deref().unwrap_or(&email));
    list.add(AssociationRule::Email, "MATCHED", format!("`{evidence}` is an email of the user"), || {
        if let Some(obstacle) = rules.email_obstacle(&identity) {
            return (obstacle.code(), obstacle.message());
        }
        match &owner {
            Owner::User(user, _) if account.user_id != Some(*user) && index.is_locked(*user) => {
                (Obstacle::UserLocked.code(), Obstacle::UserLocked.message())
            }
            Owner::Nobody => ("NO_USER", format!("no user has the email `{email}`")),
            Owner::Several(users) => ("SEVERAL_USERS", several(index, &email, users)),
            Owner::User(user, _) if account.user_id == Some(*user) => {
                ("MADE_FROM_IT", "the user who has the email was made from this account".to_owned())
            }
            Owner::User(user, theirs) => ("NOT_YET", not_yet(index, *user, theirs)),
        }
    });
    list.add(
        AssociationRule::Detected,
        "MADE",
        format!("a user was made from it, with the email `{evidence}`"),
        || {
            if let Some(obstacle) = rules.detected_obstacle(&identity) {
                return (obstacle.code(), obstacle.message());
            }
            match &owner {
                Owner::Nobody => ("NOT_YET", "at its next report a user is made from it".to_owned()),
                Owner::Several(users) => ("SEVERAL_USERS", several(index, &email, users)),
                Owner::User(user, _) => {
                    let theirs = index.email_of(*user).unwrap_or_default();
                    ("EMAIL_HAS_USER", format!("a user has the email already: {theirs}"))
                }
            }
        },
    );
    list.add(AssociationRule::Unmatched, "NO_RULE", "no rule applies".to_owned(), || {
        ("NO_RULE", "a rule applies".to_owned())
    });
    list.tried
}

fn several(index: &Index, email: &str, users: &[UserId]) -> String {
    let names: Vec<&str> = users.iter().take(NAMED).filter_map(|user| index.email_of(*user)).collect();
    let more = if users.len() > NAMED { ", …" } else { "" };
    format!(
        "{} users have an email that is one with `{email}`: {}{more}; link it by hand",
        users.len(),
        names.join(", ")
    )
}

fn not_yet(index: &Index, user: UserId, email: &str) -> String {
    let name = index.email_of(user).unwrap_or_default();
    format!("`{}` is an email of {name} by now; the account comes to that user at its next report", shorten(email))
}

/// The rules so far.
struct List {
    decided: AssociationRule,
    tried: Vec<Tried>,
}

impl List {
    /// Adds a rule: what is to be said if it has decided, and else.
    fn add(
        &mut self,
        rule: AssociationRule,
        code: &'static str,
        message: String,
        otherwise: impl FnOnce() -> (&'static str, String),
    ) {
        let is_over = self.tried.iter().any(|tried| tried.outcome == Outcome::Applied);
        let tried = if is_over {
            let message = "a rule before it has decided".to_owned();
            Tried { rule, outcome: Outcome::NotReached, code: "NOT_REACHED", message }
        } else if rule == self.decided {
            Tried { rule, outcome: Outcome::Applied, code, message }
        } else {
            let (code, message) = otherwise();
            Tried { rule, outcome: Outcome::DidNotApply, code, message }
        };
        self.tried.push(tried);
    }
}
