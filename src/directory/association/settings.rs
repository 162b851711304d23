//! How the rules of association are chosen: one logged record of the directory, checked here.
//!
//! What does not live here: what a change of them does to accounts (`reassociate`), what the rules mean (`rules`).

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use entity::association_rules::{self, IntegrationRules};
use entity::changeset::ChangesetKind;
use entity::{AssociationRulesId, IntegrationId};

use super::rules::Rules;
use crate::directory::error::Result;
use crate::directory::user::refuse;
use crate::directory::{Actor, Directory, expect_version};
use crate::filter::Violation;
use crate::index::Index;
use crate::record::Record;
use crate::value::{Email, GlobalId, fold, nfc, shorten};

/// The most patterns in one list, and the most groups of domains.
const LIST: usize = 1_000;
/// The longest pattern, in bytes.
const LONGEST: usize = 254;

/// What is to change of the rules; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct RulesChange {
    /// The version that the client read; 0 while nobody has changed them.
    pub expected_version: Option<i64>,
    /// Whether accounts come to the users of their emails.
    pub email: Option<bool>,
    /// Whether users are made from accounts.
    pub detected: Option<bool>,
    /// Whether emails that differ in a tag are one.
    pub ignores_plus_tags: Option<bool>,
    /// All groups of domains that mean the same.
    pub alias_domains: Option<Vec<Vec<String>>>,
    /// All patterns of shared emails.
    pub excluded_emails: Option<Vec<String>>,
    /// All patterns of shared names.
    pub excluded_names: Option<Vec<String>>,
    /// All patterns of names of programs.
    pub bot_names: Option<Vec<String>>,
    /// All integrations in which something differs.
    pub integrations: Option<Vec<IntegrationChoice>>,
}

/// What differs in one integration.
#[derive(Clone, Debug)]
pub struct IntegrationChoice {
    /// Its name or id.
    pub integration: String,
    /// Whether accounts come to the users of their emails; none as everywhere.
    pub email: Option<bool>,
    /// Whether users are made from accounts; none as everywhere.
    pub detected: Option<bool>,
    /// Whether its emails are believed.
    pub is_trusted: bool,
}

/// What a change of the rules did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RulesOutcome {
    /// The directory's version after it.
    pub version: i64,
    /// Accounts that came to another user, to a user at all, or to nobody.
    pub accounts_moved: u64,
    /// Users made from accounts.
    pub users_created: u64,
    /// Automatic users that went, or became part of others.
    pub users_removed: u64,
}

impl Directory {
    /// The rules of association as they are, with the row that has them, if anybody has ever changed them.
    #[must_use]
    pub fn association_rules(&self) -> (association_rules::Rules, Option<Arc<association_rules::Model>>) {
        let row = self.index().association_rules().cloned();
        (row.as_ref().map(|row| row.rules.clone()).unwrap_or_default(), row)
    }

    /// Changes the rules of association, and associates anew, in the same changeset, all accounts of which no person and no
    /// import has spoken.
    ///
    /// # Errors
    /// `Invalid` with every violation; `Conflict`.
    pub async fn update_association_rules(&self, actor: &Actor, change: RulesChange) -> Result<RulesOutcome> {
        let mut changeset = self.begin(ChangesetKind::AssociationRules, actor).await?;
        let before = self.index().association_rules().map(|row| row.as_ref().clone());
        let version = before.as_ref().map_or(0, |row| row.version);
        expect_version(AssociationRulesId::ONLY, change.expected_version, version)?;
        let stored = before.as_ref().map(|row| row.rules.clone()).unwrap_or_default();
        let rules = check(&self.index(), stored.clone(), change)?;
        if rules == stored {
            return Ok(RulesOutcome { version: changeset.number() - 1, ..RulesOutcome::default() });
        }
        let mut after = before.clone().unwrap_or_else(|| association_rules::Model {
            id: AssociationRulesId::ONLY,
            rules: association_rules::Rules::default(),
            version: changeset.number(),
            created_at: changeset.now(),
            updated_at: changeset.now(),
        });
        after.rules = rules.clone();
        changeset.put(before.map(Record::AssociationRules), Some(Record::AssociationRules(after)));
        changeset.ongoing.rules = Arc::new(Rules::new(rules));
        let mut outcome = changeset.reassociate().await?;
        outcome.version = changeset.commit().await?;
        Ok(outcome)
    }
}

/// The rules with what changes of them.
fn check(index: &Index, mut rules: association_rules::Rules, change: RulesChange) -> Result<association_rules::Rules> {
    let mut violations = Vec::new();
    rules.email = change.email.unwrap_or(rules.email);
    rules.detected = change.detected.unwrap_or(rules.detected);
    rules.ignores_plus_tags = change.ignores_plus_tags.unwrap_or(rules.ignores_plus_tags);
    if let Some(groups) = change.alias_domains {
        rules.alias_domains = check_domains(&groups, &mut violations);
    }
    if let Some(patterns) = change.excluded_emails {
        rules.excluded_emails = check_patterns("excludedEmails", patterns, true, &mut violations);
    }
    if let Some(patterns) = change.excluded_names {
        rules.excluded_names = check_patterns("excludedNames", patterns, false, &mut violations);
    }
    if let Some(patterns) = change.bot_names {
        rules.bot_names = check_patterns("botNames", patterns, false, &mut violations);
    }
    if let Some(choices) = change.integrations {
        rules.integrations = check_integrations(index, choices, &mut violations);
    }
    refuse(violations)?;
    Ok(rules)
}

