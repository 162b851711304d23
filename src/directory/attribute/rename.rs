//! One value renamed wherever it stands: in users, in options, and in the filters of org units.

use std::collections::HashSet;
use std::sync::Arc;

use entity::attribute::{self, AttributeType};
use entity::changeset::ChangesetKind;
use entity::{AttributeId, OrgUnitId};

use super::{check_options, option_texts};
use crate::directory::generate::{Origin, Source};
use crate::directory::user::{refuse, unknown_attribute};
use crate::directory::{Actor, Directory, Error, Result, expect_version, read_stored};
use crate::filter::{Condition, Filter, Scalar, Stored};
use crate::index::Index;
use crate::record::{OrgUnitRecord, Record};
use crate::value::{DateFormat, Key, Value, fold, parse, shorten, show};

/// A value of an attribute that is to be another.
#[derive(Clone, Debug)]
pub struct ValueRename {
    /// The attribute's key.
    pub key: String,
    /// The value as it is, in any spelling that is the same folded.
    pub from: String,
    /// The value as it is to be.
    pub to: String,
    /// The version of the attribute that the client read.
    pub expected_version: Option<i64>,
}

/// What a renaming has changed.
#[derive(Clone, Debug)]
pub struct Renamed {
    /// The attribute.
    pub attribute: AttributeId,
    /// How many users have another value, or another spelling of it.
    pub users: u64,
    /// The org units whose filter is another.
    pub org_units: Vec<OrgUnitId>,
}

impl Directory {
    /// Renames a value of an attribute in users, options and filters, in one changeset. Where others have the new value
    /// already, the two become one. Patterns, such as `contains`, stay as they are.
    ///
    /// # Errors
    /// `NotFound` where there is no such attribute or nobody and nothing has the value; `Conflict`; `Invalid`;
    /// `AlreadyExists` where values are unique and another user has the new one.
    pub async fn rename_value(&self, actor: &Actor, rename: ValueRename) -> Result<Renamed> {
        let mut changeset = self.begin(ChangesetKind::Attribute, actor).await?;
        let index = self.snapshot();
        let Some(before) = index.attribute(&fold(&rename.key)).cloned() else {
            return Err(unknown_attribute(&index, &rename.key));
        };
        expect_version(before.id, rename.expected_version, before.version)?;
        if before.is_built_in || before.r#type == AttributeType::User {
            let message = "values are renamed of custom attributes whose values are no users";
            return Err(Error::invalid("attribute", "NOT_POSSIBLE", message));
        }
        let plan = Plan::new(&before, &rename)?;
        let holders: Vec<_> = index.holders(&before.key, &plan.from_key).collect();
        let units = plan.units(&index)?;
        // An option is something to rename even where nobody has chosen it.
        if holders.is_empty() && units.is_empty() && option_texts(&before.options).next().is_none() {
            let hint = format!(": no user has it as `{}`, and no filter names it", before.title);
            return Err(Error::NotFound { noun: "value", key: shorten(&rename.from), hint });
        }
        if before.is_unique
            && plan.from_key != plan.to_key
            && index.count_with(&before.key, &plan.to_key) > 0
            && !holders.is_empty()
        {
            return Err(Error::AlreadyExists {
                noun: "value",
                key: shorten(&rename.to),
                hint: format!(": another user has it as `{}`, whose values are unique", before.title),
            });
        }
        changeset.put(Some(Record::Attribute(before.as_ref().clone())), Some(Record::Attribute(plan.after.clone())));
        let org_units = units.iter().map(|(_, after)| after.row.id).collect();
        for (before, after) in units {
            changeset.put(Some(Record::OrgUnit(before)), Some(Record::OrgUnit(after)));
        }
        let mut users = 0;
        for ids in holders.chunks(1_000) {
            for (_, old) in changeset.users(ids).await? {
                let mut new = old.clone();
                if let Some(stored) = new.row.attributes.get_mut(&before.key)
                    && let Some(value) = Value::from_stored(before.r#type, stored)
                {
                    *stored = plan.rename(value).to_stored();
                }
                users += u64::from(new.row.attributes != old.row.attributes);
                changeset.put(Some(Record::User(old)), Some(Record::User(new)));
            }
            changeset.flush_if_large().await?;
        }
        changeset.commit().await?;
        Ok(Renamed { attribute: before.id, users, org_units })
    }
}

/// A renaming that has been checked.
struct Plan {
    before: Arc<attribute::Model>,
    /// The attribute with its options afterwards.
    after: attribute::Model,
    from_key: Key,
    to: Value,
    to_key: Key,
}

