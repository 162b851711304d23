//! UNDO. What one changeset changed goes back to what it was, as a changeset of its own.
//!
//! Each record is looked at by its parts (`merge`): what nobody has touched since goes back, and what others have changed
//! since stays. Where a part can go neither way, or the directory has no room for it (`catalogue`, `users`, `accounts`),
//! the record is blocked. A record that needs a blocked one is blocked in turn, so records are checked until no more are.
//!
//! The log of a large changeset is read in parts, twice: to check, and to write. What stays in memory is the ids of users
//! that come or go, of records that are blocked, and what the memory of an import has of values and emails.

mod accounts;
mod catalogue;
mod log;
mod merge;
mod plan;
mod users;
mod write;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use entity::attribute::AttributeType;
use entity::change::{Column, Noun};
use entity::changeset::ChangesetKind;
use entity::{AttributeId, IntegrationId, UserId};
use sea_orm::{ColumnTrait, Condition};
use uuid::Uuid;

use super::changeset::Changeset;
use super::erase::refuse_erased;
use super::error::{Error, Result};
use super::{Actor, Directory, suggestion};
use crate::index::Index;
use crate::record::{Record, RecordId, UserRecord};
use crate::value::{Key, Value};
use catalogue::World;
use log::{Log, Logged};
use plan::{Block, DELETED, Plan};

/// The most blocked records that a report lists; it counts them all.
const LISTED: usize = 1_000;

/// How often records are checked: the longest chain of records of which each is blocked because the one before it is.
const ROUNDS: usize = 100;

/// What to undo, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct UndoOptions {
    /// The number of the changeset.
    pub number: i64,
    /// Whether to undo the rest where some records are blocked.
    pub skip_blocked: bool,
    /// Whether to only say what would be done.
    pub dry_run: bool,
}

/// What an undo did, or would do.
#[derive(Clone, Debug, Default)]
pub struct UndoReport {
    /// Whether it was done.
    pub applied: bool,
    /// The changeset that it made; none where nothing had to be changed.
    pub changeset: Option<i64>,
    /// The directory's version after it.
    pub version: i64,
    /// Records that go back.
    pub undone: u64,
    /// Values that are left out, since their attribute has been deleted.
    pub dropped_values: u64,
    /// Records that cannot go back; at most a thousand.
    pub blocked: Vec<Blocked>,
    /// How many cannot go back.
    pub blocked_count: u64,
}

/// A record that cannot go back to what it was.
#[derive(Clone, Debug)]
pub struct Blocked {
    /// Which record.
    pub id: RecordId,
    /// What people know it by: a user's email, the title of an attribute, a name.
    pub label: String,
    /// What stands in the way; stable.
    pub code: &'static str,
    /// The same in words.
    pub message: String,
    /// The later changeset that stands in the way, where there is one to name.
    pub changeset: Option<i64>,
}

impl Directory {
    /// Returns each record that a changeset changed to its state before it. Where records are blocked nothing is done,
    /// unless the rest is asked for; they are data in the report, not errors.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` for the changeset that made the built-in attributes.
    pub async fn undo_changeset(&self, actor: &Actor, options: UndoOptions) -> Result<UndoReport> {
        let number = options.number;
        let Some(undone) = self.find_changeset(number).await? else {
            return Err(Error::not_found("changeset", number.to_string()));
        };
        if undone.kind == ChangesetKind::Initialize {
            let message =
                format!("changeset {number} made the built-in attributes, without which there is no directory");
            return Err(Error::invalid("number", "NOT_POSSIBLE", message));
        }
        if undone.kind == ChangesetKind::Erase {
            let message = format!("changeset {number} erased a person, whom nothing brings back");
            return Err(Error::invalid("number", "NOT_POSSIBLE", message));
        }
        let mut changeset = self.begin(ChangesetKind::Undo, actor).await?;
        changeset.undoes = Some(number);
        let mut undo = Undo::open(&changeset, number).await?;
        if !options.skip_blocked && undo.log.has_nothing() {
            refuse_erased(changeset.transaction(), number).await?;
        }
        undo.settle(&changeset).await?;
        let mut report = undo.blocks.report(&changeset).await?;
        (report.undone, report.dropped_values) = (undo.tally.undone, undo.tally.dropped_values);
        report.version = changeset.number() - 1;
        if !options.dry_run && (options.skip_blocked || report.blocked_count == 0) {
            undo.write(&mut changeset).await?;
            suggestion::forget(&changeset, number).await?;
            let version = changeset.commit().await?;
            report.applied = true;
            report.changeset = (version > report.version).then_some(version);
            report.version = version;
        }
        Ok(report)
    }
}

