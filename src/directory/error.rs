//! What can go wrong in the directory.
//!
//! Few variants: one per thing a client does differently. `Display` is safe for clients; the source never stands in it.

use std::sync::Arc;

use sea_orm::{DbErr, RuntimeErr, SqlErr};

use crate::filter::Violation;
use crate::value::{nearest, shorten};

/// The cause of an error, for the log alone.
pub type Source = Arc<dyn std::error::Error + Send + Sync>;

/// What can go wrong in the directory.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no such record.
    #[error("{noun} `{key}` does not exist{hint}")]
    NotFound {
        /// What was looked for, in words: "user".
        noun: &'static str,
        /// The key it was looked for by.
        key: String,
        /// More words, such as the nearest name; begins with a separator where not empty.
        hint: String,
    },
    /// Another record has this key.
    #[error("{noun} `{key}` already exists{hint}")]
    AlreadyExists {
        /// What exists, in words.
        noun: &'static str,
        /// The key they share.
        key: String,
        /// More words, such as whose it is; begins with a separator where not empty.
        hint: String,
    },
    /// The input breaks rules; each violation names its place and the mend.
    #[error("{}", summary(.0))]
    Invalid(Vec<Violation>),
    /// Others need the record.
    #[error("{noun} `{key}` is used by {by}")]
    InUse {
        /// What is used, in words.
        noun: &'static str,
        /// Its key.
        key: String,
        /// By what, in words.
        by: String,
    },
    /// The record changed since the client read it.
    #[error("{noun} `{key}` is at version {actual}, not {expected}; read it again and repeat the change")]
    Conflict {
        /// What changed, in words.
        noun: &'static str,
        /// Its key.
        key: String,
        /// The version the client expected.
        expected: i64,
        /// The version it has.
        actual: i64,
    },
    /// A draft would do something else than it says, since the directory has moved.
    #[error(
        "`{draft}` was compared with version {base}; at version {actual}, {count} of its rows would do something else; \
         look at `moved`, and rebase it"
    )]
    Moved {
        /// The draft's id, as clients see it.
        draft: String,
        /// The version that the draft was compared with.
        base: i64,
        /// The version that the directory has.
        actual: i64,
        /// How many rows it is.
        count: u64,
        /// The first of them.
        moved: Vec<super::Moved>,
    },
    /// More than a limit allows.
    #[error("{what} is limited to {limit}")]
    LimitExceeded {
        /// What is limited.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The database cannot answer now.
    #[error("the database is busy or away; try again")]
    Unavailable(#[source] Source),
    /// A fault of the server.
    #[error("internal error")]
    Internal(#[source] Source),
}

/// A result of the directory.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The stable code that clients tell errors apart by.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "NOT_FOUND",
            Self::AlreadyExists { .. } => "ALREADY_EXISTS",
            Self::Invalid(_) => "INVALID_INPUT",
            Self::InUse { .. } => "IN_USE",
            Self::Conflict { .. } | Self::Moved { .. } => "CONFLICT",
            Self::LimitExceeded { .. } => "LIMIT_EXCEEDED",
            Self::Unavailable(_) => "UNAVAILABLE",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// One violation, as an error.
    #[must_use]
    pub fn invalid(path: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation { path: path.into(), code, message: message.into() }])
    }

    /// There is no record with this key.
    #[must_use]
    pub fn not_found(noun: &'static str, key: impl Into<String>) -> Self {
        Self::NotFound { noun, key: key.into(), hint: String::new() }
    }

    /// There is no record with this name, and perhaps one with a name like it.
    #[must_use]
    pub fn unknown<'a>(noun: &'static str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let hint = nearest(name, known).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Self::NotFound { noun, key: shorten(name), hint }
    }

    /// A fault of the server.
    #[must_use]
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(Arc::from(source.into()))
    }
}

fn summary(violations: &[Violation]) -> String {
    match violations {
        [] => "the input is not valid".into(),
        [one] => format!("{}: {}", one.path, one.message),
        [first, rest @ ..] => format!("{}: {} (and {} more)", first.path, first.message, rest.len()),
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => {
                return Self::AlreadyExists { noun: "record", key: "of the same key".into(), hint: String::new() };
            }
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => {
                return Self::InUse { noun: "record", key: "given".into(), by: "another record".into() };
            }
            _ => {}
        }
        if is_passing(&error) { Self::Unavailable(Arc::new(error)) } else { Self::Internal(Arc::new(error)) }
    }
}

/// Whether the fault may be gone when the same statement is sent again.
fn is_passing(error: &DbErr) -> bool {
    let (DbErr::Conn(cause) | DbErr::Exec(cause) | DbErr::Query(cause)) = error else {
        return matches!(error, DbErr::ConnectionAcquire(_));
    };
    let RuntimeErr::SqlxError(cause) = cause else { return false };
    match cause.as_ref() {
        sea_orm::SqlxError::Io(_) | sea_orm::SqlxError::PoolTimedOut | sea_orm::SqlxError::PoolClosed => true,
        sea_orm::SqlxError::Database(cause) => cause.code().is_some_and(|code| {
            // SQLite: BUSY and LOCKED with their extended codes. PostgreSQL: connection, resources, lock and
            // statement time-outs, shutdown, serialisation, deadlock.
            matches!(code.as_ref(), "5" | "6" | "261" | "517" | "773" | "262" | "55P03" | "57014")
                || ["08", "53", "57P", "40"].iter().any(|class| code.len() == 5 && code.starts_with(class))
        }),
        _ => false,
    }
}
