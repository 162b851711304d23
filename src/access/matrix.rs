//! The least role for every field of every object and interface of the schema, and for every other path.
//!
//! The table is `matrix.txt`: a line `Type.field  ROLE` for each, in the order of `schema.graphql`, and then one for the
//! path of each export and of the metrics. A test fails where a field has no line, and until it has one it is for ADMIN alone. An interface
//! asks for what the strictest of its types asks. What does not live here: which of them a request asks for
//! (`graphql::permission`, `http`), and which attributes are private.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Role;

static MATRIX: LazyLock<HashMap<&str, Role>> = LazyLock::new(|| lines().collect());

/// All lines of the table: `Type.field` or a path, and the least role for it.
pub fn lines() -> impl Iterator<Item = (&'static str, Role)> {
    include_str!("matrix.txt").lines().filter_map(|line| {
        let (place, role) = line.split_once("  ")?;
        Some((place, Role::ALL.into_iter().find(|known| known.name() == role)?))
    })
}

/// The least role for a field, given as `Type.field`, or for anything else, given as its path.
#[must_use]
pub fn least(place: &str) -> Role {
    MATRIX.get(place).copied().unwrap_or(Role::Admin)
}

/// Whether the table has a line for it.
#[must_use]
pub fn is_place(place: &str) -> bool {
    MATRIX.contains_key(place)
}
