//! From the header row to a target for each column.
//!
//! What does not live here: what the cells of a column mean.

use std::collections::HashSet;

use entity::attribute::AttributeType;
use entity::{IntegrationId, attribute, integration};
use serde::{Deserialize, Serialize};

use super::{OrgUnitColumn, Problem, Row};
use crate::value::{DateFormat, Email, GlobalId, fold, nearest, shorten};

/// What the caller says about the columns of a file, beyond their titles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// Per title, compared folded, what its column holds.
    pub columns: Vec<(String, ColumnSource)>,
    /// The same, of columns that the file need not have.
    #[serde(default)]
    pub remembered: Vec<(String, ColumnSource)>,
    /// Whether columns that match nothing are ignored.
    pub ignore_unknown: bool,
}

/// What a mapped column holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ColumnSource {
    /// Nothing that is read.
    Ignore,
    /// The ids of users, or of org units.
    Id,
    /// The values of an attribute; `name` and `email` are attributes too.
    Attribute {
        /// Its key or title.
        key: String,
        /// How its days are written, for an attribute of days.
        date_format: Option<DateFormat>,
    },
    /// The accounts in an integration, by its name or id.
    Integration(String),
    /// In a file of org units: something of them.
    OrgUnit(OrgUnitColumn),
}

/// Where the cells of a column go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To the user's id, by which the row is matched.
    Id,
    /// To the user's name. Where several columns are mapped to it, they are joined in the order of their numbers, which
    /// is that of the mapping.
    Name(usize),
    /// To the user's primary email.
    Email,
    /// To the custom attribute at a place in the catalogue that was given.
    Attribute {
        /// That place.
        index: usize,
        /// How the column writes days.
        dates: DateFormat,
    },
    /// To the user's accounts in one integration.
    Accounts(IntegrationId),
    /// Nowhere.
    Ignored,
}

impl Target {
    /// Whether both write the same of a user.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Attribute { index: one, .. }, Self::Attribute { index: other, .. }) => one == other,
            (Self::Ignored, _) => false,
            (one, other) => one == other,
        }
    }
}

/// The columns of a file: what each is called and where its cells go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    columns: Vec<(String, Target)>,
}

impl Columns {
    /// Finds the target of each column by its title, in this order: what `mapping` says of it; `ID`, the title of an
    /// attribute, the name of an integration; the key of an attribute.
    ///
    /// # Errors
    /// All that is wrong with the header, at once.
    pub fn find(
        header: &Row,
        attributes: &[attribute::Model],
        integrations: &[integration::Model],
        mapping: &Mapping,
    ) -> Result<Self, Vec<Problem>> {
        let mut search = Search {
            line: header.line(),
            titles: header.cells().map(|title| title.trim().to_owned()).collect(),
            folded: header.cells().map(fold).collect(),
            catalogue: Catalogue { attributes, integrations },
            problems: Vec::new(),
        };
        let mapped = search.mapped(mapping);
        let targets: Vec<Option<Target>> = (0..search.titles.len())
            .map(|place| mapped[place].clone().unwrap_or_else(|| search.target(place, mapping.ignore_unknown)))
            .collect();
        if let Some(problem) = search.missing_header(&targets) {
            return Err(vec![problem]);
        }
        search.check_duplicates(&targets);
        search.check_missing(&targets);
        if search.problems.is_empty() {
            let targets = targets.into_iter().map(|target| target.unwrap_or(Target::Ignored));
            Ok(Self { columns: search.titles.into_iter().zip(targets).collect() })
        } else {
            Err(search.problems)
        }
    }

    /// The targets, one per column, in the file's order.
    pub fn targets(&self) -> impl ExactSizeIterator<Item = &Target> {
        self.columns.iter().map(|(_, target)| target)
    }

    /// The title of the column at a place, from 0, as the file has it.
    #[must_use]
    pub fn title(&self, place: usize) -> Option<&str> {
        self.columns.get(place).map(|(title, _)| title.as_str())
    }

