//! What the cells of integrations make of accounts: a cell lists all that its user has there.

use std::collections::{BTreeMap, HashMap, HashSet};

use entity::integration_account::{self, AccountStatus, AssociationRule};
use entity::{IntegrationAccountId, IntegrationId, UserId};
use sea_orm::{ColumnTrait, Condition};

use super::Problem;
use super::cell::Token;
use super::import::ImportReport;
use super::plan::{NamedAccounts, Planned};
use crate::directory::changeset::Changeset;
use crate::directory::integration_account::LONGEST;
use crate::directory::{Directory, Result};
use crate::index::AccountKey;
use crate::value::{Email, fold};

/// What the rows so far have said of accounts.
#[derive(Default)]
pub(super) struct Claims {
    /// The line that moved an account.
    moved: HashMap<IntegrationAccountId, u64>,
    /// The line that named an account that no integration has reported.
    named: HashMap<(IntegrationId, Token), u64>,
    /// The claims that rows have taken back, and which the index still has.
    withdrawn: HashSet<IntegrationAccountId>,
}

/// What becomes of the accounts of one cell.
struct Cell {
    user: UserId,
    take: Vec<IntegrationAccountId>,
    make: Vec<integration_account::Model>,
    leave: Vec<integration_account::Model>,
}

impl Claims {
    /// Gives accounts to the users whose cells name them, and takes from them those that they do not name. Gives the
    /// users whose accounts change.
    pub(super) async fn apply(
        &mut self,
        changeset: &mut Changeset,
        directory: &Directory,
        planned: &[Planned],
        report: &mut ImportReport,
    ) -> Result<HashSet<UserId>> {
        let known: HashSet<UserId> =
            planned.iter().filter(|plan| plan.before.is_some()).map(|plan| plan.after.row.id).collect();
        let mut own: BTreeMap<(UserId, IntegrationId), Vec<integration_account::Model>> = BTreeMap::new();
        for account in changeset.accounts_of(&known).await? {
            if let Some(user) = account.user_id {
                own.entry((user, account.integration_id)).or_default().push(account);
            }
        }
        let mut cells = Vec::new();
        for plan in planned {
            for named in &plan.accounts {
                let own = own.remove(&(plan.after.row.id, named.integration)).unwrap_or_default();
                cells.push(self.compare(plan, named, own, changeset, directory, report));
            }
        }
        let wanted: Vec<IntegrationAccountId> = cells.iter().flat_map(|cell| cell.take.iter().copied()).collect();
        let mut taken: HashMap<IntegrationAccountId, integration_account::Model> = HashMap::new();
        for some in wanted.chunks(1_000) {
            let condition = Condition::all().add(integration_account::Column::Id.is_in(some.iter().copied()));
            taken.extend(changeset.accounts(condition).await?.into_iter().map(|account| (account.id, account)));
        }
        let mut touched = HashSet::new();
        for cell in cells {
            let claims = cell.leave.iter().filter(|account| account.status == AccountStatus::Claimed);
            self.withdrawn.extend(claims.map(|claim| claim.id));
            cell.apply(changeset, &mut taken, &mut touched, report);
        }
        Ok(touched)
    }

