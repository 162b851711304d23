//! Who stands where in the made-up organisation: departments, who supervises whom, teams.
//!
//! All of it is reckoned from a user's number, so that no user is ever looked up. User 0 supervises the heads of the
//! departments; a department is a run of numbers, and within it the users are a tree in breadth-first order, so that
//! the tree's shape alone says whose children stand where.

use super::random::mix;

/// A department that the organisation can have.
pub(super) struct Department {
    /// Its name.
    pub(super) name: &'static str,
    /// How large it is beside the others.
    weight: u64,
    /// What its teams work on.
    areas: [&'static str; 8],
    /// What its users are who supervise nobody.
    pub(super) roles: [&'static str; 3],
    /// Where its skills begin among all.
    pub(super) first_skill: usize,
    /// Whether its users take turns on call.
    pub(super) is_on_call: bool,
}

/// Where user 0 stands.
pub(super) const OFFICE: &str = "Executive Office";

/// The departments, in the order in which a growing organisation has them.
pub(super) const DEPARTMENTS: [Department; 10] = [
    Department {
        name: "Engineering",
        weight: 30,
        areas: ["Checkout", "Search", "Accounts", "Mobile", "Messaging", "Pricing", "Catalogue", "Delivery"],
        roles: ["Backend Engineer", "Frontend Engineer", "Mobile Engineer"],
        first_skill: 0,
        is_on_call: true,
    },
    Department {
        name: "Platform",
        weight: 14,
        areas: ["Build", "Compute", "Storage", "Networking", "Observability", "Developer Tools", "Runtime", "Edge"],
        roles: ["Platform Engineer", "Site Reliability Engineer", "Release Engineer"],
        first_skill: 6,
        is_on_call: true,
    },
    Department {
        name: "Data",
        weight: 9,
        areas: ["Warehouse", "Streaming", "Experiments", "Forecasting", "Ranking", "Reporting", "Models", "Lineage"],
        roles: ["Data Engineer", "Data Scientist", "Machine Learning Engineer"],
        first_skill: 12,
        is_on_call: false,
    },
    Department {
        name: "Security",
        weight: 5,
        areas: ["Identity", "Detection", "Response", "Secrets", "Hardening", "Trust", "Privacy", "Assurance"],
        roles: ["Security Engineer", "Security Analyst", "Privacy Engineer"],
        first_skill: 9,
        is_on_call: true,
    },
    Department {
        name: "Quality",
        weight: 6,
        areas: ["Acceptance", "Performance", "Automation", "Accessibility", "Devices", "Fuzzing", "Labs", "Coverage"],
        roles: ["Test Engineer", "Test Automation Engineer", "Performance Engineer"],
        first_skill: 3,
        is_on_call: false,
    },
    Department {
        name: "Product",
        weight: 8,
        areas: ["Growth", "Onboarding", "Payments", "Partners", "Insights", "Retention", "Markets", "Discovery"],
        roles: ["Product Manager", "Product Analyst", "Programme Manager"],
        first_skill: 18,
        is_on_call: false,
    },
    Department {
        name: "Design",
        weight: 5,
        areas: ["Interaction", "Components", "Research", "Brand", "Motion", "Writing", "Prototypes", "Icons"],
        roles: ["Product Designer", "User Researcher", "Content Designer"],
        first_skill: 20,
        is_on_call: false,
    },
    Department {
        name: "Support",
        weight: 10,
        areas: ["Escalations", "Chat", "Enterprise", "Community", "Knowledge", "Tooling", "Refunds", "Languages"],
        roles: ["Support Engineer", "Support Specialist", "Technical Writer"],
        first_skill: 22,
        is_on_call: true,
    },
    Department {
        name: "Operations",
        weight: 8,
        areas: ["Capacity", "Hardware", "Logistics", "Incidents", "Facilities", "Vendors", "Continuity", "Inventory"],
        roles: ["Systems Administrator", "Database Administrator", "Network Engineer"],
        first_skill: 8,
        is_on_call: true,
    },
    Department {
        name: "Solutions",
        weight: 5,
        areas: ["Integrations", "Migrations", "Training", "Pilots", "Retail", "Travel", "Health", "Finance"],
        roles: ["Solutions Engineer", "Solutions Architect", "Trainer"],
        first_skill: 15,
        is_on_call: false,
    },
];

/// What stands after the name of an area when more than one team works on it.
const FACETS: [&str; 12] = [
    "",
    " Core",
    " Web",
    " Apps",
    " Interfaces",
    " Insights",
    " Partners",
    " Quality",
    " Scale",
    " Tools",
    " Labs",
    " Care",
];

/// How much a user supervises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    /// Everybody: user 0.
    Chief,
    /// A department.
    Head,
    /// Users who supervise users who supervise.
    SeniorDirector,
    /// Users who lead teams.
    Director,
    /// A team.
    Lead,
    /// Nobody.
    Maker,
}

/// Where one user stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Post {
    /// The place of the department in [`DEPARTMENTS`]; none for user 0.
    pub(super) department: Option<usize>,
    /// The number of the team within the department; none above teams.
    pub(super) team: Option<u64>,
    /// The number of the user who supervises this one; none for user 0.
    pub(super) supervisor: Option<u64>,
    pub(super) rank: Rank,
}

/// A department of this organisation: a run of users.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// The number of its head.
    pub(super) head: u64,
    size: u64,
    /// How many of its users supervise others; they come first.
    managers: u64,
    /// The first of them who leads a team.
    first_lead: u64,
}

/// The organisation.
pub(super) struct Organisation {
    seed: u64,
    /// In the order of [`DEPARTMENTS`], of which it may have fewer.
    pub(super) parts: Vec<Part>,
}