    /// Each column's title, and in words what its cells are.
    #[must_use]
    pub fn describe(
        &self,
        attributes: &[attribute::Model],
        integrations: &[integration::Model],
    ) -> Vec<(String, String)> {
        let title =
            |key: &str| attributes.iter().find(|row| row.key == key).map(|row| row.title.clone()).unwrap_or_default();
        let holds = |target: &Target| match target {
            Target::Id => "ID".to_owned(),
            Target::Name(_) => title("name"),
            Target::Email => title("email"),
            Target::Attribute { index, .. } => attributes.get(*index).map(|row| row.title.clone()).unwrap_or_default(),
            Target::Accounts(id) => {
                let found = integrations.iter().find(|integration| integration.id == *id);
                found.map(|integration| integration.name.clone()).unwrap_or_default()
            }
            Target::Ignored => String::new(),
        };
        self.columns.iter().map(|(title, target)| (title.clone(), holds(target))).collect()
    }

    /// The place, from 0, of the column that goes to `target`, if the file has one; of `Ignored` there is none.
    #[must_use]
    pub fn place_of(&self, target: &Target) -> Option<usize> {
        self.columns.iter().position(|(_, known)| known.is_same(target))
    }
}

/// What columns can stand for.
#[derive(Clone, Copy)]
struct Catalogue<'a> {
    attributes: &'a [attribute::Model],
    integrations: &'a [integration::Model],
}

impl<'a> Catalogue<'a> {
    /// What the titles of an export stand for, by their folded form.
    fn headings(self) -> impl Iterator<Item = (&'a str, Target)> {
        let attributes = self.attributes.iter().enumerate();
        let integrations = self.integrations.iter();
        std::iter::once(("id", Target::Id))
            .chain(attributes.filter_map(|(index, attribute)| {
                Some((attribute.title_key.as_str(), target_of(attribute, index, DateFormat::default())?))
            }))
            .chain(integrations.map(|integration| (integration.name_key.as_str(), Target::Accounts(integration.id))))
    }

    /// The attribute that a folded title or, where no title is that, a folded key names.
    fn attribute(self, folded: &str) -> Option<(usize, &'a attribute::Model)> {
        let attributes = || self.attributes.iter().enumerate();
        let titled = attributes().find(|(_, attribute)| attribute.title_key == folded);
        titled.or_else(|| attributes().find(|(_, attribute)| attribute.key == folded))
    }

    /// All that a column may be called, for suggestions.
    fn names(self) -> impl Iterator<Item = &'a str> {
        let attributes = self.attributes.iter().filter(|attribute| attribute.r#type != AttributeType::Integration);
        let names = attributes.flat_map(|attribute| [attribute.title.as_str(), attribute.key.as_str()]);
        std::iter::once("ID").chain(names).chain(self.integrations.iter().map(|integration| integration.name.as_str()))
    }
}

/// Where the cells of an attribute go; nowhere for the built-in `integration`, which is one column per integration.
fn target_of(attribute: &attribute::Model, index: usize, dates: DateFormat) -> Option<Target> {
    match (attribute.is_built_in, attribute.key.as_str()) {
        _ if attribute.r#type == AttributeType::Integration => None,
        (true, "name") => Some(Target::Name(0)),
        (true, "email") => Some(Target::Email),
        _ => Some(Target::Attribute { index, dates }),
    }
}

/// How many titles a message lists.
const LISTED: usize = 30;

struct Search<'a> {
    line: u64,
    titles: Vec<String>,
    folded: Vec<String>,
    catalogue: Catalogue<'a>,
    problems: Vec<Problem>,
}

