//! What the admin lets a plugin do (PLG-2). The manifest asks, the admin grants; what counts is
//! what both say.

use overture_plugin_pack::{Capabilities, Manifest, SecretSlot};

/// What a plugin may ask of the host beyond log, clock and chance. A refusal is an error value
/// in the guest, never a trap, so that taking a grant away stops no plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(Capabilities);

impl Grants {
    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// All that the manifest asks for: what first-party plugins get.
    pub fn all_asked(manifest: &Manifest) -> Self {
        Self(manifest.capabilities.clone())
    }

    /// What the admin chose, cut down to what the manifest asks for.
    pub fn chosen(manifest: &Manifest, chosen: &Capabilities) -> Self {
        let asked = &manifest.capabilities;
        let hosts = |wanted: &[String], from: &[String]| {
            let both = wanted.iter().filter(|host| from.contains(host));
            both.cloned().collect::<Vec<_>>()
        };
        let secrets = asked.secrets.iter().filter_map(|slot| {
            let granted = chosen.secrets.iter().find(|s| s.name == slot.name)?;
            Some(SecretSlot {
                hosts: hosts(&slot.hosts, &granted.hosts),
                ..slot.clone()
            })
        });
        Self(Capabilities {
            http_hosts: hosts(&asked.http_hosts, &chosen.http_hosts),
            secrets: secrets.collect(),
            store_quota_bytes: asked.store_quota_bytes.min(chosen.store_quota_bytes),
            raw_mail: asked.raw_mail && chosen.raw_mail,
        })
    }

    /// Hosts that may be reached: `api.example.com`, `*.example.com`.
    pub fn http_hosts(&self) -> &[String] {
        &self.0.http_hosts
    }

    /// Secrets that may be filled in, each toward its hosts.
    pub fn secrets(&self) -> &[SecretSlot] {
        &self.0.secrets
    }

    /// Bytes of the key-value store in each workspace; 0 is no store.
    pub fn store_quota_bytes(&self) -> u64 {
        self.0.store_quota_bytes
    }

    /// The bytes of the mails that it sends may be read. Then the attempt is to be committed
    /// before `send` is called (SAFE-3, DESIGN §3).
    pub fn raw_mail(&self) -> bool {
        self.0.raw_mail
    }

    /// May this host be reached?
    pub(crate) fn reaches(&self, host: &str) -> bool {
        matches_any(&self.0.http_hosts, host)
    }
}

/// Does a host name match one of these patterns? `*.example.com` matches every name below
/// `example.com`, not itself.
pub(crate) fn matches_any(patterns: &[String], host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    patterns
        .iter()
        .any(|pattern| match pattern.strip_prefix('*') {
            Some(below) => host.len() > below.len() && host.ends_with(below),
            None => host == *pattern,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    // PLG-2
    #[test]
    fn hosts_match_exactly_or_below_a_star() {
        let patterns = ["api.example.com".to_owned(), "*.example.test".to_owned()];
        let check = |host: &str, expected: bool| {
            assert_eq!(matches_any(&patterns, host), expected, "{host}");
        };
        check("api.example.com", true);
        check("API.Example.com.", true);
        check("www.example.com", false);
        check("api.example.com.evil.test", false);
        check("a.example.test", true);
        check("a.b.example.test", true);
        check("example.test", false);
        check("evilexample.test", false);
        check("", false);
    }
}
