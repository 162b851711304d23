//! Making attributes: the built-in ones, and a new one from what is said of it.

use entity::attribute::{self, AttributeType};
use entity::changeset::ChangesetKind;
use serde_json::Value as Json;

use super::{
    ATTRIBUTES, LONGEST_DESCRIPTION, LONGEST_TITLE, NewAttribute, check_key, check_options, check_readers, check_text,
    heading_is_free, names,
};
use crate::directory::association::Stamp;
use crate::directory::user::refuse;
use crate::directory::{Actor, Clock, Directory, Error, Result};
use crate::filter::Violation;
use crate::index::Index;
use crate::record::Record;
use crate::value::fold;

/// An attribute as it will stand at the end of those that there are.
///
/// # Errors
/// `Invalid` with every violation; `AlreadyExists` where its key or title is taken; `LimitExceeded`.
pub(in crate::directory) fn new_attribute(
    index: &Index,
    new: &NewAttribute,
    stamp: &Stamp,
    clock: &Clock,
) -> Result<attribute::Model> {
    let mut violations = Vec::new();
    let title = check_text(&new.title, "title", 1, LONGEST_TITLE, &mut violations);
    let key = check_key(new.key.as_deref(), &title, &mut violations);
    let description = check_text(&new.description, "description", 0, LONGEST_DESCRIPTION, &mut violations);
    let options = check_options(new.r#type, &new.options, &mut violations);
    let mut refuse_flag = |path: &str, message: &str| {
        violations.push(Violation::new(path, "NOT_POSSIBLE", message));
    };
    if new.r#type == AttributeType::Integration {
        refuse_flag("type", "only the built-in attribute `integration` has this type");
    }
    if new.is_required && index.user_count() > 0 {
        refuse_flag("isRequired", "there are users without a value; make it, fill it, then require it");
    }
    if new.is_unique && matches!(new.r#type, AttributeType::MultiSelect | AttributeType::Boolean) {
        refuse_flag("isUnique", "values of this type cannot be unique");
    }
    check_readers(new.is_required, new.readable_by.as_deref(), &mut violations);
    refuse(violations)?;
    if index.attributes().len() >= ATTRIBUTES {
        return Err(Error::LimitExceeded { what: "the number of attributes", limit: ATTRIBUTES as u64 });
    }
    heading_is_free(index, &key, None)?;
    heading_is_free(index, &title, None)?;
    Ok(attribute::Model {
        id: clock.id(),
        key,
        title_key: fold(&title),
        title,
        description,
        r#type: new.r#type,
        options: options.into(),
        is_required: new.is_required,
        is_unique: new.is_unique,
        is_built_in: false,
        readable_by: new.readable_by.as_deref().map(names),
        position: i32::try_from(index.attributes().len()).unwrap_or(i32::MAX),
        version: stamp.number,
        created_at: stamp.now,
        updated_at: stamp.now,
    })
}

impl Directory {
    pub(in crate::directory) async fn create_built_in_attributes(&self) -> Result<()> {
        let mut changeset = self.begin(ChangesetKind::Initialize, &Actor("roster".into())).await?;
        // Another process that started at the same time may have been first.
        if self.version() > 0 {
            return Ok(());
        }
        let built_in = [
            ("name", "Name", AttributeType::Text, "The name of the developer, as people write it."),
            ("email", "Email", AttributeType::Email, "The primary email; it names one developer."),
            (
                "integration",
                "Integration",
                AttributeType::Integration,
                "The developer's accounts: one CSV column per integration, with usernames, emails or ids.",
            ),
        ];
        for (position, (key, title, r#type, description)) in (0..).zip(built_in) {
            changeset.put(
                None,
                Some(Record::Attribute(attribute::Model {
                    id: self.clock().id(),
                    key: key.into(),
                    title: title.into(),
                    title_key: fold(title),
                    description: description.into(),
                    r#type,
                    options: Json::Array(Vec::new()),
                    is_required: key != "integration",
                    is_unique: key == "email",
                    is_built_in: true,
                    readable_by: None,
                    position,
                    version: changeset.number(),
                    created_at: changeset.now(),
                    updated_at: changeset.now(),
                })),
            );
        }
        changeset.commit().await?;
        Ok(())
    }
}
