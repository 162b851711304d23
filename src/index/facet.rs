//! Facets: how many members have each value of an attribute.

use entity::UserId;
use entity::attribute::AttributeType;

use super::column::options;
use super::{Index, Members, OtherEpoch};
use crate::value::Key;

/// One value of an attribute among some members.
#[derive(Clone, Debug, PartialEq)]
pub struct Facet {
    /// The value, as bytes that compare as values do; of `MULTI_SELECT` one option.
    pub key: Key,
    /// How many of the members have it.
    pub count: u64,
    /// One of them, whose record spells the value as it was written.
    pub example: UserId,
}

impl Index {
    /// The values of an attribute among the members, the most frequent first, and how many have no value; none where
    /// there is no such custom attribute.
    ///
    /// # Errors
    /// [`OtherEpoch`] where the members were selected from another build of the index.
    pub fn facets(&self, members: &Members, key: &str) -> Result<Option<(Vec<Facet>, u64)>, OtherEpoch> {
        if members.epoch != self.epoch() {
            return Err(OtherEpoch);
        }
        let Some(found) = self.attributes.find(key) else { return Ok(None) };
        let column = &found.column;
        let mut counts: Vec<(u32, u32)> = vec![(0, 0); column.values.len()];
        let mut count = |at: u32, code: u32| {
            let (count, example) = &mut counts[code as usize];
            *count += 1;
            *example = at;
        };
        if members.bitmap == *self.users.live {
            // Only users who are not deleted have a value, so nobody needs to be asked whether they are a member.
            column.codes.for_each(count);
        } else {
            members.bitmap.iter().for_each(|at| count(at, column.codes.code(at)));
        }
        let with: u64 = counts.iter().skip(1).map(|(count, _)| u64::from(*count)).sum();
        let without = members.len() - with;
        let mut values: Vec<(&[u8], u64, u32)> = Vec::new();
        for (code, (count, example)) in (0..).zip(counts).skip(1).filter(|(_, (count, _))| *count > 0) {
            let value = column.values.value(code);
            if found.row.r#type == AttributeType::MultiSelect {
                values.extend(options(value).map(|option| (option, count.into(), example)));
            } else {
                values.push((value, count.into(), example));
            }
        }
        if found.row.r#type == AttributeType::MultiSelect {
            values.sort_by_key(|(value, ..)| *value);
            values = values
                .chunk_by(|a, b| a.0 == b.0)
                .map(|same| (same[0].0, same.iter().map(|(_, count, _)| count).sum(), same[0].2))
                .collect();
        }
        values.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let facets = values
            .into_iter()
            .map(|(value, count, example)| Facet { key: Key::verbatim(value), count, example: self.users.id(example) })
            .collect();
        Ok(Some((facets, without)))
    }
}
