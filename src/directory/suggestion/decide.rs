//! What people say of a suggestion: that the two are one person, or that they are not, which holds until somebody says
//! otherwise.

use chrono::{DateTime, Utc};
use entity::merge_decision::{self, Column, Decision};
use entity::{IntegrationAccountId, UserId};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, Order, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::Subject;
use crate::directory::changeset::Changeset;
use crate::directory::error::{Error, Result};
use crate::directory::{Actor, Directory, Merge, MergeChoice, Merged};

/// The most users and accounts in one call.
const SUBJECTS: usize = 100;

/// Users and accounts that are one person.
#[derive(Clone, Debug)]
pub struct Accept {
    /// All of them.
    pub subjects: Vec<Subject>,
    /// Which user stays; without one, the one who is known best.
    pub survivor: Option<UserId>,
    /// Whose part is kept, where that is not to be the survivor's.
    pub choices: Vec<MergeChoice>,
}

/// What was decided of two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The two, as they were named then.
    pub subjects: [Subject; 2],
    /// What was decided.
    pub decision: Decision,
    /// Who decided.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The changeset that merged them; none of a rejection.
    pub changeset: Option<i64>,
}

/// Where a decision stands in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionPlace {
    at: DateTime<Utc>,
    low: String,
    high: String,
}

impl Decided {
    /// Its place in the list.
    #[must_use]
    pub fn place(&self) -> DecisionPlace {
        let mut ids = self.subjects.map(Subject::to_global);
        ids.sort_unstable();
        let [low, high] = ids;
        DecisionPlace { at: self.at, low, high }
    }
}

impl DecisionPlace {
    /// As a cursor.
    #[must_use]
    pub fn encode(&self) -> String {
        format!("{}.{}.{}", self.at.timestamp_micros(), self.low, self.high)
    }

    /// Reads a cursor.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let (at, rest) = text.split_once('.')?;
        let (low, high) = rest.split_once('.')?;
        let at = DateTime::from_timestamp_micros(at.parse().ok()?)?;
        Some(Self { at, low: low.to_owned(), high: high.to_owned() })
    }
}

impl Directory {
    /// Makes one user of users and accounts that are nobody's.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` where none of them is a user, where they are fewer than two, and as
    /// [`Directory::merge_users`].
    pub async fn accept_suggestion(&self, actor: &Actor, accept: Accept) -> Result<Merged> {
        check_count(&accept.subjects)?;
        let standing = accept.subjects.iter().map(|subject| self.standing(*subject)).collect::<Result<Vec<_>>>()?;
        // The same call again: all of them are one user by now.
        if let [Subject::User(survivor), rest @ ..] = standing.as_slice()
            && rest.iter().all(|other| *other == Subject::User(*survivor))
        {
            return Ok(Merged { survivor: *survivor, version: self.version(), changeset: None });
        }
        let merge = self.to_merge(accept).await?;
        self.merge_users(actor, &merge).await
    }

    /// The merge that it takes to make one user of some.
    ///
    /// # Errors
    /// As [`Directory::accept_suggestion`].
    async fn to_merge(&self, accept: Accept) -> Result<Merge> {
        let (mut ids, mut accounts): (Vec<UserId>, Vec<IntegrationAccountId>) = (Vec::new(), Vec::new());
        for subject in &accept.subjects {
            match self.standing(*subject)? {
                Subject::User(id) => ids.push(id),
                Subject::Account(id) => accounts.push(id),
            }
        }
        if ids.is_empty() {
            let message = "none of these is a user; make a user first, or link the accounts to one";
            return Err(Error::invalid("ids", "REQUIRED", message));
        }
        let survivor = match accept.survivor {
            Some(survivor) => survivor,
            None => self.best_survivor(&ids).await?,
        };
        let choices = accept.choices;
        Ok(Merge { survivor, ids, accounts, choices, expected_versions: Vec::new(), is_suggested: true })
    }

    /// Says that two are two persons: they are not suggested again, nor what they become part of.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` where both are one user already.
    pub async fn reject_suggestion(&self, actor: &Actor, subjects: [Subject; 2]) -> Result<Decided> {
        let [a, b] = [self.standing(subjects[0])?, self.standing(subjects[1])?];
        if a == b {
            return Err(Error::invalid("ids", "CONTRADICTION", "both are one user; split the user instead"));
        }
        let row = row(subjects, Decision::Rejected, actor, self.clock().now(), None);
        let decided = read(&row)?;
        let transaction = self.database().begin_side_write().await?;
        put(&transaction, vec![row]).await?;
        transaction.commit().await?;
        Ok(decided)
    }

