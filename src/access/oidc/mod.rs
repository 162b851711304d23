//! OIDC: JSON Web Tokens that an issuer has signed, with a role in one of their claims.
//!
//! A token has to be signed with one of the issuer's published keys, by the algorithm of that key; nothing that the token
//! itself says of keys is looked at. What does not live here: signing somebody in. A client gets its token from the issuer.

mod claims;
mod keys;
mod verify;

use chrono::{DateTime, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Header, Validation, decode, decode_header};
use url::Url;

pub use self::claims::role_named;

use self::claims::Claims;
use self::keys::Keys;
use super::{Admitted, Denied, Principal, Role};

/// The longest token, in bytes.
const LONGEST: usize = 8 << 10;
/// How far the issuer's clock may be from this one, in seconds.
const LEEWAY: f64 = 60.0;

/// What is set of an issuer.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The issuer, exactly as its tokens name it.
    pub issuer: String,
    /// Whom its tokens have to be for.
    pub audience: String,
    /// Where the roles stand: the name of a claim, or names with `.` between them that lead to one.
    pub role_claim: String,
    /// Which value of the claim gives which role; where there is none, the names of the roles do.
    pub roles: Vec<(String, Role)>,
    /// Where the issuer's keys are; without it, where its configuration says.
    pub jwks_url: Option<String>,
}

/// An address that is set is none that can be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: `{url}` has to be an https:// address, or an http:// one of this machine")]
pub struct NotAnAddress {
    setting: &'static str,
    url: String,
}

/// An issuer whose tokens let people in.
pub struct Issuer {
    settings: Settings,
    keys: Keys,
}

impl Issuer {
    /// The issuer that these settings name. Its keys are read when they are first needed.
    ///
    /// # Errors
    /// Where an address is none.
    pub fn new(settings: Settings) -> Result<Self, NotAnAddress> {
        verify::install();
        let issuer = address("ROSTER_OIDC_ISSUER", &settings.issuer)?;
        let jwks = settings.jwks_url.as_deref().map(|url| address("ROSTER_OIDC_JWKS_URL", url)).transpose()?;
        let keys = Keys::new(&settings.issuer, &issuer, jwks);
        Ok(Self { settings, keys })
    }

    /// Lets in whom a token names.
    ///
    /// # Errors
    /// Why they are not let in.
    pub async fn admit(&self, token: &str, now: DateTime<Utc>) -> Result<Admitted, Denied> {
        if token.len() > LONGEST {
            return Err(Denied::unauthenticated(format!("the token is longer than {LONGEST} bytes")));
        }
        let header =
            decode_header(token).map_err(|_| Denied::unauthenticated("the token is none that is known here"))?;
        let kid = key_id(&header)?;
        let key = self.keys.find(kid, now).await?;
        let mut validation = Validation::new(key.algorithm);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library would look at the machine's clock.
        validation.validate_exp = false;
        let claims =
            decode::<Claims>(token, &key.key, &validation).map_err(|error| Denied::unauthenticated(why(&error)))?;
        let claims = claims.claims;
        in_time(&claims, now)?;
        let subject = claims.text("sub").ok_or_else(|| Denied::unauthenticated("the token's `sub` is no text"))?;
        let name =
            claims.name().ok_or_else(|| Denied::unauthenticated("the token names nobody that a log can name"))?;
        let role = claims.role(&self.settings).ok_or_else(|| {
            let claim = &self.settings.role_claim;
            Denied::Forbidden(format!("the token gives no role: its claim `{claim}` has none that is known here"))
        })?;
        Ok(Admitted { principal: Principal { name, role }, account: format!("oidc {subject}").into() })
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Issuer").field(&self.settings).finish()
    }
}

