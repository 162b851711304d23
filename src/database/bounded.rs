//! Connections that are given up where the database says nothing any more.
//!
//! PostgreSQL ends each statement after a while. One that is still not answered some time later is lost: the machine is
//! gone, or the way to it. The system tells that after a quarter of an hour, and where all was sent and only the answer is
//! missing, never.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr,
    SqlxError, Statement, StreamTrait,
};

/// A transaction. Dropping it undoes it.
pub type Transaction = Bounded<DatabaseTransaction>;

/// The connections that read.
pub type Readers = Bounded<DatabaseConnection>;

/// One or more connections, on which no statement is waited for without end.
#[derive(Debug)]
pub struct Bounded<C> {
    pub(super) inner: C,
    /// How long; SQLite is no further away than its file, and has no limit.
    limit: Option<Duration>,
    is_endless: AtomicBool,
}

impl<C> Bounded<C> {
    pub(super) fn new(inner: C, limit: Option<Duration>) -> Self {
        Self { inner, limit, is_endless: AtomicBool::new(false) }
    }

    /// From now on statements take as long as they take.
    pub(super) fn lift(&self) {
        self.is_endless.store(true, Ordering::Relaxed);
    }

    fn limit(&self) -> Option<Duration> {
        self.limit.filter(|_| !self.is_endless.load(Ordering::Relaxed))
    }
}

impl<C: Clone> Clone for Bounded<C> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.limit)
    }
}

impl Transaction {
    /// What to call is [`super::Database::commit`].
    pub(super) async fn commit(self) -> Result<(), DbErr> {
        within(self.limit(), self.inner.commit()).await
    }

    /// Undoes what was written.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn rollback(self) -> Result<(), DbErr> {
        within(self.limit(), self.inner.rollback()).await
    }
}

#[async_trait]
impl<C: ConnectionTrait + Send> ConnectionTrait for Bounded<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        within(self.limit(), self.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        within(self.limit(), self.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        within(self.limit(), self.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        within(self.limit(), self.inner.query_all_raw(statement)).await
    }
}

/// Reading by and by is not bounded: how long it takes is the reader's to say.
impl<C: StreamTrait> StreamTrait for Bounded<C> {
    type Stream<'a>
        = C::Stream<'a>
    where
        C: 'a;

    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    fn stream_raw<'a>(
        &'a self,
        statement: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
        self.inner.stream_raw(statement)
    }
}

/// Waits for an answer of the database, for so long if there is a limit.
pub(super) async fn within<T>(
    limit: Option<Duration>,
    answer: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    let Some(limit) = limit else { return answer.await };
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
        let cause = io::Error::new(io::ErrorKind::TimedOut, "the database says nothing any more");
        Err(DbErr::Conn(RuntimeErr::SqlxError(Arc::new(SqlxError::Io(cause)))))
    })
}
