//! Suggested merges: users, and accounts that are nobody's, who are probably one person.
//!
//! What does not live here: what makes two identities alike (`identity`), and merging itself (`merge`). `keep` holds the
//! book of all identities at the directory's version; `decide` is what people said of a suggestion.

mod decide;
mod keep;

pub use decide::{Decided, DecisionPlace};
pub(super) use decide::{accept, forget, refuse_rejected, reject};
pub(super) use keep::Keeper;

use entity::{IntegrationAccountId, UserId};
use uuid::Uuid;

use super::error::{Error, Result};
use super::{Directory, missing};
use crate::identity::{Cluster, Reason};
use crate::index::Index;
use crate::value::{GlobalId, shorten};

pub use crate::identity::{ACCEPT, SUGGEST};

/// Somebody who may be somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A user, with all accounts.
    User(UserId),
    /// An account that is nobody's.
    Account(IntegrationAccountId),
}

/// Two who are probably one person.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// The two: a user before an account, and otherwise the older first.
    pub subjects: [Subject; 2],
    /// How probable it is, from [`SUGGEST`] to 1.
    pub score: f32,
    /// Why, the weightiest first.
    pub reasons: Vec<Reason>,
}

/// Which suggestions.
#[derive(Clone, Copy, Debug)]
pub struct SuggestionQuery {
    /// Only those of at least this score.
    pub min_score: f32,
    /// Only those with this one.
    pub of: Option<Subject>,
}

/// A suggestion's place in the list: the score's bits, and the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuggestionPlace {
    score: u32,
    low: Uuid,
    high: Uuid,
}

/// A part of the list of suggestions.
#[derive(Clone, Debug)]
pub struct SuggestionPage {
    /// The suggestions, the most probable first, each with its place.
    pub rows: Vec<(SuggestionPlace, Suggestion)>,
    /// Whether there are more after the last one.
    pub has_next: bool,
    /// How many there are in all.
    pub total: u64,
    /// The version of the directory that they are of.
    pub version: i64,
}

/// Several who are one person once every suggestion of a score is accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct MergeCluster {
    /// They: users before accounts, and otherwise the older first.
    pub subjects: Vec<Subject>,
    /// The score of the weakest suggestion that it takes.
    pub score: f32,
}

/// A part of the list of clusters.
#[derive(Clone, Debug)]
pub struct ClusterPage {
    /// The clusters, each with the id that it is listed by.
    pub rows: Vec<(Uuid, MergeCluster)>,
    /// Whether there are more after the last one.
    pub has_next: bool,
    /// How many there are in all.
    pub total: u64,
    /// The version of the directory that they are of.
    pub version: i64,
}

impl Subject {
    fn uuid(self) -> Uuid {
        match self {
            Self::User(id) => id.0,
            Self::Account(id) => id.0,
        }
    }

    fn missing(self) -> Error {
        match self {
            Self::User(id) => missing(id),
            Self::Account(id) => missing(id),
        }
    }

    /// The id as clients see it.
    #[must_use]
    pub fn to_global(self) -> String {
        match self {
            Self::User(id) => id.to_global(),
            Self::Account(id) => id.to_global(),
        }
    }

    /// Reads an id that a client sent.
    ///
    /// # Errors
    /// `Invalid` at `path`, where it is no id of a user or an account.
    pub fn parse(text: &str, path: &str) -> Result<Self> {
        let wrong = |why| Error::invalid(path, "WRONG_ID", why);
        match text.split_once('_').map(|(prefix, _)| prefix) {
            Some(UserId::PREFIX) => UserId::parse(text).map(Self::User).map_err(wrong),
            Some(IntegrationAccountId::PREFIX) => IntegrationAccountId::parse(text).map(Self::Account).map_err(wrong),
            _ => Err(wrong(format!("`{}` is not the id of a user or an account", shorten(text)))),
        }
    }
}

impl SuggestionPlace {
    fn of(score: f32, a: Uuid, b: Uuid) -> Self {
        Self { score: score.to_bits(), low: a.min(b), high: a.max(b) }
    }

    /// As a cursor.
    #[must_use]
    pub fn encode(self) -> String {
        format!("{:08x}{}{}", self.score, self.low.simple(), self.high.simple())
    }

    /// Reads a cursor.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let (score, rest) = text.split_at_checked(8)?;
        let (low, high) = rest.split_at_checked(32)?;
        Some(Self {
            score: u32::from_str_radix(score, 16).ok()?,
            low: Uuid::try_parse(low).ok()?,
            high: Uuid::try_parse(high).ok().filter(|_| high.len() == 32)?,
        })
    }
}

