//! The issuer's keys: read when they are needed, and again when the issuer has others.
//!
//! While the issuer is away, the keys that it last had do for an hour. Nobody makes it be asked more often than every half
//! minute, whatever keys tokens name, and nobody waits long for what it says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value as Json;
use tokio::time::Instant;
use url::Url;

use crate::access::Denied;
use crate::connector::{Client, Policy};

/// How often the issuer is asked at most.
const PAUSE: TimeDelta = TimeDelta::seconds(30);
/// How old keys are when they are read again beside what they are needed for.
const FRESH: TimeDelta = TimeDelta::minutes(5);
/// How old keys may be while the issuer is away.
const KEPT: TimeDelta = TimeDelta::hours(1);
/// How long a request waits for the issuer, counted from when it was asked.
const WAIT: Duration = Duration::from_secs(2);
/// The largest reply, in bytes.
const LARGEST: usize = 1 << 20;
/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most keys that are taken of an issuer.
const MOST: usize = 100;

/// One of the issuer's keys, and how it signs.
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// The keys of an issuer.
pub(super) struct Keys(Arc<Inner>);

struct Inner {
    source: Source,
    client: Client,
    known: Mutex<Known>,
    /// Held while the issuer is asked.
    asking: Arc<tokio::sync::Mutex<()>>,
}

/// Where keys are.
enum Source {
    /// There.
    At(Url),
    /// Where the configuration at this address says, which has to be that of this issuer.
    Told(Url, String),
}

/// What is known of them.
#[derive(Clone, Default)]
struct Known {
    keys: Arc<HashMap<String, Arc<Key>>>,
    read_at: Option<DateTime<Utc>>,
    tried_at: Option<DateTime<Utc>>,
    /// Until when requests wait for what the issuer says.
    awaited_until: Option<Instant>,
}

impl Known {
    /// A key that may still be used.
    fn find(&self, kid: &str, now: DateTime<Utc>) -> Option<Arc<Key>> {
        self.keys.get(kid).filter(|_| self.is_within(KEPT, now)).cloned()
    }

    fn is_within(&self, time: TimeDelta, now: DateTime<Utc>) -> bool {
        self.read_at.is_some_and(|at| now - at < time)
    }

    /// Whether they are what the issuer said when it was last asked.
    fn is_told(&self) -> bool {
        self.read_at.is_some() && self.read_at == self.tried_at
    }

    /// Whether the issuer may be asked now. A clock that was put back does not forbid it for long.
    fn may_ask(&self, now: DateTime<Utc>) -> bool {
        self.tried_at.is_none_or(|at| now < at || now - at >= PAUSE)
    }
}

impl Keys {
    /// Those of the issuer of this name and address, at `jwks` if that is set.
    pub(super) fn new(name: &str, issuer: &Url, jwks: Option<Url>) -> Self {
        let hosts = [Some(issuer), jwks.as_ref()].into_iter().flatten();
        // Whoever sets an issuer means it, wherever it is.
        let allowed_hosts = hosts.filter_map(|url| url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned()));
        let policy = Policy {
            allowed_hosts: allowed_hosts.collect(),
            request_timeout: PATIENCE,
            max_reply: LARGEST,
            ..Policy::default()
        };
        let source = jwks.map_or_else(
            || {
                let mut configuration = issuer.clone();
                configuration
                    .set_path(&format!("{}/.well-known/openid-configuration", issuer.path().trim_end_matches('/')));
                Source::Told(configuration, name.to_owned())
            },
            Source::At,
        );
        let (client, known, asking) = (Client::new(policy), Mutex::default(), Arc::default());
        Self(Arc::new(Inner { source, client, known, asking }))
    }

    /// The key of this id.
    ///
    /// # Errors
    /// `Unauthenticated` where the issuer has no such key, `Unavailable` where that cannot be found out.
    pub(super) async fn find(&self, kid: &str, now: DateTime<Utc>) -> Result<Arc<Key>, Denied> {
        let known = self.0.known();
        if let Some(key) = known.find(kid, now) {
            if !known.is_within(FRESH, now) {
                self.0.ask(now);
            }
            return Ok(key);
        }
        if let Some(until) = self.0.ask(now) {
            // What is not there by then comes too late for this request.
            let _ = tokio::time::timeout_at(until, self.0.asking.lock()).await;
        }
        let known = self.0.known();
        known.find(kid, now).ok_or_else(|| {
            if known.is_told() && known.is_within(KEPT, now) {
                Denied::unauthenticated("the token is signed with a key that is none of its issuer's")
            } else {
                Denied::Unavailable("the issuer's keys cannot be read now; try again".to_owned())
            }
        })
    }
}

