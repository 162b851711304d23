//! CONTEXT. What resolvers find in a request: the directory, who asks, and the loader. Nothing else reads its data.

use std::hash::Hash;

use async_graphql::Context;
use async_graphql::dataloader::{self, DataLoader};

use super::error::{Failure, Result};
use super::loader::Loader;
use crate::directory::{Actor, Directory, Error};

/// Reads the data of a request.
pub(crate) trait ContextExt {
    /// The directory.
    ///
    /// # Errors
    /// `Internal`, where the document was not started by [`super::execute`].
    fn directory(&self) -> Result<&Directory>;

    /// Who makes the request's changes, as the log names them.
    fn actor(&self) -> Actor;

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

    fn actor(&self) -> Actor {
        self.data_opt::<Actor>().cloned().unwrap_or_else(|| Actor("api".to_owned()))
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
