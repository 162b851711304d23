//! The options of an export as an address has them: names with values, all of them text.
//!
//! What does not live here: what the options mean (`export`).

use std::collections::HashSet;

use super::{ExportOptions, split_columns};
use crate::directory::{Error, Result};
use crate::filter::Violation;
use crate::value::{nearest, shorten};

/// The names that there are.
const NAMES: [&str; 9] =
    ["filter", "orgUnit", "descendants", "columns", "accounts", "template", "raw", "delimiter", "bom"];

impl ExportOptions {
    /// The options that parameters say; the rest is as in the default.
    ///
    /// # Errors
    /// `Invalid`: a parameter that is not known or not right is never passed over.
    pub fn from_parameters(parameters: &[(String, String)]) -> Result<Self> {
        let mut options = Self::default();
        let mut seen = HashSet::new();
        let mut violations = Vec::new();
        for (name, value) in parameters {
            // A list may come in parts.
            let read = if seen.insert(name) || name == "columns" {
                options.set(name, value)
            } else {
                Err(("DUPLICATE", "it is given twice".to_owned()))
            };
            if let Err((code, message)) = read {
                violations.push(Violation::new(shorten(name), code, message));
            }
        }
        if violations.is_empty() { Ok(options) } else { Err(Error::Invalid(violations)) }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), (&'static str, String)> {
        match name {
            "filter" => self.filter = Some(value.parse().map_err(|why| ("UNREADABLE", why))?),
            "orgUnit" => self.org_unit = Some(value.to_owned()),
            "descendants" => self.descendants = truth(value)?,
            "columns" => self.columns.get_or_insert_default().extend(split_columns(value)),
            "accounts" => self.without_accounts = !truth(value)?,
            "template" => self.template = truth(value)?,
            "raw" => self.style.raw = truth(value)?,
            "bom" => self.style.mark = truth(value)?,
            "delimiter" => {
                self.style.delimiter = value.parse().map_err(|why: &str| ("NOT_A_DELIMITER", why.to_owned()))?;
            }
            other => {
                let hint = nearest(other, NAMES).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                return Err(("UNKNOWN_PARAMETER", format!("an export takes no such parameter{hint}")));
            }
        }
        Ok(())
    }
}

pub(super) fn truth(value: &str) -> Result<bool, (&'static str, String)> {
    value.parse().map_err(|_| ("NOT_A_BOOLEAN", format!("`{}` is neither true nor false", shorten(value))))
}
