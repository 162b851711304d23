//! What people say of a suggestion: that the two are one person, or that they are not, which holds until somebody says
//! otherwise.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use entity::UserId;
use entity::merge_decision::{self, Column, Decision};
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, Order, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::{Subject, standing_in};
use crate::directory::changeset::Changeset;
use crate::directory::error::{Error, Result};
use crate::directory::{Actor, Directory, Merge};
use crate::filter::Violation;
use crate::index::Index;

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
    /// The changeset that merged or split them; none where somebody said so and nothing was changed.
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
    /// Says that two are two persons: they are not suggested again, nor what they become part of. A user who was made from
    /// an account is remembered by it, because the user goes when the account does.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` where both are one.
    pub async fn reject_suggestion(&self, actor: &Actor, subjects: [Subject; 2]) -> Result<Decided> {
        let [a, b] = [self.standing(subjects[0])?, self.standing(subjects[1])?];
        if a == b {
            let message = match a {
                Subject::User(_) => "both are one user; split the user instead",
                Subject::Account(_) => "both are one account",
            };
            return Err(Error::invalid("ids", "CONTRADICTION", message));
        }
        let lasting = [self.lasting(a).await?, self.lasting(b).await?];
        let row = row(lasting, Decision::Rejected, actor, self.clock().now(), None);
        let decided = read(&row)?;
        let transaction = self.database().begin_side_write().await?;
        put(&transaction, vec![row]).await?;
        self.database().commit(transaction).await?;
        Ok(decided)
    }

    /// What stands for a subject for ever: for a user who was made from an account, the oldest account of a person.
    async fn lasting(&self, subject: Subject) -> Result<Subject> {
        let Subject::User(id) = subject else { return Ok(subject) };
        let is_automatic = self.find_users(&[id]).await?.get(&id).is_some_and(|user| user.row.is_automatic);
        if !is_automatic {
            return Ok(subject);
        }
        let accounts = self.accounts_of(&[id]).await?.remove(&id).unwrap_or_default();
        let of_a_person = accounts.iter().filter(|account| !account.is_bot).map(|account| account.id);
        Ok(of_a_person.min().map_or(subject, Subject::Account))
    }

    /// Takes back that two are two persons; false where nobody has said so.
    ///
    /// # Errors
    /// Where the database is busy or away.
    pub async fn reopen_suggestion(&self, subjects: [Subject; 2]) -> Result<bool> {
        let index = self.snapshot();
        let standing = |subject: Subject| standing_in(&index, subject).unwrap_or(subject);
        let is_same = |pair: [Subject; 2], other: [Subject; 2]| pair == other || [pair[1], pair[0]] == other;
        let wanted = subjects.map(standing);
        let transaction = self.database().begin_side_write().await?;
        let mut is_found = false;
        for rejection in rejections(&transaction).await? {
            let of = read(&rejection)?.subjects;
            // Those who are one user by now are told by the ids alone.
            let is_meant =
                if wanted[0] == wanted[1] { is_same(of, subjects) } else { is_same(of.map(standing), wanted) };
            if is_meant {
                merge_decision::Entity::delete_by_id((rejection.low, rejection.high)).exec(&transaction).await?;
                is_found = true;
            }
        }
        self.database().commit(transaction).await?;
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

    /// The pairs that people said are two persons, as who they are in `index`; in order within each.
    pub(super) async fn rejected(&self, index: &Index) -> Result<HashSet<(Uuid, Uuid)>> {
        let mut pairs = HashSet::new();
        for rejection in rejections(self.database().readers()).await? {
            let now = read(&rejection)?.subjects.map(|subject| standing_in(index, subject));
            if let [Some(a), Some(b)] = now {
                pairs.insert((a.uuid().min(b.uuid()), a.uuid().max(b.uuid())));
            }
        }
        Ok(pairs)
    }
}

async fn rejections(connection: &impl ConnectionTrait) -> Result<Vec<merge_decision::Model>> {
    let rejected = merge_decision::Entity::find().filter(Column::Decision.eq(Decision::Rejected));
    Ok(rejected.all(connection).await?)
}

/// Refuses to accept that two are one person of whom somebody said that they are not.
pub(in crate::directory) async fn refuse_rejected(
    changeset: &Changeset,
    merge: &Merge,
    violations: &mut Vec<Violation>,
) -> Result<()> {
    let index = changeset.directory().snapshot();
    let standing: Vec<Option<Subject>> = merge.subjects.iter().map(|subject| standing_in(&index, *subject)).collect();
    let survivor = merge.survivor.and_then(|id| standing_in(&index, Subject::User(id)));
    // None is the survivor's place, which is before all others.
    let place = |subject: Subject| match standing.iter().position(|known| *known == Some(subject)) {
        Some(at) => Some(Some(at)),
        None => (survivor == Some(subject)).then_some(None),
    };
    let path = |place: Option<usize>| place.map_or_else(|| "survivorId".to_owned(), |at| format!("ids[{at}]"));
    for rejection in rejections(changeset.transaction()).await? {
        let decided = read(&rejection)?;
        let [Some(a), Some(b)] = decided.subjects.map(|subject| standing_in(&index, subject)) else { continue };
        if let (Some(one), Some(other)) = (place(a), place(b))
            && a != b
        {
            let message = format!(
                "`{}` said that this and {} are two persons; reopen the suggestion of {} and {} first",
                decided.by,
                path(one.min(other)),
                decided.subjects[0].to_global(),
                decided.subjects[1].to_global()
            );
            violations.push(Violation::new(path(one.max(other)), "REJECTED", message));
        }
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

/// Remembers, with the changeset that splits them, that two are two persons.
pub(in crate::directory) async fn reject(changeset: &Changeset, users: [UserId; 2], actor: &Actor) -> Result<()> {
    let of = users.map(Subject::User);
    let row = row(of, Decision::Rejected, actor, changeset.now(), Some(changeset.number()));
    put(changeset.transaction(), vec![row]).await
}

/// Forgets what was decided with a changeset that is undone.
pub(in crate::directory) async fn forget(changeset: &Changeset, undone: i64) -> Result<()> {
    let decided_with_it = merge_decision::Entity::delete_many().filter(Column::ChangesetNumber.eq(undone));
    decided_with_it.exec(changeset.transaction()).await?;
    Ok(())
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
async fn put(connection: &impl ConnectionTrait, rows: Vec<merge_decision::Model>) -> Result<()> {
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
