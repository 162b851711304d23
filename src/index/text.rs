//! Filters as text, with the names that there are.

use entity::OrgUnitId;

use crate::filter::text::{Names, TextViolation, parse, print};
use crate::filter::{Catalogue, Filter, normalise};
use crate::value::{fold, nearest, split_path};

use super::Index;

impl Index {
    /// Reads a filter from text and checks it. It comes in the form in which it is stored.
    ///
    /// # Errors
    /// Everything that is wrong with it; of the grammar the first thing.
    pub fn parse_filter(&self, text: &str) -> Result<Filter, Vec<TextViolation>> {
        self.with_names(|names| {
            let parsed = parse(text, names).map_err(|violation| vec![violation])?;
            parsed.check(names)?;
            Ok(normalise(parsed.filter, names))
        })
    }

    /// A filter as text; none where the text would pass the limits of [`parse`].
    #[must_use]
    pub fn filter_text(&self, filter: &Filter) -> Option<String> {
        self.with_names(|names| print(filter, names))
    }

    /// Gives `with` what filters can refer to, where other org units are there, and at other paths, than those that are
    /// stored: `org_unit_at` and `path_of` as in [`Names`].
    pub fn with_org_units<T>(
        &self,
        org_unit_at: &dyn Fn(&str) -> Option<OrgUnitId>,
        path_of: &dyn Fn(OrgUnitId) -> Option<String>,
        with: impl FnOnce(&Names<'_>) -> T,
    ) -> T {
        self.with_names(|names| {
            let catalogue = &Catalogue { has_org_unit: &|id| path_of(id).is_some(), ..*names.catalogue };
            with(&Names { catalogue, org_unit_at, path_of, ..*names })
        })
    }

    pub(super) fn with_names<T>(&self, with: impl FnOnce(&Names<'_>) -> T) -> T {
        self.with_catalogue(&|reference| self.find_user(reference), |catalogue| {
            with(&Names {
                catalogue,
                org_unit_at: &|path| self.find_org_unit(path).map(|unit| unit.row.id),
                path_of: &|id| self.org_unit(id).map(|_| self.path(id)),
                nearest_path: &|path| self.nearest_path(path),
                email_of: &|id| self.email_of(id).map(str::to_owned),
            })
        })
    }

    /// The path that a path was probably meant to be: at each step down the unit of this name, or else of the nearest.
    fn nearest_path(&self, path: &str) -> Option<String> {
        let mut found = None;
        for name in split_path(path) {
            let wanted = fold(&name);
            let below = || self.org_unit_children(found).iter().filter_map(|id| self.org_unit(*id));
            let near = match below().find(|unit| unit.row.name_key == wanted) {
                Some(exact) => exact,
                None => {
                    let near = nearest(&name, below().map(|unit| unit.row.name.as_str()))?;
                    below().find(|unit| unit.row.name == near)?
                }
            };
            found = Some(near.row.id);
        }
        found.map(|id| self.path(id))
    }
}
