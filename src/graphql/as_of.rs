//! THE PAST in the API: which version of the directory is asked, and how every node below it stays of that version.
//!
//! A node knows its [`At`], and answers from there: from the index that [`At::index`] gives, and by [`At::user`] and
//! [`At::accounts_of`]. One that a node leads to has the same [`At`]. So nothing below a node of then is of now, but for
//! `history`, which tells all that became of a record.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Context, OneofObject};
use entity::{UserId, integration_account};
use tokio::sync::OnceCell;

use super::context::ContextExt;
use super::error::{Failure, Result};
use super::loader::{AccountsOf, Then};
use super::scalar::{Date, DateTime};
use crate::directory::{self, Directory, Error, Moment, Seen};
use crate::index::Index;
use crate::record::UserRecord;

/// The most versions of the past that one answer is made of: each is an index in memory.
const VERSIONS: usize = 12;

/// A point in the directory's past. Exactly one of the fields is given.
#[derive(Clone, Copy, Debug, OneofObject)]
pub(crate) enum AsOf {
    /// After the changeset of this number; 0 is the empty directory before the first.
    Version(i64),
    /// After the last changeset that was made at this time or before it. Not a time that is yet to come.
    Time(DateTime),
    /// At the end of this day in UTC; of today, as it is now.
    Date(Date),
}

impl From<AsOf> for directory::AsOf {
    fn from(point: AsOf) -> Self {
        match point {
            AsOf::Version(version) => Self::Version(version),
            AsOf::Time(DateTime(time)) => Self::Time(time),
            AsOf::Date(Date(day)) => Self::Date(day),
        }
    }
}

/// The version of the directory that a node shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum At {
    /// The directory as it is.
    #[default]
    Now,
    /// The directory as it was then.
    Then(Moment),
}

/// The index that a node answers from. Not to be held across an await.
pub(crate) enum View<'a> {
    Now(Seen<'a>),
    Then(Arc<Index>),
}

impl Deref for View<'_> {
    type Target = Index;

    fn deref(&self) -> &Index {
        match self {
            Self::Now(index) => index,
            Self::Then(index) => index,
        }
    }
}

impl At {
    /// The version that an argument asks for; without it that of now. `path` is the argument's name.
    ///
    /// # Errors
    /// `Invalid`, where there is no such version.
    pub(crate) async fn of(ctx: &Context<'_>, point: Option<AsOf>, path: &str) -> Result<Self> {
        match point {
            Some(point) => Ok(Self::Then(ctx.versions()?.find(ctx.directory()?, point.into(), path).await?)),
            None => Ok(Self::Now),
        }
    }

    /// The version that an argument asks for, or else this one.
    ///
    /// # Errors
    /// As [`At::of`].
    pub(crate) async fn or(self, ctx: &Context<'_>, point: Option<AsOf>, path: &str) -> Result<Self> {
        Ok(match Self::of(ctx, point, path).await? {
            Self::Now => self,
            then @ Self::Then(_) => then,
        })
    }

    /// The index to answer from.
    ///
    /// # Errors
    /// `LimitExceeded`, where an answer would be made of too many versions; where the database cannot be read.
    pub(crate) async fn index<'a>(self, ctx: &'a Context<'_>) -> Result<View<'a>> {
        Ok(match self {
            Self::Now => View::Now(ctx.directory()?.index()),
            Self::Then(moment) => View::Then(ctx.versions()?.index(ctx.directory()?, moment).await?),
        })
    }

    /// A user, gathered with the other users the document asks for.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub(crate) async fn user(self, ctx: &Context<'_>, id: UserId) -> Result<Option<Arc<UserRecord>>> {
        match self {
            Self::Now => ctx.load(id).await,
            Self::Then(Moment { version, .. }) => ctx.load(Then { version, id }).await,
        }
    }

    /// Users in the order of their ids; those that there are not are left out.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub(crate) async fn users(
        self,
        ctx: &Context<'_>,
        ids: impl IntoIterator<Item = UserId> + Send,
    ) -> Result<Vec<Arc<UserRecord>>> {
        match self {
            Self::Now => ctx.load_all(ids).await,
            Self::Then(Moment { version, .. }) => {
                let keys: Vec<Then<UserId>> = ids.into_iter().map(|id| Then { version, id }).collect();
                ctx.load_all(keys).await
            }
        }
    }

    /// The accounts of a user, in order of their integrations.
    ///
    /// # Errors
    /// As [`At::index`].
    pub(crate) async fn accounts_of(
        self,
        ctx: &Context<'_>,
        user: UserId,
    ) -> Result<Arc<[Arc<integration_account::Model>]>> {
        let Self::Then(moment) = self else {
            return Ok(ctx.load(AccountsOf(user)).await?.unwrap_or_default());
        };
        let index = ctx.versions()?.index(ctx.directory()?, moment).await?;
        let version = moment.version;
        let ids = index.accounts_of(user);
        let mut accounts = ctx.load_all(ids.into_iter().map(|id| Then { version, id })).await?;
        let places: HashMap<_, _> =
            index.integrations().iter().enumerate().map(|(place, integration)| (integration.id, place)).collect();
        accounts.sort_by_key(|account| (places.get(&account.integration_id).copied(), account.id));
        Ok(accounts.into())
    }
}

/// The versions of the past that one answer is made of.
#[derive(Default)]
pub(crate) struct Versions {
    found: Cells<directory::AsOf, Moment>,
    indexes: Cells<Moment, Arc<Index>>,
}

/// What is worked out once for each key, however many ask at a time.
type Cells<K, T> = Mutex<HashMap<K, Arc<OnceCell<T>>>>;

impl Versions {
    /// The moment of a point in the past: the same for the whole answer.
    ///
    /// # Errors
    /// `Invalid`, where there is no such version.
    pub(crate) async fn find(&self, directory: &Directory, point: directory::AsOf, path: &str) -> Result<Moment> {
        let cell = cell(&self.found, point, usize::MAX)?;
        Ok(*cell.get_or_try_init(|| directory.moment(point, path)).await?)
    }

    /// The index of a moment.
    ///
    /// # Errors
    /// `LimitExceeded`, where an answer would be made of too many versions; where the database cannot be read.
    pub(crate) async fn index(&self, directory: &Directory, moment: Moment) -> Result<Arc<Index>> {
        let cell = cell(&self.indexes, moment, VERSIONS)?;
        let seen = async || {
            let index = directory.index_at(moment.version).await?;
            if index.today() == moment.day {
                return Ok::<_, Error>(index);
            }
            let mut index = index.as_ref().clone();
            index.begin_day(moment.day);
            Ok(Arc::new(index))
        };
        Ok(cell.get_or_try_init(seen).await?.clone())
    }

    /// Lets go of them, for the next answer.
    pub(crate) fn clear(&self) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.indexes.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn cell<K: Hash + Eq, T>(cells: &Cells<K, T>, key: K, most: usize) -> Result<Arc<OnceCell<T>>> {
    let mut cells = cells.lock().unwrap_or_else(PoisonError::into_inner);
    if cells.len() >= most && !cells.contains_key(&key) {
        let what = "the number of versions of the past that one answer is made of";
        return Err(Failure(Error::LimitExceeded { what, limit: most as u64 }));
    }
    Ok(cells.entry(key).or_default().clone())
}
