//! QUERIES. All that can be asked, from the files of the nouns.

use async_graphql::MergedObject;

use super::association::{AssociationRulesQuery, ConflictQuery, SimulateQuery, UnmatchedQuery, WhyQuery};
use super::attribute::AttributeQuery;
use super::change_preview::ChangePreviewQuery;
use super::changeset::{ChangesetQuery, DiffQuery};
use super::directory::DirectoryQuery;
use super::facet::FacetQuery;
use super::filter_text::FilterTextQuery;
use super::import_draft::ImportDraftQuery;
use super::integration::{IntegrationQuery, IntegrationRunQuery};
use super::integration_account::{IntegrationAccountQuery, ResolveQuery};
use super::merge_suggestion::MergeSuggestionQuery;
use super::node::NodeQuery;
use super::org_unit::{ExplainQuery, GenerateQuery, OrgUnitQuery, PreviewQuery, TreeQuery};
use super::token::TokenQuery;
use super::user::{MergeQuery, SplitQuery, SubjectQuery, UserQuery};

/// What can be asked of the directory. All of one request is answered from the directory as it is at its beginning, or
/// later.
#[derive(Debug, Default, MergedObject)]
pub struct Query(
    NodeQuery,
    UserQuery,
    MergeQuery,
    SplitQuery,
    AttributeQuery,
    IntegrationQuery,
    IntegrationRunQuery,
    IntegrationAccountQuery,
    ResolveQuery,
    OrgUnitQuery,
    PreviewQuery,
    ExplainQuery,
    TreeQuery,
    FacetQuery,
    GenerateQuery,
    FilterTextQuery,
    DirectoryQuery,
    ChangesetQuery,
    ImportDraftQuery,
    DiffQuery,
    ChangePreviewQuery,
    MergeSuggestionQuery,
    AssociationRulesQuery,
    WhyQuery,
    SimulateQuery,
    UnmatchedQuery,
    ConflictQuery,
    TokenQuery,
    SubjectQuery,
);
