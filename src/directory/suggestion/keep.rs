//! The book of all identities, kept at the directory's version: filled from the tables when it is first asked for, and
//! following the log from then on.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use entity::change::{self, Noun};
use entity::integration::IntegrationKind;
use entity::{IntegrationAccountId, IntegrationId, UserId, integration_account, user};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use uuid::Uuid;

use super::SuggestionPlace;
use crate::directory::error::{Error, Result};
use crate::directory::{Directory, fetch};
use crate::identity::{Account, Book, Cluster, Identity, Pair, Reason, SUGGEST};
use crate::index::Index;
use crate::record::{Record, UserRecord};

/// Records that are read at a time.
const ROWS: usize = 1_000;
/// Changes after which the book is filled anew rather than followed.
const MANY: usize = 50_000;
/// How long a request waits for the book.
const PATIENCE: Duration = Duration::from_secs(10);

/// The book of one process; none before it is first asked for.
pub(in crate::directory) type Keeper = Arc<Mutex<Option<Kept>>>;

/// The book at a version, with all pairs that are worth a look.
pub(in crate::directory) struct Kept {
    book: Book<Uuid>,
    pairs: BTreeSet<SuggestionPlace>,
    of: HashMap<Uuid, Vec<SuggestionPlace>>,
    version: i64,
    /// The clusters that were last asked for; none since the last change.
    clustered: Option<Clustered>,
}

/// Clusters, and what they were asked for with.
struct Clustered {
    min_score: f32,
    apart: HashSet<(Uuid, Uuid)>,
    clusters: Arc<Vec<Cluster<Uuid>>>,
}

/// The book, held for one request, with the index of the same version.
pub(super) struct Hold {
    kept: OwnedMutexGuard<Option<Kept>>,
    index: Index,
}

impl Hold {
    /// The index of the book's version.
    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// All pairs, the most probable first.
    pub(super) fn pairs(&self) -> impl Iterator<Item = SuggestionPlace> + '_ {
        self.kept.iter().flat_map(|kept| kept.pairs.iter().copied())
    }

    /// The pairs with one identity, the most probable first.
    pub(super) fn pairs_of(&self, id: Uuid) -> Vec<SuggestionPlace> {
        let mut places = self.kept.as_ref().and_then(|kept| kept.of.get(&id)).cloned().unwrap_or_default();
        places.sort_unstable();
        places
    }

    /// Who is one person once every pair of at least `min_score` is accepted, but those that are `apart`. Kept until
    /// something changes, since a list of many pages asks for the same each time.
    pub(super) fn clusters(&mut self, min_score: f32, apart: HashSet<(Uuid, Uuid)>) -> Arc<Vec<Cluster<Uuid>>> {
        let Some(kept) = self.kept.as_mut() else { return Arc::default() };
        if let Some(known) = &kept.clustered
            && known.min_score.to_bits() == min_score.to_bits()
            && known.apart == apart
        {
            return known.clusters.clone();
        }
        let pairs = kept.pairs.iter().map(|place| (place.low, place.high, f32::from_bits(place.score)));
        let pairs = pairs.take_while(|(_, _, score)| *score >= min_score);
        let clusters = Arc::new(kept.book.clusters_of(pairs, &|a, b| apart.contains(&(a, b))).clusters);
        kept.clustered = Some(Clustered { min_score, apart, clusters: clusters.clone() });
        clusters
    }

    /// Why a pair is one.
    pub(super) fn reasons(&self, place: &SuggestionPlace) -> Vec<Reason> {
        let pair = self.kept.as_ref().and_then(|kept| kept.book.compare(place.low, place.high));
        pair.map(|pair| pair.reasons).unwrap_or_default()
    }
}

impl Directory {
    /// The book, at the directory's version.
    ///
    /// # Errors
    /// `NotReady` while it is being made.
    pub(super) async fn keeper(&self) -> Result<Hold> {
        let directory = self.clone();
        // Goes on when whoever asked goes away.
        let work = tokio::spawn(async move {
            let mut kept = directory.0.keeper.clone().lock_owned().await;
            let brought = directory.bring_book(&mut kept).await;
            // Nobody may be waiting any more who would say it.
            brought
                .inspect_err(|error| tracing::warn!(%error, "cannot bring the book of identities up to date"))
                .map(|index| Hold { kept, index })
        });
        match timeout(PATIENCE, work).await {
            Ok(done) => done.map_err(Error::internal)?,
            Err(_) => Err(Error::NotReady("the list of suggestions")),
        }
    }
}

