//! The log by itself: that changesets and changes are numbered without gaps, and that each digest is that of what stands
//! there.

use std::collections::HashMap;

use entity::changeset::ChangesetKind;
use entity::erased_change::{self, Column};
use entity::{change, changeset};
use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};
use uuid::Uuid;

use super::rows::Rows;
use super::{Head, Result, Verify};
use crate::directory::changeset::{digest_of, seal};
use crate::directory::erase::digest;
use crate::value::hex;

const MEND: &str = "the log was altered, past Roster; compare it with the last backup that is sound, or restore that";

/// The changes of the log, in their order.
struct Changes {
    rows: Rows<change::Entity>,
    read: std::vec::IntoIter<change::Model>,
    /// Of those of them that were erased, the digests that they have since.
    erased: HashMap<(i64, i64), Vec<u8>>,
}

impl Changes {
    /// The next change, if it is of a changeset up to `number`.
    async fn next(&mut self, verify: &mut Verify, number: i64) -> Result<Option<change::Model>> {
        if self.read.as_slice().is_empty() {
            let rows = self.rows.next(verify).await?;
            verify.said.changes += rows.len() as u64;
            verify.replay_missing(&rows).await?;
            self.erased = verify.erased(&rows).await?;
            self.read = rows.into_iter();
        }
        let is_due = self.read.as_slice().first().is_some_and(|change| change.changeset_number <= number);
        Ok(if is_due { self.read.next() } else { None })
    }
}

