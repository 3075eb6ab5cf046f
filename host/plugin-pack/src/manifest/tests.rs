use super::*;

const GOOD: &str = r#"
id = "provider-example"
name = "Example"
version = "1.2.3-beta"
kinds = ["mail-provider", "formatter"]
wit = "0.1"
description = "An example"
authors = ["Example Author <author@example.com>"]
license = "Apache-2.0"
urls = ["hooks.example.com/notes/", "*.Example.org"]

[capabilities]
http-hosts = ["API.example.com"]
store-quota-bytes = 1024
raw-mail = true

[[capabilities.secrets]]
name = "api-key"
label = "API key"
hosts = ["api.example.com"]

[limits]
memory-mib = 32
cpu-ms = 200

[settings]
type = "object"

[settings.properties.tone]
type = "string"
enum = ["plain", "warm"]
default = "plain"
"#;

#[test]
fn reads_everything() {
    let manifest = Manifest::parse(GOOD).unwrap();
    assert_eq!(manifest.id, "provider-example");
    assert_eq!(manifest.kinds, [Kind::MailProvider, Kind::Formatter]);
    assert_eq!(manifest.wit, WitVersion { major: 0, minor: 1 });
    let asked = &manifest.capabilities;
    assert_eq!(asked.http_hosts, ["api.example.com"]);
    assert_eq!((asked.store_quota_bytes, asked.raw_mail), (1024, true));
    assert_eq!(asked.secrets[0].hosts, ["api.example.com"]);
    let limits = &manifest.limits;
    assert_eq!(
        (limits.memory_mib, limits.cpu_ms, limits.wall_ms),
        (Some(32), Some(200), None)
    );
    assert_eq!(manifest.settings["properties"]["tone"]["default"], "plain");
}

/// API-9: by host, and by the start of the path where it is given.
#[test]
fn url_patterns() {
    let manifest = Manifest::parse(GOOD).unwrap();
    for (host, path, fits) in [
        ("hooks.example.com", "/notes/1", true),
        ("HOOKS.example.com", "/notes/", true),
        ("hooks.example.com", "/other", false),
        ("evil-hooks.example.com", "/notes/", false),
        ("a.example.org", "/", true),
        ("a.b.example.org", "/x", true),
        ("example.org", "/", false),
        ("badexample.org", "/", false),
    ] {
        assert_eq!(manifest.matches_url(host, path), fits, "{host}{path}");
    }
}

#[test]
fn without_settings_there_are_none() {
    let end = GOOD.find("[settings]").unwrap();
    let manifest = Manifest::parse(&GOOD[..end]).unwrap();
    assert_eq!(manifest.settings["additionalProperties"], false);
}

/// What a user sees for each mistake: line, field, problem, fix.
#[test]
fn mistakes_are_told() {
    let mut seen = String::new();
    for (from, to) in [
        ("id = \"provider-example\"", "id = \"Provider Example\""),
        ("id = \"provider-example\"\n", ""),
        ("name = \"Example\"", "name = \"\""),
        ("version = \"1.2.3-beta\"", "version = \"1.2\""),
        ("\"mail-provider\", ", "\"mailer\", "),
        ("\"mail-provider\", ", "\"formatter\", "),
        ("kinds = [\"mail-provider\", \"formatter\"]", "kinds = []"),
        (
            "kinds = [\"mail-provider\", \"formatter\"]",
            "kinds = [\"formatter\"]",
        ),
        (
            "kinds = [\"mail-provider\", \"formatter\"]",
            "kinds = [\"mail-provider\"]",
        ),
        ("wit = \"0.1\"", "wit = \"one\""),
        ("wit = \"0.1\"", "wit = 0.1"),
        (
            "authors = [\"Example Author <author@example.com>\"]",
            "authors = []",
        ),
        (
            "\"hooks.example.com/notes/\"",
            "\"https://hooks.example.com/\"",
        ),
        ("[\"API.example.com\"]", "[\"api.example.com:443\"]"),
        (
            "hosts = [\"api.example.com\"]",
            "hosts = [\"other.example.com\"]",
        ),
        ("name = \"api-key\"", "name = \"API_KEY\""),
        (
            "store-quota-bytes = 1024",
            "store-quota-bytes = 99999999999",
        ),
        ("cpu-ms = 200", "cpu-ms = 0"),
        ("cpu-ms = 200", "cpu_ms = 200"),
        ("type = \"object\"", "type = \"array\""),
        ("default = \"plain\"", "default = 2026-03-09"),
        ("[limits]", "[limits"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let error = Manifest::parse(&GOOD.replacen(from, to, 1)).expect_err(to);
        seen.push_str(&format!("{to}\n  {error}\n"));
    }
    insta::assert_snapshot!(seen);
}
