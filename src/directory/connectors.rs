//! What the directory needs from outside to read tools: what may be reached, the keys of stored credentials, and the
//! environment. Whoever opens the directory says it once.

use super::Directory;
use super::integration::{Keys, Secret};
use crate::connector::{Client, Policy};

/// Gives the value of an environment variable.
pub type Environment = fn(&str) -> Option<Secret>;

/// What the directory needs from outside to read tools.
#[derive(Clone)]
pub struct Connectors {
    pub(super) client: Client,
    pub(super) policy: Policy,
    pub(super) keys: Keys,
    pub(super) environment: Environment,
}

impl Connectors {
    /// Reads tools as `policy` allows, with credentials that are sealed with `keys` or stand in `environment`.
    #[must_use]
    pub fn new(policy: Policy, keys: Keys, environment: Environment) -> Self {
        Self { client: Client::new(policy.clone()), policy, keys, environment }
    }
}

impl Default for Connectors {
    fn default() -> Self {
        Self::new(Policy::default(), Keys::default(), |_| None)
    }
}

impl Directory {
    /// Reads tools so from now on, rather than without keys and an environment.
    #[must_use]
    pub fn connecting_with(self, connectors: Connectors) -> Self {
        // Whoever opens the directory says it once.
        let _ = self.0.connectors.set(connectors);
        self
    }

    pub(super) fn connectors(&self) -> &Connectors {
        self.0.connectors.get_or_init(Connectors::default)
    }
}
