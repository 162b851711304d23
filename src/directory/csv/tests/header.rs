use entity::attribute::{self, AttributeType};
use entity::integration::{self, IntegrationKind};
use entity::{AttributeId, IntegrationId};
use uuid::Uuid;

use super::*;
use crate::value::{DateFormat, GlobalId, fold};

fn attribute(place: usize, key: &str, title: &str, r#type: AttributeType) -> attribute::Model {
    attribute::Model {
        id: AttributeId(Uuid::from_u128(place as u128)),
        key: key.into(),
        title: title.into(),
        title_key: fold(title),
        description: String::new(),
        r#type,
        options: serde_json::json!([]),
        is_required: false,
        is_unique: false,
        is_built_in: matches!(key, "name" | "email" | "integration"),
        readable_by: None,
        position: i32::try_from(place).unwrap(),
        version: 1,
        created_at: Default::default(),
        updated_at: Default::default(),
    }
}

fn attributes() -> Vec<attribute::Model> {
    [
        ("name", "Name", AttributeType::Text),
        ("email", "Email", AttributeType::Email),
        ("integration", "Integration", AttributeType::Integration),
        ("role", "Role", AttributeType::Text),
        ("department", "Department", AttributeType::Select),
        ("start_date", "Start date", AttributeType::Date),
        ("supervisor", "Manager email", AttributeType::User),
        ("tool", "GitHub", AttributeType::Text),
    ]
    .iter()
    .enumerate()
    .map(|(place, &(key, title, r#type))| attribute(place, key, title, r#type))
    .collect()
}

fn integrations() -> Vec<integration::Model> {
    ["Jira", "GitHub", "Slack Straße"]
        .iter()
        .enumerate()
        .map(|(place, name)| integration::Model {
            id: IntegrationId(Uuid::from_u128(100 + place as u128)),
            kind: IntegrationKind::Other,
            name: (*name).into(),
            name_key: fold(name),
            settings: None,
            schedule_minutes: None,
            version: 1,
            created_at: Default::default(),
            updated_at: Default::default(),
        })
        .collect()
}

fn find_in(bytes: Vec<u8>, mapping: &Mapping) -> Result<Columns, Vec<String>> {
    let reader = Reader::open(Cursor::new(bytes), Options::default()).unwrap();
    Columns::find(reader.header(), &attributes(), &integrations(), mapping)
        .map_err(|problems| problems.iter().map(spell).collect())
}

fn find(header: &str, mapping: &Mapping) -> Result<Vec<Target>, Vec<String>> {
    find_in(header.into(), mapping).map(|columns| columns.targets().cloned().collect())
}

fn mapping(columns: &[(&str, ColumnSource)], ignore_unknown: bool) -> Mapping {
    let columns = columns.iter().map(|(title, source)| ((*title).to_owned(), source.clone())).collect();
    Mapping { columns, ignore_unknown, ..Mapping::default() }
}

fn of_attribute(key: &str) -> ColumnSource {
    ColumnSource::Attribute { key: key.into(), date_format: None }
}

fn to_attribute(index: usize) -> Target {
    Target::Attribute { index, dates: DateFormat::default() }
}

fn accounts(place: u128) -> Target {
    Target::Accounts(IntegrationId(Uuid::from_u128(100 + place)))
}

#[test]
fn columns_are_found_by_title_key_or_integration_whatever_the_case_and_blanks() {
    assert_eq!(
        find(" id ,NAME,e\u{6d}ail,START DATE,start_date2,supervisor, jira,SLACK STRASSE", &mapping(&[], true)),
        Ok(vec![
            Target::Id,
            Target::Name(0),
            Target::Email,
            to_attribute(5),
            Target::Ignored,
            to_attribute(6),
            accounts(0),
            accounts(2)
        ])
    );
}

#[test]
fn a_mapping_says_what_a_title_does_not() {
    let format = DateFormat::parse("dd/mm/yy").unwrap();
    let days = ColumnSource::Attribute { key: "start_date".into(), date_format: Some(format.clone()) };
    let slack = IntegrationId(Uuid::from_u128(102)).to_global();
    let found = find(
        "full_name,NAME,mail,Start Date,key,gh,chat",
        &mapping(
            &[
                ("FULL_NAME ", of_attribute("Name")),
                ("name", ColumnSource::Ignore),
                ("Mail", of_attribute("email")),
                ("start date", days),
                ("key", ColumnSource::Id),
                ("gh", ColumnSource::Integration("github".into())),
                ("chat", ColumnSource::Integration(slack)),
            ],
            false,
        ),
    );
    let dates = Target::Attribute { index: 5, dates: format };
    let expected = vec![Target::Name(0), Target::Ignored, Target::Email, dates, Target::Id, accounts(1), accounts(2)];
    assert_eq!(found, Ok(expected));
}

#[test]
fn columns_know_their_titles_and_places() {
    let columns = find_in("Email, Role ,Name,x".into(), &mapping(&[("x", ColumnSource::Ignore)], false)).unwrap();
    assert_eq!(columns.title(1), Some("Role"));
    assert_eq!(columns.place_of(&Target::Name(0)), Some(2));
    assert_eq!(columns.place_of(&to_attribute(3)), Some(1));
    assert_eq!(columns.place_of(&Target::Id), None);
    assert_eq!(columns.place_of(&Target::Ignored), None);
}

#[test]
fn a_title_that_the_export_neutralised_is_found() {
    let mut all = attributes();
    all.push(attribute(8, "delta", "-Delta", AttributeType::Number));
    let reader = Reader::open(Cursor::new("Name,Email,'-Delta"), Options::default()).unwrap();
    let columns = Columns::find(reader.header(), &all, &[], &Mapping::default()).unwrap();
    assert_eq!(columns.targets().last(), Some(&to_attribute(8)));
    assert_eq!(columns.title(2), Some("-Delta"));
}

#[test]
fn a_duplicate_title_is_named_once_whatever_its_case() {
    assert_eq!(
        find_in(bytes_of("duplicate-header.csv"), &Mapping::default()).unwrap_err(),
        [
            "1 DUPLICATE_COLUMN [name] the file has more than one column `name`; remove or rename one",
            "1 DUPLICATE_COLUMN [ROLE] the file has more than one column `ROLE`; remove or rename one",
        ]
    );
    assert!(find("Name,Email,x,X", &mapping(&[], true)).is_ok(), "what is not read may be there twice");
}

#[test]
fn all_that_is_wrong_with_a_header_is_said_at_once() {
    assert_eq!(
        find_in(bytes_of("unknown-header.csv"), &Mapping::default()).unwrap_err(),
        [
            "1 UNKNOWN_COLUMN [Full Name] no attribute or integration is called `Full Name`; map the column, or ignore \
             it",
            "1 UNKNOWN_COLUMN [E-mail] no attribute or integration is called `E-mail`; did you mean `Email`?; map the \
             column, or ignore it",
            "1 UNKNOWN_COLUMN [Departmnet] no attribute or integration is called `Departmnet`; did you mean \
             `Department`?; map the column, or ignore it",
            "1 EMPTY_HEADER column 4 has no title; give it one, or have it ignored",
            "1 UNKNOWN_COLUMN [Shoe size] no attribute or integration is called `Shoe size`; map the column, or ignore \
             it",
            "1 MISSING_COLUMN [Name] the file has no column `Name`; add it, or map one of `Full Name`, `E-mail`, \
             `Departmnet`, ``, `Shoe size`",
            "1 MISSING_COLUMN [Email] the file has no column `Email`; did you mean `E-mail`?; add it, or map one of \
             `Full Name`, `E-mail`, `Departmnet`, ``, `Shoe size`",
        ]
    );
}

#[test]
fn an_empty_title_is_ignored_when_the_caller_says_so() {
    let expected = Ok(vec![Target::Name(0), Target::Email, Target::Ignored, Target::Ignored]);
    assert_eq!(find("Name,Email,,", &mapping(&[], true)), expected);
    assert_eq!(find("Name,Email,,", &mapping(&[("", ColumnSource::Ignore)], false)), expected);
}

#[test]
fn two_columns_do_not_write_one_attribute() {
    assert_eq!(
        find("Name,Email,Start date,start_date,who", &mapping(&[("who", of_attribute("email"))], false)).unwrap_err(),
        [
            "1 DUPLICATE_TARGET [start_date] `Start date` and `start_date` stand for the same; have one of them ignored",
            "1 DUPLICATE_TARGET [who] `Email` and `who` stand for the same; have one of them ignored",
        ]
    );
}

#[test]
fn a_title_that_names_two_things_is_not_guessed_at() {
    assert_eq!(
        find("Name,Email,GitHub", &Mapping::default()).unwrap_err(),
        ["1 AMBIGUOUS_COLUMN [GitHub] `GitHub` names more than one thing; map the column to one"]
    );
    assert!(find("Name,Email,GitHub", &mapping(&[("GitHub", of_attribute("tool"))], false)).is_ok());
}

#[test]
fn the_integration_attribute_is_no_column() {
    assert_eq!(
        find("Name,Email,integration", &Mapping::default()).unwrap_err(),
        ["1 UNKNOWN_COLUMN [integration] no attribute or integration is called `integration`; accounts stand in one \
          column per integration, headed with its name; map the column, or ignore it"]
    );
}

#[test]
fn a_mapping_that_fits_nothing_is_refused() {
    let day = Some(DateFormat::parse("dd/mm/yy").unwrap());
    let columns = [
        ("nmae", ColumnSource::Ignore),
        ("a", of_attribute("rol")),
        ("b", ColumnSource::Integration("Jirra".into())),
        ("c", of_attribute("integration")),
        ("d", ColumnSource::Attribute { key: "role".into(), date_format: day }),
        ("A", ColumnSource::Ignore),
    ];
    assert_eq!(
        find("Name,Email,a,b,c,d", &mapping(&columns, false)).unwrap_err(),
        [
            "1 UNKNOWN_MAPPING [nmae] `nmae` is mapped, and the file has no such column; did you mean `Name`?",
            "1 UNKNOWN_MAPPING [a] there is no attribute `rol`; did you mean `role`?",
            "1 UNKNOWN_MAPPING [b] there is no integration `Jirra`; did you mean `Jira`?",
            "1 UNKNOWN_MAPPING [c] accounts stand in one column per integration; name the integration",
            "1 UNKNOWN_MAPPING [d] `Role` does not hold dates, so it takes no date format",
            "1 DUPLICATE_MAPPING [A] `A` is mapped twice",
        ]
    );
}

#[test]
fn the_line_of_the_header_is_the_one_it_stands_on() {
    let problems = find("\r\nsep=;\r\n\r\nName;Mail", &mapping(&[], true)).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("4 MISSING_COLUMN [Email] "), "{problems:?}");
}

#[test]
fn the_columns_of_a_customer_export_are_found() {
    for name in ["../hris/developers.csv", "../hris/developers-next-month.csv"] {
        let columns = find_in(bytes_of(name), &mapping(&[], true)).unwrap();
        assert_eq!(columns.targets().len(), 22);
        for (target, place) in [
            (Target::Name(0), 1),
            (Target::Email, 2),
            (to_attribute(3), 3),
            (to_attribute(6), 6),
            (to_attribute(4), 12),
            (to_attribute(5), 17),
        ] {
            assert_eq!(columns.place_of(&target), Some(place));
        }
    }
}
