//! The reading of a `plugin.toml`: each refusal names line, field and fix.

use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;

use super::{
    Capabilities, Kind, Limits, Manifest, ManifestError, SecretSlot, UrlPattern, WitVersion,
};

/// Reads and checks the text of a manifest.
pub(super) fn read(text: &str) -> Result<Manifest, ManifestError> {
    let raw: RawManifest = toml::from_str(text).map_err(|e| not_toml(text, &e))?;
    Checker { text }.manifest(&raw)
}

/// The file as written. Values that a check may refuse keep their place.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawManifest {
    id: Spanned<String>,
    name: Spanned<String>,
    version: Spanned<String>,
    kinds: Spanned<Vec<Spanned<String>>>,
    wit: Spanned<String>,
    description: Spanned<String>,
    authors: Spanned<Vec<String>>,
    license: Spanned<String>,
    #[serde(default)]
    urls: Vec<Spanned<String>>,
    #[serde(default)]
    capabilities: RawCapabilities,
    #[serde(default)]
    limits: RawLimits,
    settings: Option<Spanned<toml::Table>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct RawCapabilities {
    http_hosts: Vec<Spanned<String>>,
    secrets: Vec<RawSecret>,
    store_quota_bytes: Option<Spanned<u64>>,
    raw_mail: Option<Spanned<bool>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawSecret {
    name: Spanned<String>,
    label: String,
    hosts: Vec<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct RawLimits {
    memory_mib: Option<Spanned<u32>>,
    cpu_ms: Option<Spanned<u32>>,
    wall_ms: Option<Spanned<u32>>,
    output_bytes: Option<Spanned<u32>>,
    http_calls: Option<Spanned<u32>>,
    log_lines: Option<Spanned<u32>>,
}

/// Looks at meaning, with the text at hand for line numbers.
struct Checker<'a> {
    text: &'a str,
}

/// The largest store that a plugin may ask for, per workspace.
const MAX_STORE_BYTES: u64 = 64 * 1024 * 1024;

impl Checker<'_> {
    fn manifest(&self, raw: &RawManifest) -> Result<Manifest, ManifestError> {
        let kinds = self.kinds(&raw.kinds)?;
        let only_pure = kinds.iter().all(|k| k.is_pure());
        let manifest = Manifest {
            id: self.id(&raw.id)?,
            name: self.filled("name", &raw.name)?,
            version: self.version(&raw.version)?,
            wit: self.wit(&raw.wit)?,
            description: self.filled("description", &raw.description)?,
            authors: self.authors(&raw.authors)?,
            license: self.filled("license", &raw.license)?,
            capabilities: self.capabilities(&raw.capabilities, only_pure)?,
            limits: self.limits(&raw.limits)?,
            urls: self.urls(&raw.urls, &kinds)?,
            settings: self.settings(raw.settings.as_ref())?,
            kinds,
        };
        Ok(manifest)
    }

    fn id(&self, id: &Spanned<String>) -> Result<String, ManifestError> {
        let text = id.get_ref();
        if !is_slug(text) || text.len() < 2 || text.len() > 64 {
            return Err(self.error(
                id,
                "id",
                format!("\"{text}\" is no plugin id"),
                "use 2 to 64 lower-case letters, digits and single hyphens, such as \"format-chat\"",
            ));
        }
        Ok(text.clone())
    }

    fn version(&self, version: &Spanned<String>) -> Result<String, ManifestError> {
        let text = version.get_ref();
        let core = text.split_once('-').map_or(text.as_str(), |(core, _)| core);
        let numbers: Vec<_> = core.split('.').map(str::parse::<u32>).collect();
        if numbers.len() != 3 || numbers.iter().any(Result::is_err) || text.ends_with('-') {
            return Err(self.error(
                version,
                "version",
                format!("\"{text}\" is no version"),
                "write three numbers, such as \"1.0.0\"",
            ));
        }
        Ok(text.clone())
    }

    fn kinds(&self, kinds: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<Kind>, ManifestError> {
        let known = Kind::ALL.map(|k| format!("\"{k}\"")).join(", ");
        let mut found = Vec::new();
        for kind in kinds.get_ref() {
            let text = kind.get_ref();
            let Ok(parsed) = text.parse() else {
                let problem = format!("this host knows no kind \"{text}\"");
                return Err(self.error(kind, "kinds", problem, &format!("use one of {known}")));
            };
            if found.contains(&parsed) {
                let problem = format!("\"{text}\" stands twice");
                return Err(self.error(kind, "kinds", problem, "name each kind once"));
            }
            found.push(parsed);
        }
        if found.is_empty() {
            let problem = "no kind is named".into();
            return Err(self.error(kinds, "kinds", problem, &format!("name one of {known}")));
        }
        Ok(found)
    }

    fn wit(&self, wit: &Spanned<String>) -> Result<WitVersion, ManifestError> {
        wit.get_ref().parse().map_err(|()| {
            let problem = format!("\"{}\" is no line of the interface", wit.get_ref());
            self.error(
                wit,
                "wit",
                problem,
                "write the SDK's major and minor number, such as \"0.1\"",
            )
        })
    }

    fn authors(&self, authors: &Spanned<Vec<String>>) -> Result<Vec<String>, ManifestError> {
        let list = authors.get_ref();
        if list.is_empty() || list.iter().any(|a| a.trim().is_empty()) {
            let problem = "an author is missing".into();
            return Err(self.error(authors, "authors", problem, "name at least one, none empty"));
        }
        Ok(list.clone())
    }

    fn filled(&self, field: &str, value: &Spanned<String>) -> Result<String, ManifestError> {
        let text = value.get_ref();
        if text.trim().is_empty() || text.chars().count() > 500 {
            let problem = "the text is empty or longer than 500 characters".into();
            return Err(self.error(value, field, problem, "write one short line"));
        }
        Ok(text.clone())
    }

    fn capabilities(
        &self,
        raw: &RawCapabilities,
        only_pure: bool,
    ) -> Result<Capabilities, ManifestError> {
        if let (true, Some((place, field))) = (only_pure, first_asked(raw)) {
            return Err(self.error_at(
                place,
                field,
                "formatters and classifiers get the log and nothing else".into(),
                "leave it out",
            ));
        }
        let mut http_hosts = Vec::new();
        for host in &raw.http_hosts {
            http_hosts.push(self.host("capabilities.http-hosts", host)?);
        }
        let mut secrets: Vec<SecretSlot> = Vec::new();
        for secret in &raw.secrets {
            let slot = self.secret(secret, &http_hosts)?;
            if secrets.iter().any(|s| s.name == slot.name) {
                let problem = format!("the slot \"{}\" stands twice", slot.name);
                let field = "capabilities.secrets.name";
                return Err(self.error(&secret.name, field, problem, "give each slot one name"));
            }
            secrets.push(slot);
        }
        let store_quota_bytes = match &raw.store_quota_bytes {
            Some(quota) if *quota.get_ref() > MAX_STORE_BYTES => {
                return Err(self.error(
                    quota,
                    "capabilities.store-quota-bytes",
                    format!("{} is too much", quota.get_ref()),
                    &format!("ask for at most {MAX_STORE_BYTES}"),
                ));
            }
            Some(quota) => *quota.get_ref(),
            None => 0,
        };
        let raw_mail = raw.raw_mail.as_ref().is_some_and(|r| *r.get_ref());
        Ok(Capabilities {
            http_hosts,
            secrets,
            store_quota_bytes,
            raw_mail,
        })
    }

    fn secret(&self, raw: &RawSecret, allowed: &[String]) -> Result<SecretSlot, ManifestError> {
        let name = raw.name.get_ref();
        if !is_slug(name) {
            return Err(self.error(
                &raw.name,
                "capabilities.secrets.name",
                format!("\"{name}\" is no name of a slot"),
                "use lower-case letters, digits and single hyphens, such as \"api-key\"",
            ));
        }
        let mut hosts = Vec::new();
        for host in &raw.hosts {
            let text = self.host("capabilities.secrets.hosts", host)?;
            if !allowed.contains(&text) {
                return Err(self.error(
                    host,
                    "capabilities.secrets.hosts",
                    format!("\"{text}\" is not among the hosts that the plugin asks for"),
                    "add it to capabilities.http-hosts",
                ));
            }
            hosts.push(text);
        }
        Ok(SecretSlot {
            name: name.clone(),
            label: raw.label.clone(),
            hosts,
        })
    }

    fn host(&self, field: &str, host: &Spanned<String>) -> Result<String, ManifestError> {
        if is_host(host.get_ref()) {
            return Ok(host.get_ref().to_ascii_lowercase());
        }
        Err(self.error(
            host,
            field,
            format!("\"{}\" is no host name", host.get_ref()),
            "write a bare name, such as \"api.example.com\" or \"*.example.com\", \
             without scheme, port or path",
        ))
    }

    fn limits(&self, raw: &RawLimits) -> Result<Limits, ManifestError> {
        let limit = |field: &str, value: &Option<Spanned<u32>>, max: u32| match value {
            Some(v) if *v.get_ref() == 0 || *v.get_ref() > max => {
                let problem = format!("{} is out of range", v.get_ref());
                Err(self.error(
                    v,
                    field,
                    problem,
                    &format!("write 1 to {max}, or leave it out"),
                ))
            }
            Some(v) => Ok(Some(*v.get_ref())),
            None => Ok(None),
        };
        Ok(Limits {
            memory_mib: limit("limits.memory-mib", &raw.memory_mib, 1024)?,
            cpu_ms: limit("limits.cpu-ms", &raw.cpu_ms, 60_000)?,
            wall_ms: limit("limits.wall-ms", &raw.wall_ms, 600_000)?,
            output_bytes: limit("limits.output-bytes", &raw.output_bytes, 64 * 1024 * 1024)?,
            http_calls: limit("limits.http-calls", &raw.http_calls, 1_000)?,
            log_lines: limit("limits.log-lines", &raw.log_lines, 1_000)?,
        })
    }

    fn urls(
        &self,
        urls: &[Spanned<String>],
        kinds: &[Kind],
    ) -> Result<Vec<UrlPattern>, ManifestError> {
        if let (Some(url), false) = (urls.first(), kinds.contains(&Kind::Formatter)) {
            let problem = "only a formatter is chosen by URL".into();
            return Err(self.error(url, "urls", problem, "leave it out"));
        }
        urls.iter().map(|url| self.url(url)).collect()
    }

    fn url(&self, url: &Spanned<String>) -> Result<UrlPattern, ManifestError> {
        let text = url.get_ref();
        let (host, path) = match text.find('/') {
            Some(slash) => text.split_at(slash),
            None => (text.as_str(), "/"),
        };
        if !is_host(host) {
            return Err(self.error(
                url,
                "urls",
                format!("\"{text}\" is no URL pattern"),
                "write a host and, where needed, the start of the path, without scheme: \
                 \"hooks.example.com/services/\"",
            ));
        }
        Ok(UrlPattern {
            host: host.to_ascii_lowercase(),
            path: path.to_owned(),
        })
    }

    fn settings(&self, settings: Option<&Spanned<toml::Table>>) -> Result<Value, ManifestError> {
        let Some(settings) = settings else {
            return Ok(serde_json::json!({
                "type": "object", "properties": {}, "additionalProperties": false
            }));
        };
        let schema = json_of(&toml::Value::Table(settings.get_ref().clone())).map_err(|bad| {
            let fix = "write dates and such as texts: JSON Schema has no other form for them";
            self.error(settings, "settings", bad, fix)
        })?;
        if schema.get("type") != Some(&Value::from("object")) {
            return Err(self.error(
                settings,
                "settings",
                "the schema is not that of an object".into(),
                "write type = \"object\" under [settings]",
            ));
        }
        if schema.get("properties").is_some_and(|p| !p.is_object()) {
            let problem = "`properties` is no table".into();
            let fix = "write one table for each setting: [settings.properties.NAME]";
            return Err(self.error(settings, "settings.properties", problem, fix));
        }
        Ok(schema)
    }

    fn error<T>(&self, at: &Spanned<T>, field: &str, problem: String, fix: &str) -> ManifestError {
        self.error_at(at.span().start, field, problem, fix)
    }

    fn error_at(&self, at: usize, field: &str, problem: String, fix: &str) -> ManifestError {
        ManifestError {
            line: Some(line_of(self.text, at)),
            field: field.to_owned(),
            problem,
            fix: fix.to_owned(),
        }
    }
}

/// Where the first capability stands that a pure plugin can't have.
fn first_asked(raw: &RawCapabilities) -> Option<(usize, &'static str)> {
    let hosts = raw
        .http_hosts
        .first()
        .map(|h| (h.span().start, "capabilities.http-hosts"));
    let secrets = raw
        .secrets
        .first()
        .map(|s| (s.name.span().start, "capabilities.secrets"));
    let store = raw.store_quota_bytes.as_ref().filter(|q| *q.get_ref() > 0);
    let store = store.map(|q| (q.span().start, "capabilities.store-quota-bytes"));
    let mail = raw.raw_mail.as_ref().filter(|r| *r.get_ref());
    let mail = mail.map(|r| (r.span().start, "capabilities.raw-mail"));
    hosts.or(secrets).or(store).or(mail)
}

fn is_slug(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && !text.contains("--")
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_host(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(label)
}

fn json_of(value: &toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(s) => Value::from(s.as_str()),
        toml::Value::Integer(n) => Value::from(*n),
        toml::Value::Float(n) => serde_json::Number::from_f64(*n)
            .map(Value::Number)
            .ok_or_else(|| format!("{n} has no form in JSON"))?,
        toml::Value::Boolean(b) => Value::from(*b),
        toml::Value::Datetime(d) => return Err(format!("the date {d} has no form in JSON")),
        toml::Value::Array(items) => {
            Value::Array(items.iter().map(json_of).collect::<Result<_, _>>()?)
        }
        toml::Value::Table(table) => {
            let fields = table.iter().map(|(k, v)| Ok((k.clone(), json_of(v)?)));
            Value::Object(fields.collect::<Result<_, String>>()?)
        }
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|b| *b == b'\n').count()
}

/// The key in whose line an offset lies.
fn key_at(text: &str, offset: usize) -> Option<String> {
    let offset = offset.min(text.len());
    let start = text[..offset].rfind('\n').map_or(0, |n| n + 1);
    let line = text[start..].lines().next()?.trim();
    let key = line.split('=').next()?.trim().trim_matches(['[', ']']);
    (!key.is_empty()).then(|| key.to_owned())
}

fn not_toml(text: &str, error: &toml::de::Error) -> ManifestError {
    let problem = error.message().trim().replace('\n', ", ");
    let fix = "sdk/rust/README.md shows every key of a plugin.toml".to_owned();
    // A field that isn't there has no line of its own.
    if let Some(name) = problem
        .strip_prefix("missing field `")
        .and_then(|n| n.strip_suffix('`'))
    {
        let (field, problem) = (name.to_owned(), "it is missing".to_owned());
        return ManifestError {
            line: None,
            field,
            problem,
            fix,
        };
    }
    let line = error.span().map(|span| line_of(text, span.start));
    let field = error.span().and_then(|span| key_at(text, span.start));
    ManifestError {
        line,
        field: field.unwrap_or_else(|| "(file)".into()),
        problem,
        fix,
    }
}
