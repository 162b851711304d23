//! TLS. The certificate that the server shows, read again when its files change.
//!
//! What does not live here: connections (`server`).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::server::Error;
use crate::config::Http;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// The server's certificate and key.
pub(super) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: Mutex<Current>,
}

struct Current {
    acceptor: TlsAcceptor,
    /// When the files were written that it was read from.
    written: [Option<SystemTime>; 2],
    looked: Instant,
}

impl Tls {
    /// As the settings say; none where they name no certificate.
    ///
    /// # Errors
    /// One that names the setting at fault.
    pub(super) fn open(settings: &Http) -> Result<Option<Self>, Error> {
        let (Some(certificate), Some(key)) = (settings.tls_certificate.clone(), settings.tls_key.clone()) else {
            return Ok(None);
        };
        let written = written(&certificate, &key);
        let acceptor = read(&certificate, &key)?;
        let current = Mutex::new(Current { acceptor, written, looked: Instant::now() });
        Ok(Some(Self { certificate, key, current }))
    }

    /// What a new connection is to be accepted by. A certificate that was renewed is read; one that cannot be read leaves
    /// the one before it.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= LOOK {
            current.looked = Instant::now();
            let written = written(&self.certificate, &self.key);
            if written != current.written {
                match read(&self.certificate, &self.key) {
                    Ok(acceptor) => {
                        tracing::info!("took a renewed certificate");
                        (current.acceptor, current.written) = (acceptor, written);
                    }
                    Err(error) => {
                        tracing::error!(%error, "cannot take the renewed certificate; the one before it stays");
                    }
                }
            }
        }
        current.acceptor.clone()
    }
}

fn written(certificate: &Path, key: &Path) -> [Option<SystemTime>; 2] {
    [certificate, key].map(|file| std::fs::metadata(file).and_then(|about| about.modified()).ok())
}

fn read(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Error> {
    let wrong = |setting, file: &Path, why: String| Error::setting(setting, format!("{}: {why}", file.display()));
    let of_certificate = |why: String| wrong("ROSTER_TLS_CERTIFICATE", certificate, why);
    let of_key = |why: String| wrong("ROSTER_TLS_KEY", key, why);
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| of_certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(of_certificate("there is no certificate in it; it has to be PEM, the server's first".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| of_key(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| of_certificate(error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| of_key(format!("it does not go with the certificate: {error}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::http::tests::edge::{certify, flags};

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        http: Http,
    }

    #[test]
    fn a_renewed_certificate_is_taken_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        certify(folder.path());
        let flags = flags(folder.path());
        let http = Flags::parse_from(std::iter::once("toy").chain(flags.split_whitespace())).http;
        let tls = Tls::open(&http).unwrap_or_else(|error| panic!("{error}")).unwrap();
        let shown = || {
            tls.current.lock().unwrap().looked = Instant::now().checked_sub(LOOK).unwrap();
            Arc::as_ptr(tls.acceptor().config())
        };
        let first = shown();
        assert_eq!(shown(), first, "nothing has changed");
        let renew = |write: &dyn Fn()| {
            write();
            // However coarse the file system's clock is.
            let file = std::fs::File::open(folder.path().join("certificate.pem")).unwrap();
            file.set_modified(SystemTime::now() + Duration::from_hours(1)).unwrap();
        };
        renew(&|| std::fs::write(folder.path().join("certificate.pem"), "broken").unwrap());
        assert_eq!(shown(), first);
        renew(&|| drop(certify(folder.path())));
        assert_ne!(shown(), first);
    }
}
