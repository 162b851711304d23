//! MUTATIONS. All that can be done, from the files of the nouns.

use async_graphql::MergedObject;

use super::association::{AccountLinksMutation, AssociationRulesMutation, LinkAccountsMutation};
use super::attribute::AttributeMutation;
use super::changeset::ChangesetMutation;
use super::import::ImportMutation;
use super::import_draft::ImportDraftMutation;
use super::import_org_units::ImportOrgUnitsMutation;
use super::integration::{IntegrationMutation, IntegrationRunMutation};
use super::integration_account::IntegrationAccountMutation;
use super::merge_suggestion::MergeSuggestionMutation;
use super::org_unit::{GenerateMutation, OrgUnitMutation};
use super::token::TokenMutation;
use super::user::{EraseMutation, MergeMutation, ReviewMutation, SplitMutation, UserMutation};

/// What can be done to the directory. Each mutation is one changeset: all of it happens, or nothing. Several in one
/// request run one after the other; if one fails, those before it stay.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(
    UserMutation,
    MergeMutation,
    SplitMutation,
    ReviewMutation,
    AttributeMutation,
    IntegrationMutation,
    IntegrationRunMutation,
    IntegrationAccountMutation,
    OrgUnitMutation,
    GenerateMutation,
    ImportMutation,
    ImportDraftMutation,
    ChangesetMutation,
    ImportOrgUnitsMutation,
    MergeSuggestionMutation,
    AssociationRulesMutation,
    LinkAccountsMutation,
    AccountLinksMutation,
    TokenMutation,
    EraseMutation,
);