impl Directory {
    /// Brings the book to the directory's version. Gives the index of that version.
    async fn bring_book(&self, held: &mut Option<Kept>) -> Result<Index> {
        let version = held.as_ref().map(|kept| kept.version);
        let index = self.snapshot();
        if version == Some(index.version()) {
            return Ok(index);
        }
        let (transaction, index) = self.begin_read_at().await?;
        let touched = match version {
            Some(version) => touched(&transaction, version).await?,
            None => None,
        };
        let Some(touched) = touched else {
            *held = None;
            let book = self.fill(&transaction, &index).await?;
            let version = index.version();
            *held = Some(spawn_blocking(move || Kept::new(book, version)).await.map_err(Error::internal)?);
            return Ok(index);
        };
        let tools = Tools::of(&index);
        let users: Vec<UserId> = touched.users.iter().copied().collect();
        let mut now = users_as_identities(&transaction, &tools, &users).await?;
        let accounts: Vec<IntegrationAccountId> = touched.accounts.iter().copied().collect();
        let accounts = fetch::accounts(&transaction, &accounts).await?;
        now.extend(accounts.iter().filter_map(|account| tools.unmatched(account)));
        let Some(mut kept) = held.take() else { return Ok(index) };
        let version = index.version();
        let work = move || {
            let touched = touched.users.iter().map(|id| id.0).chain(touched.accounts.iter().map(|id| id.0));
            kept.renew(&touched.collect(), &now, version);
            kept
        };
        *held = Some(spawn_blocking(work).await.map_err(Error::internal)?);
        Ok(index)
    }

    /// A book of everybody.
    async fn fill(&self, connection: &impl ConnectionTrait, index: &Index) -> Result<Book<Uuid>> {
        let tools = Tools::of(index);
        let mut book = Book::new();
        let mut after: Option<UserId> = None;
        loop {
            let mut select = user::Entity::find().select_only().column(user::Column::Id);
            if let Some(after) = after {
                select = select.filter(user::Column::Id.gt(after));
            }
            let select = select.order_by_asc(user::Column::Id).limit(ROWS as u64);
            let users: Vec<UserId> = select.into_tuple().all(connection).await?;
            let Some(&last) = users.last() else { break };
            after = Some(last);
            let identities = users_as_identities(connection, &tools, &users).await?;
            book = insert(book, identities).await?;
        }
        let mut after: Option<IntegrationAccountId> = None;
        loop {
            use integration_account::Column;
            let mut select = integration_account::Entity::find().filter(Column::UserId.is_null());
            if let Some(after) = after {
                select = select.filter(Column::Id.gt(after));
            }
            let accounts = select.order_by_asc(Column::Id).limit(ROWS as u64).all(connection).await?;
            let Some(last) = accounts.last() else { return Ok(book) };
            after = Some(last.id);
            book = insert(book, accounts.iter().filter_map(|account| tools.unmatched(account)).collect()).await?;
        }
    }
}

async fn insert(mut book: Book<Uuid>, identities: Vec<(Uuid, Identity)>) -> Result<Book<Uuid>> {
    let work = move || {
        identities.iter().for_each(|(id, identity)| book.insert(*id, identity));
        book
    };
    spawn_blocking(work).await.map_err(Error::internal)
}

/// Whom changesets touched.
#[derive(Default)]
struct Touched {
    users: HashSet<UserId>,
    accounts: HashSet<IntegrationAccountId>,
}

/// Whom the changesets after `version` touched; none where it is less work to fill the book anew.
async fn touched(connection: &impl ConnectionTrait, version: i64) -> Result<Option<Touched>> {
    use change::Column::{ChangesetNumber, Noun as OfNoun};
    let nouns = [Noun::User, Noun::IntegrationAccount, Noun::Integration];
    let rows = change::Entity::find()
        .filter(ChangesetNumber.gt(version))
        .filter(OfNoun.is_in(nouns))
        .limit(MANY as u64 + 1)
        .all(connection)
        .await?;
    // What kind of tool an integration is decides how its accounts count.
    if rows.len() > MANY || rows.iter().any(|row| row.noun == Noun::Integration && row.before.is_some()) {
        return Ok(None);
    }
    let mut touched = Touched::default();
    for row in rows {
        if row.noun == Noun::User {
            touched.users.insert(UserId(row.record_id));
        }
        if row.noun != Noun::IntegrationAccount {
            continue;
        }
        touched.accounts.insert(IntegrationAccountId(row.record_id));
        for state in [row.before, row.after].into_iter().flatten() {
            if let Record::IntegrationAccount(account) = Record::from_json(row.noun, &state).map_err(Error::internal)? {
                touched.users.extend(account.user_id);
            }
        }
    }
    Ok(Some(touched))
}

