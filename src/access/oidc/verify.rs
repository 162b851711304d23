//! Signatures: what verifies them for the library that reads tokens. It is ring, which TLS and sealed credentials use, too:
//! what the library brings itself would be a second implementation of the same, in one case with the crate `rsa` and its
//! RUSTSEC-2023-0071.

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use signature::Verifier;

/// Has the library verify with ring from now on.
pub(super) fn install() {
    static RING: CryptoProvider = CryptoProvider {
        signer_factory: |_: &Algorithm, _: &EncodingKey| -> Result<Box<dyn JwtSigner>> {
            Err(ErrorKind::UnsupportedAlgorithm.into())
        },
        verifier_factory: |algorithm, key| {
            Ok(Box::new(Ring { how: how(*algorithm)?, algorithm: *algorithm, key: key.clone() }))
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    // It is installed once a process, whoever comes first.
    let _ = RING.install_default();
}

/// How signatures of an algorithm are verified.
#[derive(Clone, Copy)]
enum How {
    Rsa(&'static RsaParameters),
    Point(&'static dyn VerificationAlgorithm),
}

fn how(algorithm: Algorithm) -> Result<How> {
    match algorithm {
        Algorithm::RS256 => Ok(How::Rsa(&RSA_PKCS1_2048_8192_SHA256)),
        Algorithm::PS256 => Ok(How::Rsa(&RSA_PSS_2048_8192_SHA256)),
        Algorithm::ES256 => Ok(How::Point(&ECDSA_P256_SHA256_FIXED)),
        Algorithm::EdDSA => Ok(How::Point(&ED25519)),
        _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
    }
}

/// Verifies with one key by one algorithm.
struct Ring {
    how: How,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl Verifier<Vec<u8>> for Ring {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        let verified = match (self.how, self.key.kind()) {
            (How::Rsa(parameters), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                // Some issuers write numbers with a zero before them, which ring does not take.
                let [n, e] = [n, e].map(|number| &number[number.iter().take_while(|byte| **byte == 0).count()..]);
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            (How::Point(algorithm), DecodingKeyKind::SecretOrDer(point)) => {
                UnparsedPublicKey::new(algorithm, point).verify(message, signature)
            }
            _ => Err(ring::error::Unspecified),
        };
        verified.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Ring {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
