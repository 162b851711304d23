//! JSON with the members of its objects in order, which PostgreSQL does not keep: so the log has the same text, and the same
//! digests, on both databases.

use sea_orm::JsonValue;
use serde::{Serialize, Serializer};

struct Sorted<'a>(&'a JsonValue);

impl Serialize for Sorted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            JsonValue::Object(members) => {
                let mut members: Vec<(&String, &JsonValue)> = members.iter().collect();
                members.sort_unstable_by_key(|(key, _)| *key);
                serializer.collect_map(members.into_iter().map(|(key, value)| (key, Sorted(value))))
            }
            JsonValue::Array(items) => serializer.collect_seq(items.iter().map(Sorted)),
            other => other.serialize(serializer),
        }
    }
}

pub(crate) fn json<S: Serializer>(value: &JsonValue, serializer: S) -> Result<S::Ok, S::Error> {
    Sorted(value).serialize(serializer)
}

#[expect(clippy::ref_option, reason = "serde gives the member as it is")]
pub(crate) fn option<S: Serializer>(value: &Option<JsonValue>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(Sorted).serialize(serializer)
}