/// How the accounts of each integration count.
struct Tools(HashMap<IntegrationId, IntegrationKind>);

impl Tools {
    fn of(index: &Index) -> Self {
        Self(index.integrations().iter().map(|integration| (integration.id, integration.kind)).collect())
    }

    fn account(&self, row: &integration_account::Model) -> Account {
        let id = row.integration_id;
        // Who writes under several emails has as many accounts in a history.
        let is_one = self.0.get(&id).is_some_and(|kind| *kind != IntegrationKind::Git);
        #[expect(clippy::cast_possible_truncation, reason = "the end of an id is its random part")]
        let one_of = is_one.then(|| (id.0.as_u128() as u32, row.id.0.as_u128()));
        Account { one_of, username: row.username.clone() }
    }

    /// An account as an identity of its own, if it is nobody's and a person's: programs are nobody to be merged with.
    fn unmatched(&self, row: &integration_account::Model) -> Option<(Uuid, Identity)> {
        let identity = Identity {
            names: row.display_name.iter().cloned().collect(),
            emails: row.email.iter().cloned().collect(),
            accounts: vec![self.account(row)],
            is_bot: false,
        };
        (row.user_id.is_none() && !row.is_bot).then_some((row.id.0, identity))
    }

    /// A user with all accounts but those of programs.
    fn user(&self, record: &UserRecord, accounts: &[integration_account::Model]) -> Identity {
        let mut identity = Identity {
            names: vec![record.row.name.clone()],
            emails: record.emails().map(str::to_owned).collect(),
            ..Identity::default()
        };
        for account in accounts.iter().filter(|account| !account.is_bot) {
            identity.names.extend(account.display_name.clone().filter(|name| !identity.names.contains(name)));
            identity.emails.extend(account.email.clone().filter(|email| !identity.emails.contains(email)));
            identity.accounts.push(self.account(account));
        }
        identity
    }
}

async fn users_as_identities(
    connection: &impl ConnectionTrait,
    tools: &Tools,
    ids: &[UserId],
) -> Result<Vec<(Uuid, Identity)>> {
    let users = fetch::users(connection, ids).await?;
    let mut accounts: HashMap<UserId, Vec<integration_account::Model>> = HashMap::new();
    for account in fetch::accounts_of(connection, ids).await? {
        if let Some(user) = account.user_id {
            accounts.entry(user).or_default().push(account);
        }
    }
    let identity = |(id, record): (&UserId, &UserRecord)| {
        (id.0, tools.user(record, accounts.get(id).map(Vec::as_slice).unwrap_or_default()))
    };
    Ok(users.iter().map(identity).collect())
}

impl Kept {
    fn new(book: Book<Uuid>, version: i64) -> Self {
        let mut kept = Self { book, pairs: BTreeSet::new(), of: HashMap::new(), version, clustered: None };
        let places = |pair: Pair<Uuid>| SuggestionPlace::of(pair.score, pair.a, pair.b);
        let found: Vec<SuggestionPlace> = kept.book.pairs(Bound::Unbounded, SUGGEST).map(places).collect();
        found.into_iter().for_each(|place| kept.add(place));
        kept
    }

    fn add(&mut self, place: SuggestionPlace) {
        if self.pairs.insert(place) {
            for id in [place.low, place.high] {
                self.of.entry(id).or_default().push(place);
            }
        }
    }

    /// Takes in who some identities are now, `touched` and not in `now` if they have gone.
    fn renew(&mut self, touched: &HashSet<Uuid>, now: &[(Uuid, Identity)], version: i64) {
        for id in touched {
            self.book.remove(*id);
            for place in self.of.remove(id).unwrap_or_default() {
                self.pairs.remove(&place);
                let other = if place.low == *id { place.high } else { place.low };
                if let Some(places) = self.of.get_mut(&other) {
                    places.retain(|known| *known != place);
                }
            }
        }
        now.iter().for_each(|(id, identity)| self.book.insert(*id, identity));
        for (id, _) in now {
            for pair in self.book.suggestions(*id, SUGGEST) {
                self.add(SuggestionPlace::of(pair.score, pair.a, pair.b));
            }
        }
        self.version = version;
        self.clustered = None;
    }
}
