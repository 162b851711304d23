//! ROLES, as clients name them. What does not live here: what each may, which is `access::matrix`.

use async_graphql::Enum;

/// What whoever asks may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::token::Role")]
pub(crate) enum Role {
    /// Tells whose an account is and which org units they are in; sees no emails.
    Resolver,
    /// Reads everything that is not private.
    Reader,
    /// Changes users, accounts and imports, too.
    Editor,
    /// Everything.
    Admin,
}