impl Plan {
    fn new(before: &Arc<attribute::Model>, rename: &ValueRename) -> Result<Self> {
        let mut after = before.as_ref().clone();
        let (from_folded, to_folded) = (fold(&rename.from), fold(&rename.to));
        let has_options = matches!(before.r#type, AttributeType::Select | AttributeType::MultiSelect);
        if has_options && option_texts(&before.options).any(|option| fold(option) == from_folded) {
            let is_there = |folded: &str| option_texts(&before.options).any(|option| fold(option) == folded);
            let merges = from_folded != to_folded && is_there(&to_folded);
            let options: Vec<String> = option_texts(&before.options)
                .filter(|option| !merges || fold(option) != from_folded)
                .map(|option| if fold(option) == from_folded { rename.to.trim() } else { option }.to_owned())
                .collect();
            let mut violations = Vec::new();
            let options = check_options(before.r#type, &options, &mut violations);
            for violation in &mut violations {
                violation.path = "to".to_owned();
            }
            refuse(violations)?;
            after.options = options.into();
        }
        let (_, from_key) = one_value(before, &rename.from, "from")?;
        let (to, to_key) = one_value(&after, &rename.to, "to")?;
        Ok(Self { before: before.clone(), after, from_key, to, to_key })
    }

    /// A value with the old one replaced.
    fn rename(&self, value: Value) -> Value {
        let (Value::Options(chosen), Value::Options(to)) = (value, &self.to) else { return self.to.clone() };
        let renamed = chosen.into_iter().map(|option| match Key::text(&option) == self.from_key {
            true => to.first().cloned().unwrap_or_default(),
            false => option,
        });
        // The reader of values puts options in their order, each once.
        let text = renamed.collect::<Vec<_>>().join(";");
        match parse(&self.after, &text, &DateFormat::default(), |_| None) {
            Ok(Some(value)) => value,
            _ => self.to.clone(),
        }
    }

    /// The org units whose filter names the value, before and after.
    fn units(&self, index: &Index) -> Result<Vec<(OrgUnitRecord, OrgUnitRecord)>> {
        let mut changed = Vec::new();
        let mut units: Vec<_> = index.org_units().collect();
        units.sort_by_key(|unit| unit.row.id);
        let mut sources: HashSet<Source> = units.iter().filter_map(|unit| Some(Origin::of(unit)?.source)).collect();
        for before in units {
            let mut after = before.as_ref().clone();
            if let Some(stored) = before.row.filter.clone() {
                after.row.filter = Some(self.rename_in_stored(stored)?);
            }
            self.rename_origin(&mut after, &mut sources)?;
            if after != **before {
                changed.push((before.as_ref().clone(), after));
            }
        }
        Ok(changed)
    }

    fn rename_in_stored(&self, stored: serde_json::Value) -> Result<serde_json::Value> {
        let old = read_stored(stored.clone())?;
        let mut new = old.clone();
        self.rename_in(&mut new);
        if new == old {
            return Ok(stored);
        }
        serde_json::to_value(Stored { v: 1, filter: new }).map_err(Error::internal)
    }

    /// A unit that was generated from the value is one that was generated from the new one, unless another unit is.
    fn rename_origin(&self, unit: &mut OrgUnitRecord, sources: &mut HashSet<Source>) -> Result<()> {
        let Some(old) = Origin::of(unit) else { return Ok(()) };
        let mut new = old.clone();
        if let Source::Values(values) = &mut new.source {
            for value in values.iter_mut().filter(|value| value.attribute == self.before.key) {
                if one_value(&self.before, &value.value, "").is_ok_and(|(_, key)| key == self.from_key) {
                    value.value = show(&self.to, |_| None);
                }
            }
        }
        if new.source != old.source && !sources.insert(new.source.clone()) {
            new.source = old.source.clone();
        }
        new.made.filter = self.rename_in_stored(new.made.filter)?;
        if new != old {
            unit.row.origin = Some(serde_json::to_value(new).map_err(Error::internal)?);
        }
        Ok(())
    }

    fn rename_in(&self, filter: &mut Filter) {
        match filter {
            Filter::All(parts) | Filter::Any(parts) => parts.iter_mut().for_each(|part| self.rename_in(part)),
            Filter::Not(part) => self.rename_in(part),
            Filter::Attribute(named) if named.key == self.before.key => self.rename_in_condition(&mut named.is),
            _ => {}
        }
    }

    fn rename_in_condition(&self, condition: &mut Condition) {
        match condition {
            Condition::Equals(value) if self.is_old(value) => *value = self.scalar(),
            Condition::In(values) if values.iter().any(|value| self.is_old(value)) => {
                let renamed = values.drain(..).map(|value| if self.is_old(&value) { self.scalar() } else { value });
                *values = each_once(renamed.collect());
            }
            Condition::HasAny(options) | Condition::HasAll(options)
                if options.iter().any(|option| Key::text(option) == self.from_key) =>
            {
                let to = show(&self.to, |_| None);
                let renamed = options
                    .drain(..)
                    .map(|option| if Key::text(&option) == self.from_key { to.clone() } else { option });
                *options = each_once(renamed.collect());
            }
            _ => {}
        }
    }

    fn is_old(&self, value: &Scalar) -> bool {
        let text = match value {
            Scalar::Boolean(truth) => truth.to_string(),
            Scalar::Number(number) => number.to_string(),
            Scalar::Text(text) => text.clone(),
        };
        one_value(&self.before, &text, "").is_ok_and(|(_, key)| key == self.from_key)
    }

    fn scalar(&self) -> Scalar {
        match &self.to {
            Value::Boolean(truth) => Scalar::Boolean(*truth),
            Value::Number(number) => Scalar::Number(*number),
            other => Scalar::Text(show(other, |_| None)),
        }
    }
}

/// A list with each value once.
fn each_once<T: PartialEq>(values: Vec<T>) -> Vec<T> {
    let mut once = Vec::with_capacity(values.len());
    for value in values {
        if !once.contains(&value) {
            once.push(value);
        }
    }
    once
}

/// A text as one value of an attribute, and its key; of `MULTI_SELECT` one option.
fn one_value(attribute: &attribute::Model, text: &str, path: &str) -> Result<(Value, Key)> {
    let value = parse(attribute, text, &DateFormat::default(), |_| None)
        .map_err(|(code, message)| Error::invalid(path, code, message))?
        .ok_or_else(|| Error::invalid(path, "REQUIRED", "give a value"))?;
    match <[Key; 1]>::try_from(value.keys()) {
        Ok([key]) => Ok((value, key)),
        Err(_) => Err(Error::invalid(path, "NOT_AN_OPTION", "give one option alone")),
    }
}