/// An undo on its way.
struct Undo {
    number: i64,
    log: Arc<Log>,
    /// What the changeset did to attributes, integrations and org units, which are few enough to be kept.
    few: Vec<Logged>,
    /// The attributes that were required before the changeset.
    required_before: HashSet<AttributeId>,
    world: World,
    blocks: Blocks,
    tally: Tally,
}

/// The records that cannot go back.
#[derive(Default)]
struct Blocks {
    ids: HashSet<Uuid>,
    /// Those that have not been looked at for what they block in turn.
    fresh: Vec<RecordId>,
    listed: Vec<Blocked>,
}

impl Blocks {
    fn has(&self, id: RecordId) -> bool {
        self.ids.contains(&id.uuid())
    }

    fn add(&mut self, id: RecordId, label: impl Into<String>, block: Block) {
        if !self.ids.insert(id.uuid()) {
            return;
        }
        self.fresh.push(id);
        if self.listed.len() < LISTED {
            let Block { code, message, by } = block;
            self.listed.push(Blocked { id, label: label.into(), code, message, changeset: by });
        }
    }

    async fn report(&self, changeset: &Changeset) -> Result<UndoReport> {
        let mut blocked = self.listed.clone();
        blocked.sort_by_key(|blocked| (blocked.id.noun(), blocked.id));
        // Who has deleted a record does not stand in the record.
        let gone: Vec<RecordId> =
            blocked.iter().filter(|blocked| blocked.code == DELETED).map(|blocked| blocked.id).collect();
        let last = Log::last_changesets(changeset.transaction(), &gone).await?;
        for blocked in blocked.iter_mut().filter(|blocked| blocked.code == DELETED) {
            blocked.changeset = last.get(&blocked.id.uuid()).copied();
        }
        Ok(UndoReport { blocked, blocked_count: self.ids.len() as u64, ..UndoReport::default() })
    }
}

/// What one round of checks comes to.
#[derive(Default)]
struct Tally {
    undone: u64,
    dropped_values: u64,
    /// By attribute key: users of today who have a value, and go or lose it.
    released: HashMap<String, u64>,
    /// By the key of an attribute that becomes required: users of today who go, or will have a value.
    filled: HashMap<String, HashSet<UserId>>,
    /// Accounts of an integration that go.
    accounts_gone: HashMap<IntegrationId, u64>,
    /// By the key of a USER attribute, whom users will name.
    references: HashMap<String, HashMap<UserId, Option<UserId>>>,
    /// Who gets a value that no two users may have.
    unique: HashMap<(AttributeId, Key), UserId>,
    /// Emails that one user gives up and another gets.
    moved_emails: Vec<String>,
}

impl Undo {
    async fn open(changeset: &Changeset, number: i64) -> Result<Self> {
        let from = changeset.transaction();
        let log = Log::open(from, number).await?;
        let mut few = Vec::new();
        for noun in [Noun::Attribute, Noun::Integration, Noun::OrgUnit, Noun::AssociationRules] {
            for made in [false, true] {
                let mut next = log.places_of(noun, made);
                while let Some(places) = next {
                    let some;
                    (some, next) = log.read(from, log::of(noun, made), places).await?;
                    few.extend(some);
                }
            }
        }
        few.sort_by_key(Logged::place);
        let mut undo = Self {
            number,
            log: Arc::new(log),
            few,
            required_before: HashSet::new(),
            world: World::default(),
            blocks: Blocks::default(),
            tally: Tally::default(),
        };
        let attributes: Vec<RecordId> =
            changeset.directory().index().attributes().iter().map(|row| RecordId::Attribute(row.id)).collect();
        let before = undo.states_before(changeset, &attributes).await?;
        undo.required_before = before
            .into_values()
            .filter_map(|record| match record {
                Record::Attribute(row) => Some(row).filter(|row| row.is_required).map(|row| row.id),
                _ => None,
            })
            .collect();
        Ok(undo)
    }

    /// Finds the records that are blocked: checks all that are not, until a round blocks no more.
    async fn settle(&mut self, changeset: &Changeset) -> Result<()> {
        for _ in 0..ROUNDS {
            let blocked = self.blocks.ids.len();
            self.tally = Tally::default();
            self.check_few(&changeset.directory().index())?;
            let (log, from) = (self.log.clone(), changeset.transaction());
            let many = || Condition::all().add(Column::Noun.is_in([Noun::User, Noun::IntegrationAccount]));
            let mut read = log.read(from, many(), log.places()).await?;
            loop {
                let (some, next) = read;
                let Some(places) = next else {
                    self.check_some(changeset, some).await?;
                    break;
                };
                // The database is asked first, and reads while these are checked.
                (read, ()) = tokio::try_join!(log.read(from, many(), places), self.check_some(changeset, some))?;
            }
            self.check_totals(changeset).await?;
            let few = self.world.plans.iter().filter(|plan| plan.is_change()).count();
            self.tally.undone += few as u64;
            if self.blocks.ids.len() == blocked {
                return Ok(());
            }
            self.spread(changeset).await?;
        }
        Err(Error::LimitExceeded {
            what: "the length of a chain of records that block each other",
            limit: ROUNDS as u64,
        })
    }

