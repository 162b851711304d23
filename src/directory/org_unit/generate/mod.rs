//! GENERATION. Org units made of the values that users have, or of whom they report to, and kept in step with them.
//!
//! The values ask for units (`outline`), which are laid beside those that there are (`settle`). A generated unit remembers
//! what it was generated from, and as what (`origin`): so it is found again wherever a person has moved it and whatever
//! it is called, and what a person has changed of it is told from what was generated.

mod call;
mod name;
mod origin;
mod outline;
mod settle;
mod tree;

pub use origin::{Made, Origin, Source, SourceValue};

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use entity::changeset::ChangesetKind;
use entity::org_unit::OrgUnitScope;
use entity::{OrgUnitId, UserId};
use sea_orm::ConnectionTrait;

use crate::directory::association::Stamp;
use crate::directory::error::{Error, Result};
use crate::directory::{Actor, Directory, fetch};
use crate::filter::Filter;
use crate::index::Index;
use crate::record::{OrgUnitRecord, Record};
use crate::value::fold;
use outline::Wanted;
use settle::{Settled, Settling};

/// The most units of one generation.
const UNITS: usize = 10_000;
/// The most levels of values.
const KEYS: usize = 4;

/// What org units are to be generated from.
#[derive(Clone, Debug)]
pub enum Basis {
    /// A unit for each value of an attribute, within it one for each value of the next: their keys.
    Values(Vec<String>),
    /// A unit for each user who has reports, below that of whom the user reports to.
    Supervisor {
        /// The key of the USER attribute; may be left out where there is one.
        attribute: Option<String>,
        /// At most so many levels of units.
        depth: Option<u32>,
        /// Whether supervisors are members of their own units.
        includes_supervisor: bool,
    },
}

/// Which org units are to be generated, and how.
#[derive(Clone, Debug)]
pub struct Generation {
    /// From what.
    pub basis: Basis,
    /// The unit below which they stand; none for the root.
    pub parent_id: Option<OrgUnitId>,
    /// Among whom the topmost of them select; those below select among their parent's members.
    pub scope: OrgUnitScope,
    /// Only users whom this selects.
    pub filter: Option<Filter>,
    /// Only units for so many users; those that there are stay while they are for one.
    pub min_members: u64,
    /// Whether generated units whose value nobody has any more are removed.
    pub remove_vanished: bool,
    /// The paths of units that are left as they are, or not made.
    pub skip: Vec<String>,
    /// The version of the directory that was looked at.
    pub expected_version: Option<i64>,
}

/// What becomes of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is made.
    Create,
    /// It is there, and is brought into step.
    Update,
    /// It is there, as it would be.
    Keep,
    /// Its value is gone, and so does it.
    Remove,
    /// Its value is gone; it stays.
    Vanished,
    /// It is left as it is, or not made, as was asked for.
    Skip,
    /// Something is in the way.
    Blocked,
}

/// One unit of a generation.
#[derive(Clone, Debug)]
pub struct GeneratedUnit {
    /// What becomes of it.
    pub action: Action,
    /// The unit, which there may not be yet.
    pub id: OrgUnitId,
    /// Its name.
    pub name: String,
    /// The names from the root down.
    pub path: String,
    /// How many names those are.
    pub depth: usize,
    /// Among whom its filter selects.
    pub scope: OrgUnitScope,
    /// Its filter.
    pub filter: Option<Filter>,
    /// How many users it is for; of one whose value is gone, how many members it has.
    pub count: u64,
    /// What it is generated from.
    pub source: Source,
    /// What changes of it, by the names of the API.
    pub changes: Vec<&'static str>,
    /// What a reviewer should know: why it is not called as its value, or what is in the way.
    pub note: Option<String>,
}

/// What a generation comes to.
#[derive(Clone, Debug)]
pub struct Generated {
    /// The units that are asked for, each after the one above it; then those whose value is gone.
    pub units: Vec<GeneratedUnit>,
    /// How many of the users are in none of them.
    pub unplaced: u64,
    /// The version of the directory.
    pub version: i64,
}

