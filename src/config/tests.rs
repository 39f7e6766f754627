use std::fs;

use super::*;
use crate::gateway::{HttpGatewayConfig, SmsKindConfig};

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("house.toml");
    fs::write(&path, text).expect("written");
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::load(Some(&path), environment)
        .map_err(|error| error.to_string().replace(&path.display().to_string(), "house.toml"))
}

fn http(config: &Config) -> &HttpGatewayConfig {
    let SmsKindConfig::Http(http) = &config.sms.gateways[0].kind;
    http
}

#[test]
fn the_built_in_configuration_is_complete_and_in_order() {
    let config = Config::built_in();
    assert_eq!(config.broker.prefix, "shirase");
    assert_eq!(config.retry.schedule.len(), 6);
    assert_eq!(config.templates.dir, None, "without a house's own folder the built-in templates are used");
}

#[test]
fn a_file_goes_over_the_built_in_and_the_environment_over_both() {
    let text = "[broker]\nprefix = \"house\"\n[templates]\ndir = \"src\"\n";
    let config = load(text, &[]).expect("in order");
    assert_eq!(
        (config.broker.prefix.as_str(), config.broker.exchange.as_str()),
        ("house", "security.events")
    );
    assert_eq!(config.templates.dir, Some("src".into()));

    let environment = [
        ("SHIRASE_BROKER__PREFIX", "env"),
        ("SHIRASE_BROKER__URLS", "amqp://a:b@one/%2f, amqp://a:b@two/%2f"),
        ("SHIRASE_LANES__CRITICAL__PREFETCH", "7"),
        ("SHIRASE_SMS__GATEWAYS__0__URL", "http://127.0.0.1:1/sms"),
        ("SHIRASE_BRAND__PHONE", "0120"),
        ("SHIRASE_SERVICE_HOST", "10.0.0.1"),
    ];
    let config = load(text, &environment).expect("in order");
    assert_eq!(config.broker.prefix, "env");
    assert_eq!(config.broker.urls.len(), 2);
    assert_eq!(config.lanes.critical.prefetch, 7);
    assert_eq!(config.brand.phone, "0120");
    assert!(http(&config).url.to_string().contains(":1/"));
}

#[test]
fn all_problems_come_at_once_each_with_line_key_and_mend() {
    let text = "\
[broker]
urls = [\"http://wrong\"]
prefx = \"x\"
topology = \"maybe\"

[retry]
schedule = [\"5s\", \"soon\"]

[lanes.critical]
prefetch = 0

[[sms.gateways]]
name = \"a\"
kind = \"http\"
url = \"nonsense\"

[typo]
x = 1
";
    let error = load(text, &[("SHIRASE_LEDGER__RETENTION", "long")]).expect_err("many problems");
    for expected in [
        "house.toml:2: broker.urls.0: ",
        "house.toml:3: broker.prefx: is not a key; did you mean `prefix`?",
        "house.toml:4: broker.topology: is not among \"declare\", \"passive\"",
        "house.toml:7: retry.schedule.1: is no length of time",
        "house.toml:10: lanes.critical.prefetch: ",
        "house.toml:15: sms.gateways.0.url: ",
        "house.toml:17: typo: is not a key",
        "environment SHIRASE_LEDGER__RETENTION: ledger.retention: is no length of time",
    ] {
        assert!(error.contains(expected), "{expected}\nis not in\n{error}");
    }
    assert_eq!(error.lines().count(), 8, "{error}");
}

#[test]
fn a_file_that_is_no_toml_or_not_there_is_named() {
    let error = load("[broker\n", &[]).expect_err("no TOML");
    assert!(error.starts_with("house.toml:1: "), "{error}");
    let error = Config::load(Some(std::path::Path::new("/nowhere/x.toml")), []).expect_err("not there");
    assert!(error.to_string().contains("/nowhere/x.toml: cannot be read"), "{error}");
}

#[test]
fn two_gateways_of_one_name_and_a_bad_prefix_are_refused() {
    let text = "\
[sms]
prefixes = [\"090\", \"x\"]
[[sms.gateways]]
name = \"mta\"
kind = \"http\"
url = \"http://127.0.0.1:1/\"
";
    let error = load(text, &[]).expect_err("two problems");
    assert!(error.contains("email.relays.0.name: \"mta\" is used twice"), "{error}");
    assert!(error.contains("house.toml:2: sms.prefixes.1: "), "{error}");
}

#[test]
fn secrets_come_from_files_and_never_print() {
    let dir = tempfile::tempdir().expect("a folder");
    let secret = dir.path().join("token");
    fs::write(&secret, "Bearer hunter2\n").expect("written");
    let text = format!(
        "[[sms.gateways]]\nname = \"a\"\nkind = \"http\"\nurl = \"http://127.0.0.1:1/\"\nauthorization_file = {:?}\n",
        secret.display().to_string()
    );
    let config = load(&text, &[]).expect("in order");
    assert_eq!(http(&config).authorization.as_ref().map(Secret::reveal), Some("Bearer hunter2"));
    assert!(!format!("{config:?}").contains("hunter2"));

    let error = load("[ledger]\nrecipient_key_file = \"/nowhere/key\"\n", &[]).expect_err("not there");
    assert!(error.contains("house.toml:2: ledger.recipient_key_file: /nowhere/key"), "{error}");
}

#[test]
fn a_url_with_a_password_does_not_print_it() {
    let text = "[broker]\nurls = [\"amqp://user:hunter2@127.0.0.1/%2f\"]\n[[email.relays]]\nname = \"r\"\nurl = \"smtp://u:hunter2@127.0.0.1:25\"\n";
    let config = load(text, &[]).expect("in order");
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
}

#[test]
fn a_breaker_and_limits_that_cannot_be_are_named_with_their_keys() {
    let text = "\
[worker]
replicas = 0
[[sms.gateways]]
name = \"a\"
kind = \"http\"
url = \"http://127.0.0.1:1/\"
weight = 1001
breaker = { attempts = 0, slw = \"1s\" }
";
    let error = load(text, &[]).expect_err("many problems");
    for expected in [
        "house.toml:2: worker.replicas: ",
        "house.toml:7: sms.gateways.0.weight: ",
        "house.toml:8: sms.gateways.0.breaker.attempts: ",
        "house.toml:8: sms.gateways.0.breaker.slw: is not a key; did you mean `slow`?",
    ] {
        assert!(error.contains(expected), "{expected}\nis not in\n{error}");
    }
    let never =
        "[[email.relays]]\nname = \"r\"\nurl = \"smtp://127.0.0.1:25\"\nbreaker = { open_for = \"0s\" }\n";
    let error = load(never, &[]).expect_err("a problem");
    assert!(error.contains("email.relays.0.breaker.open_for: is nothing"), "{error}");
}
