//! SUGGESTED MERGES in the API: who is probably one person, and what was decided of it. What does not live here: changes
//! (`mutation`).

mod mutation;

pub(crate) use mutation::{AcceptMergeSuggestionInput, MergeSuggestionMutation};

use async_graphql::{Context, Enum, ID, Object, SimpleObject, Union};
use entity::merge_decision::Decision;
use uuid::Uuid;

use super::context::ContextExt;
use super::error::{Failure, Result};
use super::integration_account::IntegrationAccount;
use super::page::{Connection, Edge, Paging, Slice, Total};
use super::scalar::DateTime;
use super::user::User;
use crate::directory::{
    self, ACCEPT, Decided, DecisionPlace, SUGGEST, Subject, Suggestion, SuggestionPlace, SuggestionQuery,
};
use crate::identity::Reason;

/// What was decided of a suggestion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Enum)]
pub(crate) enum MergeSuggestionState {
    /// Nothing yet.
    #[default]
    Pending,
    /// The two were one person, and have been merged.
    Accepted,
    /// The two are two persons. They are not suggested again, nor what they become part of.
    Rejected,
}

/// A user, or an account that is nobody's.
#[derive(Clone, Debug, Union)]
pub(crate) enum MergeSubject {
    /// A user.
    User(User),
    /// An account.
    IntegrationAccount(IntegrationAccount),
}

/// What two have in common, or what stands against their being one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "crate::identity::Evidence")]
pub(crate) enum MergeEvidence {
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

/// Why two are probably one person, or what stands against it.
#[derive(Clone, Debug, SimpleObject)]
pub(crate) struct MergeReason {
    /// What was found.
    evidence: MergeEvidence,
    /// In words, with what it was found in.
    text: String,
    /// How sure it would be by itself, 0 to 1; of what stands against it, what is left of the rest.
    weight: f64,
    /// Whether few others have the same.
    is_rare: bool,
    /// Whether it stands against it.
    is_against: bool,
}

/// Two who are probably one person.
#[derive(Clone, Debug)]
pub(crate) struct MergeSuggestion {
    subjects: [Subject; 2],
    score: Option<f32>,
    reasons: Vec<Reason>,
    decided: Option<Decided>,
}

fn rounded(number: f32) -> f64 {
    (f64::from(number) * 1e4).round() / 1e4
}

impl MergeSuggestion {
    fn pending(suggestion: Suggestion) -> Self {
        let Suggestion { subjects, score, reasons } = suggestion;
        Self { subjects, score: Some(score), reasons, decided: None }
    }

    pub(super) fn decided(decided: Decided) -> Self {
        Self { subjects: decided.subjects, score: None, reasons: Vec::new(), decided: Some(decided) }
    }
}

/// Two who are probably one person: users, or accounts that are nobody's.
#[Object]
impl MergeSuggestion {
    /// The ids of the two; for `acceptMergeSuggestion` and `rejectMergeSuggestion`.
    async fn ids(&self) -> Vec<ID> {
        self.subjects.iter().map(|subject| ID(subject.to_global())).collect()
    }

    /// The two as they are now; one only, where they have been merged. Whoever is no longer there is left out.
    async fn subjects(&self, ctx: &Context<'_>) -> Result<Vec<MergeSubject>> {
        subjects(ctx, &self.subjects).await
    }

    /// How probable it is, 0 to 1; null once it is decided.
    async fn score(&self) -> Option<f64> {
        self.score.map(rounded)
    }

    /// Why, the weightiest first; what stands against it last. Empty once it is decided.
    async fn reasons(&self) -> Vec<MergeReason> {
        let reason = |reason: &Reason| MergeReason {
            evidence: reason.evidence.into(),
            text: reason.to_string(),
            weight: rounded(reason.weight),
            is_rare: reason.is_rare,
            is_against: reason.evidence.is_against(),
        };
        self.reasons.iter().map(reason).collect()
    }

    /// What was decided.
    async fn state(&self) -> MergeSuggestionState {
        match self.decided.as_ref().map(|decided| decided.decision) {
            None => MergeSuggestionState::Pending,
            Some(Decision::Accepted) => MergeSuggestionState::Accepted,
            Some(Decision::Rejected) => MergeSuggestionState::Rejected,
        }
    }

    /// Who decided; null while nobody has.
    async fn decided_by(&self) -> Option<&str> {
        self.decided.as_ref().map(|decided| decided.by.as_str())
    }

    /// When it was decided; null while nobody has.
    async fn decided_at(&self) -> Option<DateTime> {
        self.decided.as_ref().map(|decided| DateTime(decided.at))
    }

    /// The number of the changeset that merged or split them, for `undoChangeset`; null where it was only said.
    async fn changeset_number(&self) -> Option<i64> {
        self.decided.as_ref()?.changeset
    }
}

/// Several who are one person once the suggestions among them are accepted.
#[derive(Clone, Debug)]
pub(crate) struct MergeCluster(directory::MergeCluster);

/// Several who are one person once the suggestions among them are accepted.
#[Object]
impl MergeCluster {
    /// Their ids; for `acceptMergeSuggestion`.
    async fn ids(&self) -> Vec<ID> {
        self.0.subjects.iter().map(|subject| ID(subject.to_global())).collect()
    }

    /// Who they are: users, and accounts that are nobody's.
    async fn subjects(&self, ctx: &Context<'_>) -> Result<Vec<MergeSubject>> {
        subjects(ctx, &self.0.subjects).await
    }

