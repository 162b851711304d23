//! CONTEXT. What resolvers find in a request: the directory, who asks, and the loader. Nothing else reads its data.

use std::hash::Hash;
use std::time::{Duration, Instant};

use async_graphql::Context;
use async_graphql::dataloader::{self, DataLoader};

use super::as_of::Versions;
use super::error::{Failure, Result};
use super::loader::Loader;
use crate::access::{Principal, Role};
use crate::directory::{Actor, Directory, Error};

/// When the answer to a request is to be there.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// A bit less than this time from now, so that an answer that is given at the last moment is still sent.
    #[must_use]
    pub fn within(time: Duration) -> Self {
        Self(Instant::now() + (time - (time / 4).min(Duration::from_secs(1))))
    }
}

/// Whether somebody can sign in without a token of the directory.
#[derive(Clone, Copy, Debug, Default)]
pub struct OtherSignIn(pub bool);

/// Reads the data of a request.
pub(crate) trait ContextExt {
    /// The directory.
    ///
    /// # Errors
    /// `Internal`, where the document was not started by [`super::execute`].
    fn directory(&self) -> Result<&Directory>;

    /// The versions of the past that the answer is made of.
    ///
    /// # Errors
    /// As [`ContextExt::directory`].
    fn versions(&self) -> Result<&Versions>;

    /// Who asks.
    ///
    /// # Errors
    /// `Internal`, where the request does not say, which none does that comes in over HTTP.
    fn principal(&self) -> Result<&Principal>;

    /// Refuses whoever is not an ADMIN.
    ///
    /// # Errors
    /// `Forbidden`, with what is not for others.
    fn admin(&self, what: &'static str) -> Result<()>;

    /// Whether somebody can sign in without a token of the directory.
    fn has_other_sign_in(&self) -> bool;

    /// Who makes the request's changes, as the log names them.
    fn actor(&self) -> Actor;

    /// How long an answer can wait for what is being done.
    fn time_left(&self) -> Duration;

    /// What a key names, gathered with what the rest of the document asks for at the same time.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    fn load<K>(&self, key: K) -> impl Future<Output = Result<Option<<Loader as dataloader::Loader<K>>::Value>>> + Send
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loader: dataloader::Loader<K, Error = Error>;

    /// What each of many keys names, in their order; those that name nothing are left out.
    ///
    /// # Errors
    /// Where the directory cannot be read.
    fn load_all<K>(
        &self,
        keys: impl IntoIterator<Item = K> + Send,
    ) -> impl Future<Output = Result<Vec<<Loader as dataloader::Loader<K>>::Value>>> + Send
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loader: dataloader::Loader<K, Error = Error>;
}

fn loader<'a>(ctx: &'a Context<'_>) -> Result<&'a DataLoader<Loader>> {
    ctx.data_opt().ok_or_else(|| Failure(Error::internal("the request has no loader")))
}

impl ContextExt for Context<'_> {
    fn directory(&self) -> Result<&Directory> {
        Ok(loader(self)?.loader().directory())
    }

    fn versions(&self) -> Result<&Versions> {
        Ok(loader(self)?.loader().versions())
    }

    fn principal(&self) -> Result<&Principal> {
        self.data_opt().ok_or_else(|| Failure(Error::internal("the request does not say who asks")))
    }

    fn admin(&self, what: &'static str) -> Result<()> {
        match self.directory()?.role() {
            Role::Admin => Ok(()),
            _ => Err(Failure(Error::Forbidden(what))),
        }
    }

    fn has_other_sign_in(&self) -> bool {
        self.data_opt::<OtherSignIn>().is_some_and(|other| other.0)
    }

    fn actor(&self) -> Actor {
        Actor(self.principal().map_or_else(|_| "api".to_owned(), |principal| principal.name.clone()))
    }

    fn time_left(&self) -> Duration {
        self.data_opt::<Deadline>()
            .map_or(Duration::MAX, |Deadline(until)| until.saturating_duration_since(Instant::now()))
    }

    async fn load<K>(&self, key: K) -> Result<Option<<Loader as dataloader::Loader<K>>::Value>>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loader: dataloader::Loader<K, Error = Error>,
    {
        loader(self)?.load_one(key).await.map_err(Failure)
    }

    async fn load_all<K>(
        &self,
        keys: impl IntoIterator<Item = K> + Send,
    ) -> Result<Vec<<Loader as dataloader::Loader<K>>::Value>>
    where
        K: Send + Sync + Hash + Eq + Clone + 'static,
        Loader: dataloader::Loader<K, Error = Error>,
    {
        let keys: Vec<K> = keys.into_iter().collect();
        let mut found = loader(self)?.load_many(keys.iter().cloned()).await.map_err(Failure)?;
        Ok(keys.iter().filter_map(|key| found.remove(key)).collect())
    }
}
