//! Users: their emails, their values, and whom they name.

use std::collections::{BTreeSet, HashMap, HashSet};

use entity::attribute::{self, AttributeType};
use entity::{UserId, user, user_email, user_merged_id};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value as Json;

use super::catalogue::Catalogue;
use super::rows::Rows;
use super::{Result, Verify};
use crate::record::{Record, UserRecord};
use crate::value::{DateFormat, Email, GlobalId, Value, parse, shorten, show};

const TABLE: &str = "user";

/// What is kept of users that were looked at, to look at others.
struct Seen<'a> {
    /// The custom attributes by key.
    attributes: HashMap<&'a str, &'a attribute::Model>,
    /// By attribute and value, who has it, where values are unique: the digest of both stands for them.
    unique: HashMap<chain::Digest, UserId>,
    /// By USER attribute, whom each user names.
    named: HashMap<&'a str, HashMap<UserId, UserId>>,
}

impl Verify {
    /// Looks at all users and their emails.
    pub(super) async fn users(&mut self, catalogue: &Catalogue) -> Result<()> {
        let custom = catalogue.attributes.iter().filter(|row| !row.is_built_in);
        let attributes = custom.map(|row| (row.key.as_str(), row)).collect();
        let mut seen = Seen { attributes, unique: HashMap::new(), named: HashMap::new() };
        let mut rows = Rows::<user::Entity>::all();
        loop {
            let some = rows.next(self).await?;
            if some.is_empty() {
                break;
            }
            let users = self.records(some).await?;
            let records: Vec<Record> = users.iter().cloned().map(Record::User).collect();
            self.replay(&records).await?;
            for user in &users {
                self.user(user);
                self.values(user, &mut seen);
            }
            self.named(&users, &seen).await?;
        }
        for (key, named) in &seen.named {
            self.circles(key, named);
        }
        let emails = "SELECT count(*) FROM user_email WHERE is_primary AND NOT EXISTS (SELECT 1 FROM \"user\" WHERE \
                      id = user_email.user_id AND email = user_email.email)";
        if self.number(emails).await? > 0 {
            self.primary_emails().await?;
        }
        Ok(())
    }

    /// Users with their emails and the ids of those who became part of them.
    async fn records(&mut self, rows: Vec<user::Model>) -> Result<Vec<UserRecord>> {
        let ids: Vec<UserId> = rows.iter().map(|row| row.id).collect();
        let emails = user_email::Entity::find().filter(user_email::Column::UserId.is_in(ids.iter().copied()));
        let merged = user_merged_id::Entity::find().filter(user_merged_id::Column::UserId.is_in(ids));
        let (emails, merged) = (emails.all(&self.transaction).await?, merged.all(&self.transaction).await?);
        let mut by_user: HashMap<UserId, (Vec<user_email::Model>, BTreeSet<UserId>)> = HashMap::new();
        for row in emails {
            by_user.entry(row.user_id).or_default().0.push(row);
        }
        for row in merged {
            by_user.entry(row.user_id).or_default().1.insert(row.merged_id);
        }
        let mut users = Vec::with_capacity(rows.len());
        for row in rows {
            let (emails, merged_ids) = by_user.remove(&row.id).unwrap_or_default();
            if !emails.iter().any(|own| own.is_primary && own.email == row.email) {
                let message = format!("`{}` is not kept as the primary email of theirs", shorten(&row.email));
                let mend = "save the user's email anew; if another user has it, give one of the two another";
                self.said.add(TABLE, row.id.to_global(), "EMAIL_KEY", message, mend);
            }
            for own in &emails {
                if Email::parse(&own.email).map(Email::into_string).as_ref() != Ok(&own.email) {
                    let message = format!("it is not an email in its normal form; it is of {}", row.id.to_global());
                    self.said.add(
                        "user_email",
                        own.email.clone(),
                        "NOT_NORMAL",
                        message,
                        "save the user's emails anew",
                    );
                }
            }
            let further_emails = emails.into_iter().filter(|own| !own.is_primary).map(|own| own.email).collect();
            users.push(UserRecord { row, further_emails, merged_ids });
        }
        Ok(users)
    }

    fn user(&mut self, user: &UserRecord) {
        let (row, name) = (&user.row, user.row.id.to_global());
        let mut add = |code, message, mend| self.said.add(TABLE, name.clone(), code, message, mend);
        if row.name.trim().is_empty() {
            add("NAME", "the user has no name".to_owned(), "give the user a name");
        }
        if Email::parse(&row.email).map(Email::into_string).as_ref() != Ok(&row.email) {
            let message = format!("`{}` is not an email in its normal form", shorten(&row.email));
            add("NOT_NORMAL", message, "save the user's email anew");
        }
        if user.merged_ids.contains(&row.id) {
            add("MERGED", "the user is part of itself".to_owned(), "restore the last backup that is sound");
        }
    }

