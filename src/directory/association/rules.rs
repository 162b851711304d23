//! The rules of association, made ready to be asked: what keeps an account from a rule, and what the rules decide.
//!
//! Pure: both the changeset that associates and the answer to "why" ask the same function. What does not live here: how
//! the rules are chosen (`settings`), whose an email is.

use std::collections::HashMap;

use entity::association_rules::{self, IntegrationRules};
use entity::{IntegrationId, UserId};

use crate::index::{AccountIdentity, Index};
use crate::value::{EmailKeys, Patterns, shorten};

/// The rules, made ready.
#[derive(Debug)]
pub(in crate::directory) struct Rules {
    pub(super) stored: association_rules::Rules,
    pub(super) keys: EmailKeys,
    integrations: HashMap<IntegrationId, IntegrationRules>,
    excluded_emails: Patterns,
    excluded_names: Patterns,
    bot_names: Patterns,
}

/// What keeps an account from a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::directory) enum Obstacle {
    /// The tool shows no email.
    NoEmail,
    /// The rule is off everywhere.
    RuleOff,
    /// The rule is off in this integration.
    RuleOffHere,
    /// The integration's emails are not trusted.
    NotTrusted,
    /// The email is shared, by this pattern.
    ExcludedEmail(String),
    /// The username or display name is shared, by this pattern.
    ExcludedName(String),
    /// The tool says that a program uses it.
    Bot,
    /// Its name is one of a program, by this pattern.
    BotName(String),
    /// The tool no longer has it.
    Gone,
    /// The user whose email it has is closed to automation.
    UserLocked,
}

/// Whose an email is, as emails are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::directory) enum Owner {
    /// Nobody's.
    Nobody,
    /// One user's, who has this email.
    User(UserId, String),
    /// Several users have an email that is one with it, and none has it itself.
    Several(Vec<UserId>),
}

/// What the automatic rules make of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::directory) enum Decision {
    /// It stays as it is.
    Keep,
    /// It is this user's, by this email of theirs.
    Give(UserId, String),
    /// A user is made from it, with its email.
    Make(String),
    /// It is nobody's.
    Nobody,
}

impl Rules {
    /// The rules that an index has.
    pub(in crate::directory) fn of(index: &Index) -> Self {
        Self::new(index.association_rules().map(|row| row.rules.clone()).unwrap_or_default())
    }

    pub(in crate::directory) fn new(stored: association_rules::Rules) -> Self {
        Self {
            keys: EmailKeys::new(stored.ignores_plus_tags, &stored.alias_domains),
            integrations: stored.integrations.iter().map(|own| (own.integration_id, own.clone())).collect(),
            excluded_emails: Patterns::of_emails(&stored.excluded_emails),
            excluded_names: Patterns::of_names(&stored.excluded_names),
            bot_names: Patterns::of_names(&stored.bot_names),
            stored,
        }
    }

    /// What keeps an account from coming to the user of its email.
    pub(in crate::directory) fn email_obstacle(&self, account: &AccountIdentity<'_>) -> Option<Obstacle> {
        let own = self.integrations.get(&account.integration_id).and_then(|own| own.email);
        self.obstacle(account, own, self.stored.email)
    }

    /// What keeps a user from being made from an account.
    pub(in crate::directory) fn detected_obstacle(&self, account: &AccountIdentity<'_>) -> Option<Obstacle> {
        let own = self.integrations.get(&account.integration_id).and_then(|own| own.detected);
        self.obstacle(account, own, self.stored.detected)
            .or_else(|| self.bot_obstacle(account))
            .or_else(|| account.is_gone.then_some(Obstacle::Gone))
    }

    /// Why an account counts as a program's.
    pub(in crate::directory) fn bot_obstacle(&self, account: &AccountIdentity<'_>) -> Option<Obstacle> {
        if account.is_bot {
            return Some(Obstacle::Bot);
        }
        named(&self.bot_names, account).map(Obstacle::BotName)
    }

    /// Whether a user would be made from an account, or would have been while its tool had it.
    pub(super) fn makes_or_made(&self, account: &AccountIdentity<'_>) -> bool {
        matches!(self.detected_obstacle(account), None | Some(Obstacle::Gone))
    }