/// An address that may be asked: nobody in between can change what stands there.
fn address(setting: &'static str, url: &str) -> Result<Url, NotAnAddress> {
    let is_of_this_machine = |url: &Url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let wrong = || NotAnAddress { setting, url: url.to_owned() };
    let read = Url::parse(url).map_err(|_| wrong())?;
    let is_safe = match read.scheme() {
        "https" => read.has_host(),
        "http" => is_of_this_machine(&read),
        _ => false,
    };
    if is_safe { Ok(read) } else { Err(wrong()) }
}

/// Which key a token says that it is signed with, if its header says nothing else that matters.
fn key_id(header: &Header) -> Result<&str, Denied> {
    let is_of_type = header.typ.as_deref().is_none_or(|r#type| {
        let r#type = r#type.to_ascii_lowercase();
        matches!(r#type.strip_prefix("application/").unwrap_or(&r#type), "jwt" | "at+jwt")
    });
    if !is_of_type {
        return Err(Denied::unauthenticated("the token's `typ` is neither `JWT` nor `at+jwt`"));
    }
    if header.crit.is_some() {
        return Err(Denied::unauthenticated("the token's header asks for what is not known here (`crit`)"));
    }
    header.kid.as_deref().ok_or_else(|| Denied::unauthenticated("the token does not say which key signed it (`kid`)"))
}

/// What is wrong with a token, in words that tell nothing of keys.
fn why(error: &jsonwebtoken::errors::Error) -> &'static str {
    match error.kind() {
        ErrorKind::InvalidIssuer => "the token's `iss` is not the issuer that is trusted here",
        ErrorKind::InvalidAudience => "the token's `aud` is not this server",
        ErrorKind::MissingRequiredClaim(_) => "the token needs the claims `exp`, `iss`, `aud` and `sub`",
        ErrorKind::InvalidAlgorithm => "the token's `alg` is not the algorithm of the key that it names",
        ErrorKind::Json(_) => "the token's claims cannot be read, or stand in it twice",
        _ => "the token is not signed by the issuer that is trusted here",
    }
}

/// Refuses what is past, and what is still to come.
fn in_time(claims: &Claims, now: DateTime<Utc>) -> Result<(), Denied> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of any date that is met fit into 53 bits")]
    let now = now.timestamp_millis() as f64 / 1_000.0;
    match claims.number("exp") {
        Some(Some(exp)) if now < exp + LEEWAY => {}
        Some(Some(_)) => return Err(Denied::unauthenticated("the token has expired")),
        _ => return Err(Denied::unauthenticated("the token's `exp` is no time")),
    }
    match claims.number("nbf") {
        None => Ok(()),
        Some(Some(nbf)) if nbf <= now + LEEWAY => Ok(()),
        Some(Some(_)) => Err(Denied::unauthenticated("the token is not valid yet")),
        Some(None) => Err(Denied::unauthenticated("the token's `nbf` is no time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(issuer: &str) -> Settings {
        let [issuer, audience, role_claim] = [issuer, "roster", "roles"].map(str::to_owned);
        Settings { issuer, audience, role_claim, roles: Vec::new(), jwks_url: None }
    }

    #[test]
    fn an_issuer_is_asked_where_nobody_in_between_can_answer() {
        for url in [
            "https://login.corp.example",
            "https://login.corp.example/realms/a",
            "http://127.0.0.1:9/",
            "http://[::1]",
            "http://localhost",
        ] {
            assert!(Issuer::new(settings(url)).is_ok(), "{url}");
        }
        for url in ["http://login.corp.example", "ftp://127.0.0.1", "login.corp.example", "", "file:///etc/passwd"] {
            let error = Issuer::new(settings(url)).unwrap_err().to_string();
            let says =
                format!("ROSTER_OIDC_ISSUER: `{url}` has to be an https:// address, or an http:// one of this machine");
            assert_eq!(error, says);
        }
        let jwks_url = Some("http://keys.corp.example".to_owned());
        let error = Issuer::new(Settings { jwks_url, ..settings("https://a.example") }).unwrap_err();
        assert!(error.to_string().starts_with("ROSTER_OIDC_JWKS_URL: "));
    }
}
