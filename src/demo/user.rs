//! One made-up user: its values, the attributes they belong to, and its row in the file of users.

use chrono::{Days, NaiveDate};
use entity::attribute::AttributeType;

use super::names::{Name, Names, cities};
use super::organisation::{DEPARTMENTS, OFFICE, Organisation, Post, Rank, team_name};
use super::random::{below, choose, mix, place, shuffled};
use crate::directory::NewAttribute;

/// The domain of the organisation's emails.
const DOMAIN: &str = "harbour.example";

/// All skills; a department's are eight of them in a row.
const SKILLS: [&str; 24] = [
    "Rust",
    "Go",
    "Java",
    "TypeScript",
    "Kotlin",
    "Swift",
    "Terraform",
    "Kubernetes",
    "Linux",
    "PostgreSQL",
    "Networking",
    "Cryptography",
    "Python",
    "SQL",
    "Statistics",
    "Spark",
    "GraphQL",
    "Presenting",
    "Roadmaps",
    "Interviewing",
    "Prototyping",
    "Accessibility",
    "Writing",
    "Mentoring",
];

/// Monday, 4 January 2010, from 1 January 1970: when the first users started.
const FIRST_MONDAY: u64 = 14_613;
/// The Mondays on which users started.
const MONDAYS: u64 = 860;

/// The headings of the file of users: `Name`, `Email` and the attributes in their order.
pub(super) const HEADINGS: [&str; 13] = [
    "Name",
    "Email",
    "Department",
    "Team",
    "Role",
    "Level",
    "Location",
    "Supervisor",
    "Start date",
    "Skills",
    "On call",
    "Escalation email",
    "Team page",
];

/// What is told apart among random numbers.
mod topic {
    pub(super) const NAME: u64 = 2;
    pub(super) const ROLE: u64 = 3;
    pub(super) const CITY: u64 = 4;
    pub(super) const START: u64 = 5;
    pub(super) const SKILLS: u64 = 6;
    pub(super) const LEVEL: u64 = 7;
    pub(super) const ON_CALL: u64 = 8;
    pub(super) const STORY: u64 = 9;
}

/// What there is to tell of a user's accounts. Most have the same email everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Story {
    /// The same email in every tool.
    Same,
    /// A private email in GitHub, and nobody has said whose it is: a second user is made from it.
    SecondUser,
    /// The same, and an import says whose it is.
    Claimed,
    /// No email in GitHub, and nobody has said whose account it is.
    Hidden,
    /// No email in GitHub, and an import says whose account it is, and names one that GitHub has not reported yet.
    Found,
    /// No email in Jira.
    HiddenInJira,
}

/// What all users are made from.
pub(super) struct Population {
    pub(super) users: u64,
    pub(super) seed: u64,
    pub(super) organisation: Organisation,
    names: Names,
    cities: Vec<&'static str>,
}

impl Population {
    pub(super) fn new(users: u64, seed: u64) -> Self {
        Self { users, seed, organisation: Organisation::new(users, seed), names: Names::new(), cities: cities() }
    }

    pub(super) fn name(&self, user: u64) -> Name {
        self.names.at(shuffled(self.seed, topic::NAME, user, self.users), self.seed)
    }

    /// The email of the user with this number.
    pub(super) fn email(&self, user: u64) -> String {
        self.name(user).email()
    }

    pub(super) fn story(&self, user: u64) -> Story {
        // The first fifty have each story as often as it is among all, so that a small directory has them, too.
        let turn = if user < 50 { user } else { self.random(topic::STORY, user) % 50 };
        match turn {
            3 | 4 => Story::SecondUser,
            6 | 7 => Story::Claimed,
            9..=11 => Story::Hidden,
            13 => Story::Found,
            15 | 16 => Story::HiddenInJira,
            _ => Story::Same,
        }
    }

    /// Whether the user's work leaves traces in Harness.
    pub(super) fn releases(&self, user: u64) -> bool {
        self.organisation.post(user).department.is_some_and(|department| department < 2)
    }

    fn random(&self, topic: u64, user: u64) -> u64 {
        mix(self.seed, topic, user)
    }

    /// The cells of a user, under [`HEADINGS`].
    pub(super) fn cells(&self, user: u64) -> [String; HEADINGS.len()] {
        let (post, name) = (self.organisation.post(user), self.name(user));
        let department = post.department.map(|at| &DEPARTMENTS[at]);
        let team = post.department.zip(post.team).map(|(department, team)| team_name(department, team));
        let page = team.as_deref().map(|team| format!("https://wiki.{DOMAIN}/teams/{}", slug(team)));
        let desk = department.map(|department| format!("{}@desk.{DOMAIN}", slug(department.name)));
        [
            name.native.clone(),
            name.email(),
            department.map_or(OFFICE, |department| department.name).to_owned(),
            team.unwrap_or_default(),
            self.role(user, &post).to_owned(),
            self.level(user, post.rank).to_string(),
            self.location(user, &name).to_owned(),
            post.supervisor.map(|supervisor| self.email(supervisor)).unwrap_or_default(),
            self.start(user).to_string(),
            self.skills(user, &post).join("; "),
            self.on_call(user, &post).map(|truth| truth.to_string()).unwrap_or_default(),
            desk.unwrap_or_default(),
            page.unwrap_or_default(),
        ]
    }