    fn obstacle(&self, account: &AccountIdentity<'_>, own: Option<bool>, everywhere: bool) -> Option<Obstacle> {
        let Some(email) = account.email else { return Some(Obstacle::NoEmail) };
        match own {
            Some(false) => return Some(Obstacle::RuleOffHere),
            None if !everywhere => return Some(Obstacle::RuleOff),
            Some(true) | None => {}
        }
        if self.integrations.get(&account.integration_id).is_some_and(|own| !own.is_trusted) {
            return Some(Obstacle::NotTrusted);
        }
        let excluded = self.excluded_emails.matching(email);
        // A shared mailbox stays one with a tag.
        let excluded = excluded.or_else(|| self.excluded_emails.matching(&self.keys.key(email)));
        if let Some(pattern) = excluded {
            return Some(Obstacle::ExcludedEmail(pattern.to_owned()));
        }
        named(&self.excluded_names, account).map(Obstacle::ExcludedName)
    }

    /// What becomes of an account that nobody has said anything about, given whose its email is. `made` is the user that was
    /// made from it; `is_locked` tells which users automation leaves alone: it gives them nothing and takes nothing.
    pub(in crate::directory) fn decide(
        &self,
        account: &AccountIdentity<'_>,
        owner: &Owner,
        made: Option<UserId>,
        is_locked: &dyn Fn(UserId) -> bool,
    ) -> Decision {
        match owner {
            _ if account.owner.is_some_and(is_locked) => Decision::Keep,
            Owner::User(user, _) if is_locked(*user) => Decision::Nobody,
            Owner::User(user, _) if made == Some(*user) && self.may_stay_detected(account) => Decision::Keep,
            Owner::User(user, email) => match self.email_obstacle(account) {
                None => Decision::Give(*user, email.clone()),
                Some(_) => Decision::Nobody,
            },
            Owner::Several(_) => Decision::Nobody,
            Owner::Nobody => match (self.detected_obstacle(account), account.email) {
                (None, Some(email)) => Decision::Make(email.to_owned()),
                // What its tool no longer has stays with its user, so nobody goes for that reason.
                (Some(Obstacle::Gone), _) if account.owner.is_some() => Decision::Keep,
                _ => Decision::Nobody,
            },
        }
    }

    /// Whether a user made from the account keeps it by that: also where its tool has since said that it is a program's, or
    /// has it no more.
    pub(super) fn may_stay_detected(&self, account: &AccountIdentity<'_>) -> bool {
        matches!(self.detected_obstacle(account), None | Some(Obstacle::Bot | Obstacle::Gone))
    }
}

fn named(patterns: &Patterns, account: &AccountIdentity<'_>) -> Option<String> {
    let names = [account.username, account.display_name].into_iter().flatten();
    names.filter_map(|name| patterns.matching(name)).next().map(str::to_owned)
}

impl Obstacle {
    /// The obstacle in a word that does not change.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::NoEmail => "NO_EMAIL",
            Self::RuleOff => "RULE_OFF",
            Self::RuleOffHere => "RULE_OFF_IN_INTEGRATION",
            Self::NotTrusted => "NOT_TRUSTED",
            Self::ExcludedEmail(_) => "EXCLUDED_EMAIL",
            Self::ExcludedName(_) => "EXCLUDED_NAME",
            Self::Bot => "BOT",
            Self::BotName(_) => "BOT_NAME",
            Self::Gone => "GONE",
            Self::UserLocked => "USER_LOCKED",
        }
    }

    /// The obstacle in words.
    pub(super) fn message(&self) -> String {
        match self {
            Self::NoEmail => "the tool shows no email of the account".to_owned(),
            Self::RuleOff => "the rule is off".to_owned(),
            Self::RuleOffHere => "the rule is off for this integration".to_owned(),
            Self::NotTrusted => "the integration is not trusted, so its emails decide nothing".to_owned(),
            Self::ExcludedEmail(pattern) => {
                format!("the email is on the exclusion list, as `{}`", shorten(pattern))
            }
            Self::ExcludedName(pattern) => {
                format!("the username or display name is on the exclusion list, as `{}`", shorten(pattern))
            }
            Self::Bot => "the tool says that the account is a bot".to_owned(),
            Self::BotName(pattern) => format!("the name is one of a bot, as `{}`", shorten(pattern)),
            Self::Gone => "the tool no longer has the account".to_owned(),
            Self::UserLocked => "the user who has the email is locked; link the account by hand".to_owned(),
        }
    }
}
