//! Org units that are generated: what there would be, and what they come from.

use async_graphql::{Context, Description, Enum, ID, InputObject, Object, SimpleObject};

use super::{OrgUnit, OrgUnitScope};
use crate::directory::generate::{self, Action, Basis, Generated, Generation, Source};
use crate::graphql::as_of::At;
use crate::graphql::context::ContextExt;
use crate::graphql::error::{Failure, Result};
use crate::graphql::filter::UserFilter;
use crate::graphql::scalar::{Filter, parse_id};
use crate::graphql::user::User;

/// The most units in one list. Its length stands in the document, so that what is asked of each unit can be measured.
const MOST: usize = 10_000;

/// Which org units to generate, and how. Exactly one of `by` and `bySupervisor` is given.
#[derive(Debug, InputObject)]
pub(crate) struct GenerateOrgUnitsInput {
    /// The keys of 1 to 4 attributes: a unit for each value of the first, within it one for each value of the next, and so
    /// on. Any custom attribute but those of type USER.
    by: Option<Vec<String>>,
    /// A unit for each user who has reports, below that of whom the user reports to.
    by_supervisor: Option<BySupervisorInput>,
    /// The unit below which they stand; left out for the root.
    parent_id: Option<ID>,
    /// Among whom the topmost of them select. Those below select among their parent's members.
    #[graphql(default_with = "OrgUnitScope::All")]
    scope: OrgUnitScope,
    /// Only users whom this selects.
    filter: Option<UserFilter>,
    /// Only units for so many users or more. One that was generated before stays while it is for anybody.
    #[graphql(default = 1)]
    min_members: i32,
    /// Whether units that were generated from values that nobody has any more are removed.
    #[graphql(default)]
    remove_vanished: bool,
    /// The paths of units that are not made, or left as they are, as the preview writes them; at most 10,000. What would
    /// be made below a unit that is not made is not made either.
    #[graphql(default)]
    skip: Vec<String>,
    /// The version of the directory that you have looked at. If it has changed since, the request is refused with
    /// `CONFLICT`.
    expected_version: Option<i64>,
}

/// By whom users report to.
#[derive(Debug, InputObject)]
pub(crate) struct BySupervisorInput {
    /// The key of the USER attribute that names supervisors; may be left out where there is one.
    attribute: Option<String>,
    /// At most so many levels of units.
    depth: Option<i32>,
    /// Whether supervisors are members of their own units, by a pin.
    #[graphql(default = true)]
    include_supervisor: bool,
}

/// What becomes of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Action")]
pub(crate) enum GeneratedOrgUnitAction {
    /// It is made.
    Create,
    /// It is there, and is brought into step: `changes` says in what.
    Update,
    /// It is there as it would be, or as a person has changed it.
    Keep,
    /// Nobody has its value any more, and it is removed.
    Remove,
    /// Nobody has its value any more; it stays, since `removeVanished` is not set.
    Vanished,
    /// It is not made, or left as it is, since `skip` has its path.
    Skip,
    /// Something is in the way, which `note` tells: mend it, or skip the unit.
    Blocked,
}

/// The org units that are generated, and those whose values are gone.
#[derive(Debug, Description)]
pub(crate) struct GeneratedOrgUnits(Generated);