    /// The score of the weakest suggestion that it takes.
    async fn score(&self) -> f64 {
        rounded(self.0.score)
    }
}

/// The subjects as they are now, each once; those that have gone are left out.
async fn subjects(ctx: &Context<'_>, of: &[Subject]) -> Result<Vec<MergeSubject>> {
    let mut subjects: Vec<MergeSubject> = Vec::new();
    let mut ids = Vec::new();
    for subject in of {
        let Ok(standing) = ctx.directory()?.standing(*subject) else { continue };
        if ids.contains(&standing) {
            continue;
        }
        ids.push(standing);
        let found = match standing {
            Subject::User(id) => User::find(ctx, id).await?.map(MergeSubject::User),
            Subject::Account(id) => IntegrationAccount::find(ctx, id).await?.map(MergeSubject::IntegrationAccount),
        };
        subjects.extend(found);
    }
    Ok(subjects)
}

/// Queries about suggested merges.
#[derive(Debug, Default)]
pub(crate) struct MergeSuggestionQuery;

#[Object]
impl MergeSuggestionQuery {
    /// Pairs of users, and of accounts that are nobody's, who are probably one person: those that nobody has decided of
    /// with the most probable first, the others with the latest decision first. The book of identities that they come from
    /// is made when it is first asked for; until it is there, the answer is `UNAVAILABLE`, and `retryable`.
    async fn merge_suggestions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What was decided of them.", default)] state: MergeSuggestionState,
        #[graphql(desc = "Of those that nobody has decided of, only those with at least this score, 0 to 1. From \
                          0.5 on they are worth a look; from 0.8 on they are mostly right.")]
        min_score: Option<f64>,
        #[graphql(desc = "Of those that nobody has decided of, only those with this user or account, by id.")]
        of: Option<ID>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if left out.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Connection<MergeSuggestion>> {
        let paging = Paging { first, after, ..Paging::default() };
        let decision = match state {
            MergeSuggestionState::Pending => return pending(ctx, min_score, of.as_ref(), &paging).await,
            MergeSuggestionState::Accepted => Decision::Accepted,
            MergeSuggestionState::Rejected => Decision::Rejected,
        };
        if min_score.is_some() || of.is_some() {
            let message = "`minScore` and `of` are for suggestions that nobody has decided of";
            return Err(Failure::invalid("state", "CONTRADICTION", message));
        }
        decided(ctx, decision, &paging).await
    }

    /// Who is one person once every suggestion of a score is accepted that nobody has decided of. A rejected pair stays two
    /// persons, whoever else is like both. In order of the oldest in each.
    async fn merge_clusters(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The least score of a suggestion, 0 to 1; 0.8 if left out, from which on they are mostly right."
        )]
        min_score: Option<f64>,
        #[graphql(desc = "The most nodes, from the start; 1 to 100. 25 if left out.")] first: Option<i32>,
        #[graphql(desc = "Only nodes after this cursor.")] after: Option<String>,
    ) -> Result<Connection<MergeCluster>> {
        let window = Paging { first, after, ..Paging::default() }.window(|cursor| Uuid::try_parse(cursor).ok())?;
        let min_score = score(min_score, ACCEPT)?;
        let page = ctx.directory()?.list_clusters(min_score, window.after, window.limit).await?;
        let slice = Slice { items: page.rows, has_previous: window.after.is_some(), has_next: page.has_next };
        Ok(Connection::new(slice, Total::Known(page.total), page.version, |(id, cluster)| Edge {
            cursor: id.simple().to_string(),
            node: MergeCluster(cluster),
        }))
    }
}

fn score(given: Option<f64>, otherwise: f32) -> Result<f32> {
    let score = given.unwrap_or_else(|| otherwise.into());
    if !(0.0..=1.0).contains(&score) {
        return Err(Failure::invalid("minScore", "OUT_OF_BOUNDS", format!("a score is 0 to 1, not {score}")));
    }
    #[expect(clippy::cast_possible_truncation, reason = "a score has no more digits")]
    Ok(score as f32)
}

async fn pending(
    ctx: &Context<'_>,
    min_score: Option<f64>,
    of: Option<&ID>,
    paging: &Paging,
) -> Result<Connection<MergeSuggestion>> {
    let window = paging.window(SuggestionPlace::decode)?;
    let min_score = score(min_score, SUGGEST)?;
    let of = of.map(|id| Subject::parse(id, "of")).transpose()?;
    let query = SuggestionQuery { min_score, of };
    let page = ctx.directory()?.list_suggestions(&query, window.after, window.limit).await?;
    let slice = Slice { items: page.rows, has_previous: window.after.is_some(), has_next: page.has_next };
    Ok(Connection::new(slice, Total::Known(page.total), page.version, |(place, suggestion)| Edge {
        cursor: place.encode(),
        node: MergeSuggestion::pending(suggestion),
    }))
}

async fn decided(ctx: &Context<'_>, decision: Decision, paging: &Paging) -> Result<Connection<MergeSuggestion>> {
    let directory = ctx.directory()?;
    let window = paging.window(DecisionPlace::decode)?;
    let mut rows = directory.list_decisions(decision, window.after.as_ref(), window.limit as u64 + 1).await?;
    let has_next = rows.len() > window.limit;
    rows.truncate(window.limit);
    let total = directory.count_decisions(decision).await?;
    let slice = Slice { items: rows, has_previous: window.after.is_some(), has_next };
    Ok(Connection::new(slice, Total::Known(total), directory.version(), |row| Edge {
        cursor: row.place().encode(),
        node: MergeSuggestion::decided(row),
    }))
}
