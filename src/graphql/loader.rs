//! LOADER. Reads that a document asks for many times over, gathered into one call of a directory verb for all of them.
//!
//! One loader a request, without a cache: what a mutation has just written is read anew by what follows it in the same
//! document. What does not live here: statements; the verbs have those.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_graphql::dataloader::{self, DataLoader};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::task::AtomicWaker;
use tokio::sync::mpsc;

use entity::{IntegrationAccountId, IntegrationId, OrgUnitId, UserId};
use entity::{integration_account, integration_credential, integration_state};

use super::as_of::{At, Versions};
use super::error::Failure;
use crate::directory::{Directory, Error, Run};
use crate::index::{Index, Reason};
use crate::record::{OrgUnitRecord, UserRecord};

/// Loads by each of its key types.
pub(crate) struct Loader {
    directory: Directory,
    versions: Arc<Versions>,
    /// How many batches have begun to read.
    begun: Arc<AtomicUsize>,
}

/// Asks for the accounts of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AccountsOf(pub UserId);

/// Asks for the org units that a user is a member of, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MembershipsOf(pub UserId, pub At);

/// The org units that a user is a member of, each with why.
type Memberships = Arc<[(Arc<OrgUnitRecord>, Reason)]>;

/// Asks for a record as it was at a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Then<I> {
    pub version: i64,
    pub id: I,
}

/// Asks how many accounts an integration has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AccountCountOf(pub IntegrationId, pub At);

/// Asks for what may be told of an integration's credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CredentialOf(pub IntegrationId);

/// Asks for the last run of an integration, and when the next one is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RunStateOf(pub IntegrationId);

/// Asks which changeset has undone this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct UndoneBy(pub i64);

impl Loader {
    /// A loader for one request, and what it is about to read.
    #[must_use]
    pub(crate) fn for_request(directory: Directory) -> (DataLoader<Self>, Batches) {
        let (send, receive) = mpsc::unbounded_channel();
        // Nobody is left to be told once the request is gone.
        let queue = move |batch| drop(send.send(batch));
        let begun = Arc::new(AtomicUsize::new(0));
        let versions = Arc::new(Versions::default());
        let batches = Batches { queue: receive, begun: begun.clone(), versions: versions.clone() };
        let loader = DataLoader::new(Self { directory, versions, begun }, queue);
        (loader.delay(Duration::ZERO).max_batch_size(usize::MAX), batches)
    }

    /// The directory it loads from.
    #[must_use]
    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The versions of the past that the answer is made of.
    #[must_use]
    pub(crate) fn versions(&self) -> &Versions {
        &self.versions
    }

    /// The directory, for a batch that begins.
    fn begin(&self) -> &Directory {
        self.begun.fetch_add(1, Ordering::Relaxed);
        &self.directory
    }
}

/// Reads that the loader of one request has gathered and not begun.
pub(crate) struct Batches {
    queue: mpsc::UnboundedReceiver<BoxFuture<'static, ()>>,
    begun: Arc<AtomicUsize>,
    versions: Arc<Versions>,
}

