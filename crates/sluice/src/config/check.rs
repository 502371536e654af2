//! What a configuration must hold beyond its types.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{AdminConfig, Config, Secret};
use crate::{builtin, logging, measuring};

/// Lengths that an entry of the keyring may have: AES-128 and AES-256 keys (compat §1.11).
pub(super) const KEYRING_LENGTHS: [usize; 2] = [16, 32];

impl Config {
    /// Whether a gateway could start with this configuration, as far as the configuration alone can tell.
    ///
    /// # Errors
    /// The first setting that is wrong, and why.
    pub fn check(&self) -> Result<(), String> {
        self.check_listeners()?;
        check_admin(&self.admin, self.listen.unwrap_or(self.admin.listen))?;
        logging::filter(&self.log)?;
        one_of("log.format", &self.log.format, &["text", "json"])?;
        one_of("access_log.escape", &self.access_log.escape, &["default", "json"])?;
        if self.metrics.username.is_some() != self.metrics.password.is_some() {
            return Err("`metrics`: username and password go together".to_owned());
        }
        builtin::routes(&self.builtin_routes)?;
        measuring::check(self).map_err(|error| format!("`plugin_attr.prometheus`: {error:#}"))?;
        if !self.commands.allowed.is_well_formed() {
            return Err("`commands.allowed`: an entry names no program".to_owned());
        }
        let routers = [
            "radixtree_host_uri",
            "radixtree_uri",
            "radixtree_uri_with_parameter",
        ];
        one_of("apisix.router", &self.apisix.router, &routers)?;
        let fits = |entry: &Secret| KEYRING_LENGTHS.contains(&entry.expose().len());
        if !self.apisix.keyring.iter().all(fits) {
            return Err("`apisix.keyring`: an entry has neither 16 nor 32 bytes".to_owned());
        }
        Ok(())
    }

    fn check_listeners(&self) -> Result<(), String> {
        let both = |name: &str, cert: &Option<PathBuf>, key: &Option<PathBuf>| {
            if cert.is_some() == key.is_some() {
                return Ok(());
            }
            Err(format!("`{name}`: tls_cert and tls_key go together"))
        };
        both("proxy", &self.proxy.tls_cert, &self.proxy.tls_key)?;
        both("admin", &self.admin.tls_cert, &self.admin.tls_key)?;
        if self.listen.is_some() && self.admin.tls_cert.is_some() {
            return Err(
                "`listen`: the one address speaks TLS by proxy.tls_cert, not by admin.tls_cert".to_owned(),
            );
        }
        if self.proxy.tls_listen.is_none() && !self.proxy.tls_also_listen.is_empty() {
            return Err("`proxy`: tls_also_listen is for more addresses than tls_listen".to_owned());
        }
        if self.proxy.workers > 1024 {
            return Err("`proxy.workers`: more than 1024 threads".to_owned());
        }
        Ok(())
    }
}

fn check_admin(admin: &AdminConfig, listen: SocketAddr) -> Result<(), String> {
    for (name, secret) in [("key", &admin.key), ("password", &admin.password)] {
        if secret.as_ref().is_some_and(|secret| secret.expose().is_empty()) {
            return Err(format!("`admin.{name}` is empty"));
        }
    }
    one_of("admin.api_version", &admin.api_version, &["v2", "v3"])?;
    let published = |key: &Secret| sluice_admin::is_published_key(key.expose());
    if admin.key.as_ref().is_some_and(published) && !admin.allow_default_key {
        return Err("`admin.key` is a key that APISIX has published: everybody knows it".to_owned());
    }
    for key in &admin.keys {
        one_of("admin.keys", &key.role, &["admin", "viewer"])?;
        if key.key.expose().is_empty() {
            return Err(format!("`admin.keys`: the key of `{}` is empty", key.name));
        }
    }
    for network in &admin.allow {
        if sluice_resource::parse_ip_net(network).is_none() {
            return Err(format!("`admin.allow`: `{network}` is not an address or network"));
        }
    }
    if admin.allow_default_key && !listen.ip().is_loopback() {
        return Err(format!(
            "APISIX's default admin key is known to everybody: it is accepted only while the Admin API listens on a \
             loopback address, not on {listen}"
        ));
    }
    Ok(())
}

fn one_of(name: &str, value: &str, allowed: &[&str]) -> Result<(), String> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(format!("`{name}`: `{value}` is none of {}", allowed.join(", ")))
}
