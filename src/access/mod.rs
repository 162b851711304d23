//! ACCESS. Who asks, and what they may.
//!
//! User records are data and authenticate nobody. What does not live here: how a request says who it is from (`http`).

pub use entity::token::Role;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// As the log names whoever made a change.
    pub name: String,
    /// What they may.
    pub role: Role,
}