    async fn check_some(&mut self, changeset: &Changeset, some: Vec<Logged>) -> Result<()> {
        let plans = self.plan(changeset, some).await?;
        self.check_users(changeset, &plans).await?;
        self.check_accounts(changeset, &plans).await?;
        self.count(&plans);
        Ok(())
    }

    /// Blocks users whom blocked records refer to and who would go, and whom those refer to, and so on: a chain of them
    /// would else take a round of checks for each of its links.
    async fn spread(&mut self, changeset: &Changeset) -> Result<()> {
        loop {
            let fresh = std::mem::take(&mut self.blocks.fresh);
            let mut named: Vec<RecordId> = {
                let index = changeset.directory().index();
                let keys: Vec<&str> = index
                    .attributes()
                    .iter()
                    .filter(|row| row.r#type == AttributeType::User)
                    .map(|row| row.key.as_str())
                    .collect();
                let mut named: HashSet<UserId> = HashSet::new();
                for id in fresh {
                    match id {
                        RecordId::User(user) => named.extend(keys.iter().filter_map(|key| index.refers_to(key, user))),
                        RecordId::IntegrationAccount(account) => named.extend(index.owner_of(account)),
                        RecordId::Attribute(_)
                        | RecordId::Integration(_)
                        | RecordId::OrgUnit(_)
                        | RecordId::AssociationRules(_) => {}
                    }
                }
                named.into_iter().filter(|user| self.log.made.contains(user)).map(RecordId::User).collect()
            };
            named.retain(|id| !self.blocks.has(*id));
            if named.is_empty() {
                return Ok(());
            }
            named.sort_unstable();
            for some in named.chunks(1_000) {
                let some = self.log.find(changeset.transaction(), some).await?;
                let plans = self.plan(changeset, some).await?;
                self.check_users(changeset, &plans).await?;
            }
        }
    }

    /// Whether there will be a user of this id, as far as this undo is concerned.
    fn has_user(&self, index: &Index, id: UserId) -> bool {
        index.has_user(id) || (self.log.deleted.contains(&id) && !self.blocks.has(RecordId::User(id)))
    }

    fn block(&mut self, plan: &Plan, block: Block) {
        self.blocks.add(plan.id, plan.label(), block);
    }

    /// Counts what the plans that are not blocked come to.
    fn count(&mut self, plans: &[Plan]) {
        for plan in plans {
            if self.blocks.has(plan.id) || !plan.is_change() {
                continue;
            }
            self.tally.undone += 1;
            self.tally.dropped_values += plan.dropped_values;
            match (&plan.now, &plan.then) {
                (Some(Record::IntegrationAccount(now)), None) => {
                    *self.tally.accounts_gone.entry(now.integration_id).or_default() += 1;
                }
                (_, Some(Record::User(_))) | (Some(Record::User(_)), _) => self.count_values(plan),
                _ => {}
            }
        }
    }

    fn count_values(&mut self, plan: &Plan) {
        let (now, then) = plan.users();
        let of = |user: Option<&UserRecord>, key: &str| user.and_then(|user| user.row.attributes.get(key)).cloned();
        for few in &self.world.plans {
            let Some(now) = now else { break };
            let has_after = |key: &str| of(then, key).is_some();
            if let (Some(Record::Attribute(row)), None) = (&few.now, &few.then)
                && of(Some(now), &row.key).is_some()
                && !has_after(&row.key)
            {
                *self.tally.released.entry(row.key.clone()).or_default() += 1;
            }
            if let Some(row) = few.becomes_required()
                && (then.is_none() || has_after(&row.key))
            {
                self.tally.filled.entry(row.key.clone()).or_default().insert(now.row.id);
            }
        }
        let Some(then) = then else { return };
        for attribute in self.world.attributes.iter().filter(|row| row.r#type == AttributeType::User) {
            let stored = of(Some(then), &attribute.key);
            if stored == of(now, &attribute.key) {
                continue;
            }
            let named = match stored.and_then(|stored| Value::from_stored(attribute.r#type, &stored)) {
                Some(Value::User(named)) => Some(named),
                _ => None,
            };
            self.tally.references.entry(attribute.key.clone()).or_default().insert(then.row.id, named);
        }
    }
}
