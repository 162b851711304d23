//! The table: each piece of work with its target and what was measured.

use crate::Place;

/// What was measured so far.
pub(crate) struct Table {
    users: u64,
    rows: Vec<[String; 4]>,
}

impl Table {
    /// An empty table of a run with so many users.
    pub(crate) fn new(users: u64) -> Self {
        Self { users, rows: Vec::new() }
    }

    /// Adds a figure that has a target.
    pub(crate) fn row(&mut self, work: impl Into<String>, target: &str, measured: String, is_met: bool) {
        self.add(work.into(), target, measured, if is_met { "yes" } else { "no" });
    }

    /// Adds what an import takes against the database's own way to take the file into one plain table.
    pub(crate) fn against_plain(&mut self, place: &Place, how: &str, import: f64, plain: f64) {
        self.row(
            format!("the same import against {how} of the file into one plain table, {}", place.name),
            "<= 4x",
            format!("{:.1}x ({import:.1} s against {plain:.1} s)", import / plain),
            import / plain <= 4.0,
        );
    }

    /// Adds a figure that has none.
    pub(crate) fn note(&mut self, work: impl Into<String>, measured: String) {
        self.add(work.into(), "", measured, "");
    }

    /// Adds what could not be measured.
    pub(crate) fn skip(&mut self, work: &str, why: &str) {
        self.add(work.to_owned(), "", format!("skipped: {why}"), "");
    }

    fn add(&mut self, work: String, target: &str, measured: String, is_met: &str) {
        println!("{work}: {measured}");
        self.rows.push([work, target.to_owned(), measured, is_met.to_owned()]);
    }

    /// Prints everything as Markdown.
    pub(crate) fn print(&self) {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        println!("\n{} users x 8 attributes x 3 accounts, {cores} cores\n", self.users);
        println!("| work | target | measured | met |\n|---|---|---|---|");
        for row in &self.rows {
            println!("| {} |", row.join(" | "));
        }
    }
}
