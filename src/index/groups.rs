//! Groups: the members by each value that they have of an attribute.

use std::collections::BTreeMap;

use entity::UserId;
use entity::attribute::AttributeType;
use roaring::RoaringBitmap;

use super::attributes::stored_form;
use super::column::options;
use super::{Index, Members, OtherEpoch};

/// The members who have one value of an attribute.
#[derive(Clone, Debug)]
pub struct Group {
    /// The value as a document holds it, text folded; of `MULTI_SELECT` one option.
    pub value: serde_json::Value,
    /// Who has it.
    pub members: Members,
    /// One of them, whose record spells the value as it was written.
    pub example: UserId,
}

impl Index {
    /// The members by each value of an attribute, in the order of the values; of `MULTI_SELECT` by each option, so that
    /// a member may be in several. Those without a value are in none.
    ///
    /// # Errors
    /// [`OtherEpoch`] where the members were selected from another build of the index.
    pub fn groups(&self, members: &Members, key: &str) -> Result<Vec<Group>, OtherEpoch> {
        if members.epoch != self.epoch() {
            return Err(OtherEpoch);
        }
        let Some(found) = self.attributes.find(key) else { return Ok(Vec::new()) };
        let column = &found.column;
        let coded = members.bitmap.iter().map(|at| (column.codes.code(at), at));
        let mut coded: Vec<(u32, u32)> = coded.filter(|(code, _)| *code != 0).collect();
        coded.sort_unstable();
        let mut groups: BTreeMap<&[u8], RoaringBitmap> = BTreeMap::new();
        for same in coded.chunk_by(|a, b| a.0 == b.0) {
            let users = RoaringBitmap::from_sorted_iter(same.iter().map(|(_, at)| *at)).unwrap_or_default();
            let value = column.values.value(same[0].0);
            if found.row.r#type == AttributeType::MultiSelect {
                options(value).for_each(|option| *groups.entry(option).or_default() |= &users);
            } else {
                groups.insert(value, users);
            }
        }
        let of_one = match found.row.r#type {
            AttributeType::MultiSelect => AttributeType::Select,
            other => other,
        };
        let group = |(value, users): (&[u8], RoaringBitmap)| {
            let example = self.users.id(users.min().unwrap_or_default());
            Some(Group { value: stored_form(of_one, value)?, example, members: self.members(users) })
        };
        Ok(groups.into_iter().filter_map(group).collect())
    }
}
