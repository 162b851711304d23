//! How generated units are called: by values as people write them.

use std::collections::{HashMap, HashSet};

use entity::attribute::{self, AttributeType};

use super::name::{fits, free, to_name};
use super::origin::{Origin, Source, SourceValue};
use super::outline::Wanted;
use super::settle::Settling;
use crate::directory::attribute::option_texts;
use crate::record::UserRecord;
use crate::value::{Value, fold, shorten, show};

/// How a wanted unit is called, and why, if not by its value.
pub(super) struct Called {
    pub(super) source: Source,
    pub(super) name: String,
    pub(super) note: Option<String>,
}

impl Settling<'_> {
    /// How each unit is called. Siblings differ; those that there are keep their names where they can.
    pub(super) fn call(&self, wanted: &[Wanted]) -> Vec<Called> {
        let mut called: Vec<Called> = Vec::with_capacity(wanted.len());
        let mut taken: HashMap<Option<usize>, HashSet<String>> = HashMap::new();
        let mut open = Vec::new();
        for (at, wanted) in wanted.iter().enumerate() {
            let made = self.known.get(&wanted.source).and_then(|unit| Origin::of(unit));
            let example = self.examples.get(&wanted.example);
            let (source, text) = match (&wanted.value, &wanted.source) {
                (Some((attribute, value)), _) => {
                    let spelt = spell(attribute, value, example, made.as_ref());
                    let above = wanted.parent.map(|parent| &called[parent].source);
                    let mut values = match above {
                        Some(Source::Values(values)) => values.clone(),
                        _ => Vec::new(),
                    };
                    values.push(SourceValue { attribute: attribute.key.clone(), value: spelt.clone() });
                    let text = match attribute.r#type {
                        AttributeType::Boolean | AttributeType::Number | AttributeType::Date => {
                            format!("{}: {spelt}", attribute.title)
                        }
                        _ => spelt,
                    };
                    (Source::Values(values), text)
                }
                (None, source) => (source.clone(), example.map(|user| user.row.name.clone()).unwrap_or_default()),
            };
            let name = to_name(&text);
            let note = (name != text).then(|| format!("the unit of `{}` is called `{name}`, since names have at most 100 characters, no `/`, and no line breaks", shorten(&text)));
            let kept = made.map(|origin| origin.made.name).filter(|made| fits(made, &name));
            match kept.filter(|kept| taken.entry(wanted.parent).or_default().insert(fold(kept))) {
                Some(kept) => called.push(Called { source, name: kept, note }),
                None => {
                    open.push(at);
                    called.push(Called { source, name, note });
                }
            }
        }
        for at in open {
            let hint = wanted[at].value.is_none().then(|| self.examples.get(&wanted[at].example));
            let hint = hint.flatten().map(|user| user.row.email.as_str());
            let name = free(&called[at].name, hint, taken.entry(wanted[at].parent).or_default());
            if name != called[at].name {
                called[at].note =
                    Some(format!("a unit beside it has the name `{}` already, so this is `{name}`", called[at].name));
                called[at].name = name;
            }
        }
        called
    }
}

/// How a value is written: as its attribute has it, as it was when its unit was generated, or as a user has it.
fn spell(attribute: &attribute::Model, value: &Value, example: Option<&UserRecord>, made: Option<&Origin>) -> String {
    let folded = show(value, |_| None);
    let is_it = |text: &String| fold(text) == fold(&folded);
    if let Some(option) = option_texts(&attribute.options).map(str::to_owned).find(is_it) {
        return option;
    }
    if !matches!(value, Value::Text(_)) {
        return folded;
    }
    let before = made.and_then(|origin| match &origin.source {
        Source::Values(values) => values.last().map(|last| last.value.clone()),
        Source::Supervisor { .. } => None,
    });
    let stored = || example?.row.attributes.get(&attribute.key)?.as_str().map(str::to_owned);
    before.filter(is_it).or_else(stored).filter(is_it).unwrap_or(folded)
}
