//! Why two identities are probably one person, and what stands against it: in words.

use std::fmt;

/// What was found in two identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// They have the same email, which is one person's.
    SameEmail,
    /// Their emails arrive in one mailbox: they differ by a plus-tag, by Gmail's dots, or by an old login in a forge's
    /// no-reply address.
    SameMailbox,
    /// They have the same email, and others have it, too.
    SameSharedEmail,
    /// Full names with the same words, in any order, script and case.
    SameName,
    /// One full name has all words of the other, and more.
    FewerNames,
    /// Full names that differ by a short form or a slip of the pen.
    SimilarName,
    /// Full names of which one has an initial where the other has a word.
    NameWithInitials,
    /// A name of one word that is a word of the other's full name.
    PartOfName,
    /// Both have the same name of one word.
    SameSingleName,
    /// A forge's no-reply address carries the other's login.
    NoReplyLogin,
    /// The local part of an email is the other's login.
    LocalPartIsLogin,
    /// Both have the same login, in two tools.
    SameLogin,
    /// Their emails have the same local part at two domains.
    SameLocalPart,
    /// The name of one is the login, or the local part of an email, of the other.
    NameIsHandle,
    /// The domain of one's email is named as the other is.
    DomainIsHandle,
    /// A login or local part is the other's but for digits at its ends.
    HandleBesideDigits,
    /// A login or local part is the other's but for a slip of the pen.
    SimilarHandle,
    /// A login or local part is the other's full name in one piece.
    HandleIsName,
    /// A login or local part is made of initials and a word of the other's full name.
    HandleOfInitials,
    /// A login or local part is made of the beginnings of the other's names.
    HandleOfParts,
    /// A login or local part is one word of the other's full name.
    HandleIsWord,
    /// They have emails at one domain that few have.
    SameDomain,
    /// Their full names have nothing in common.
    DifferentNames,
    /// Their full names have a word in common and differ in another.
    OtherGivenName,
    /// Their emails at one organisation's domain differ by a number alone, as those of people with one name do.
    NumberedEmails,
}

impl Evidence {
    /// What was found, in words, with no value.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::SameEmail => "same email",
            Self::SameMailbox => "emails of one mailbox",
            Self::SameSharedEmail => "same email, which others have, too",
            Self::SameName => "same name",
            Self::FewerNames => "same name, with more of it in one",
            Self::SimilarName => "similar name",
            Self::NameWithInitials => "same name, with initials in one",
            Self::PartOfName => "name is a part of the name",
            Self::SameSingleName => "same single name",
            Self::NoReplyLogin => "no-reply address carries this login",
            Self::LocalPartIsLogin => "email local part is the login",
            Self::SameLogin => "same login",
            Self::SameLocalPart => "same email local part",
            Self::NameIsHandle => "name is the login or the email local part",
            Self::DomainIsHandle => "email domain is the login",
            Self::HandleBesideDigits => "same login or email local part, but for digits",
            Self::SimilarHandle => "similar login or email local part",
            Self::HandleIsName => "login or email local part is the name",
            Self::HandleOfInitials => "login or email local part is made of initials and a name",
            Self::HandleOfParts => "login or email local part is made of parts of the name",
            Self::HandleIsWord => "login or email local part is one of the names",
            Self::SameDomain => "same rare email domain",
            Self::DifferentNames => "different full names",
            Self::OtherGivenName => "full names that share only a part",
            Self::NumberedEmails => "emails of one domain that differ by a number",
        }
    }

    /// Whether it is a likeness of names, of which the comparable form is not how people write them.
    pub(super) fn is_of_names(self) -> bool {
        use Evidence::{FewerNames, NameWithInitials, PartOfName, SameName, SameSingleName, SimilarName};
        matches!(self, SameName | FewerNames | SimilarName | NameWithInitials | PartOfName | SameSingleName)
    }

    /// Whether it speaks against one person.
    #[must_use]
    pub fn is_against(self) -> bool {
        matches!(self, Self::DifferentNames | Self::OtherGivenName | Self::NumberedEmails)
    }
}

/// One piece of evidence in two identities.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// What was found.
    pub evidence: Evidence,
    /// What both have, in comparable form: words in plain Latin letters, a login, a domain. Empty where it would be a name
    /// that is written in another script.
    pub value: String,
    /// How sure it would be by itself, 0 to 1, which tells how rare it is; of what stands against it, what is left of the
    /// rest.
    pub weight: f32,
    /// Whether few others in the book have the same.
    pub is_rare: bool,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.evidence.words();
        let rare = self.is_rare && matches!(self.evidence, Evidence::SameName | Evidence::SameSingleName);
        match words.strip_prefix("same ").filter(|_| rare) {
            Some(rest) => write!(f, "same rare {rest}")?,
            None => f.write_str(words)?,
        }
        if self.value.is_empty() { Ok(()) } else { write!(f, " (`{}`)", self.value) }
    }
}