impl Directory {
    /// What [`Directory::generate_org_units`] would do.
    ///
    /// # Errors
    /// As there, except for what is in the way of single units, which they say.
    pub async fn preview_generated_org_units(&self, generation: Generation) -> Result<Generated> {
        let index = self.snapshot();
        let stamp = self.stamp(&index, &Actor(String::new()));
        let (generated, _) = self.settle(index, stamp, self.database().readers(), generation).await?;
        Ok(generated)
    }

    /// Makes org units of the values that users have and brings those made before into step, in one changeset.
    ///
    /// # Errors
    /// `NotFound` for the parent; `Invalid` for the attributes, the filter, and what there is too much of; `Conflict`;
    /// `AlreadyExists` where a unit that was not generated has the name of one; `InUse` where others need one that goes.
    pub async fn generate_org_units(&self, actor: &Actor, generation: Generation) -> Result<Generated> {
        let mut changeset = self.begin(ChangesetKind::Generate, actor).await?;
        let (index, stamp, transaction) = (self.snapshot(), changeset.stamp(), changeset.share());
        let (mut generated, settled) = self.settle(index, stamp, transaction.as_ref(), generation).await?;
        drop(transaction);
        if let Some(block) = settled.block {
            return Err(block);
        }
        for (before, after) in settled.changes {
            changeset.put(before.map(Record::OrgUnit), after.map(Record::OrgUnit));
        }
        generated.version = changeset.commit().await?;
        Ok(generated)
    }

    async fn settle(
        &self,
        index: Index,
        stamp: Stamp,
        connection: &impl ConnectionTrait,
        generation: Generation,
    ) -> Result<(Generated, Settled)> {
        let version = index.version();
        if let Some(expected) = generation.expected_version.filter(|expected| *expected != version) {
            return Err(Error::Conflict { noun: "directory", key: "org units".to_owned(), expected, actual: version });
        }
        if generation.skip.len() > UNITS {
            return Err(Error::LimitExceeded { what: "the number of paths to skip", limit: UNITS as u64 });
        }
        let outlined = blocking(move || {
            let known = generated(&index, &generation);
            let sources = known.keys().cloned().collect::<HashSet<_>>();
            let outline = outline::outline(&index, &generation, &sources)?;
            Ok((index, generation, known, outline))
        });
        let (index, generation, known, outline) = outlined.await?;
        let is_open = |wanted: &&Wanted| wanted.is_spelt_by_users() && !known.contains_key(&wanted.source);
        let is_named = |wanted: &&Wanted| wanted.value.is_none() || is_open(wanted);
        let examples: HashSet<UserId> = outline.wanted.iter().filter(is_named).map(|wanted| wanted.example).collect();
        let examples: Vec<UserId> = examples.into_iter().collect();
        let examples = fetch::users(connection, &examples).await?;
        let clock = self.clock().clone();
        blocking(move || {
            let settling = Settling::new(&index, &generation, (&stamp, &clock), known, examples);
            let mut settled = settling.settle(&outline)?;
            let units = std::mem::take(&mut settled.units);
            Ok((Generated { units, unplaced: outline.unplaced, version }, settled))
        })
        .await
    }
}

/// Runs what needs a core for long off the threads that serve requests.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

/// The units that such a generation has made before, by source.
fn generated(index: &Index, generation: &Generation) -> HashMap<Source, Arc<OrgUnitRecord>> {
    let is_like = |source: &Source| match (source, &generation.basis) {
        (Source::Values(values), Basis::Values(keys)) => {
            values.len() <= keys.len() && values.iter().zip(keys).all(|(value, key)| value.attribute == fold(key))
        }
        (Source::Supervisor { attribute, .. }, Basis::Supervisor { attribute: asked, .. }) => {
            asked.as_ref().is_none_or(|asked| fold(asked) == *attribute)
        }
        _ => false,
    };
    let mut units: Vec<&Arc<OrgUnitRecord>> = index.org_units().filter(|unit| unit.row.origin.is_some()).collect();
    // Should two be of one source, the one that was made first is it.
    units.sort_by_key(|unit| std::cmp::Reverse(unit.row.id));
    let of = |unit: &Arc<OrgUnitRecord>| {
        let origin = Origin::of(unit)?;
        let is_ours = origin.under == generation.parent_id && is_like(&origin.source);
        is_ours.then(|| (origin.source.folded(), unit.clone()))
    };
    units.into_iter().filter_map(of).collect()
}