    /// Compares what a cell names with what its user has.
    fn compare(
        &mut self,
        plan: &Planned,
        named: &NamedAccounts,
        own: Vec<integration_account::Model>,
        changeset: &Changeset,
        directory: &Directory,
        report: &mut ImportReport,
    ) -> Cell {
        let user = plan.after.row.id;
        let mut cell = Cell { user, take: Vec::new(), make: Vec::new(), leave: Vec::new() };
        let mut kept = HashSet::new();
        let mut refuse = |code, message: String, token: &Token| {
            report
                .errors
                .error(Problem::new(plan.line, code, message).of_value(token.text()).in_column(named.title.as_deref()));
        };
        let index = directory.index();
        for token in &named.tokens {
            let of_user: Vec<_> = own.iter().filter(|account| token.names(account)).map(|account| account.id).collect();
            if !of_user.is_empty() {
                kept.extend(of_user);
                continue;
            }
            if token.text().len() > LONGEST {
                refuse("TOO_LONG", format!("a name or id of an account has at most {LONGEST} bytes"), token);
                continue;
            }
            let mut found = index.find_accounts(named.integration, token.as_ref());
            found.retain(|account| !self.withdrawn.contains(account));
            match found.as_slice() {
                [] => {
                    let key = (named.integration, token.key());
                    match self.named.insert(key, plan.line) {
                        Some(first) if first != plan.line => {
                            refuse("CLAIMED_TWICE", format!("line {first} names the same account"), token);
                        }
                        Some(_) => {}
                        None => cell.make.push(claimed(token, named.integration, user, changeset)),
                    }
                }
                [account] => match self.moved.get(account) {
                    // Who only repeats what was so before gives way to the row that changes it.
                    Some(_) if index.owner_of(*account) == Some(user) => {}
                    Some(first) if *first != plan.line => {
                        refuse("CLAIMED_TWICE", format!("line {first} claims the same account"), token);
                    }
                    Some(_) => {}
                    None => {
                        self.moved.insert(*account, plan.line);
                        cell.take.push(*account);
                    }
                },
                several => {
                    let message =
                        format!("this names {} accounts; name one by its id in the tool, as id:…", several.len());
                    refuse("AMBIGUOUS_ACCOUNT", message, token);
                }
            }
        }
        cell.leave = own.into_iter().filter(|account| !kept.contains(&account.id)).collect();
        cell
    }
}

impl Cell {
    fn apply(
        self,
        changeset: &mut Changeset,
        taken: &mut HashMap<IntegrationAccountId, integration_account::Model>,
        touched: &mut HashSet<UserId>,
        report: &mut ImportReport,
    ) {
        if !(self.take.is_empty() && self.make.is_empty() && self.leave.is_empty()) {
            touched.insert(self.user);
        }
        for before in self.take.iter().filter_map(|id| taken.remove(id)) {
            let mut after = before.clone();
            changeset.associate(&mut after, Some(self.user), AssociationRule::Import);
            changeset.put_account(Some(before), after);
            report.accounts_moved += 1;
        }
        for account in self.make {
            changeset.put_account(None, account);
            report.accounts_claimed += 1;
        }
        for before in self.leave {
            report.accounts_unlinked += 1;
            changeset.unlink(before, AssociationRule::Import);
        }
    }
}

impl Token {
    /// What stands in the cell.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Name(text) | Self::ExternalId(text) => text,
        }
    }

    /// What two tokens share that name the same account: a username in any case, or an id to the letter.
    fn key(&self) -> Self {
        match self {
            Self::Name(name) => Self::Name(fold(name)),
            Self::ExternalId(id) => Self::ExternalId(id.clone()),
        }
    }

    /// What the index finds accounts by.
    pub(super) fn as_ref(&self) -> AccountKey<'_> {
        match self {
            Self::Name(text) => AccountKey::Name(text),
            Self::ExternalId(text) => AccountKey::ExternalId(text),
        }
    }

    fn names(&self, account: &integration_account::Model) -> bool {
        match self {
            Self::ExternalId(id) => account.external_id.as_ref() == Some(id),
            Self::Name(name) => {
                let folded = fold(name);
                account.username.as_deref().map(fold).as_ref() == Some(&folded)
                    || Email::parse(name).is_ok_and(|email| account.email.as_deref() == Some(email.as_str()))
            }
        }
    }
}

/// An account that a cell names and no integration has reported yet.
fn claimed(
    token: &Token,
    integration: IntegrationId,
    user: UserId,
    changeset: &Changeset,
) -> integration_account::Model {
    let (external_id, username, email) = match token {
        Token::ExternalId(id) => (Some(id.clone()), None, None),
        Token::Name(name) => match Email::parse(name) {
            Ok(email) => (None, None, Some(email.into_string())),
            Err(_) => (None, Some(name.clone()), None),
        },
    };
    integration_account::Model {
        id: changeset.directory().clock().id(),
        integration_id: integration,
        external_id,
        username,
        email,
        display_name: None,
        is_bot: false,
        status: AccountStatus::Claimed,
        user_id: Some(user),
        rule: AssociationRule::Import,
        associated_by: changeset.actor().0.clone(),
        associated_at: changeset.now(),
        version: changeset.number(),
        created_at: changeset.now(),
        updated_at: changeset.now(),
    }
}