    /// Takes back that two are two persons; false where nobody has said so.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn reopen_suggestion(&self, subjects: [Subject; 2]) -> Result<bool> {
        let wanted = subjects.map(|subject| self.standing(subject).unwrap_or(subject));
        let rejections = self.rejections().await?;
        let transaction = self.database().begin_side_write().await?;
        let mut is_found = false;
        for rejection in rejections {
            let [a, b] = read(&rejection)?.subjects.map(|subject| self.standing(subject).unwrap_or(subject));
            if [a, b] == wanted || [b, a] == wanted {
                merge_decision::Entity::delete_by_id((rejection.low, rejection.high)).exec(&transaction).await?;
                is_found = true;
            }
        }
        transaction.commit().await?;
        Ok(is_found)
    }

    /// What was decided, the latest first, after one of them.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn list_decisions(
        &self,
        decision: Decision,
        after: Option<&DecisionPlace>,
        limit: u64,
    ) -> Result<Vec<Decided>> {
        let mut select = merge_decision::Entity::find().filter(Column::Decision.eq(decision));
        if let Some(DecisionPlace { at, low, high }) = after {
            let same_low = Condition::all().add(Column::Low.eq(low.as_str())).add(Column::High.gt(high.as_str()));
            let is_later_of_two = Condition::any().add(Column::Low.gt(low.as_str())).add(same_low);
            let at_once = Condition::all().add(Column::DecidedAt.eq(*at)).add(is_later_of_two);
            select = select.filter(Condition::any().add(Column::DecidedAt.lt(*at)).add(at_once));
        }
        let rows = select
            .order_by(Column::DecidedAt, Order::Desc)
            .order_by(Column::Low, Order::Asc)
            .order_by(Column::High, Order::Asc)
            .limit(limit)
            .all(self.database().readers())
            .await?;
        rows.iter().map(read).collect()
    }

    /// How often that was decided.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn count_decisions(&self, decision: Decision) -> Result<u64> {
        let decided = merge_decision::Entity::find().filter(Column::Decision.eq(decision));
        Ok(decided.count(self.database().readers()).await?)
    }

    pub(super) async fn rejections(&self) -> Result<Vec<merge_decision::Model>> {
        let rejected = merge_decision::Entity::find().filter(Column::Decision.eq(Decision::Rejected));
        Ok(rejected.all(self.database().readers()).await?)
    }
}

fn check_count(subjects: &[Subject]) -> Result<()> {
    if subjects.len() > SUBJECTS {
        return Err(Error::LimitExceeded { what: "the number of ids in one call", limit: SUBJECTS as u64 });
    }
    if subjects.len() < 2 {
        return Err(Error::invalid("ids", "REQUIRED", "give at least two ids"));
    }
    Ok(())
}

/// Remembers, with the changeset that merges them, that others are the survivor.
pub(in crate::directory) async fn accept(
    changeset: &Changeset,
    survivor: Subject,
    others: Vec<Subject>,
    actor: &Actor,
) -> Result<()> {
    let number = Some(changeset.number());
    let rows =
        others.into_iter().map(|other| row([survivor, other], Decision::Accepted, actor, changeset.now(), number));
    put(changeset.transaction(), rows.collect()).await
}

/// The row of a decision.
fn row(
    subjects: [Subject; 2],
    decision: Decision,
    actor: &Actor,
    at: DateTime<Utc>,
    changeset: Option<i64>,
) -> merge_decision::Model {
    let mut ids = subjects.map(Subject::to_global);
    ids.sort_unstable();
    let [low, high] = ids;
    merge_decision::Model {
        low,
        high,
        decision,
        decided_by: actor.0.clone(),
        decided_at: at,
        changeset_number: changeset,
    }
}

/// Writes decisions over those of before.
async fn put(connection: &impl sea_orm::ConnectionTrait, rows: Vec<merge_decision::Model>) -> Result<()> {
    let over = OnConflict::columns([Column::Low, Column::High])
        .update_columns([Column::Decision, Column::DecidedBy, Column::DecidedAt, Column::ChangesetNumber])
        .to_owned();
    let insert = merge_decision::Entity::insert_many(rows.into_iter().map(IntoActiveModel::into_active_model));
    insert.on_conflict(over).exec_without_returning(connection).await?;
    Ok(())
}

fn read(row: &merge_decision::Model) -> Result<Decided> {
    Ok(Decided {
        subjects: [Subject::parse(&row.low, "low")?, Subject::parse(&row.high, "high")?],
        decision: row.decision,
        by: row.decided_by.clone(),
        at: row.decided_at,
        changeset: row.changeset_number,
    })
}
