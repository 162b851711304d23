//! Attributes, integrations and rules: few, and kept to look at the rest.

use std::collections::HashMap;

use entity::attribute::{self, AttributeType};
use entity::{association_rules, integration};

use super::rows::Rows;
use super::{Result, Verify};
use crate::record::Record;
use crate::value::{GlobalId, fold};

/// What users, filters and accounts refer to.
pub(super) struct Catalogue {
    pub(super) attributes: Vec<attribute::Model>,
    pub(super) integrations: Vec<integration::Model>,
}

impl Catalogue {
    /// Reads and checks it.
    pub(super) async fn read(verify: &mut Verify) -> Result<Self> {
        let attributes = verify.all::<attribute::Entity>().await?;
        let integrations = verify.all::<integration::Entity>().await?;
        let rules = verify.all::<association_rules::Entity>().await?;
        let records: Vec<Record> = attributes
            .iter()
            .cloned()
            .map(Record::Attribute)
            .chain(integrations.iter().cloned().map(Record::Integration))
            .chain(rules.into_iter().map(Record::AssociationRules))
            .collect();
        verify.replay(&records).await?;
        check_attributes(verify, &attributes);
        check_integrations(verify, &integrations);
        Ok(Self { attributes, integrations })
    }
}

impl Verify {
    /// All rows of a small table.
    pub(super) async fn all<E: sea_orm::EntityTrait>(&mut self) -> Result<Vec<E::Model>> {
        let (mut rows, mut all) = (Rows::<E>::all(), Vec::new());
        loop {
            let some = rows.next(self).await?;
            if some.is_empty() {
                return Ok(all);
            }
            all.extend(some);
        }
    }
}

fn check_attributes(verify: &mut Verify, attributes: &[attribute::Model]) {
    let (mut keys, mut titles) = (HashMap::new(), HashMap::new());
    for row in attributes {
        let name = row.id.to_global();
        let mut add = |code, message, mend| verify.said.add("attribute", name.clone(), code, message, mend);
        if row.key != fold(&row.key) || row.key.is_empty() {
            add("KEY", format!("its key `{}` is not in lower case", row.key), "restore its key from a backup");
        }
        if row.title_key != fold(&row.title) {
            add(
                "KEY",
                format!("its title is `{}` and is found as `{}`", row.title, row.title_key),
                "save its title anew",
            );
        }
        if let Some(other) = keys.insert(row.key.clone(), row.id) {
            add("DOUBLE", format!("it has the key of {}", other.to_global()), "delete one of the two");
        }
        if let Some(other) = titles.insert(fold(&row.title), row.id) {
            add("DOUBLE", format!("it has the title of {}", other.to_global()), "give one of the two another title");
        }
        let options = row.options.as_array().map(|options| options.iter().map(serde_json::Value::as_str));
        let chooses = matches!(row.r#type, AttributeType::Select | AttributeType::MultiSelect);
        let is_sound = options.is_some_and(|mut options| {
            let mut seen = std::collections::HashSet::new();
            let all = options.len();
            options.all(|option| option.is_some_and(|option| seen.insert(fold(option)))) && (chooses || all == 0)
        });
        if !is_sound {
            let message = "its options are no list of different texts, or it takes none".to_owned();
            add("OPTIONS", message, "save its options anew");
        }
    }
    let built_in = attributes.iter().filter(|row| row.is_built_in).map(|row| row.key.as_str());
    for key in ["name", "email", "integration"] {
        if verify.version > 0 && !built_in.clone().any(|known| known == key) {
            let message = "the built-in attribute is missing";
            verify.said.add("attribute", key, "MISSING", message, "restore the last backup that is sound");
        }
    }
}

fn check_integrations(verify: &mut Verify, integrations: &[integration::Model]) {
    let mut names = HashMap::new();
    for row in integrations {
        let name = row.id.to_global();
        let mut add = |code, message, mend| verify.said.add("integration", name.clone(), code, message, mend);
        if row.name_key != fold(&row.name) {
            add("KEY", format!("its name is `{}` and is found as `{}`", row.name, row.name_key), "save its name anew");
        }
        if let Some(other) = names.insert(fold(&row.name), row.id) {
            add("DOUBLE", format!("it has the name of {}", other.to_global()), "give one of the two another name");
        }
    }
}