impl Batches {
    /// Runs a document whose loader's batches these are, or a subscription up to its next event.
    ///
    /// A batch begins when the document can go no further without it, and only when the batches before it have ended;
    /// and the document goes on only when all of them have begun. So what is gathered does not depend on how fast the
    /// machine is: batches that began after a fixed time would cut a long list into many reads on a busy one.
    pub(crate) async fn run<T>(&mut self, document: impl Future<Output = T>) -> T {
        self.versions.clear();
        let mut document = pin!(document);
        let mut under_way = FuturesUnordered::new();
        let mut started = self.begun.load(Ordering::Relaxed);
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(signal.clone());
        poll_fn(|context| {
            signal.outer.register(context.waker());
            loop {
                let have_begun = self.begun.load(Ordering::Relaxed) == started;
                if have_begun {
                    signal.is_woken.store(false, Ordering::Release);
                    if let Poll::Ready(answer) = document.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return Poll::Ready(answer);
                    }
                    if under_way.is_empty() {
                        // A long list is resolved in turns, between which the document only pauses.
                        if signal.is_woken.load(Ordering::Acquire) {
                            return Poll::Pending;
                        }
                        while let Ok(batch) = self.queue.try_recv() {
                            under_way.push(batch);
                            started += 1;
                        }
                    }
                }
                match under_way.poll_next_unpin(context) {
                    Poll::Ready(Some(())) => {}
                    // A batch may end without reading, where nobody asks any more.
                    Poll::Ready(None) if !have_begun => started = self.begun.load(Ordering::Relaxed),
                    Poll::Pending if !have_begun && self.begun.load(Ordering::Relaxed) == started => {}
                    Poll::Ready(None) | Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await
    }
}

/// Tells whether a document wants to go on.
#[derive(Default)]
struct Signal {
    is_woken: AtomicBool,
    outer: AtomicWaker,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.outer.wake();
    }
}

impl dataloader::Loader<UserId> for Loader {
    type Value = Arc<UserRecord>;
    type Error = Error;

    async fn load(&self, ids: &[UserId]) -> Result<HashMap<UserId, Self::Value>, Error> {
        let users = self.begin().find_users(ids).await?;
        Ok(users.into_iter().map(|(id, user)| (id, Arc::new(user))).collect())
    }
}

impl dataloader::Loader<IntegrationAccountId> for Loader {
    type Value = Arc<integration_account::Model>;
    type Error = Error;

    async fn load(&self, ids: &[IntegrationAccountId]) -> Result<HashMap<IntegrationAccountId, Self::Value>, Error> {
        let accounts = self.begin().find_accounts(ids).await?;
        Ok(accounts.into_iter().map(|(id, account)| (id, Arc::new(account))).collect())
    }
}

impl dataloader::Loader<AccountsOf> for Loader {
    type Value = Arc<[Arc<integration_account::Model>]>;
    type Error = Error;

    async fn load(&self, keys: &[AccountsOf]) -> Result<HashMap<AccountsOf, Self::Value>, Error> {
        let users: Vec<UserId> = keys.iter().map(|key| key.0).collect();
        let accounts = self.begin().accounts_of(&users).await?;
        Ok(accounts
            .into_iter()
            .map(|(user, accounts)| (AccountsOf(user), accounts.into_iter().map(Arc::new).collect()))
            .collect())
    }
}

impl dataloader::Loader<MembershipsOf> for Loader {
    type Value = Memberships;
    type Error = Error;

    async fn load(&self, keys: &[MembershipsOf]) -> Result<HashMap<MembershipsOf, Self::Value>, Error> {
        let directory = self.begin();
        let mut users: HashMap<At, Vec<UserId>> = HashMap::new();
        for MembershipsOf(user, at) in keys {
            users.entry(*at).or_default().push(*user);
        }
        let mut found = HashMap::with_capacity(keys.len());
        for (at, users) in users {
            let units = match at {
                At::Now => memberships_in(&directory.index(), &users),
                At::Then(moment) => {
                    let index = self.versions.index(directory, moment).await.map_err(|Failure(error)| error)?;
                    memberships_in(&index, &users)
                }
            };
            found.extend(users.into_iter().map(|user| MembershipsOf(user, at)).zip(units));
        }
        Ok(found)
    }
}

/// The org units that each user is a member of, in order of their paths, and why.
fn memberships_in(index: &Index, users: &[UserId]) -> Vec<Memberships> {
    let sorted = |units: Vec<(OrgUnitId, Reason)>| {
        let mut units: Vec<(String, Arc<OrgUnitRecord>, Reason)> = units
            .iter()
            .filter_map(|(id, reason)| Some((index.path(*id), index.org_unit(*id)?.clone(), *reason)))
            .collect();
        units.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        units.into_iter().map(|(_, unit, reason)| (unit, reason)).collect()
    };
    index.memberships_of(users).into_iter().map(sorted).collect()
}

impl dataloader::Loader<Then<UserId>> for Loader {
    type Value = Arc<UserRecord>;
    type Error = Error;

    async fn load(&self, keys: &[Then<UserId>]) -> Result<HashMap<Then<UserId>, Self::Value>, Error> {
        let keys: Vec<(i64, UserId)> = keys.iter().map(|key| (key.version, key.id)).collect();
        let users = self.begin().users_at(&keys).await?;
        Ok(users.into_iter().map(|((version, id), user)| (Then { version, id }, Arc::new(user))).collect())
    }
}

impl dataloader::Loader<Then<IntegrationAccountId>> for Loader {
    type Value = Arc<integration_account::Model>;
    type Error = Error;

    async fn load(
        &self,
        keys: &[Then<IntegrationAccountId>],
    ) -> Result<HashMap<Then<IntegrationAccountId>, Self::Value>, Error> {
        let keys: Vec<(i64, IntegrationAccountId)> = keys.iter().map(|key| (key.version, key.id)).collect();
        let accounts = self.begin().accounts_at(&keys).await?;
        Ok(accounts.into_iter().map(|((version, id), row)| (Then { version, id }, Arc::new(row))).collect())
    }
}

impl dataloader::Loader<AccountCountOf> for Loader {
    type Value = u64;
    type Error = Error;

    async fn load(&self, keys: &[AccountCountOf]) -> Result<HashMap<AccountCountOf, u64>, Error> {
        let directory = self.begin();
        let mut found = HashMap::with_capacity(keys.len());
        let mut of_now: Vec<IntegrationId> = Vec::new();
        for key @ AccountCountOf(id, at) in keys {
            match at {
                At::Now => of_now.push(*id),
                At::Then(moment) => {
                    let index = self.versions.index(directory, *moment).await.map_err(|Failure(error)| error)?;
                    found.insert(*key, index.count_accounts_of_integration(*id));
                }
            }
        }
        if !of_now.is_empty() {
            let counts = directory.account_counts(&of_now).await?;
            found.extend(counts.into_iter().map(|(id, count)| (AccountCountOf(id, At::Now), count)));
        }
        Ok(found)
    }
}

impl dataloader::Loader<CredentialOf> for Loader {
    type Value = integration_credential::Model;
    type Error = Error;

    async fn load(&self, keys: &[CredentialOf]) -> Result<HashMap<CredentialOf, Self::Value>, Error> {
        let ids: Vec<IntegrationId> = keys.iter().map(|key| key.0).collect();
        let rows = self.begin().credentials_of(&ids).await?;
        Ok(rows.into_iter().map(|(id, row)| (CredentialOf(id), row)).collect())
    }
}

impl dataloader::Loader<RunStateOf> for Loader {
    type Value = (integration_state::Model, Option<Run>);
    type Error = Error;

    async fn load(&self, keys: &[RunStateOf]) -> Result<HashMap<RunStateOf, Self::Value>, Error> {
        let ids: Vec<IntegrationId> = keys.iter().map(|key| key.0).collect();
        let states = self.begin().run_states(&ids).await?;
        Ok(states.into_iter().map(|(id, state)| (RunStateOf(id), state)).collect())
    }
}

impl dataloader::Loader<UndoneBy> for Loader {
    type Value = i64;
    type Error = Error;

    async fn load(&self, keys: &[UndoneBy]) -> Result<HashMap<UndoneBy, i64>, Error> {
        let numbers: Vec<i64> = keys.iter().map(|key| key.0).collect();
        let undone = self.begin().undone_by(&numbers).await?;
        Ok(undone.into_iter().map(|(number, by)| (UndoneBy(number), by)).collect())
    }
}
