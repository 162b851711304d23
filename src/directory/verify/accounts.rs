//! Accounts: whose they are, and that this is said as it is.

use entity::integration_account::{self, AssociationRule};

use super::rows::Rows;
use super::{Result, Verify};
use crate::record::Record;
use crate::value::GlobalId;

impl Verify {
    /// Looks at all accounts.
    pub(super) async fn accounts(&mut self) -> Result<()> {
        let mut rows = Rows::<integration_account::Entity>::all();
        loop {
            let some = rows.next(self).await?;
            if some.is_empty() {
                return Ok(());
            }
            let records: Vec<Record> = some.iter().cloned().map(Record::IntegrationAccount).collect();
            self.replay(&records).await?;
            for row in &some {
                let is_by_rule = matches!(row.rule, AssociationRule::Email | AssociationRule::Detected);
                let message = match row.user_id {
                    Some(_) if row.rule == AssociationRule::Unmatched => {
                        "somebody has it, and its rule is that nobody has"
                    }
                    None if is_by_rule => "nobody has it, and its rule is one by which somebody has",
                    _ => continue,
                };
                let mend = "link it to its user, or unlink it";
                self.said.add("integration_account", row.id.to_global(), "RULE", message, mend);
            }
        }
    }
}
