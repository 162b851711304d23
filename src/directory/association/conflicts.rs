//! What a person has to look at: associations that do not go together, each with the records involved and the mend.
//!
//! They are worked out from the index when they are asked for, in one pass, and are gone when they are mended; nothing of
//! them is stored. What does not live here: how each kind is found (`index`).

use std::fmt;
use std::str::FromStr;

use entity::{IntegrationAccountId, IntegrationId, UserId};

use super::part::{Part, part};
use super::rules::Rules;
use crate::directory::Directory;
use crate::directory::error::{Error, Result};
use crate::directory::history::Range;
use crate::index::Index;
use crate::value::{GlobalId, shorten};

/// Records that a conflict names of each kind at most.
const NAMED: usize = 100;

/// What kind of conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConflictKind {
    /// Several users have emails that are one, as the rules compare them.
    SharedEmail,
    /// Two users claim one account.
    ClaimedTwice,
    /// A claim names several accounts.
    AmbiguousClaim,
    /// A user has several accounts in one integration.
    SeveralAccounts,
    /// A bot belongs to a user.
    BotOfUser,
}

/// Which conflict: what it is about. The order is that of the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConflictPlace {
    /// The key that the emails have.
    SharedEmail(String),
    /// The claim that is not the owner's of the account.
    ClaimedTwice(IntegrationAccountId),
    /// The claim.
    AmbiguousClaim(IntegrationAccountId),
    /// The user, and the integration.
    SeveralAccounts(UserId, IntegrationId),
    /// The bot.
    BotOfUser(IntegrationAccountId),
}

/// A conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociationConflict {
    /// Which.
    pub place: ConflictPlace,
    /// The users involved, at most a hundred.
    pub users: Vec<UserId>,
    /// The accounts involved, at most a hundred.
    pub accounts: Vec<IntegrationAccountId>,
    /// The integration that it is in, where it is in one.
    pub integration: Option<IntegrationId>,
    /// The email or name that it is about, where there is one.
    pub value: Option<String>,
    /// What does not go together.
    pub message: String,
    /// What to do.
    pub mend: String,
}

impl ConflictPlace {
    /// Of which kind it is.
    #[must_use]
    pub fn kind(&self) -> ConflictKind {
        match self {
            Self::SharedEmail(_) => ConflictKind::SharedEmail,
            Self::ClaimedTwice(_) => ConflictKind::ClaimedTwice,
            Self::AmbiguousClaim(_) => ConflictKind::AmbiguousClaim,
            Self::SeveralAccounts(..) => ConflictKind::SeveralAccounts,
            Self::BotOfUser(_) => ConflictKind::BotOfUser,
        }
    }
}

impl fmt::Display for ConflictPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SharedEmail(key) => write!(f, "shared-email:{key}"),
            Self::ClaimedTwice(claim) => write!(f, "claimed-twice:{}", claim.to_global()),
            Self::AmbiguousClaim(claim) => write!(f, "ambiguous-claim:{}", claim.to_global()),
            Self::SeveralAccounts(user, integration) => {
                write!(f, "several-accounts:{}:{}", user.to_global(), integration.to_global())
            }
            Self::BotOfUser(account) => write!(f, "bot-of-user:{}", account.to_global()),
        }
    }
}

impl FromStr for ConflictPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, about) = text.split_once(':').ok_or(())?;
        let account = || IntegrationAccountId::parse(about).map_err(drop);
        match kind {
            "shared-email" => Ok(Self::SharedEmail(about.to_owned())),
            "claimed-twice" => account().map(Self::ClaimedTwice),
            "ambiguous-claim" => account().map(Self::AmbiguousClaim),
            "several-accounts" => {
                let (user, integration) = about.split_once(':').ok_or(())?;
                let user = UserId::parse(user).map_err(drop)?;
                Ok(Self::SeveralAccounts(user, IntegrationId::parse(integration).map_err(drop)?))
            }
            "bot-of-user" => account().map(Self::BotOfUser),
            _ => Err(()),
        }
    }
}

impl Directory {
    /// Some of the conflicts, by kind and then by what they are about, and how many there are.
    ///
    /// # Errors
    /// A fault of the server.
    pub async fn association_conflicts(
        &self,
        kind: Option<ConflictKind>,
        range: Range<ConflictPlace>,
    ) -> Result<Part<AssociationConflict>> {
        let index = self.snapshot();
        let list = move || {
            let found = part(conflicts(&index, kind), ConflictPlace::clone, &range);
            let items = found.items.into_iter().map(|place| index.tell(place)).collect();
            Part { items, has_previous: found.has_previous, has_next: found.has_next, total: found.total }
        };
        tokio::task::spawn_blocking(list).await.map_err(Error::internal)
    }
}

impl ConflictKind {
    /// All kinds, in their order.
    pub const ALL: [Self; 5] =
        [Self::SharedEmail, Self::ClaimedTwice, Self::AmbiguousClaim, Self::SeveralAccounts, Self::BotOfUser];

    /// How many conflicts of this kind an index has.
    pub(super) fn count(self, index: &Index) -> u64 {
        conflicts(index, Some(self)).count() as u64
    }
}

