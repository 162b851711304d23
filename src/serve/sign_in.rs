//! Who is let in: tokens of the directory and of an issuer, and the first token of a directory.

use std::io::Write;
use std::sync::Arc;

use crate::access::oidc::{Issuer, Settings, role_named};
use crate::access::secret::{TokenHash, is_of_token};
use crate::access::{Bearer, Denied};
use crate::config::{Auth, SignIn};
use crate::directory::Directory;
use crate::http::Authenticate;

/// The OIDC issuer that is set, if one is.
///
/// # Errors
/// One that names the setting at fault.
pub(super) fn issuer(settings: &SignIn) -> anyhow::Result<Option<Arc<Issuer>>> {
    let (Some(issuer), Some(audience)) = (settings.oidc_issuer.clone(), settings.oidc_audience.clone()) else {
        return Ok(None);
    };
    let role = |given: &String| {
        let named = given.rsplit_once('=').map(|(name, role)| (name.trim().to_owned(), role_named(role)));
        match named {
            Some((name, Some(role))) => Ok((name, role)),
            _ => Err(anyhow::anyhow!(
                "ROSTER_OIDC_ROLE: `{given}` has to be NAME=ROLE, with RESOLVER, READER, EDITOR or ADMIN"
            )),
        }
    };
    let given = settings.oidc_role.iter().filter(|given| !given.trim().is_empty());
    Ok(Some(Arc::new(Issuer::new(Settings {
        issuer,
        audience,
        role_claim: settings.oidc_role_claim.clone(),
        roles: given.map(role).collect::<anyhow::Result<_>>()?,
        jwks_url: settings.oidc_jwks_url.clone(),
    })?)))
}

/// Lets in whoever has a token of the directory or of the issuer.
pub(super) fn authenticate(directory: &Directory, issuer: Option<Arc<Issuer>>) -> Authenticate {
    let directory = directory.clone();
    Arc::new(move |bearer: Bearer| {
        let (directory, issuer) = (directory.clone(), issuer.clone());
        Box::pin(async move {
            let text = bearer.expose();
            match issuer {
                Some(issuer) if !is_of_token(text) => issuer.admit(text, directory.now()).await,
                _ => match TokenHash::of(text) {
                    Some(hash) => directory.admit(&hash).await,
                    None => {
                        Err(Denied::unauthenticated("that is no token; one has 40 characters and begins with `rst_`"))
                    }
                },
            }
        })
    })
}

/// Makes the first token of a directory, and shows it on standard error, not in the log: the one time that anybody sees it.
pub(super) async fn show_first_token(directory: &Directory, settings: &SignIn, address: &str) -> anyhow::Result<()> {
    if settings.auth == Auth::None || settings.oidc_issuer.is_some() {
        return Ok(());
    }
    if let Some(secret) = directory.create_first_token().await? {
        writeln!(
            std::io::stderr(),
            "\nThis directory had no token, so one was made that may do everything. It is shown this once:\n\n    \
             export ROSTER_TOKEN={}\n\n\
             Send it with every request, as in\n\n    \
             curl -H \"Authorization: Bearer $ROSTER_TOKEN\" 'http://{address}/graphql?query=%7Bdirectory%7Bversion%7D%7D'\n\n\
             and make others with `roster token create`.\n",
            secret.expose()
        )?;
    }
    Ok(())
}
