//! Identities of which it is known who is one person, read from a folder: the format is that of its README.

use std::collections::HashMap;
use std::path::Path;

use roster::identity::{Account, Identity};

/// Identities, and who is one person.
pub(crate) struct Truth {
    pub(crate) ids: Vec<String>,
    pub(crate) identities: Vec<Identity>,
    /// Where each was found: the tool.
    pub(crate) sources: Vec<String>,
    /// Same cluster: one person.
    pub(crate) clusters: Vec<usize>,
    /// Another cluster and the same group: not known.
    pub(crate) groups: Vec<usize>,
}

impl Truth {
    /// Reads `truth.csv` of a set.
    pub(crate) fn read(folder: &Path) -> Self {
        let mut reader = csv::Reader::from_path(folder.join("truth.csv")).unwrap();
        let headings: HashMap<String, usize> =
            reader.headers().unwrap().iter().enumerate().map(|(at, heading)| (heading.to_owned(), at)).collect();
        let mut truth = Self {
            ids: Vec::new(),
            identities: Vec::new(),
            sources: Vec::new(),
            clusters: Vec::new(),
            groups: Vec::new(),
        };
        let (mut clusters, mut groups, mut tools) = (HashMap::new(), HashMap::new(), vec!["git".to_owned()]);
        for (row, record) in reader.records().enumerate() {
            let record = record.unwrap();
            let cell = |heading: &str| headings.get(heading).map_or("", |at| &record[*at]).to_owned();
            let cluster = cell("cluster_id");
            let group = Some(cell("group_id")).filter(|group| !group.is_empty()).unwrap_or_else(|| cluster.clone());
            let source = Some(cell("source")).filter(|source| !source.is_empty()).unwrap_or_else(|| "git".to_owned());
            let tool = tools.iter().position(|tool| *tool == source).unwrap_or_else(|| {
                tools.push(source.clone());
                tools.len() - 1
            });
            let some = |text: String| Some(text).filter(|text| !text.trim().is_empty());
            // One person has many names and emails in a git history, and one account in every other tool.
            let account = Account {
                one_of: (tool > 0).then(|| (u32::try_from(tool).unwrap(), row as u128)),
                username: some(cell("username")),
            };
            let has_account = account.one_of.is_some() || account.username.is_some();
            truth.ids.push(cell("identity_id"));
            truth.identities.push(Identity {
                names: some(cell("name")).into_iter().collect(),
                emails: some(cell("email")).into_iter().collect(),
                accounts: has_account.then_some(account).into_iter().collect(),
                is_bot: false,
            });
            truth.sources.push(source);
            let next = clusters.len();
            truth.clusters.push(*clusters.entry(cluster).or_insert(next));
            let next = groups.len();
            truth.groups.push(*groups.entry(group).or_insert(next));
        }
        truth
    }

    /// Whether `a` and `b` are one person; `None` where that is not known.
    pub(crate) fn says(&self, a: usize, b: usize) -> Option<bool> {
        let is_one = self.clusters[a] == self.clusters[b];
        (is_one || self.groups[a] != self.groups[b]).then_some(is_one)
    }
}