    fn values<'a>(&mut self, user: &UserRecord, seen: &mut Seen<'a>) {
        let (id, name) = (user.row.id, user.row.id.to_global());
        let Some(values) = user.row.attributes.as_object() else {
            let message = "its values are no JSON object";
            self.said.add(TABLE, name, "VALUES", message, "restore them from a backup that is sound");
            return;
        };
        for (key, stored) in values {
            let Some((key, attribute)) = seen.attributes.get_key_value(key.as_str()) else {
                let message = format!("it has a value of `{}`, which is no attribute", shorten(key));
                self.said.add(TABLE, name.clone(), "UNKNOWN_ATTRIBUTE", message, "take the value out, or restore");
                continue;
            };
            let Some(value) = sound_value(attribute, stored) else {
                let message = format!("its value of `{key}`, {}, is none of its type", shorten(&stored.to_string()));
                self.said.add(TABLE, name.clone(), "VALUE", message, "set the value anew");
                continue;
            };
            if attribute.is_unique {
                for part in value.keys() {
                    let digest = chain::of(&[key.as_bytes(), &[0], part.as_bytes()].concat());
                    if let Some(other) = seen.unique.insert(digest, id) {
                        let message = format!("its value of `{key}` is that of {}", other.to_global());
                        self.said.add(TABLE, name.clone(), "NOT_UNIQUE", message, "change one of the two");
                    }
                }
            }
            if let Value::User(named) = value {
                seen.named.entry(key).or_default().insert(id, named);
            }
        }
    }

    /// Whether those are there whom some users name.
    async fn named(&mut self, users: &[UserRecord], seen: &Seen<'_>) -> Result<()> {
        let named = |user: &UserRecord| -> Vec<(String, UserId)> {
            let by_key = seen.named.iter();
            by_key.filter_map(|(key, named)| Some(((*key).to_owned(), *named.get(&user.row.id)?))).collect()
        };
        let ids: HashSet<_> = users.iter().flat_map(named).map(|(_, named)| named.0).collect();
        let there = self.there("user", "id", &ids.into_iter().collect::<Vec<_>>()).await?;
        for user in users {
            for (key, named) in named(user).into_iter().filter(|(_, named)| !there.contains(&named.0)) {
                let message = format!("its value of `{key}` names {}, who is not there", named.to_global());
                self.said.add(TABLE, user.row.id.to_global(), "VALUE", message, "set the value anew");
            }
        }
        Ok(())
    }

    /// Users who report to themselves, one of each circle.
    fn circles(&mut self, key: &str, named: &HashMap<UserId, UserId>) {
        let mut done: HashSet<UserId> = HashSet::new();
        let mut starts: Vec<UserId> = named.keys().copied().collect();
        starts.sort_unstable();
        for start in starts {
            let mut path = HashSet::new();
            let mut at = Some(start);
            while let Some(user) = at.filter(|user| !done.contains(user)) {
                if !path.insert(user) {
                    let message = format!("by `{key}` it reports to itself, directly or through others");
                    let mend = "let one user of the circle name somebody else, or nobody";
                    self.said.add(TABLE, user.to_global(), "CYCLE", message, mend);
                    break;
                }
                at = named.get(&user).copied();
            }
            done.extend(path);
        }
    }

    /// Emails that are kept as primary ones, and are not those of their users.
    async fn primary_emails(&mut self) -> Result<()> {
        let mut rows = Rows::<user_email::Entity>::all();
        loop {
            let some = rows.next(self).await?;
            if some.is_empty() {
                return Ok(());
            }
            let primary: Vec<user_email::Model> = some.into_iter().filter(|row| row.is_primary).collect();
            let of = user::Column::Id.is_in(primary.iter().map(|row| row.user_id));
            let users = user::Entity::find().filter(of).all(&self.transaction).await.unwrap_or_default();
            let users: HashMap<UserId, String> = users.into_iter().map(|user| (user.id, user.email)).collect();
            for row in primary {
                // One without a user is told with what refers to nothing.
                if users.get(&row.user_id).is_some_and(|email| *email != row.email) {
                    let message = format!("it is kept as the primary email of {}, and is not", row.user_id.to_global());
                    self.said.add("user_email", row.email, "EMAIL_KEY", message, "save the user's emails anew");
                }
            }
        }
    }
}

/// The value that is stored, if it is one of the attribute's, in its canonical form.
pub(in crate::directory) fn sound_value(attribute: &attribute::Model, stored: &Json) -> Option<Value> {
    let value = Value::from_stored(attribute.r#type, stored)?;
    let is_sound = if attribute.r#type == AttributeType::User {
        value.to_stored() == *stored
    } else {
        let read = parse(attribute, &show(&value, |_| None), &DateFormat::default(), |_| None);
        matches!(read, Ok(Some(read)) if read.to_stored() == *stored)
    };
    is_sound.then_some(value)
}