#[Object(use_type_description)]
impl GeneratedOrgUnits {
    /// The units, each before those below it, siblings by name; then those whose values are gone.
    async fn units(
        &self,
        #[graphql(desc = "The most units; 1 to 10,000.")] first: i32,
        #[graphql(desc = "How many units to pass over.", default)] offset: i32,
        #[graphql(desc = "Only those of which one of these becomes.")] actions: Option<Vec<GeneratedOrgUnitAction>>,
    ) -> Result<Vec<GeneratedOrgUnit<'_>>> {
        let most = usize::try_from(first).ok().filter(|most| (1..=MOST).contains(most)).ok_or_else(|| {
            Failure::invalid("first", "OUT_OF_BOUNDS", format!("give 1 to {MOST} units, not {first}"))
        })?;
        let offset = usize::try_from(offset)
            .map_err(|_| Failure::invalid("offset", "OUT_OF_BOUNDS", format!("give 0 or more, not {offset}")))?;
        let is_asked = |unit: &&generate::GeneratedUnit| {
            actions.as_ref().is_none_or(|actions| actions.contains(&unit.action.into()))
        };
        Ok(self.0.units.iter().filter(is_asked).skip(offset).take(most).map(GeneratedOrgUnit).collect())
    }

    /// How many of them are created, updated and so on.
    async fn counts(&self) -> GeneratedOrgUnitCounts {
        let count = |action: Action| self.0.units.iter().filter(|unit| unit.action == action).count();
        GeneratedOrgUnitCounts {
            create: count(Action::Create),
            update: count(Action::Update),
            keep: count(Action::Keep),
            remove: count(Action::Remove),
            vanished: count(Action::Vanished),
            skip: count(Action::Skip),
            blocked: count(Action::Blocked),
        }
    }

    /// How many of the users are in none of the units: they have no value of the first attribute, or report to nobody
    /// and have no reports.
    async fn unplaced_count(&self) -> u64 {
        self.0.unplaced
    }

    /// The version of the directory: for `expectedVersion`, or that after the change.
    async fn version(&self) -> i64 {
        self.0.version
    }
}

/// How many units become what.
#[derive(Debug, SimpleObject)]
#[graphql(serial)]
pub(crate) struct GeneratedOrgUnitCounts {
    /// Units that are made.
    create: usize,
    /// Units that are brought into step.
    update: usize,
    /// Units that stay as they are.
    keep: usize,
    /// Units that are removed.
    remove: usize,
    /// Units whose value is gone and that stay.
    vanished: usize,
    /// Units that are left out.
    skip: usize,
    /// Units that something is in the way of.
    blocked: usize,
}

/// One unit that is generated, or was.
#[derive(Debug, Description)]
pub(crate) struct GeneratedOrgUnit<'a>(&'a generate::GeneratedUnit);

#[Object(use_type_description, serial)]
impl GeneratedOrgUnit<'_> {
    /// What becomes of it.
    async fn action(&self) -> GeneratedOrgUnitAction {
        self.0.action.into()
    }

    /// Its name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The names from the root down to it, with `/` between.
    async fn path(&self) -> &str {
        &self.0.path
    }

    /// How many names its path has.
    async fn depth(&self) -> usize {
        self.0.depth
    }

    /// Among whom its filter selects.
    async fn scope(&self) -> OrgUnitScope {
        self.0.scope.into()
    }

    /// Its filter, in the shape of the input `UserFilter`.
    async fn filter(&self) -> Option<Filter> {
        self.0.filter.clone().map(Filter)
    }

    /// Its filter as text.
    async fn filter_text(&self, ctx: &Context<'_>) -> Result<Option<String>> {
        let index = ctx.directory()?.index();
        Ok(self.0.filter.as_ref().and_then(|filter| index.filter_text(filter)))
    }

    /// How many users have its values; of a unit whose value is gone, how many members it has.
    async fn member_count(&self) -> u64 {
        self.0.count
    }

    /// What it is generated from.
    async fn generated_from(&self) -> OrgUnitOrigin {
        OrgUnitOrigin { source: self.0.source.clone(), at: At::Now }
    }

    /// What changes of it, by the names of its fields: `name`, `parentId`, `scope`, `filter`, `pinned`, `generatedFrom`.
    async fn changes(&self) -> &[&'static str] {
        &self.0.changes
    }

    /// What to know of it: why it is not called as its value is, or what is in the way.
    async fn note(&self) -> Option<&str> {
        self.0.note.as_deref()
    }

    /// The org unit; null while it is not made.
    async fn org_unit(&self, ctx: &Context<'_>) -> Result<Option<OrgUnit>> {
        Ok(ctx.directory()?.index().org_unit(self.0.id).cloned().map(OrgUnit::new))
    }
}

/// What an org unit was generated from: values, or a supervisor.
#[derive(Clone, Debug, Description)]
pub(crate) struct OrgUnitOrigin {
    pub(super) source: Source,
    pub(super) at: At,
}