impl Verify {
    /// Looks at the whole log, and notes its head.
    pub(super) async fn log(&mut self, expected: Option<&Head>) -> Result<()> {
        self.version = self.number("SELECT coalesce(max(number), 0) FROM changeset").await?;
        let mut changesets = Rows::<changeset::Entity>::all();
        let mut changes = Changes { rows: Rows::all(), read: Vec::new().into_iter(), erased: HashMap::new() };
        let (mut number, mut digest) = (0, chain::START.to_vec());
        loop {
            let rows = changesets.next(self).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                if row.number != number + 1 {
                    let message = match row.number - number - 1 {
                        1 => format!("changeset {} is missing", number + 1),
                        _ => format!("changesets {} to {} are missing", number + 1, row.number - 1),
                    };
                    self.said.add("changeset", row.number.to_string(), "GAP", message, MEND);
                }
                self.changeset(&row, &digest, &mut changes).await?;
                number = row.number;
                digest.clone_from(&row.digest);
            }
        }
        while let Some(stray) = changes.next(self, i64::MAX).await? {
            self.stray(&stray);
        }
        if number > 0 {
            self.said.head = Some(Head { number, digest: hex(&digest) });
        }
        if let Some(expected) = expected {
            self.expect(expected).await?;
        }
        self.undone().await?;
        self.stray_erasures().await
    }

    /// Looks at one changeset and its changes.
    async fn changeset(&mut self, row: &changeset::Model, before: &[u8], changes: &mut Changes) -> Result<()> {
        let mut digests = chain::Rows::default();
        let mut count = 0;
        while let Some(change) = changes.next(self, row.number).await? {
            if change.changeset_number < row.number {
                self.stray(&change);
                continue;
            }
            let name = format!("{}/{}", change.changeset_number, change.position);
            if change.position != count {
                let message = format!("it stands where the change at {count} is expected");
                self.said.add("change", name.clone(), "GAP", message, MEND);
            }
            let place = (change.changeset_number, change.position);
            if digest_of(&change)[..] != *changes.erased.get(&place).unwrap_or(&change.digest) {
                let message = "it is not what was written: its digest is another";
                self.said.add("change", name, "EDITED", message, MEND);
            }
            digests.add(&change.digest);
            count = change.position + 1;
        }
        let name = row.number.to_string();
        if count != row.change_count {
            let message = format!("it has {} changes and says that it has {}", count, row.change_count);
            self.said.add("changeset", name.clone(), "COUNT", message, MEND);
        }
        let erased = match row.kind {
            ChangesetKind::Erase => Some(digest(&self.transaction, row.number).await?.1),
            _ => None,
        };
        if seal(digests, before, row, erased)[..] != row.digest {
            let message = "it, one of its changes, or the changeset before it is not what was written: its digest is \
                           another";
            self.said.add("changeset", name, "CHAIN", message, MEND);
        }
        Ok(())
    }

    /// The digests that rows of the log have since they were erased, of a page of the log.
    async fn erased(&self, page: &[change::Model]) -> Result<HashMap<(i64, i64), Vec<u8>>> {
        let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(HashMap::new()) };
        let place = |row: &change::Model| Expr::tuple([row.changeset_number, row.position].map(Expr::value));
        let of = Expr::tuple([Column::ChangesetNumber, Column::Position].map(Expr::column));
        // A later erasure comes after, and counts.
        let rows = erased_change::Entity::find()
            .filter(of.clone().gte(place(first)).and(of.lte(place(last))))
            .filter(is_of_erasure())
            .order_by_asc(Column::Erasure)
            .all(&self.transaction)
            .await?;
        Ok(rows.into_iter().map(|row| ((row.changeset_number, row.position), row.digest)).collect())
    }

    /// Notes of erased rows that are of no erasure. Of those that are, the erasure's own digest tells.
    async fn stray_erasures(&mut self) -> Result<()> {
        let strays: Vec<(i64, i64, i64)> = erased_change::Entity::find()
            .select_only()
            .columns([Column::Erasure, Column::ChangesetNumber, Column::Position])
            .filter(is_of_erasure().not())
            .order_by_asc(Column::Erasure)
            .limit(1_000)
            .into_tuple()
            .all(&self.transaction)
            .await?;
        for (erasure, number, position) in strays {
            let name = format!("{erasure}/{number}/{position}");
            let message = "it says that a changeset erased that change which is no erasure, or comes before it";
            self.said.add("erased_change", name, "STRAY", message, MEND);
        }
        Ok(())
    }

    fn stray(&mut self, change: &change::Model) {
        let name = format!("{}/{}", change.changeset_number, change.position);
        self.said.add("change", name, "STRAY", "there is no changeset that it is part of", MEND);
    }

    /// Compares the log with what somebody has kept of it.
    async fn expect(&mut self, expected: &Head) -> Result<()> {
        let found = changeset::Entity::find_by_id(expected.number).one(&self.transaction).await?;
        let (code, message) = match found {
            Some(row) if hex(&row.digest) == expected.digest => return Ok(()),
            Some(row) => ("REPLACED", format!("its digest was {}, and is {}", expected.digest, hex(&row.digest))),
            None => ("TRUNCATED", format!("it was there once; the log now ends with changeset {}", self.version)),
        };
        self.said.add("changeset", expected.number.to_string(), code, message, MEND);
        Ok(())
    }

    /// Changesets that say that they undid one that is none before them.
    async fn undone(&mut self) -> Result<()> {
        let wrong: Vec<i64> = changeset::Entity::find()
            .select_only()
            .column(changeset::Column::Number)
            .filter(changeset::Column::Undoes.is_not_null())
            .filter(Expr::col(changeset::Column::Undoes).gte(Expr::col(changeset::Column::Number)))
            .into_tuple()
            .all(&self.transaction)
            .await?;
        for number in wrong {
            let message = "it says that it undid a changeset that is not before it";
            self.said.add("changeset", number.to_string(), "UNDOES", message, MEND);
        }
        Ok(())
    }

    /// The ids of records that a page of the log says are there.
    pub(super) fn made(rows: &[change::Model]) -> impl Iterator<Item = (change::Noun, Uuid)> {
        rows.iter().filter(|row| row.after.is_some()).map(|row| (row.noun, row.record_id))
    }
}

/// Whether a note of an erased row names a changeset that erases, and not one before the row.
fn is_of_erasure() -> SimpleExpr {
    let erasures = changeset::Entity::find()
        .select_only()
        .column(changeset::Column::Number)
        .filter(changeset::Column::Kind.eq(ChangesetKind::Erase));
    let is_later = Expr::col(Column::Erasure).gte(Expr::col(Column::ChangesetNumber));
    Column::Erasure.in_subquery(erasures.into_query()).and(is_later)
}