fn check_domains(groups: &[Vec<String>], violations: &mut Vec<Violation>) -> Vec<Vec<String>> {
    if is_too_long("aliasDomains", groups.iter().map(Vec::len).sum(), violations) {
        return Vec::new();
    }
    let mut seen: HashSet<String> = HashSet::new();
    let mut checked = Vec::with_capacity(groups.len());
    for (at, group) in groups.iter().enumerate() {
        let mut domains = Vec::with_capacity(group.len());
        for (place, text) in group.iter().enumerate() {
            let path = format!("aliasDomains[{at}][{place}]");
            let email = Email::parse(&format!("a@{}", text.trim()));
            match email.ok().and_then(|email| Some(email.as_str().strip_prefix("a@")?.to_owned())) {
                None => {
                    let message = format!("`{}` is not a domain; write one such as corp.example", shorten(text));
                    violations.push(Violation::new(path, "NOT_A_DOMAIN", message));
                }
                Some(domain) if !seen.insert(domain.clone()) => {
                    let message = format!("`{}` stands here twice; name each domain once", shorten(&domain));
                    violations.push(Violation::new(path, "DUPLICATE", message));
                }
                Some(domain) => domains.push(domain),
            }
        }
        if group.len() < 2 {
            let message = "a group has at least two domains that mean the same; add the other, or leave the group out";
            violations.push(Violation::new(format!("aliasDomains[{at}]"), "TOO_FEW", message));
        }
        checked.push(domains);
    }
    checked
}

fn check_patterns(path: &str, patterns: Vec<String>, of_emails: bool, violations: &mut Vec<Violation>) -> Vec<String> {
    if is_too_long(path, patterns.len(), violations) {
        return Vec::new();
    }
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut checked = Vec::with_capacity(patterns.len());
    for (at, pattern) in patterns.into_iter().enumerate() {
        let pattern = nfc(pattern.trim());
        let mut refuse = |code, message: &str| {
            violations.push(Violation::new(format!("{path}[{at}]"), code, message));
        };
        if pattern.is_empty() {
            refuse("REQUIRED", "a pattern is text; leave an empty one out");
        } else if pattern.len() > LONGEST {
            refuse("TOO_LONG", &format!("a pattern has at most {LONGEST} bytes"));
        } else if pattern.contains('\0') {
            refuse("NOT_TEXT", "a pattern cannot hold the character NUL");
        } else if of_emails && pattern.matches('@').count() != 1 {
            let example = "write `build@` for any domain, `@lists.corp.example` for all of one, or `*-ci@corp.example`";
            refuse("NOT_A_PATTERN", &format!("a pattern of emails has one `@`; {example}"));
        } else if pattern.chars().all(|c| matches!(c, '*' | '@')) {
            refuse("NOT_A_PATTERN", "this would be of everybody; turn the rule off instead");
        } else if seen.insert(fold(&pattern)) {
            checked.push(pattern);
        }
    }
    checked
}

fn check_integrations(
    index: &Index,
    choices: Vec<IntegrationChoice>,
    violations: &mut Vec<Violation>,
) -> Vec<IntegrationRules> {
    let integrations = index.integrations();
    let mut seen: HashSet<IntegrationId> = HashSet::new();
    let mut checked = Vec::with_capacity(choices.len());
    for (at, choice) in choices.into_iter().enumerate() {
        let path = format!("integrations[{at}].integration");
        let id = IntegrationId::parse(&choice.integration).ok();
        let name = fold(&choice.integration);
        let Some(found) = integrations.iter().find(|row| Some(row.id) == id || row.name_key == name) else {
            let names = integrations.iter().map(|row| row.name.as_str());
            let hint = crate::value::nearest(&choice.integration, names);
            let hint = hint.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let message = format!("there is no integration `{}`{hint}", shorten(&choice.integration));
            violations.push(Violation::new(path, "NOT_FOUND", message));
            continue;
        };
        if !seen.insert(found.id) {
            let message = format!("`{}` stands here twice; name each integration once", shorten(&found.name));
            violations.push(Violation::new(path, "DUPLICATE", message));
            continue;
        }
        let IntegrationChoice { email, detected, is_trusted, .. } = choice;
        // What is as everywhere needs no entry.
        if email.is_some() || detected.is_some() || !is_trusted {
            checked.push(IntegrationRules { integration_id: found.id, email, detected, is_trusted });
        }
    }
    checked.sort_by_key(|own| own.integration_id);
    checked
}

fn is_too_long(path: &str, len: usize, violations: &mut Vec<Violation>) -> bool {
    if len > LIST {
        let message = format!("this has at most {LIST} entries, not {len}; patterns with `*` stand for many");
        violations.push(Violation::new(path, "LIMIT_EXCEEDED", message));
    }
    len > LIST
}
