//! Changes as they are made: who waits for them is told, whichever process made them.
//!
//! Nothing is queued. A listener remembers the last number it has seen and reads on in the log from there, so one that
//! is slow costs nothing, and none is skipped or told twice. What does not live here: how the index follows the log.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use entity::changeset;
use futures_util::{Stream, stream};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Directory, Error, Result};

/// How often changesets of other processes are looked for, while anybody listens.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// The most changesets that are read at a time.
pub(super) const PAGE: i64 = 100;

/// The version of the directory, as listeners are told of it.
pub(super) struct Versions {
    known: watch::Sender<i64>,
    /// The task that looks for changesets of other processes, while there is one.
    lookout: Mutex<Option<JoinHandle<()>>>,
}

impl Versions {
    pub(super) fn new(version: i64) -> Self {
        Self { known: watch::Sender::new(version), lookout: Mutex::new(None) }
    }

    /// Tells listeners of a version that the index has reached.
    pub(super) fn announce(&self, version: i64) {
        self.known.send_if_modified(|known| {
            let is_news = version > *known;
            *known = version.max(*known);
            is_news
        });
    }
}

impl Directory {
    /// The version of the directory as it moves on: at once where this process makes a changeset, and within half a
    /// second where another does. The database is looked at for this only while a receiver lives.
    #[must_use]
    pub fn versions(&self) -> watch::Receiver<i64> {
        let receiver = self.0.versions.known.subscribe();
        let mut lookout = self.0.versions.lookout.lock().unwrap_or_else(PoisonError::into_inner);
        if lookout.as_ref().is_none_or(JoinHandle::is_finished) {
            *lookout = Some(tokio::spawn(look_out(self.clone())));
        }
        receiver
    }

    /// The changesets with higher numbers than `after`, in their order: those that there are, and then each as it is
    /// made. The index has followed a changeset before it is given. It ends with the first error; while the database
    /// is away it waits.
    pub fn changesets_after(&self, after: i64) -> impl Stream<Item = Result<changeset::Model>> + Send + use<> {
        let feed = Feed { directory: self.clone(), versions: self.versions(), after, page: Vec::new().into_iter() };
        stream::try_unfold(feed, async |mut feed| Ok(feed.next().await?.map(|changeset| (changeset, feed))))
    }
}

/// Follows what other processes write, until nobody listens.
async fn look_out(directory: Directory) {
    let versions = &directory.0.versions;
    let mut is_away = false;
    while !is_left(versions) {
        match directory.refresh().await {
            Ok(_) => is_away = false,
            Err(error) => {
                // Once is enough for the log.
                if !is_away {
                    tracing::warn!(?error, "changesets of other processes cannot be looked for; trying on");
                }
                is_away = true;
            }
        }
        tokio::select! {
            () = versions.known.closed() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Whether nobody listens. If so, the next to listen starts a lookout of its own.
fn is_left(versions: &Versions) -> bool {
    let mut lookout = versions.lookout.lock().unwrap_or_else(PoisonError::into_inner);
    let is_left = versions.known.is_closed();
    if is_left {
        *lookout = None;
    }
    is_left
}

/// One listener's place in the log.
struct Feed {
    directory: Directory,
    versions: watch::Receiver<i64>,
    /// The last number that is in the page, or before it.
    after: i64,
    /// What is read and not yet given.
    page: std::vec::IntoIter<changeset::Model>,
}

impl Feed {
    async fn next(&mut self) -> Result<Option<changeset::Model>> {
        loop {
            if let Some(changeset) = self.page.next() {
                return Ok(Some(changeset));
            }
            let known = *self.versions.borrow_and_update();
            if known > self.after {
                self.read(known.min(self.after + PAGE)).await?;
            } else if self.versions.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    /// Reads on up to the number `upto`.
    async fn read(&mut self, upto: i64) -> Result<()> {
        let rows = changeset::Entity::find()
            .filter(changeset::Column::Number.gt(self.after))
            .filter(changeset::Column::Number.lte(upto))
            .order_by_asc(changeset::Column::Number)
            .all(self.directory.database().readers())
            .await
            .map_err(Error::from);
        match rows {
            Ok(rows) => (self.page, self.after) = (rows.into_iter(), upto),
            Err(error) if error.is_retryable() => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
