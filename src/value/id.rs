//! Ids as clients see them: a prefix that names the noun, and the UUID in hex.

use entity::{
    AssociationRulesId, AttributeId, ImportDraftId, IntegrationAccountId, IntegrationId, IntegrationRunId, OrgUnitId,
    TokenId, UserId,
};
use uuid::Uuid;

/// An id that clients see as `prefix_` and 32 hex digits.
pub trait GlobalId: Copy + Sized {
    /// What stands before the `_`.
    const PREFIX: &'static str;
    /// What it is the id of, in words: "user".
    const NOUN: &'static str;
    /// From the inner UUID.
    fn from_uuid(uuid: Uuid) -> Self;
    /// The inner UUID.
    fn uuid(self) -> Uuid;

    /// The id as clients see it.
    fn to_global(self) -> String {
        format!("{}_{}", Self::PREFIX, self.uuid().simple())
    }

    /// Reads an id that a client sent.
    ///
    /// # Errors
    /// A sentence that says what was expected and what came, such as "expected a user id, got an attribute id".
    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once('_') {
            Some((prefix, hex)) if prefix == Self::PREFIX => Uuid::try_parse(hex)
                .ok()
                .filter(|_| hex.len() == 32)
                .map(Self::from_uuid)
                .ok_or_else(|| format!("`{}` is not {} id", super::shorten(text), with_article(Self::NOUN))),
            Some((prefix, _)) if noun_of(prefix).is_some() => {
                let noun = noun_of(prefix).unwrap_or_default();
                Err(format!("expected {} id, got {} id", with_article(Self::NOUN), with_article(noun)))
            }
            _ => Err(format!("`{}` is not {} id", super::shorten(text), with_article(Self::NOUN))),
        }
    }
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// The noun that an id's prefix names, if it names one.
#[must_use]
pub fn noun_of(prefix: &str) -> Option<&'static str> {
    match prefix {
        UserId::PREFIX => Some(UserId::NOUN),
        AttributeId::PREFIX => Some(AttributeId::NOUN),
        IntegrationId::PREFIX => Some(IntegrationId::NOUN),
        IntegrationAccountId::PREFIX => Some(IntegrationAccountId::NOUN),
        OrgUnitId::PREFIX => Some(OrgUnitId::NOUN),
        ImportDraftId::PREFIX => Some(ImportDraftId::NOUN),
        IntegrationRunId::PREFIX => Some(IntegrationRunId::NOUN),
        AssociationRulesId::PREFIX => Some(AssociationRulesId::NOUN),
        TokenId::PREFIX => Some(TokenId::NOUN),
        _ => None,
    }
}

macro_rules! global_id {
    ($name:ident, $prefix:literal, $noun:literal) => {
        impl GlobalId for $name {
            const PREFIX: &'static str = $prefix;
            const NOUN: &'static str = $noun;
            fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
            fn uuid(self) -> Uuid {
                self.0
            }
        }
    };
}

global_id!(UserId, "usr", "user");
global_id!(AttributeId, "att", "attribute");
global_id!(IntegrationId, "int", "integration");
global_id!(IntegrationAccountId, "acc", "integration account");
global_id!(OrgUnitId, "org", "org unit");
global_id!(ImportDraftId, "imp", "import draft");
global_id!(IntegrationRunId, "run", "integration run");
global_id!(AssociationRulesId, "rul", "set of association rules");
global_id!(TokenId, "tok", "token");