/// The children of eight nodes in a row: five to twelve each, in some order.
const BLOCK: u64 = 5 + 6 + 7 + 8 + 9 + 10 + 11 + 12;

impl Organisation {
    pub(super) fn new(users: u64, seed: u64) -> Self {
        let rest = users.saturating_sub(1);
        let count = (users.isqrt() / 2).clamp(2, DEPARTMENTS.len() as u64);
        let some = || DEPARTMENTS.iter().take(super::random::place(count));
        let weights: u64 = some().map(|department| department.weight).sum();
        let mut this = Self { seed, parts: Vec::new() };
        let (mut weight, mut head) = (0, 1);
        for department in some() {
            weight += department.weight;
            let end = 1 + rest * weight / weights;
            let size = end - head;
            let managers = if size > 1 { this.parent(size - 1) + 1 } else { 0 };
            let first_lead = if managers > 0 { this.parent(managers) } else { 0 };
            this.parts.push(Part { head, size, managers, first_lead });
            head = end;
        }
        this.parts.retain(|part| part.size > 0);
        this
    }

    /// Where the user with this number stands.
    pub(super) fn post(&self, user: u64) -> Post {
        let after = self.parts.partition_point(|part| part.head <= user);
        let Some((department, part)) = after.checked_sub(1).map(|at| (at, &self.parts[at])) else {
            return Post { department: None, team: None, supervisor: None, rank: Rank::Chief };
        };
        let local = user - part.head;
        let rank = if local == 0 {
            Rank::Head
        } else if local >= part.managers {
            Rank::Maker
        } else if local >= part.first_lead {
            Rank::Lead
        } else if self.first_child(local) >= part.first_lead {
            Rank::Director
        } else {
            Rank::SeniorDirector
        };
        let lead = if local < part.managers { local } else { self.parent(local) };
        let team = (part.managers > 0).then(|| lead.checked_sub(part.first_lead)).flatten();
        let supervisor = if local == 0 { 0 } else { part.head + self.parent(local) };
        Post { department: Some(department), team, supervisor: Some(supervisor), rank }
    }

    /// How many children the node at `place` within a block of eight has.
    fn span(&self, block: u64, place: u64) -> u64 {
        // An odd factor and any summand put the eight spans in an order of the block's own.
        let random = mix(self.seed, 1, block);
        5 + ((random | 1).wrapping_mul(place).wrapping_add(random >> 32) & 7)
    }

    /// The first child of a node, if the tree is large enough to have it. Nodes are counted from 0 within a department.
    fn first_child(&self, node: u64) -> u64 {
        let block = node / 8;
        1 + block * BLOCK + (0..node % 8).map(|place| self.span(block, place)).sum::<u64>()
    }

    /// The parent of a node that is not the first.
    fn parent(&self, node: u64) -> u64 {
        let before = node.saturating_sub(1);
        let (block, mut left) = (before / BLOCK, before % BLOCK);
        let mut place = 0;
        while left >= self.span(block, place) {
            left -= self.span(block, place);
            place += 1;
        }
        block * 8 + place
    }
}

impl Part {
    /// How many teams it has.
    pub(super) fn teams(&self) -> u64 {
        self.managers - self.first_lead
    }
}

/// The name of a team.
pub(super) fn team_name(department: usize, team: u64) -> String {
    let areas = &DEPARTMENTS[department].areas;
    let area = areas[super::random::place(team % areas.len() as u64)];
    let round = team / areas.len() as u64;
    let facet = FACETS[super::random::place(round % FACETS.len() as u64)];
    match round / FACETS.len() as u64 {
        0 => format!("{area}{facet}"),
        again => format!("{area}{facet} {}", again + 1),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    #[test]
    fn supervisors_form_one_tree_of_usual_spans_within_departments() {
        for users in [10, 11, 57, 1_000, 20_000] {
            let organisation = Organisation::new(users, 3);
            let mut reports: HashMap<u64, u64> = HashMap::new();
            for user in 0..users {
                let post = organisation.post(user);
                match post.supervisor {
                    None => assert_eq!(user, 0),
                    // Whoever supervises a user comes before, so that there is no cycle and one root.
                    Some(supervisor) => {
                        assert!(supervisor < user);
                        let above = organisation.post(supervisor);
                        assert!(above.rank == Rank::Chief || above.department == post.department);
                        assert_ne!(above.rank, Rank::Maker, "user {supervisor} of {users}");
                        *reports.entry(supervisor).or_default() += 1;
                    }
                }
            }
            let unusual = reports.values().filter(|count| !(5..=12).contains(*count)).count();
            // Of each department the last who has reports, and user 0 while there are few departments.
            assert!(unusual <= organisation.parts.len() + 1, "{unusual} of {users}");
        }
    }

    #[test]
    fn a_team_is_a_lead_and_who_reports_there() {
        let organisation = Organisation::new(5_000, 1);
        let mut leads: HashMap<(usize, u64), u64> = HashMap::new();
        for user in 0..5_000 {
            let post = organisation.post(user);
            let (Some(department), Some(team)) = (post.department, post.team) else { continue };
            assert!(team < organisation.parts[department].teams());
            match post.rank {
                Rank::Maker => assert_eq!(leads.get(&(department, team)), post.supervisor.as_ref()),
                _ => assert_eq!(leads.insert((department, team), user), None),
            }
        }
        assert_eq!(leads.len() as u64, organisation.parts.iter().map(Part::teams).sum::<u64>());
    }

    #[test]
    fn no_two_teams_have_one_name() {
        let mut seen = HashSet::new();
        for department in 0..DEPARTMENTS.len() {
            for team in 0..2_000 {
                let name = team_name(department, team);
                assert!(seen.insert(name.clone()), "{name}");
            }
        }
    }
}
