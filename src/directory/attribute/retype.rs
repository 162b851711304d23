//! Another type for an attribute that users have values of: each value is read anew, as it stands in an export.

use std::collections::{HashMap, HashSet};

use entity::attribute::{self, AttributeType};
use entity::changeset::ChangesetKind;
use entity::{AttributeId, UserId};

use super::{OPTIONS, check_options, find_circles, refuse_if_named};
use crate::directory::changeset::Changeset;
use crate::directory::user::refuse;
use crate::directory::{Actor, Directory, Error, Result, expect_version, missing};
use crate::filter::Violation;
use crate::record::{Record, UserRecord};
use crate::value::{DateFormat, Key, Value, fold, parse, shorten, show};

/// Different values that are told of, where they cannot be read anew.
const TOLD: usize = 10_000;

/// What an attribute's values are to be.
#[derive(Clone, Debug)]
pub struct Retype {
    /// The version that the client read.
    pub expected_version: Option<i64>,
    /// The type.
    pub r#type: AttributeType,
    /// The options of SELECT and `MULTI_SELECT`; the values that users have where there are none.
    pub options: Option<Vec<String>>,
    /// How days are written in the texts that become days.
    pub dates: DateFormat,
    /// Whether values that cannot be read anew are emptied; else they stand in the way.
    pub clear_others: bool,
}

/// What became of the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retyped {
    /// How many users have a value of the new type.
    pub converted: u64,
    /// How many users have none any more.
    pub cleared: u64,
}

