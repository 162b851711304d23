//! Tokens that an issuer has signed: whom they let in, and the forged ones that let in nobody.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use roster::directory::Directory;
use serde_json::{Value as Json, json};

use crate::support::{Home, Issuer, Server, Signer, Site, encode, in_each_home, on_both, on_each, on_sqlite};

const ME: &str = "{ directory { version } }";

/// Claims that let Ann in as an EDITOR, for an hour.
fn claims(site: &Directory, issuer: &Issuer) -> Json {
    let now = site.now().timestamp();
    json!({ "iss": issuer.url(), "aud": "roster", "sub": "ann", "exp": now + 3_600, "iat": now, "roles": "editor" })
}

/// The same, with other values; null takes a claim out.
fn claims_but(site: &Directory, issuer: &Issuer, others: Json) -> Json {
    let mut claims = claims(site, issuer);
    for (name, value) in others.as_object().unwrap() {
        claims.as_object_mut().unwrap().retain(|known, _| known != name);
        if !value.is_null() {
            claims[name] = value.clone();
        }
    }
    claims
}

fn server(site: &Directory, issuer: &Issuer, settings: &[&str]) -> Server {
    let trusting = issuer.settings();
    Server::with_tokens(site, &trusting.iter().map(String::as_str).chain(settings.iter().copied()).collect::<Vec<_>>())
}

/// The status and, of a refusal, code and message, of an operation with this token.
async fn ask(server: &mut Server, token: &str) -> (u16, String) {
    server.set_token(Some(token));
    let reply = server.execute(ME, json!({}), None).await;
    let error = &reply.json()["errors"][0];
    let code = error["extensions"]["code"].as_str().unwrap_or_default();
    (reply.status.as_u16(), format!("{code} {}", error["message"].as_str().unwrap_or_default()).trim().to_owned())
}

const LET_IN: (u16, String) = (200, String::new());

#[test]
fn a_token_signed_by_the_issuer_lets_in_whom_it_names_in_the_role_that_it_gives() {
    on_both(async |site: &Site| {
        let signers = [Signer::rs256(0), Signer::ps256(1), Signer::es256(), Signer::ed_dsa()];
        let issuer = Issuer::new(signers.iter().map(|signer| signer.jwk(signer.algorithm())).collect());
        let mut server = server(site, &issuer, &[]);
        for signer in &signers {
            let token = signer.token(signer.algorithm(), &claims(site, &issuer));
            assert_eq!(ask(&mut server, &token).await, LET_IN, "{}", signer.algorithm());
        }
        assert_eq!(issuer.asked(), 1);
        let signer = &signers[2];
        let name = json!({ "email": "ann@corp.example", "email_verified": true, "aud": ["other", "roster"] });
        let access = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "ES256" });
        let token = signer.token_with(&access, &claims_but(site, &issuer, name).to_string());
        server.set_token(Some(&token));
        let create = "mutation { createUser(input: {name: \"Ben\", email: \"ben@corp.example\"}) { version } }";
        assert_eq!(server.execute(create, json!({}), None).await.json().get("errors"), None);
        let log = "{ changesets(first: 1) { edges { node { actor } } } }";
        let log = server.execute(log, json!({}), None).await.json();
        assert_eq!(log["data"]["changesets"]["edges"][0]["node"]["actor"], "ann@corp.example");
        let refused = server.execute("{ tokens { totalCount } }", json!({}), None).await.json();
        assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN", "an EDITOR");
        let admin = claims_but(site, &issuer, json!({ "roles": ["reader", "ADMIN"] }));
        server.set_token(Some(&signer.token("ES256", &admin)));
        let told = server.execute("{ tokens { totalCount } }", json!({}), None).await.json();
        assert_eq!(told["data"]["tokens"]["totalCount"], 0);
    });
}

#[test]
fn a_role_is_what_the_settings_make_of_the_claim() {
    on_sqlite(async |site: &Site| {
        let signer = Signer::ed_dsa();
        let issuer = Issuer::new(vec![signer.jwk("a")]);
        let settings = ["--oidc-role-claim", "realm_access.roles", "--oidc-role", "staff=READER, ops = admin"];
        let mut server = server(site, &issuer, &settings);
        let token = |others: Json| signer.token("a", &claims_but(site, &issuer, others));
        let with = |roles: Json| token(json!({ "realm_access": { "roles": roles } }));
        assert_eq!(ask(&mut server, &with(json!(["staff"]))).await, LET_IN);
        let message = "FORBIDDEN the token gives no role: its claim `realm_access.roles` has none that is known here";
        for refused in [token(json!({})), with(json!([])), with(json!("ADMIN")), with(json!({ "ops": true }))] {
            assert_eq!(ask(&mut server, &refused).await, (403, message.to_owned()));
        }
        server.set_token(Some(&with(json!("ops"))));
        let told = server.execute("{ tokens { totalCount } }", json!({}), None).await.json();
        assert_eq!(told["data"]["tokens"]["totalCount"], 0, "{told}");
    });
}

