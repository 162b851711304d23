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
    /// Whoever asks may not do this; a sentence says what it takes.
    #[error("{0}")]
    Forbidden(&'static str),
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
    /// What answers is not there yet.
    #[error("{0} is being made; ask again in a while")]
    NotReady(&'static str),
    /// The database cannot write, for want of room.
    #[error("the disk is full, or fails; nothing was changed; make room there and try again")]
    DiskFull(#[source] Source),
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
            Self::Forbidden(_) => "FORBIDDEN",
            Self::LimitExceeded { .. } => "LIMIT_EXCEEDED",
            Self::Unavailable(_) | Self::NotReady(_) | Self::DiskFull(_) => "UNAVAILABLE",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::NotReady(_) | Self::DiskFull(_))
    }

    /// One violation, as an error.
    #[must_use]
    pub fn invalid(path: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(path, code, message)])
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
        [one] => told(one),
        [first, rest @ ..] => format!("{} (and {} more)", told(first), rest.len()),
    }
}

fn told(Violation { path, message, place, .. }: &Violation) -> String {
    match place {
        Some(place) => format!("{path}, line {}, character {}: {message}", place.line, place.column),
        None => format!("{path}: {message}"),
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
        match cause_of(&error) {
            Cause::Passing => Self::Unavailable(Arc::new(error)),
            Cause::Disk => Self::DiskFull(Arc::new(error)),
            Cause::Other => Self::Internal(Arc::new(error)),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Self::DiskFull(Arc::new(error)),
            _ => Self::Internal(Arc::new(error)),
        }
    }
}

/// What lies behind a fault of the database.
enum Cause {
    /// It may be gone when the same statement is sent again.
    Passing,
    /// The disk, which is full in most cases.
    Disk,
    /// Anything else.
    Other,
}

fn cause_of(error: &DbErr) -> Cause {
    let (DbErr::Conn(cause) | DbErr::Exec(cause) | DbErr::Query(cause)) = error else {
        return if matches!(error, DbErr::ConnectionAcquire(_)) { Cause::Passing } else { Cause::Other };
    };
    let RuntimeErr::SqlxError(cause) = cause else { return Cause::Other };
    match cause.as_ref() {
        sea_orm::SqlxError::Io(_) | sea_orm::SqlxError::PoolTimedOut | sea_orm::SqlxError::PoolClosed => Cause::Passing,
        sea_orm::SqlxError::Database(cause) => cause.code().map_or(Cause::Other, |code| match code.len() {
            5 => cause_on_postgres(&code),
            _ => cause_on_sqlite(&code),
        }),
        _ => Cause::Other,
    }
}

/// Codes of five characters, the first two of which are the class.
fn cause_on_postgres(code: &str) -> Cause {
    match code {
        "53100" | "58030" => Cause::Disk,
        "55P03" | "57014" => Cause::Passing,
        // Connection, resources, shutdown, serialisation and deadlock. Time-outs of locks and statements are above.
        _ if ["08", "53", "57P", "40"].iter().any(|class| code.starts_with(class)) => Cause::Passing,
        _ => Cause::Other,
    }
}

/// Numbers, the lowest byte of which is the code, and the rest what it was about.
fn cause_on_sqlite(code: &str) -> Cause {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const IO_ERROR: u32 = 10;
    const FULL: u32 = 13;
    match code.parse::<u32>().map(|code| code & 0xFF) {
        Ok(BUSY | LOCKED) => Cause::Passing,
        Ok(IO_ERROR | FULL) => Cause::Disk,
        _ => Cause::Other,
    }
}
