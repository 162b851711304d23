//! ACCESS. Who asks, and what they may.
//!
//! [`secret`] makes the secrets of tokens and tells them from what is none; [`oidc`] reads what an issuer has signed. User
//! records are data and authenticate nobody. What does not live here: how a request says who it is from (`http`), and
//! where tokens are kept (`directory`).

pub mod oidc;
pub mod secret;

use std::fmt;
use std::sync::Arc;

pub mod matrix;

pub use entity::token::Role;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// As the log names whoever made a change.
    pub name: String,
    /// What they may.
    pub role: Role,
}

/// What a request brings to be let in with. It is shown to nobody: its `Debug` form is three dots.
#[derive(Clone)]
pub struct Bearer(Arc<str>);

impl Bearer {
    /// Reads what stands after `Authorization:`, which is `Bearer` and a text without spaces; none where it is not so.
    #[must_use]
    pub fn read(header: &str) -> Option<Self> {
        let (scheme, text) = header.trim().split_once(' ')?;
        let text = text.trim_start();
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        (scheme.eq_ignore_ascii_case("Bearer") && is_plain).then(|| Self(text.into()))
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Whoever is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Who it is.
    pub principal: Principal,
    /// What their requests are counted under: the id of a token, or issuer and subject.
    pub account: Arc<str>,
}

/// Why somebody is not let in. Each holds a sentence that may be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// What they bring proves nothing, or nothing any more.
    #[error("{0}")]
    Unauthenticated(String),
    /// It is known who they are, and that they may do nothing here.
    #[error("{0}")]
    Forbidden(String),
    /// It cannot be found out now.
    #[error("{0}")]
    Unavailable(String),
}

impl Denied {
    /// What they bring proves nothing, or nothing any more.
    #[must_use]
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::Unauthenticated(message.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_is_read_whatever_the_case_of_its_scheme_and_is_never_shown() {
        for header in ["Bearer abc", "bearer abc", " BEARER  abc "] {
            let bearer = Bearer::read(header).unwrap();
            assert_eq!((bearer.expose(), format!("{bearer:?}").as_str()), ("abc", "…"), "{header}");
        }
        for header in ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearer a b", "Bearer ä", "Bearerabc"] {
            assert!(Bearer::read(header).is_none(), "{header}");
        }
    }
}
