//! IDENTITIES. Which identities are probably one person: with a score, and the reasons in words.
//!
//! An [`Identity`] is whatever has a name, an email or a login: a user record with all it holds, or one account that is
//! nobody's. A [`Book`] holds identities by a key of the caller's, and is kept up to date with [`Book::insert`] and
//! [`Book::remove`] as the directory changes. It answers
//!
//! - [`Book::suggestions`]: who else is probably the same person as one identity, the likeliest first;
//! - [`Book::pairs`]: all pairs above a score, in the order of their keys, so that a list can go on where a page ended;
//! - [`Book::clusters`]: the identities that are one person once every pair above a score is accepted, with guards, so
//!   that one wrong pair does not make one person of two crowds;
//! - [`Book::compare`]: what speaks for one pair, and what stands against it.
//!
//! Nothing compares all pairs. Two identities are compared only where they share a blocking key that few others have
//! (`keys`). How much an agreement weighs depends on how rare it is in the whole book (`weigh`), so that the same book
//! gives the same answers, in whatever order its identities came.
//!
//! [`ACCEPT`] is the one score from which a suggestion is meant to be accepted unseen. A pair that [`Pair::is_certain`]
//! has the same email, which is nobody else's, and needs nobody to look at it.
//!
//! What does not live here: the directory and what was decided about a suggestion; the database; anything async. Plain
//! memory, and nothing that names a person, a repository or an organisation.

mod address;
mod block;
mod book;
mod cluster;
mod digest;
mod generic;
mod handle;
mod holders;
mod keys;
mod name;
mod nickname;
mod profile;
mod reason;
mod symbols;
mod text;
mod weigh;

pub use book::{Book, Pair, Size};
pub use cluster::{Cluster, Clusters};
pub use reason::{Evidence, Reason};

/// The score from which a suggestion is meant to be accepted. Precision and recall in docs/performance.md are of this one.
pub const ACCEPT: f32 = 0.8;

/// The score from which a pair is worth the look of a person.
pub const SUGGEST: f32 = 0.5;

/// What is known of somebody, in one place: a user record, or an account that is nobody's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Names, as they stand: full names, display names. A display name may be a login or an email.
    pub names: Vec<String>,
    /// Emails, as they stand; what is none is used for what it looks like.
    pub emails: Vec<String>,
    /// Accounts that it has in the tools.
    pub accounts: Vec<Account>,
    /// Whether it is a program.
    pub is_bot: bool,
}

/// An account in a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The integration, as the caller numbers them, and the account in it: two identities with different accounts in one
    /// integration are never suggested. `None` where one person has many accounts, as authors of a git history do.
    pub one_of: Option<(u32, u128)>,
    /// The login.
    pub username: Option<String>,
}

#[cfg(test)]
mod tests;