impl Directory {
    /// Pairs that are probably one person and of which nobody has decided, the most probable first.
    ///
    /// # Errors
    /// `NotFound`, of the one whose suggestions are asked for; `NotReady` while the book of identities is being made.
    pub async fn list_suggestions(
        &self,
        query: &SuggestionQuery,
        after: Option<SuggestionPlace>,
        limit: usize,
    ) -> Result<SuggestionPage> {
        let keeper = self.keeper().await?;
        let index = keeper.index();
        let of = query.of.map(|subject| standing_in(index, subject).ok_or_else(|| subject.missing())).transpose()?;
        let rejected = self.rejected(index).await?;
        let min_score = query.min_score.max(SUGGEST);
        let pairs: Box<dyn Iterator<Item = SuggestionPlace>> = match of {
            Some(of) => Box::new(keeper.pairs_of(of.uuid()).into_iter()),
            None => Box::new(keeper.pairs()),
        };
        let pending: Vec<SuggestionPlace> = pairs
            .take_while(|place| f32::from_bits(place.score) >= min_score)
            .filter(|place| !rejected.contains(&(place.low, place.high)))
            .collect();
        let start = after.map_or(0, |after| pending.partition_point(|place| place.rank() <= after.rank()));
        let part = pending.iter().skip(start).take(limit);
        let row = |place: &SuggestionPlace| {
            let mut subjects = [subject(index, place.low), subject(index, place.high)];
            subjects.sort_unstable();
            (*place, Suggestion { subjects, score: f32::from_bits(place.score), reasons: keeper.reasons(place) })
        };
        Ok(SuggestionPage {
            rows: part.map(row).collect(),
            has_next: start + limit < pending.len(),
            total: pending.len() as u64,
            version: index.version(),
        })
    }

    /// Who is one person once every suggestion of at least `min_score` is accepted that nobody has decided of: a rejected
    /// pair stays two persons, whoever else is like both. In order of the oldest in each.
    ///
    /// # Errors
    /// `NotReady` while the book of identities is being made.
    pub async fn list_clusters(&self, min_score: f32, after: Option<Uuid>, limit: usize) -> Result<ClusterPage> {
        let keeper = self.keeper().await?;
        let rejected = self.rejected(keeper.index()).await?;
        let work = move || {
            let mut keeper = keeper;
            (keeper.clusters(min_score.max(SUGGEST), rejected), keeper)
        };
        let (clusters, keeper) = tokio::task::spawn_blocking(work).await.map_err(Error::internal)?;
        let start = clusters.partition_point(|cluster| cluster.keys.first().copied() <= after);
        let row = |cluster: &Cluster<Uuid>| {
            let mut subjects: Vec<Subject> = cluster.keys.iter().map(|id| subject(keeper.index(), *id)).collect();
            subjects.sort_unstable();
            (cluster.keys.first().copied().unwrap_or_default(), MergeCluster { subjects, score: cluster.score })
        };
        let start = if after.is_some() { start } else { 0 };
        Ok(ClusterPage {
            rows: clusters.iter().skip(start).take(limit).map(row).collect(),
            has_next: start + limit < clusters.len(),
            total: clusters.len() as u64,
            version: keeper.index().version(),
        })
    }

    /// Who a subject is now: a user who has become part of another is that one, an account that has become somebody's is
    /// that user.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn standing(&self, subject: Subject) -> Result<Subject> {
        standing_in(&self.index(), subject).ok_or_else(|| subject.missing())
    }
}

/// Who a subject is in `index`, if anybody.
fn standing_in(index: &Index, subject: Subject) -> Option<Subject> {
    match subject {
        Subject::User(id) => index.current_user(id).map(Subject::User),
        Subject::Account(id) => match index.owner_of(id) {
            Some(owner) => Some(Subject::User(owner)),
            None => index.has_account(id).then_some(subject),
        },
    }
}

/// What the record of an id in the book is.
fn subject(index: &Index, id: Uuid) -> Subject {
    match UserId(id) {
        user if index.has_user(user) => Subject::User(user),
        _ => Subject::Account(IntegrationAccountId(id)),
    }
}

impl SuggestionPlace {
    /// What the list is in order of: the score downwards, then the two.
    fn rank(&self) -> (std::cmp::Reverse<u32>, Uuid, Uuid) {
        // The bits of numbers that are not negative are in the order of the numbers.
        (std::cmp::Reverse(self.score), self.low, self.high)
    }
}

impl PartialOrd for SuggestionPlace {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SuggestionPlace {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}