#[Object(use_type_description, serial)]
impl OrgUnitOrigin {
    /// The values that its members have, from the topmost unit down to it; empty by supervisor.
    async fn values(&self) -> Vec<OrgUnitOriginValue> {
        match &self.source {
            Source::Values(values) => values
                .iter()
                .map(|value| OrgUnitOriginValue { attribute: value.attribute.clone(), value: value.value.clone() })
                .collect(),
            Source::Supervisor { .. } => Vec::new(),
        }
    }

    /// The key of the USER attribute by which its members report to the supervisor; null by values.
    async fn supervisor_attribute(&self) -> Option<&str> {
        match &self.source {
            Source::Supervisor { attribute, .. } => Some(attribute),
            Source::Values(_) => None,
        }
    }

    /// Whom its members report to; null by values, and where the user is gone.
    async fn supervisor(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        match &self.source {
            Source::Supervisor { user, .. } => User::find_at(ctx, self.at, *user).await,
            Source::Values(_) => Ok(None),
        }
    }
}

/// A value that the members of a generated org unit have.
#[derive(Clone, Debug, SimpleObject)]
#[graphql(serial)]
pub(crate) struct OrgUnitOriginValue {
    /// The attribute's key.
    attribute: String,
    /// The value as text.
    value: String,
}

/// What was generated.
#[derive(Debug, SimpleObject)]
pub(crate) struct GenerateOrgUnitsPayload {
    /// The units, with what became of each.
    generated: GeneratedOrgUnits,
    /// The version of the directory after the change.
    version: i64,
}

/// Queries about org units that could be generated.
#[derive(Debug, Default)]
pub(crate) struct GenerateQuery;

#[Object]
impl GenerateQuery {
    /// What `generateOrgUnits` would do with the same input. Nothing is saved.
    async fn preview_generated_org_units(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What would be generated.")] input: GenerateOrgUnitsInput,
    ) -> Result<GeneratedOrgUnits> {
        let generation = read(input)?;
        Ok(GeneratedOrgUnits(ctx.directory()?.preview_generated_org_units(generation).await?))
    }
}

/// The mutation that generates org units.
#[derive(Debug, Default)]
pub(crate) struct GenerateMutation;

#[Object]
impl GenerateMutation {
    /// Makes org units of the values that users have, or of whom they report to, and brings those that were generated
    /// before into step, all in one changeset. What a person has changed of a generated unit stays.
    async fn generate_org_units(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to generate.")] input: GenerateOrgUnitsInput,
    ) -> Result<GenerateOrgUnitsPayload> {
        let generation = read(input)?;
        let generated = ctx.directory()?.generate_org_units(&ctx.actor(), generation).await?;
        Ok(GenerateOrgUnitsPayload { version: generated.version, generated: GeneratedOrgUnits(generated) })
    }
}

fn read(input: GenerateOrgUnitsInput) -> Result<Generation> {
    let positive = |path: &str, number: i32| {
        u32::try_from(number)
            .ok()
            .filter(|number| *number > 0)
            .ok_or_else(|| Failure::invalid(path, "OUT_OF_BOUNDS", format!("give 1 or more, not {number}")))
    };
    let basis = match (input.by, input.by_supervisor) {
        (Some(keys), None) => Basis::Values(keys),
        (None, Some(by)) => Basis::Supervisor {
            attribute: by.attribute,
            depth: by.depth.map(|depth| positive("bySupervisor.depth", depth)).transpose()?,
            includes_supervisor: by.include_supervisor,
        },
        _ => return Err(Failure::invalid("by", "EXACTLY_ONE", "give exactly one of `by` and `bySupervisor`")),
    };
    Ok(Generation {
        basis,
        parent_id: input.parent_id.map(|parent| parse_id(&parent, "parentId")).transpose()?,
        scope: input.scope.into(),
        filter: input.filter.map(Into::into),
        min_members: positive("minMembers", input.min_members)?.into(),
        remove_vanished: input.remove_vanished,
        skip: input.skip,
        expected_version: input.expected_version,
    })
}
