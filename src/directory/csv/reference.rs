//! Whom the users of a file name from now on, by one USER attribute: four bytes a row.

use entity::UserId;

use super::Problem;
use super::plan::Planner;
use super::problem::Findings;
use super::rows::Rows;
use crate::directory::attribute::find_circles;

/// The row says nothing new.
const AS_BEFORE: u32 = 0;
/// The row names nobody.
const NOBODY: u32 = 1;
/// What stands before the number of a named user's row.
const ROW: u32 = 2;

/// Whom the users of a file name from now on, by one USER attribute.
#[derive(Default)]
pub(super) struct References {
    /// One code a row.
    codes: Vec<u32>,
    /// Users that have no row; their codes count down from the highest.
    outside: Vec<UserId>,
}

impl References {
    /// Notes whom the user of a row names.
    pub(super) fn set(&mut self, row: u32, named: Option<UserId>, rows: &Rows) {
        let code = match named.map(|user| (user, rows.row_of(user))) {
            None => NOBODY,
            Some((_, Some(row))) => ROW + row,
            Some((user, None)) => {
                self.outside.push(user);
                u32::MAX - u32::try_from(self.outside.len() - 1).unwrap_or_default()
            }
        };
        let at = row as usize;
        if self.codes.len() <= at {
            self.codes.resize(at + 1, AS_BEFORE);
        }
        self.codes[at] = code;
    }

    /// Whom a user names, where the file says something new of that.
    pub(super) fn get(&self, user: UserId, rows: &Rows) -> Option<Option<UserId>> {
        self.of_row(rows.row_of(user)?, rows)
    }

    fn of_row(&self, row: u32, rows: &Rows) -> Option<Option<UserId>> {
        match self.codes.get(row as usize).copied().unwrap_or(AS_BEFORE) {
            AS_BEFORE => None,
            NOBODY => Some(None),
            code => match self.outside.get((u32::MAX - code) as usize) {
                Some(user) => Some(Some(*user)),
                None => Some(rows.user(code - ROW)),
            },
        }
    }

    /// The users of whom the file says something new.
    pub(super) fn users<'a>(&'a self, rows: &'a Rows) -> impl Iterator<Item = UserId> + 'a {
        let changed = self.codes.iter().enumerate().filter(|(_, code)| **code != AS_BEFORE);
        changed.filter_map(|(row, _)| rows.user(u32::try_from(row).ok()?))
    }
}

/// Refuses rows by which users would come to report to themselves.
pub(super) fn find_cycles(planner: &Planner, findings: &mut Findings) {
    let known = planner.known();
    for (at, references) in &planner.references {
        let Some(attribute) = known.attributes.get(*at) else { continue };
        let changed = |user| references.get(user, &known.rows);
        let name = |user| match (known.index.email_of(user), known.rows.line_of(user)) {
            (Some(email), _) => email.to_owned(),
            (None, line) => format!("the user of line {}", line.unwrap_or_default()),
        };
        for circle in find_circles(&known.index, &attribute.key, references.users(&known.rows), changed) {
            let message = circle.message(&attribute.key, name);
            for user in circle.users().filter(|user| changed(*user).is_some()) {
                let line = known.rows.line_of(user).unwrap_or_default();
                findings.error(Problem::new(line, "CYCLE", message.clone()).in_column(Some(&attribute.title)));
            }
        }
    }
}
