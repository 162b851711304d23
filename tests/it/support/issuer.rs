//! An OIDC issuer: a server with a configuration and keys, that signs whatever it is asked to.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use serde_json::{Value as Json, json};

/// A key that signs.
pub(crate) enum Signer {
    Rs256(RsaKeyPair),
    Ps256(RsaKeyPair),
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// Two RSA keys, which take a while to make. `openssl` makes them, as ring does not.
static RSA: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    [(); 2].map(|()| {
        let made = Command::new("openssl")
            .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let pem = String::from_utf8(made.stdout).unwrap();
        let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        STANDARD.decode(text).unwrap()
    })
});

impl Signer {
    /// One of two RSA keys.
    pub(crate) fn rs256(which: usize) -> Self {
        Self::Rs256(RsaKeyPair::from_pkcs8(&RSA[which]).unwrap())
    }

    pub(crate) fn ps256(which: usize) -> Self {
        Self::Ps256(RsaKeyPair::from_pkcs8(&RSA[which]).unwrap())
    }

    pub(crate) fn es256() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::Es256(EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap())
    }

    pub(crate) fn ed_dsa() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::EdDsa(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    /// The public half, as a set of keys has it.
    pub(crate) fn jwk(&self, kid: &str) -> Json {
        let mut jwk = match self {
            Self::Rs256(pair) | Self::Ps256(pair) => {
                let PublicKeyComponents::<Vec<u8>> { n, e } = pair.public().into();
                json!({ "kty": "RSA", "n": encode(&n), "e": encode(&e) })
            }
            Self::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y) })
            }
            Self::EdDsa(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) }),
        };
        (jwk["kid"], jwk["use"], jwk["alg"]) = (kid.into(), "sig".into(), self.algorithm().into());
        jwk
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Self::Rs256(_) => "RS256",
            Self::Ps256(_) => "PS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rs256(pair) | Self::Ps256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let how: &dyn ring::signature::RsaEncoding =
                    if matches!(self, Self::Rs256(_)) { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
                pair.sign(how, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Es256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token of these claims, with the header that belongs to it.
    pub(crate) fn token(&self, kid: &str, claims: &Json) -> String {
        self.token_with(&json!({ "alg": self.algorithm(), "typ": "JWT", "kid": kid }), &claims.to_string())
    }

    /// A token of this header and these claims, whatever they are.
    pub(crate) fn token_with(&self, header: &Json, claims: &str) -> String {
        let message = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.as_bytes()));
        let signature = encode(&self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

/// Base64 as tokens have it.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// An issuer that can be reached until the test ends.
#[derive(Clone)]
pub(crate) struct Issuer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    keys: Vec<Json>,
    is_away: bool,
    is_silent: bool,
    /// How much there is around the keys, in bytes.
    padding: usize,
    /// How often its keys have been asked for.
    asked: usize,
    /// Those who wait for an answer.
    silenced: Vec<TcpStream>,
}

impl Issuer {
    /// One with these keys.
    pub(crate) fn new(keys: Vec<Json>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { keys, is_away: false, is_silent: false, padding: 0, asked: 0, silenced: Vec::new() };
        let issuer = Self { address, state: Arc::new(Mutex::new(state)) };
        let answering = issuer.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                answering.answer(stream);
            }
        });
        issuer
    }

    /// Answers one request. Who asked may be gone by then.
    fn answer(&self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let mut state = self.state.lock().unwrap();
        let (status, body) = if head.starts_with("GET /realm/.well-known/openid-configuration ") {
            (200, json!({ "issuer": self.url(), "jwks_uri": format!("http://{}/keys", self.address) }))
        } else {
            assert!(head.starts_with("GET /keys "), "{head}");
            state.asked += 1;
            (200, json!({ "keys": state.keys, "padding": "x".repeat(state.padding) }))
        };
        let status = if state.is_away { 503 } else { status };
        if state.is_silent {
            state.silenced.push(stream);
            return;
        }
        drop(state);
        let body = body.to_string();
        let reply = format!(
            "HTTP/1.1 {status} As told\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(reply.as_bytes());
    }

    /// What it is called, and where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/realm", self.address)
    }

    /// Has these keys from now on.
    pub(crate) fn has(&self, keys: Vec<Json>) {
        self.state.lock().unwrap().keys = keys;
    }

    /// Answers nothing from now on, or something again.
    pub(crate) fn is_away(&self, is_away: bool) {
        self.state.lock().unwrap().is_away = is_away;
    }

    /// Takes requests and says nothing to them from now on.
    pub(crate) fn is_silent(&self) {
        self.state.lock().unwrap().is_silent = true;
    }

    /// Says so much more than its keys from now on.
    pub(crate) fn pads(&self, bytes: usize) {
        self.state.lock().unwrap().padding = bytes;
    }

    /// How often its keys have been asked for.
    pub(crate) fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }

    /// The settings of a server that trusts it.
    pub(crate) fn settings(&self) -> Vec<String> {
        ["--oidc-issuer", &self.url(), "--oidc-audience", "roster"].map(str::to_owned).to_vec()
    }
}