impl Directory {
    /// Gives a custom attribute another type, and reads the values of all users anew.
    ///
    /// # Errors
    /// `NotFound`; `Conflict`; `InUse` where filters of org units name it; `Invalid` with the values that cannot be
    /// read, the most frequent first, or where values of the new type would break the attribute's rules.
    pub async fn change_attribute_type(&self, actor: &Actor, id: AttributeId, retype: Retype) -> Result<Retyped> {
        let mut changeset = self.begin(ChangesetKind::Attribute, actor).await?;
        let index = self.snapshot();
        let before = index.attributes().iter().find(|row| row.id == id).cloned().ok_or_else(|| missing(id))?;
        expect_version(id, retype.expected_version, before.version)?;
        check_possible(&before, &retype)?;
        refuse_if_named(&index, &before)?;
        let with_value = index.users_with(&before.key);
        let mut after = before.as_ref().clone();
        after.r#type = retype.r#type;
        let given = match &retype.options {
            None if has_options(retype.r#type) => self.values_as_options(&changeset, &before, &with_value).await?,
            given => given.clone().unwrap_or_default(),
        };
        let mut violations = Vec::new();
        after.options = check_options(after.r#type, &given, &mut violations).into();
        refuse(violations)?;
        // Before the users, since an index that follows in parts must know the type by then.
        changeset.put(Some(Record::Attribute(before.as_ref().clone())), Some(Record::Attribute(after.clone())));
        let mut reading = Reading {
            after,
            dates: retype.dates,
            done: Retyped::default(),
            problems: HashMap::new(),
            keys: HashMap::new(),
            named: HashMap::new(),
        };
        for ids in with_value.chunks(1_000) {
            for (_, old) in changeset.users(ids).await? {
                let new = reading.read(self, &before, &old);
                changeset.put(Some(Record::User(old)), Some(Record::User(new)));
            }
            changeset.flush_if_large().await?;
        }
        let done = reading.finish(self, retype.clear_others)?;
        changeset.commit().await?;
        Ok(done)
    }

    /// The different values that users have, in the order of their spelling.
    async fn values_as_options(
        &self,
        changeset: &Changeset,
        attribute: &attribute::Model,
        with_value: &[UserId],
    ) -> Result<Vec<String>> {
        let mut seen = HashSet::new();
        let mut options = Vec::new();
        for ids in with_value.chunks(1_000) {
            for user in changeset.users(ids).await?.values() {
                let text = self.text_of(attribute, user).unwrap_or_default();
                options
                    .extend(text.split(';').map(str::trim).filter(|part| seen.insert(fold(part))).map(str::to_owned));
            }
            if options.len() > OPTIONS {
                return Err(Error::LimitExceeded {
                    what: "the number of different values that become options",
                    limit: OPTIONS as u64,
                });
            }
        }
        options.retain(|option| !option.is_empty());
        options.sort_by_cached_key(|option| fold(option));
        Ok(options)
    }

    /// A user's value as it stands in an export.
    fn text_of(&self, attribute: &attribute::Model, user: &UserRecord) -> Option<String> {
        let value = Value::from_stored(attribute.r#type, user.row.attributes.get(&attribute.key)?)?;
        Some(show(&value, |user| self.email_of(user)))
    }
}

fn has_options(r#type: AttributeType) -> bool {
    matches!(r#type, AttributeType::Select | AttributeType::MultiSelect)
}

fn check_possible(before: &attribute::Model, retype: &Retype) -> Result<()> {
    let message = if before.is_built_in {
        format!("`{}` is built in and keeps its type", before.title)
    } else if retype.r#type == AttributeType::Integration {
        "only the built-in attribute `integration` has this type".to_owned()
    } else if retype.r#type == before.r#type {
        format!("`{}` has this type already; change its options by updateAttribute", before.title)
    } else if before.is_unique && matches!(retype.r#type, AttributeType::MultiSelect | AttributeType::Boolean) {
        format!("values of this type cannot be unique; make `{}` not unique first", before.title)
    } else {
        return Ok(());
    };
    Err(Error::invalid("type", "NOT_POSSIBLE", message))
}

/// A value that cannot be read as the new type.
struct Problem {
    text: String,
    code: &'static str,
    message: String,
    users: u64,
}

/// The values read anew.
struct Reading {
    after: attribute::Model,
    dates: DateFormat,
    done: Retyped,
    /// By folded text.
    problems: HashMap<String, Problem>,
    /// Of a unique attribute: the values seen, and how many have each.
    keys: HashMap<Key, (String, u64)>,
    /// Of USER: whom each user names.
    named: HashMap<UserId, UserId>,
}

impl Reading {
    fn read(&mut self, directory: &Directory, before: &attribute::Model, old: &UserRecord) -> UserRecord {
        let mut new = old.clone();
        let Some(text) = directory.text_of(before, old) else { return new };
        let value = parse(&self.after, &text, &self.dates, |reference| directory.index().find_user(reference));
        let nothing = || ("NOT_AN_OPTION", format!("`{}` names no option", shorten(&text)));
        let value = match value.and_then(|value| value.ok_or_else(nothing)) {
            Ok(value) => Some(value),
            Err((code, message)) => {
                self.note_problem(text.clone(), code, message);
                None
            }
        };
        let Some(document) = new.row.attributes.as_object_mut() else { return new };
        let Some(value) = value else {
            document.remove(&self.after.key);
            self.done.cleared += 1;
            return new;
        };
        document.insert(self.after.key.clone(), value.to_stored());
        self.done.converted += 1;
        if let Value::User(named) = value {
            self.named.insert(old.row.id, named);
        }
        if self.after.is_unique {
            for key in value.keys() {
                self.keys.entry(key).or_insert_with(|| (text.clone(), 0)).1 += 1;
            }
        }
        new
    }

    fn note_problem(&mut self, text: String, code: &'static str, message: String) {
        let folded = fold(&text);
        if self.problems.len() < TOLD || self.problems.contains_key(&folded) {
            self.problems.entry(folded).or_insert(Problem { text, code, message, users: 0 }).users += 1;
        }
    }

    /// Refuses values that cannot be read, if they are not to be emptied, and those that break rules.
    fn finish(self, directory: &Directory, clear_others: bool) -> Result<Retyped> {
        if !clear_others {
            let mut problems: Vec<Problem> = self.problems.into_values().collect();
            problems.sort_by(|a, b| b.users.cmp(&a.users).then_with(|| a.text.cmp(&b.text)));
            refuse(problems.into_iter().map(violation).collect())?;
        } else if self.after.is_required && self.done.cleared > 0 {
            let message =
                format!("{} users would have no value, and `{}` is required", self.done.cleared, self.after.title);
            return Err(Error::invalid("clearOthers", "VALUES_MISSING", message));
        }
        let mut twice: Vec<(String, u64)> = self.keys.into_values().filter(|(_, users)| *users > 1).collect();
        twice.sort();
        let same = |(text, users): (String, u64)| {
            let others = users - 1;
            let message =
                format!("`{}` and {others} other values would be the same; values are unique", shorten(&text));
            Violation::new("type", "VALUES_NOT_UNIQUE", message)
        };
        refuse(twice.into_iter().map(same).collect())?;
        let named = &self.named;
        let changed = |user| Some(named.get(&user).copied());
        let index = directory.index();
        match find_circles(&index, &self.after.key, named.keys().copied(), changed).first() {
            None => Ok(self.done),
            Some(circle) => {
                let name = |user| index.email_of(user).unwrap_or_default().to_owned();
                Err(Error::invalid("type", "CYCLE", circle.message(&self.after.key, name)))
            }
        }
    }
}

fn violation(problem: Problem) -> Violation {
    let Problem { text, code, message, users } = problem;
    let who = if users == 1 { "one user has".to_owned() } else { format!("{users} users have") };
    Violation::new("type", code, format!("{message}; {who} `{}`", shorten(&text)))
}