/// All conflicts of a kind, or of every kind, in no order.
fn conflicts(index: &Index, kind: Option<ConflictKind>) -> impl Iterator<Item = ConflictPlace> + '_ {
    let is_asked = move |one: ConflictKind| kind.is_none_or(|kind| kind == one);
    let emails = is_asked(ConflictKind::SharedEmail).then(|| index.shared_keys().map(ConflictPlace::SharedEmail));
    let asks_for_claims = is_asked(ConflictKind::ClaimedTwice) || is_asked(ConflictKind::AmbiguousClaim);
    let claims = asks_for_claims.then(|| index.claims().filter_map(|claim| of_claim(index, claim)));
    let several = is_asked(ConflictKind::SeveralAccounts).then(|| {
        index.users_with_several_accounts().map(|(user, integration)| ConflictPlace::SeveralAccounts(user, integration))
    });
    let bots = is_asked(ConflictKind::BotOfUser).then(|| {
        let rules = Rules::of(index);
        let accounts = (0..index.account_places()).filter_map(|place| index.account_identity(place));
        accounts
            .filter(move |account| account.owner.is_some() && rules.bot_obstacle(account).is_some())
            .map(|account| ConflictPlace::BotOfUser(account.id))
    });
    let claims = claims.into_iter().flatten().filter(move |place| is_asked(place.kind()));
    emails.into_iter().flatten().chain(claims).chain(several.into_iter().flatten()).chain(bots.into_iter().flatten())
}

fn of_claim(index: &Index, claim: IntegrationAccountId) -> Option<ConflictPlace> {
    let others = index.claimed_by(claim);
    if others.iter().filter(|(_, is_reported)| *is_reported).count() > 1 {
        return Some(ConflictPlace::AmbiguousClaim(claim));
    }
    let owner = index.owner_of(claim);
    let is_other = others.iter().any(|(other, _)| index.owner_of(*other) != owner);
    is_other.then_some(ConflictPlace::ClaimedTwice(claim))
}

impl Index {
    /// A conflict with what belongs to it.
    fn tell(&self, place: ConflictPlace) -> AssociationConflict {
        let identity = |id: IntegrationAccountId| self.account_identity(self.account_place(id)?);
        let name = |id: IntegrationAccountId| {
            let identity = identity(id)?;
            identity.username.or(identity.email).or(identity.display_name).map(str::to_owned)
        };
        let email = |user: UserId| self.email_of(user).unwrap_or_default().to_owned();
        let (mut users, mut accounts, mut integration, mut value) = (Vec::new(), Vec::new(), None, None);
        let (message, mend) = match &place {
            ConflictPlace::SharedEmail(key) => {
                users = self.owners_like(key).into_keys().collect();
                accounts =
                    self.emails_like(key).into_iter().flat_map(|email| self.unmatched_with_email(email)).collect();
                value = Some(key.clone());
                let message = format!("{} users have emails that are one: `{}`", users.len(), shorten(key));
                let mend = "take the email from those whose it is not, or make them one user; accounts with such an email \
                            that nobody has just so stay unmatched until then";
                (message, mend.to_owned())
            }
            ConflictPlace::ClaimedTwice(claim) => {
                accounts =
                    std::iter::once(*claim).chain(self.claimed_by(*claim).into_iter().map(|(id, _)| id)).collect();
                users = accounts.iter().filter_map(|id| self.owner_of(*id)).collect();
                value = name(*claim);
                let by = self.owner_of(*claim).map(email).unwrap_or_default();
                let message = format!("{by} claims an account that is another's, or that a person has given to nobody");
                let mend =
                    "link the account to the user whose it is; if that is not the one who claims it, unlink the claim";
                (message, mend.to_owned())
            }
            ConflictPlace::AmbiguousClaim(claim) => {
                accounts =
                    std::iter::once(*claim).chain(self.claimed_by(*claim).into_iter().map(|(id, _)| id)).collect();
                users = accounts.iter().filter_map(|id| self.owner_of(*id)).collect();
                value = name(*claim);
                let message = format!("a claim names {} accounts", accounts.len() - 1);
                (message, "link the account that is meant, and unlink the claim".to_owned())
            }
            ConflictPlace::SeveralAccounts(user, of) => {
                users.push(*user);
                integration = Some(*of);
                let mut own = self.accounts_in(*user, *of);
                own.sort_unstable();
                accounts = own;
                let message = format!("{} has {} accounts here", email(*user), accounts.len());
                let mend = "link the accounts that are another's to that user; a person may well have several";
                (message, mend.to_owned())
            }
            ConflictPlace::BotOfUser(account) => {
                accounts.push(*account);
                users.extend(self.owner_of(*account));
                value = name(*account);
                let of = users.first().copied().map(email).unwrap_or_default();
                let mend =
                    "unlink the account, or take its email from the user; if a person uses it, say so in the tool";
                (format!("a bot is an account of {of}"), mend.to_owned())
            }
        };
        if integration.is_none() && !matches!(place, ConflictPlace::SharedEmail(_)) {
            integration = accounts.first().and_then(|id| Some(identity(*id)?.integration_id));
        }
        accounts.sort_unstable();
        accounts.dedup();
        accounts.truncate(NAMED);
        users.sort_unstable();
        users.dedup();
        users.truncate(NAMED);
        AssociationConflict { place, users, accounts, integration, value, message, mend }
    }
}
