//! What can stand at a place of a filter that is being written, with the names and values as people write them.

use entity::UserId;

use super::Directory;
use super::error::Result;
use crate::filter::text::{Completion, Spelling};

impl Directory {
    /// What can stand at the byte `cursor` of a filter as text, at most `most` of it.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn complete_filter(&self, text: &str, cursor: usize, most: usize) -> Result<Vec<Completion>> {
        let mut completions = self.index().complete_filter(text, cursor, most);
        // The index has them folded.
        let mut ids: Vec<UserId> =
            completions.iter().filter_map(|found| found.spelling.as_ref()?.user().into()).collect();
        ids.sort_unstable();
        ids.dedup();
        let users = self.find_users(&ids).await?;
        for completion in &mut completions {
            let Some(spelling) = completion.spelling.take() else { continue };
            let Some(user) = users.get(&spelling.user()) else { continue };
            match spelling {
                Spelling::Name(_) => completion.spell(&user.row.name),
                Spelling::User(_) => completion.label.clone_from(&user.row.name),
                Spelling::Value(_, key) => {
                    if let Some(spelled) = user.row.attributes.get(&key).and_then(serde_json::Value::as_str) {
                        completion.spell(spelled);
                    }
                }
            }
        }
        Ok(completions)
    }
}