impl Search<'_> {
    /// The problem that the first row is one of a user, as its email shows, and no header; all else that is wrong with it
    /// comes of that.
    fn missing_header(&self, targets: &[Option<Target>]) -> Option<Problem> {
        if targets.contains(&Some(Target::Email)) {
            return None;
        }
        let email = self.titles.iter().find(|title| Email::parse(title).is_ok())?;
        let message = format!(
            "this row is of a user, as `{}` shows, and the first one must name the columns; put a row such as \
             `Name,Email` before it",
            shorten(email)
        );
        Some(Problem::new(self.line, "MISSING_HEADER", message).of_value(email))
    }

    /// What the mapping says, per column; `Some(None)` where what it says is wrong, so that it is said once.
    fn mapped(&mut self, mapping: &Mapping) -> Vec<Option<Option<Target>>> {
        let mut mapped = vec![None; self.titles.len()];
        let mut seen = HashSet::new();
        let mut parts_of_name = 0;
        for (title, source) in &mapping.columns {
            let folded = fold(title);
            if !seen.insert(folded.clone()) {
                self.report("DUPLICATE_MAPPING", Some(title), format!("`{}` is mapped twice", shorten(title)));
                continue;
            }
            let target = match self.resolve(source) {
                Ok(Target::Name(_)) => {
                    parts_of_name += 1;
                    Some(Target::Name(parts_of_name - 1))
                }
                Ok(target) => Some(target),
                Err(why) => {
                    self.report("UNKNOWN_MAPPING", Some(title), why);
                    None
                }
            };
            if !self.folded.contains(&folded) {
                let hint = suggest(title, self.titles.iter().map(String::as_str));
                let message = format!("`{}` is mapped, and the file has no such column{hint}", shorten(title));
                self.report("UNKNOWN_MAPPING", Some(title), message);
            }
            for (place, _) in self.folded.iter().enumerate().filter(|(_, known)| **known == folded) {
                mapped[place] = Some(target.clone());
            }
        }
        for (title, source) in &mapping.remembered {
            let Some(place) = self.folded.iter().position(|known| *known == fold(title)) else { continue };
            // What it held may be gone since; then the title speaks for itself.
            if let (None, Ok(target)) = (&mapped[place], self.resolve(source)) {
                let target = match target {
                    Target::Name(_) => {
                        parts_of_name += 1;
                        Target::Name(parts_of_name - 1)
                    }
                    other => other,
                };
                mapped[place] = Some(Some(target));
            }
        }
        mapped
    }

    fn resolve(&self, source: &ColumnSource) -> Result<Target, String> {
        match source {
            ColumnSource::Ignore => Ok(Target::Ignored),
            ColumnSource::Id => Ok(Target::Id),
            ColumnSource::Attribute { key, date_format } => {
                let Some((index, attribute)) = self.catalogue.attribute(&fold(key)) else {
                    let known = self.catalogue.attributes.iter().map(|attribute| attribute.key.as_str());
                    return Err(format!("there is no attribute `{}`{}", shorten(key), suggest(key, known)));
                };
                if date_format.is_some() && attribute.r#type != AttributeType::Date {
                    return Err(format!("`{}` does not hold dates, so it takes no date format", attribute.title));
                }
                target_of(attribute, index, date_format.clone().unwrap_or_default())
                    .ok_or_else(|| "accounts stand in one column per integration; name the integration".to_owned())
            }
            ColumnSource::OrgUnit(_) => Err("a column of a file of users holds nothing of org units".to_owned()),
            ColumnSource::Integration(name) => {
                let id = IntegrationId::parse(name).ok();
                let folded = fold(name);
                let mut known = self.catalogue.integrations.iter();
                known
                    .find(|integration| integration.name_key == folded || Some(integration.id) == id)
                    .map(|integration| Target::Accounts(integration.id))
                    .ok_or_else(|| {
                        let names = self.catalogue.integrations.iter().map(|integration| integration.name.as_str());
                        format!("there is no integration `{}`{}", shorten(name), suggest(name, names))
                    })
            }
        }
    }

    /// What the title of a column that is not mapped stands for.
    fn target(&mut self, place: usize, ignore_unknown: bool) -> Option<Target> {
        let folded = &self.folded[place];
        let headings: Vec<Target> = self
            .catalogue
            .headings()
            .filter(|(heading, _)| !folded.is_empty() && heading == folded)
            .map(|(_, target)| target)
            .collect();
        let title = self.titles[place].clone();
        match headings.as_slice() {
            [target] => return Some(target.clone()),
            [] => {}
            _ => {
                let message = format!("`{}` names more than one thing; map the column to one", shorten(&title));
                self.report("AMBIGUOUS_COLUMN", Some(&title), message);
                return None;
            }
        }
        let attribute = self.catalogue.attribute(folded).filter(|_| !folded.is_empty());
        if let Some((index, attribute)) = attribute
            && let Some(target) = target_of(attribute, index, DateFormat::default())
        {
            return Some(target);
        }
        // What an error file says of a row is for people.
        let is_told = super::errors::TITLES.iter().any(|own| fold(own) == *folded);
        if ignore_unknown || is_told {
            return Some(Target::Ignored);
        }
        if folded.is_empty() {
            let message = format!("column {} has no title; give it one, or have it ignored", place + 1);
            self.report("EMPTY_HEADER", None, message);
            return None;
        }
        let hint = match attribute {
            Some(_) => "; accounts stand in one column per integration, headed with its name".to_owned(),
            None => suggest(&title, self.catalogue.names()),
        };
        let message =
            format!("no attribute or integration is called `{}`{hint}; map the column, or ignore it", shorten(&title));
        self.report("UNKNOWN_COLUMN", Some(&title), message);
        None
    }

    fn check_duplicates(&mut self, targets: &[Option<Target>]) {
        let is_read = |place: usize| targets[place] != Some(Target::Ignored);
        for place in (0..targets.len()).filter(|&place| is_read(place)) {
            let title = self.titles[place].clone();
            let mut before = (0..place).filter(|&before| is_read(before));
            let is_duplicate =
                !title.is_empty() && before.clone().any(|before| self.folded[before] == self.folded[place]);
            if is_duplicate {
                let message = format!("the file has more than one column `{}`; remove or rename one", shorten(&title));
                self.report("DUPLICATE_COLUMN", Some(&title), message);
            } else if let Some(target) = &targets[place]
                && let Some(before) =
                    before.find(|&before| targets[before].as_ref().is_some_and(|other| other.is_same(target)))
            {
                let (one, other) = (shorten(&self.titles[before]), shorten(&title));
                let message = format!("`{one}` and `{other}` stand for the same; have one of them ignored");
                self.report("DUPLICATE_TARGET", Some(&title), message);
            }
        }
    }

    fn check_missing(&mut self, targets: &[Option<Target>]) {
        for (target, key) in [(Target::Name(0), "name"), (Target::Email, "email")] {
            if targets.contains(&Some(target)) {
                continue;
            }
            let known =
                self.catalogue.attributes.iter().find(|attribute| attribute.is_built_in && attribute.key == key);
            let wanted = known.map_or(key, |attribute| &attribute.title).to_owned();
            // Columns that already stand for something are not what was meant.
            let free = self.titles.iter().zip(targets);
            let free = free.filter(|(_, target)| target.is_none() || **target == Some(Target::Ignored));
            let hint = suggest(&wanted, free.map(|(title, _)| title.as_str()).filter(|title| !title.is_empty()));
            let titles: Vec<String> =
                self.titles.iter().take(LISTED).map(|title| format!("`{}`", shorten(title))).collect();
            let more = if self.titles.len() > LISTED { ", …" } else { "" };
            let titles = titles.join(", ");
            let message = if self.folded.contains(&fold(&wanted)) {
                format!("the column `{wanted}` is mapped to something else; map one of {titles}{more} to `{wanted}`")
            } else {
                format!("the file has no column `{wanted}`{hint}; add it, or map one of {titles}{more}")
            };
            self.report("MISSING_COLUMN", Some(&wanted), message);
        }
    }

    fn report(&mut self, code: &'static str, title: Option<&str>, message: String) {
        self.problems.push(Problem::new(self.line, code, message).in_column(title));
    }
}

/// The end of a sentence that asks whether a known name was meant; empty where none is near.
pub(super) fn suggest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wanted, known).map(|near| format!("; did you mean `{}`?", shorten(near))).unwrap_or_default()
}
