//! What can stand at a place of a text: said by the parser as it looks for it, so that messages and completions have
//! neither more nor less than what would be read.

use entity::attribute::{self, AttributeType};

/// Something that can stand at a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item<'n> {
    /// This word or sign.
    Literal(&'static str),
    /// The name of an attribute.
    Attribute,
    /// A text in quotes.
    Text(About<'n>),
    /// A number.
    Number(About<'n>),
    /// A day, as text or relative to today.
    Day(About<'n>),
    /// Nothing more.
    End,
}

/// What a value belongs to.
#[derive(Clone, Copy, Debug)]
pub enum About<'n> {
    /// The value of a custom attribute.
    Attribute(&'n attribute::Model),
    /// The value of an attribute that there is not.
    Unknown,
    /// The name of a user.
    Name,
    /// An email of a user.
    Email,
    /// The username, email or display name of an account.
    Account(AttributeType),
    /// An integration, by name or id.
    Integration,
    /// The kind of an integration.
    Kind,
    /// An org unit, by path or id.
    OrgUnit,
}

impl About<'_> {
    /// The type of the value, where there is one.
    pub(super) fn r#type(&self) -> Option<AttributeType> {
        match self {
            Self::Attribute(attribute) => Some(attribute.r#type),
            Self::Unknown => None,
            Self::Email => Some(AttributeType::Email),
            Self::Account(r#type) => Some(*r#type),
            Self::Name | Self::Integration | Self::Kind | Self::OrgUnit => Some(AttributeType::Text),
        }
    }
}

impl Item<'_> {
    /// In words, or as it would stand there.
    pub(super) fn describe(&self) -> &'static str {
        match self {
            Self::Literal(word) => word,
            Self::Attribute => "an attribute",
            Self::Text(_) => "a text in quotes",
            Self::Number(_) => "a number",
            Self::Day(_) => "a date such as \"2026-01-31\" or now-90d",
            Self::End => "the end",
        }
    }
}