    fn role(&self, user: u64, post: &Post) -> &'static str {
        match (post.rank, post.department) {
            (Rank::Maker, Some(department)) => choose(self.random(topic::ROLE, user), &DEPARTMENTS[department].roles),
            (rank, _) => title(rank),
        }
    }

    fn level(&self, user: u64, rank: Rank) -> u64 {
        match rank {
            Rank::Chief => 10,
            Rank::Head => 9,
            Rank::SeniorDirector => 8,
            Rank::Director => 7,
            Rank::Lead => 6,
            // The middle levels are the fullest.
            Rank::Maker => {
                let random = self.random(topic::LEVEL, user);
                1 + below(random, 3) + below(random.rotate_left(32), 3)
            }
        }
    }

    fn location(&self, user: u64, name: &Name) -> &'static str {
        let random = self.random(topic::CITY, user);
        match random % 20 {
            0..=12 => name.city,
            13..=15 => "Remote",
            _ => choose(random.rotate_left(32), &self.cities),
        }
    }

    fn start(&self, user: u64) -> NaiveDate {
        let random = self.random(topic::START, user);
        // The later of two days: an organisation that grows.
        let monday = below(random, MONDAYS).max(below(random.rotate_left(32), MONDAYS));
        let days = Days::new(FIRST_MONDAY + 7 * monday);
        NaiveDate::default().checked_add_days(days).unwrap_or_default()
    }

    fn skills(&self, user: u64, post: &Post) -> Vec<&'static str> {
        let random = self.random(topic::SKILLS, user);
        let first = post.department.map_or(16, |department| DEPARTMENTS[department].first_skill);
        // Steps of an odd length visit all eight before any comes again.
        let (at, step) = (place((random >> 8) & 7), place((random >> 16) & 7) | 1);
        let count = place(below(random, 6));
        (0..count).map(|nth| SKILLS[(first + (at + step * nth) % 8) % SKILLS.len()]).collect()
    }

    /// Whether the user takes calls this week; none where the department has no such turns.
    fn on_call(&self, user: u64, post: &Post) -> Option<bool> {
        let department = &DEPARTMENTS[post.department?];
        let takes_turns = department.is_on_call && matches!(post.rank, Rank::Maker | Rank::Lead);
        takes_turns.then(|| self.random(topic::ON_CALL, user).is_multiple_of(8))
    }
}

impl Name {
    pub(super) fn email(&self) -> String {
        format!("{}.{}@{DOMAIN}", self.given, self.family)
    }

    /// An email that has nothing to do with the organisation.
    pub(super) fn private_email(&self) -> String {
        format!("{}{}@post.example", self.given, self.family)
    }

    /// As it is spelt in Latin letters, without the number.
    pub(super) fn latin(&self) -> String {
        let upper = |word: &str| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        };
        format!("{} {}", upper(&self.given), upper(self.family.trim_end_matches(|c: char| c.is_ascii_digit())))
    }
}

fn title(rank: Rank) -> &'static str {
    match rank {
        Rank::Chief => "Chief Executive",
        Rank::Head => "Vice President",
        Rank::SeniorDirector => "Senior Director",
        Rank::Director => "Director",
        Rank::Lead | Rank::Maker => "Team Lead",
    }
}

/// The titles of those who supervise others.
pub(super) const MANAGING: [Rank; 5] = [Rank::Chief, Rank::Head, Rank::SeniorDirector, Rank::Director, Rank::Lead];

/// The titles of the managing ranks, the highest first.
pub(super) fn managing_titles() -> impl Iterator<Item = &'static str> {
    MANAGING.into_iter().map(title)
}

fn slug(name: &str) -> String {
    name.to_ascii_lowercase().replace(' ', "-")
}

/// The attributes, in the order of [`HEADINGS`].
pub(super) fn attributes() -> Vec<NewAttribute> {
    let departments = DEPARTMENTS.iter().map(|department| department.name);
    let roles = DEPARTMENTS.iter().flat_map(|department| department.roles);
    let texts = |texts: &mut dyn Iterator<Item = &'static str>| texts.map(str::to_owned).collect();
    let none = Vec::new;
    let all: [(AttributeType, Vec<String>, &str); 11] = [
        (
            AttributeType::Select,
            texts(&mut std::iter::once(OFFICE).chain(departments)),
            "The department that the developer belongs to. From the HR system, every night.",
        ),
        (
            AttributeType::Text,
            none(),
            "The team, as its page in the wiki is called. From the HR system; who leads several teams has none.",
        ),
        (
            AttributeType::Select,
            texts(&mut managing_titles().chain(roles)),
            "What the developer does. From the HR system's job catalogue.",
        ),
        (
            AttributeType::Number,
            none(),
            "The step of the career ladder, from 1. From the HR system, after each round of reviews.",
        ),
        (
            AttributeType::Select,
            texts(&mut cities().into_iter().chain(["Remote"])),
            "The office where the developer mostly works. From the facilities' list of desks.",
        ),
        (
            AttributeType::User,
            none(),
            "Whom the developer reports to. From the HR system; the root of the tree has nobody.",
        ),
        (
            AttributeType::Date,
            none(),
            "The first day at work. From the HR system; it does not change when the developer changes departments.",
        ),
        (
            AttributeType::MultiSelect,
            texts(&mut SKILLS.into_iter()),
            "What others may ask the developer about. By the developers themselves.",
        ),
        (
            AttributeType::Boolean,
            none(),
            "Whether the developer takes calls this week. From the schedule; empty where there are no such turns.",
        ),
        (
            AttributeType::Email,
            none(),
            "Where to write when the developer is away: the shared mailbox of the department.",
        ),
        (AttributeType::Url, none(), "The page of the developer's team. From the wiki."),
    ];
    HEADINGS[2..]
        .iter()
        .zip(all)
        .map(|(title, (r#type, options, description))| NewAttribute {
            title: (*title).to_owned(),
            // Filters of the made-up org units name them, whatever rule makes keys from titles.
            key: Some(title.to_ascii_lowercase().replace(' ', "_")),
            r#type,
            description: description.to_owned(),
            options,
            is_required: false,
            is_unique: false,
            readable_by: None,
            position: None,
        })
        .collect()
}