/// Tokens that somebody has forged, or that were not made for this server, each with what is wrong with it.
fn forged(
    site: &Directory,
    issuer: &Issuer,
    (ours, theirs): (&Signer, &Signer),
    rsa: &Signer,
) -> Vec<(&'static str, String)> {
    let now = site.now().timestamp();
    let good = claims(site, issuer).to_string();
    let header = |others: Json| {
        let mut header = json!({ "alg": "ES256", "typ": "JWT", "kid": "ec" });
        header.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
        header
    };
    let but = |others: Json| ours.token("ec", &claims_but(site, issuer, others));
    let unsigned = |header: Json, signature: &[u8]| {
        format!("{}.{}.{}", encode(header.to_string().as_bytes()), encode(good.as_bytes()), encode(signature))
    };
    let hmac = |key: &[u8], kid: &str| {
        let header = json!({ "alg": "HS256", "typ": "JWT", "kid": kid });
        let message = format!("{}.{}", encode(header.to_string().as_bytes()), encode(good.as_bytes()));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
        format!("{message}.{}", encode(ring::hmac::sign(&key, message.as_bytes()).as_ref()))
    };
    let whole = ours.token("ec", &claims(site, issuer));
    let [head, body, signature] = whole.split('.').collect::<Vec<_>>().try_into().unwrap();
    let modulus = rsa.jwk("rsa")["n"].as_str().unwrap().to_owned();
    let twice = good.replacen('{', "{\"sub\":\"root\",", 1);
    let admin = claims_but(site, issuer, json!({ "roles": "admin" })).to_string();
    vec![
        ("no algorithm", unsigned(header(json!({ "alg": "none" })), b"")),
        ("no algorithm, in capitals", unsigned(header(json!({ "alg": "NONE" })), b"")),
        (
            "no algorithm, with a signature",
            format!("{}.{body}.{signature}", encode(b"{\"alg\":\"none\",\"kid\":\"ec\"}")),
        ),
        ("HS256 with the RSA key", hmac(modulus.as_bytes(), "rsa")),
        ("HS256 with the RSA key as JSON", hmac(rsa.jwk("rsa").to_string().as_bytes(), "rsa")),
        ("HS256 with nothing", hmac(b"", "ec")),
        ("an unknown key", theirs.token("theirs", &claims(site, issuer))),
        ("another key under a known id", theirs.token("ec", &claims(site, issuer))),
        ("no key", ours.token_with(&json!({ "alg": "ES256" }), &good)),
        ("an empty key id", ours.token_with(&header(json!({ "kid": "" })), &good)),
        ("a key id that is a path", ours.token_with(&header(json!({ "kid": "../../etc/passwd" })), &good)),
        ("`jku`", theirs.token_with(&header(json!({ "jku": format!("{}/theirs", issuer.url()) })), &good)),
        ("`x5u`", theirs.token_with(&header(json!({ "x5u": format!("{}/theirs", issuer.url()) })), &good)),
        ("`jwk`", theirs.token_with(&header(json!({ "jwk": theirs.jwk("ec") })), &good)),
        ("`x5c`", theirs.token_with(&header(json!({ "x5c": ["AQAB"] })), &good)),
        ("`crit`", ours.token_with(&header(json!({ "crit": ["exp"] })), &good)),
        ("another algorithm of the key's kind", rsa.token_with(&json!({ "alg": "PS256", "kid": "rsa" }), &good)),
        ("the algorithm of another key", ours.token_with(&header(json!({ "alg": "RS256" })), &good)),
        ("a signature of nothing but zeros", unsigned(header(json!({})), &[0; 64])),
        ("an empty signature", format!("{head}.{body}.")),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{whole}.{signature}")),
        ("changed claims", format!("{head}.{}.{signature}", encode(admin.as_bytes()))),
        (
            "a changed header",
            format!("{}.{body}.{signature}", encode(header(json!({ "typ": "at+jwt" })).to_string().as_bytes())),
        ),
        ("expired", but(json!({ "exp": now - 61 }))),
        ("no end", but(json!({ "exp": null }))),
        ("an end that is text", but(json!({ "exp": (now + 3_600).to_string() }))),
        ("not yet", but(json!({ "nbf": now + 120 }))),
        ("a beginning that is text", but(json!({ "nbf": "yesterday" }))),
        ("another issuer", but(json!({ "iss": "https://login.evil.example" }))),
        ("no issuer", but(json!({ "iss": null }))),
        ("an issuer that is one only at first sight", but(json!({ "iss": format!("{}/", issuer.url()) }))),
        ("another audience", but(json!({ "aud": "grafana" }))),
        ("no audience", but(json!({ "aud": null }))),
        ("nobody", but(json!({ "sub": null }))),
        ("nobody that can be named", but(json!({ "sub": "a\nb" }))),
        ("another type", ours.token_with(&header(json!({ "typ": "dpop+jwt" })), &good)),
        ("a claim twice", ours.token_with(&header(json!({})), &twice)),
        ("claims that are a list", ours.token_with(&header(json!({})), "[]")),
        ("100 KB", but(json!({ "more": "x".repeat(100_000) }))),
        ("longer than 8 KiB", but(json!({ "more": "x".repeat(8 << 10) }))),
        ("encrypted", ours.token_with(&json!({ "alg": "RSA-OAEP", "enc": "A256GCM", "kid": "rsa" }), &good)),
        ("a token of this server that is none", format!("rst_{}", "0".repeat(36))),
    ]
}

