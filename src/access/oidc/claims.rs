//! What a token says: who it is of, and in which role.

use std::fmt;

use sea_orm::{ActiveEnum, Iterable};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value as Json};

use super::Settings;
use crate::access::Role;

/// The longest name that the log takes, in characters.
const LONGEST_NAME: usize = 200;

/// The claims of a token, each once.
#[derive(Debug)]
pub(super) struct Claims(Map<String, Json>);

impl<'de> Deserialize<'de> for Claims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Claims;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with each name once")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Claims, A::Error> {
                let mut claims = Map::new();
                while let Some((name, value)) = access.next_entry()? {
                    if claims.insert(name, value).is_some() {
                        return Err(A::Error::custom("a claim stands there twice"));
                    }
                }
                Ok(Claims(claims))
            }
        }
        deserializer.deserialize_map(Once)
    }
}

impl Claims {
    /// The text of a claim.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Json::as_str)
    }

    /// The number of a claim: none where there is no such claim, none in it where it is no number.
    pub(super) fn number(&self, name: &str) -> Option<Option<f64>> {
        self.0.get(name).map(Json::as_f64)
    }

    /// What the log calls whoever the token is of: their email where the issuer has verified it, else `sub`.
    pub(super) fn name(&self) -> Option<String> {
        let is_verified = self.0.get("email_verified") == Some(&Json::Bool(true));
        let name = self.text("email").filter(|_| is_verified).or_else(|| self.text("sub"))?.trim();
        let is_plain = !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control);
        is_plain.then(|| name.to_owned())
    }

    /// The highest of the roles that the token gives.
    pub(super) fn role(&self, settings: &Settings) -> Option<Role> {
        let claim = &settings.role_claim;
        // A name may have dots in it, as an address does.
        let found = self.0.get(claim).or_else(|| {
            let (first, rest) = claim.split_once('.')?;
            rest.split('.').try_fold(self.0.get(first)?, |value, name| value.get(name))
        })?;
        let values = match found {
            Json::Array(values) => values.as_slice(),
            one => std::slice::from_ref(one),
        };
        values.iter().filter_map(Json::as_str).filter_map(|value| given(value, &settings.roles)).max()
    }
}

fn given(value: &str, roles: &[(String, Role)]) -> Option<Role> {
    if roles.is_empty() {
        return role_named(value);
    }
    roles.iter().filter(|(name, _)| name == value).map(|(_, role)| *role).max()
}

/// The role of this name, in capitals or not.
#[must_use]
pub fn role_named(name: &str) -> Option<Role> {
    Role::iter().find(|role| role.to_value().eq_ignore_ascii_case(name.trim()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(json: Json) -> Claims {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_role_is_found_by_name_or_path_and_the_highest_counts() {
        let role = |claim: &str, roles: &[(&str, Role)], json: Json| {
            let roles = roles.iter().map(|(name, role)| ((*name).to_owned(), *role)).collect();
            let [issuer, audience] = ["https://a.example", "roster"].map(str::to_owned);
            let settings = Settings { issuer, audience, role_claim: claim.to_owned(), roles, jwks_url: None };
            claims(json).role(&settings)
        };
        let staff = [("staff", Role::Reader), ("ops", Role::Admin)];
        assert_eq!(role("roles", &[], json!({ "roles": "editor" })), Some(Role::Editor));
        assert_eq!(role("roles", &[], json!({ "roles": ["READER", "nothing", 7, "Editor"] })), Some(Role::Editor));
        assert_eq!(role("roles", &staff, json!({ "roles": ["staff", "ADMIN"] })), Some(Role::Reader));
        assert_eq!(role("roles", &staff, json!({ "roles": ["staff", "ops"] })), Some(Role::Admin));
        assert_eq!(
            role("realm.a.roles", &[], json!({ "realm": { "a": { "roles": ["reader"] } } })),
            Some(Role::Reader)
        );
        assert_eq!(role("https://a.b/roles", &[], json!({ "https://a.b/roles": ["reader"] })), Some(Role::Reader));
        for nothing in [json!({}), json!({ "roles": [] }), json!({ "roles": { "admin": true } }), json!({ "roles": 1 })]
        {
            assert_eq!(role("roles", &[], nothing.clone()), None, "{nothing}");
        }
        assert_eq!(
            role("roles", &staff, json!({ "roles": "Staff" })),
            None,
            "names that are set are taken as they are"
        );
    }

    #[test]
    fn the_log_names_a_verified_email_and_otherwise_the_subject() {
        let name = |json: Json| claims(json).name();
        let ann = Some("ann@corp.example".to_owned());
        assert_eq!(name(json!({ "sub": "7", "email": "ann@corp.example", "email_verified": true })), ann);
        for unverified in [json!(false), json!("true"), Json::Null] {
            let token = json!({ "sub": "7", "email": "ann@corp.example", "email_verified": unverified });
            assert_eq!(name(token), Some("7".to_owned()));
        }
        for wrong in [json!(""), json!(7), json!("a\nb"), json!("x".repeat(201))] {
            assert_eq!(name(json!({ "sub": wrong })), None);
        }
    }

    #[test]
    fn a_claim_that_stands_there_twice_is_refused() {
        assert!(serde_json::from_str::<Claims>(r#"{"sub":"a","sub":"b"}"#).is_err());
        assert!(serde_json::from_str::<Claims>(r#"["sub"]"#).is_err());
    }
}