impl Inner {
    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins to ask the issuer, unless that has just been done. Gives until when to wait for what it says.
    fn ask(self: &Arc<Self>, now: DateTime<Utc>) -> Option<Instant> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.may_ask(now)
            && let Ok(asking) = self.asking.clone().try_lock_owned()
        {
            (known.tried_at, known.awaited_until) = (Some(now), Some(Instant::now() + WAIT));
            let inner = self.clone();
            tokio::spawn(async move {
                match inner.read().await {
                    Ok(keys) => {
                        let mut known = inner.known.lock().unwrap_or_else(PoisonError::into_inner);
                        (known.keys, known.read_at) = (Arc::new(keys), Some(now));
                    }
                    Err(error) => tracing::warn!(error, "the keys of the OIDC issuer cannot be read"),
                }
                drop(asking);
            });
        }
        known.awaited_until
    }

    async fn read(&self) -> Result<HashMap<String, Arc<Key>>, String> {
        #[derive(Deserialize)]
        struct Configuration {
            issuer: String,
            jwks_uri: String,
        }
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Json>,
        }
        let url = match &self.source {
            Source::At(url) => url.clone(),
            Source::Told(url, name) => {
                let told: Configuration = self.get(url).await?;
                if told.issuer != *name {
                    return Err(format!("{url} is the configuration of another issuer, `{}`", told.issuer));
                }
                Url::parse(&told.jwks_uri).map_err(|error| format!("{url}: `jwks_uri`: {error}"))?
            }
        };
        let set: Set = self.get(&url).await?;
        // A key that cannot be used is no reason to refuse the others.
        let keys = set.keys.into_iter().filter_map(|key| read_key(key).map(|(kid, key)| (kid, Arc::new(key))));
        Ok(keys.take(MOST).collect())
    }

    async fn get<T: for<'a> Deserialize<'a>>(&self, url: &Url) -> Result<T, String> {
        let body = self.client.get(url).await.map_err(|error| format!("{url}: {}", error.message()))?;
        serde_json::from_slice(&body).map_err(|error| format!("{url}: {error}"))
    }
}

/// A key with its id, if tokens may be signed with it.
fn read_key(json: Json) -> Option<(String, Key)> {
    let jwk: Jwk = serde_json::from_value(json).ok()?;
    let may_sign = jwk.common.public_key_use.as_ref().is_none_or(|for_| *for_ == PublicKeyUse::Signature);
    let verifies = jwk.common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    let algorithm = match (&jwk.algorithm, jwk.common.key_algorithm) {
        (AlgorithmParameters::RSA(_), None | Some(KeyAlgorithm::RS256)) => Algorithm::RS256,
        (AlgorithmParameters::RSA(_), Some(KeyAlgorithm::PS256)) => Algorithm::PS256,
        (AlgorithmParameters::EllipticCurve(point), None | Some(KeyAlgorithm::ES256))
            if point.curve == EllipticCurve::P256 =>
        {
            Algorithm::ES256
        }
        (AlgorithmParameters::OctetKeyPair(point), None | Some(KeyAlgorithm::EdDSA))
            if point.curve == EllipticCurve::Ed25519 =>
        {
            Algorithm::EdDSA
        }
        _ => return None,
    };
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    (may_sign && verifies).then_some((jwk.common.key_id?, Key { algorithm, key }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_that_tokens_cannot_be_signed_with_are_passed_over() {
        let rsa = json!({ "kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB" });
        let with = |name: &str, value: Json| {
            let mut key = rsa.clone();
            key[name] = value;
            read_key(key).map(|(_, key)| key.algorithm)
        };
        let point = |r#type: &str, curve: &str| {
            let key = json!({ "kty": r#type, "crv": curve, "kid": "a", "x": "AQAB", "y": "AQAB" });
            read_key(key).map(|(_, key)| key.algorithm)
        };
        assert_eq!(with("alg", json!("RS256")), Some(Algorithm::RS256));
        assert_eq!(with("use", json!("sig")), Some(Algorithm::RS256), "without `alg`");
        assert_eq!(with("alg", json!("PS256")), Some(Algorithm::PS256));
        assert_eq!(with("key_ops", json!(["verify"])), Some(Algorithm::RS256));
        assert_eq!([point("EC", "P-256"), point("OKP", "Ed25519")], [Some(Algorithm::ES256), Some(Algorithm::EdDSA)]);
        for (name, value) in [
            ("alg", json!("RS512")),
            ("alg", json!("HS256")),
            ("alg", json!("RSA-OAEP")),
            ("use", json!("enc")),
            ("key_ops", json!(["encrypt"])),
            ("kid", Json::Null),
            ("kty", json!("oct")),
            ("kty", json!("none")),
        ] {
            assert_eq!(with(name, value.clone()), None, "{name}: {value}");
        }
        assert_eq!([point("EC", "P-384"), point("OKP", "X25519"), point("EC", "Ed25519")], [None; 3]);
        assert!(read_key(json!({ "kty": "oct", "kid": "a", "k": "AQAB" })).is_none());
    }
}