#[test]
fn no_forged_token_lets_anybody_in() {
    on_each(async |site: &Site| {
        let (ours, theirs, rsa) = (Signer::es256(), Signer::es256(), Signer::rs256(0));
        let issuer = Issuer::new(vec![ours.jwk("ec"), rsa.jwk("rsa")]);
        let forged = forged(site, &issuer, (&ours, &theirs), &rsa);
        assert!(forged.len() >= 30);
        for (what, token) in forged {
            // Each at a server of its own, since a few of them would be enough to be shut out.
            let mut server = server(site, &issuer, &[]);
            assert_eq!(ask(&mut server, &ours.token("ec", &claims(site, &issuer))).await, LET_IN);
            let (status, why) = ask(&mut server, &token).await;
            // A header that is longer than a request's may be never comes so far.
            assert!(status == 401 && why.starts_with("UNAUTHENTICATED "), "{what}: {status} {why}");
            let words = why.to_lowercase();
            assert!(
                !words.contains("json error") && !words.contains("base64") && !words.contains("line 1"),
                "{what}: {why}"
            );
        }
    });
}

#[test]
fn clocks_may_differ_by_a_minute_and_no_more() {
    on_sqlite(async |site: &Site| {
        let signer = Signer::ed_dsa();
        let issuer = Issuer::new(vec![signer.jwk("a")]);
        let mut server = server(site, &issuer, &[]);
        let now = site.now().timestamp();
        for (others, status) in [
            (json!({ "exp": now - 58 }), 200),
            (json!({ "exp": now - 62 }), 401),
            (json!({ "nbf": now + 58 }), 200),
            (json!({ "nbf": now + 62 }), 401),
            (json!({ "exp": now as f64 + 0.5 }), 200),
        ] {
            let token = signer.token("a", &claims_but(site, &issuer, others.clone()));
            assert_eq!(ask(&mut server, &token).await.0, status, "{others}");
        }
    });
}

#[test]
fn a_new_key_is_found_and_nobody_makes_the_issuer_be_asked_more_than_twice_a_minute() {
    on_sqlite(async |site: &Site| {
        let (first, second) = (Signer::es256(), Signer::ed_dsa());
        let issuer = Issuer::new(vec![first.jwk("first")]);
        let mut server = server(site, &issuer, &[]);
        let (old, new) = (first.token("first", &claims(site, &issuer)), second.token("second", &claims(site, &issuer)));
        assert_eq!((ask(&mut server, &old).await, issuer.asked()), (LET_IN, 1));
        issuer.has(vec![first.jwk("first"), second.jwk("second")]);
        let unknown = "UNAUTHENTICATED the token is signed with a key that is none of its issuer's";
        assert_eq!(ask(&mut server, &new).await, (401, unknown.to_owned()), "it has just been asked");
        for number in 0..15 {
            let token = second.token(&format!("made up {number}"), &claims(site, &issuer));
            assert_eq!(ask(&mut server, &token).await.0, 401);
        }
        assert_eq!(issuer.asked(), 1);
        site.pass(TimeDelta::seconds(31));
        assert_eq!((ask(&mut server, &new).await, issuer.asked()), (LET_IN, 2));
        assert_eq!(ask(&mut server, &old).await, LET_IN);
        // A key that the issuer takes back works no longer once the keys are read again.
        issuer.has(vec![second.jwk("second")]);
        site.pass(TimeDelta::minutes(6));
        while issuer.asked() < 3 {
            assert_eq!(ask(&mut server, &new).await, LET_IN, "nobody waits for what is read beside");
        }
        site.pass(TimeDelta::seconds(31));
        while ask(&mut server, &old).await.0 == 200 {
            assert!(issuer.asked() <= 4);
        }
    });
}

#[test]
fn while_the_issuer_is_away_its_keys_do_for_an_hour() {
    on_sqlite(async |site: &Site| {
        let signer = Signer::es256();
        let issuer = Issuer::new(vec![signer.jwk("a")]);
        issuer.is_away(true);
        let token = || signer.token("a", &claims(site, &issuer));
        let mut server = server(site, &issuer, &[]);
        let away = (503, "UNAVAILABLE the issuer's keys cannot be read now; try again".to_owned());
        assert_eq!(ask(&mut server, &token()).await, away);
        issuer.is_away(false);
        assert_eq!(ask(&mut server, &token()).await, away, "it has just been asked");
        site.pass(TimeDelta::seconds(31));
        assert_eq!(ask(&mut server, &token()).await, LET_IN);
        issuer.is_away(true);
        for _ in 0..11 {
            site.pass(TimeDelta::minutes(5));
            assert_eq!(ask(&mut server, &token()).await, LET_IN);
        }
        site.pass(TimeDelta::minutes(6));
        assert_eq!(ask(&mut server, &token()).await, away);
        issuer.is_away(false);
        issuer.pads(1 << 20);
        site.pass(TimeDelta::seconds(31));
        assert_eq!(ask(&mut server, &token()).await, away, "an answer of more than a MiB is none");
        issuer.pads(0);
        site.pass(TimeDelta::seconds(31));
        assert_eq!(ask(&mut server, &token()).await, LET_IN);
    });
}

#[test]
fn nobody_waits_long_for_an_issuer_that_says_nothing() {
    on_sqlite(async |site: &Site| {
        let (known, unknown) = (Signer::es256(), Signer::ed_dsa());
        let issuer = Issuer::new(vec![known.jwk("a")]);
        let mut server = server(site, &issuer, &[]);
        let good = known.token("a", &claims(site, &issuer));
        assert_eq!(ask(&mut server, &good).await, LET_IN);
        issuer.is_silent();
        site.pass(TimeDelta::seconds(31));
        let away = (503, "UNAVAILABLE the issuer's keys cannot be read now; try again".to_owned());
        let mut waits = Vec::new();
        for number in 0..5 {
            let forged = unknown.token(&format!("made up {number}"), &claims(site, &issuer));
            let begun = Instant::now();
            assert_eq!(ask(&mut server, &forged).await, away);
            waits.push(begun.elapsed());
        }
        assert!(waits[0] < Duration::from_secs(4), "{waits:?}");
        assert!(waits[1..].iter().all(|wait| *wait < Duration::from_secs(1)), "{waits:?}");
        assert_eq!(ask(&mut server, &good).await, LET_IN, "whose key is known waits for nothing");
        assert_eq!(issuer.asked(), 1, "the configuration was asked for, and nothing more");
    });
}

#[test]
fn a_server_that_trusts_an_issuer_shows_no_first_token_and_lets_its_people_in() {
    in_each_home(|home| {
        let signer = Signer::ps256(1);
        let issuer = Issuer::new(vec![signer.jwk("a")]);
        let mut served = home.serve_with_tokens_and(&issuer.settings());
        assert_eq!(served.token(), None);
        let exp = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).timestamp() + 600;
        let claims = json!({ "iss": issuer.url(), "aud": "roster", "sub": "ann", "exp": exp, "roles": ["ADMIN"] });
        served.set_token(Some(&signer.token("a", &claims)));
        let create = "mutation { createToken(input: {name: \"ci\", role: ADMIN}) { token { id createdBy } } }";
        let made = served.ask(create, Json::Null)["createToken"]["token"].take();
        assert_eq!(made["createdBy"], "ann");
        let revoke = "mutation($id: ID!) { revokeToken(input: {id: $id}) { token { revokedBy } } }";
        let revoked = served.ask(revoke, json!({ "id": made["id"] }));
        assert_eq!(
            revoked["revokeToken"]["token"]["revokedBy"], "ann",
            "the last one, since people can sign in otherwise"
        );
        let issuer = ["--oidc-issuer", "http://login.corp.example", "--oidc-audience", "roster"];
        for (settings, says) in [
            (
                issuer.to_vec(),
                "ROSTER_OIDC_ISSUER: `http://login.corp.example` has to be an https:// address, or an http:// one of this machine",
            ),
            (
                [issuer.as_slice(), &["--oidc-role", "staff"]].concat(),
                "ROSTER_OIDC_ROLE: `staff` has to be NAME=ROLE, with RESOLVER, READER, EDITOR or ADMIN",
            ),
        ] {
            let ended = home.run(&[&["serve", "--listen", "127.0.0.1:0"], settings.as_slice()].concat());
            assert_eq!((ended.code, ended.error.lines().last()), (Some(2), Some(format!("roster: {says}").as_str())));
        }
    });
}

#[test]
fn an_issuer_without_an_audience_is_refused_at_the_start() {
    let ended = Home::new().run(&["serve", "--oidc-issuer", "https://login.corp.example"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.error.contains("--oidc-audience <NAME>"), "{}", ended.error);
}
