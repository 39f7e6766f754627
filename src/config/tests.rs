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
    match &config.sms.gateways[0].kind {
        SmsKindConfig::Http(http) => http,
        other => panic!("{other:?}"),
    }
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
fn a_house_that_names_itself_is_not_called_by_the_samples_english_name() {
    let voice = |text: &str, environment: &[(&str, &str)]| {
        let brand = load(text, environment).expect("in order").brand;
        let english = brand.voice("en");
        (english.company.to_owned(), english.hours.to_owned())
    };
    let of = |company: &str, hours: &str| (company.to_owned(), hours.to_owned());
    let all_day = "24 hours a day, every day";
    assert_eq!(voice("", &[]), of("Sample Bank", all_day));
    assert_eq!(voice("[brand]\ncompany = \"青空銀行\"\n", &[]), of("青空銀行", all_day));
    let both = "[brand]\ncompany = \"青空銀行\"\nlocales.en.company = \"Aozora\"\n";
    assert_eq!(voice(both, &[]), of("Aozora", all_day));
    assert_eq!(voice(both, &[("SHIRASE_BRAND__COMPANY", "海銀行")]), of("海銀行", all_day));
    let translated = [("SHIRASE_BRAND__HOURS", "平日"), ("SHIRASE_BRAND__LOCALES__EN__HOURS", "weekdays")];
    assert_eq!(voice(both, &translated), of("Aozora", "weekdays"));
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
fn keys_of_one_kind_of_gateway_come_from_the_environment_with_their_types() {
    let environment = [
        ("SHIRASE_SMS__GATEWAYS__0__RATE_PER_SECOND", "7"),
        ("SHIRASE_SMS__GATEWAYS__0__ANSWERS__409", "accepted"),
        ("SHIRASE_SMS__GATEWAYS__0__EXTRA__SERVICE_ID", "17"),
    ];
    let config = load("", &environment).expect("in order");
    assert_eq!(config.sms.gateways[0].common.rate_per_second.map(std::num::NonZero::get), Some(7));
    assert_eq!(http(&config).answers.len(), 1);
    assert!(format!("{:?}", http(&config).extra).contains("17"));
}

#[test]
fn what_does_not_go_together_in_a_gateway_is_named_with_its_mend() {
    let text = "\
[[sms.gateways]]
name = \"a\"
kind = \"http\"
url = \"http://127.0.0.1:1/\"
bearer = \"hunter2\"
user = \"u\"
headers = { Authorization = \"hunter2\", \"a b\" = \"c\" }
codes = { E1 = \"recipient\" }
answers = { 999 = \"accepted\" }
receipts = { bearer = \"hunter2\" }
fields = { to = \"\" }
";
    let error = load(text, &[]).expect_err("many problems");
    for expected in [
        "house.toml:1: sms.gateways.0.authorization: is one of",
        "house.toml:7: sms.gateways.0.headers.Authorization: is what authorization",
        "house.toml:7: sms.gateways.0.headers.a b: is no name of a header",
        "house.toml:8: sms.gateways.0.codes: have no place",
        "house.toml:9: sms.gateways.0.answers.999: is no HTTP status",
        "sms.gateways.0.receipt_statuses: is missing",
        "house.toml:11: sms.gateways.0.fields.to: is empty",
    ] {
        assert!(error.contains(expected), "{expected}\nis not in\n{error}");
    }
    assert_eq!(error.lines().count(), 7, "{error}");
    assert!(!error.contains("hunter2"), "{error}");

    let text = text.replace("fields = { to = \"\" }", "extra = { a = 1 }\nsucces = 1");
    let error = load(&text, &[]).expect_err("a number, and a slip");
    assert!(error.contains("sms.gateways.0.extra.a: is not among \"string\", \"array\""), "{error}");
    assert!(error.contains("did you mean `success`?"), "{error}");
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

/// The commented gateways of the built-in file, as a house would put them into its own.
fn vendors_examples(secret: &std::path::Path) -> String {
    let built_in = include_str!("../../config/shirase.toml");
    let lines = built_in.lines().skip_while(|line| *line != "# [[sms.gateways]]");
    let lines =
        lines.take_while(|line| line.starts_with('#')).map(|line| line.trim_start_matches(['#', ' ']));
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/src/gateway/sms/vonage/test_key.pkcs8.pem");
    let with_file = |line: &str| {
        let path = line.split_once("_file = \"").and_then(|(_, rest)| rest.split('"').next());
        let here =
            if line.starts_with("private_key") { key.to_owned() } else { secret.display().to_string() };
        path.map_or(line.to_owned(), |path| line.replace(path, &here))
    };
    lines.filter(|line| !line.starts_with("or bearer")).map(with_file).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_vendors_in_the_built_in_files_comments_are_in_order() {
    let dir = tempfile::tempdir().expect("a folder");
    let secret = dir.path().join("secret");
    fs::write(&secret, "hunter2\n").expect("written");
    let text = vendors_examples(&secret);
    let config = load(&text, &[]).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let names: Vec<_> = config.sms.gateways.iter().map(|gateway| gateway.common.name.as_str()).collect();
    assert_eq!(names, ["twilio", "vonage", "infobip"]);
    assert!(!format!("{config:?}").contains("hunter2"));
}

/// The commented section of the built-in file, as a house would put it into its own.
#[test]
fn the_traces_in_the_built_in_files_comments_are_in_order_and_off_without_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let secret = dir.path().join("secret");
    fs::write(&secret, "Bearer hunter2\n").expect("written");
    let authority = dir.path().join("ca.pem");
    let made = rcgen::generate_simple_self_signed(["x.example.jp".to_owned()]).expect("a certificate");
    fs::write(&authority, made.cert.pem()).expect("written");
    let lines = include_str!("../../config/shirase.toml").lines().skip_while(|line| *line != "# [traces]");
    let text: Vec<_> = lines.map(|line| line.trim_start_matches(['#', ' '])).collect();
    let text = text.join("\n").replace("/etc/shirase/otlp.authorization", &secret.display().to_string());
    let text = text.replace("/etc/shirase/ca.pem", &authority.display().to_string());
    let config = load(&text, &[]).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let traces = config.traces.as_ref().expect("on");
    assert_eq!(traces.headers["authorization"].reveal(), "Bearer hunter2");
    assert!(traces.ca.is_some());
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(Config::built_in().traces.is_none());
    let alone = [("SHIRASE_TRACES__ENDPOINT", "http://collector:4318")];
    let traces = load("", &alone).expect("in order").traces.expect("on");
    assert_eq!((traces.sample, traces.service_name.as_str()), (1.0, "shirase"));
}

#[test]
fn what_is_wrong_with_traces_is_told_with_its_key() {
    let text = "[traces]\nendpoint = \"collector:4317\"\nsample = 1.5\nsampel = 1.0\n";
    let error = load(text, &[]).expect_err("problems");
    for expected in ["house.toml:2: traces.endpoint: is no http", "traces.sample: ", "did you mean `sample`?"]
    {
        assert!(error.contains(expected), "{expected}\nis not in\n{error}");
    }
    let text = "[traces]\nendpoint = \"http://c\"\ntimeout = \"0s\"\nheaders = { \"a b\" = \"x\" }\n";
    let error = load(text, &[]).expect_err("problems");
    for expected in ["traces.timeout: is nothing", "traces.headers.a b: is no name of a header"] {
        assert!(error.contains(expected), "{expected}\nis not in\n{error}");
    }
}

#[test]
fn a_vendors_keys_are_its_own_and_what_is_missing_is_told() {
    let text = "\
[[sms.gateways]]
name = \"a\"
kind = \"twilio\"
acount_sid = \"AC1\"
[[sms.gateways]]
name = \"b\"
kind = \"vonage\"
sender = \"BANK\"
from = \"BANK\"
[[sms.gateways]]
name = \"c\"
kind = \"infobip\"
sender = \"BANK\"
";
    let error = load(text, &[]).expect_err("problems");
    for expected in [
        "house.toml:4: sms.gateways.0.acount_sid: is not a key; did you mean `account_sid`?",
        "sms.gateways.0.account_sid: is missing; add it",
        "house.toml:8: sms.gateways.1.sender: is not a key",
        "sms.gateways.2.api_key: is missing; add it",
    ] {
        assert!(error.contains(expected), "{expected}\nis not in\n{error}");
    }
    let text = "[[sms.gateways]]\nname = \"b\"\nkind = \"vonage\"\nfrom = \"BANK\"\napi_key = \"k\"\n";
    let error = load(text, &[]).expect_err("a problem");
    assert!(error.contains("sms.gateways.0.application_id: is one of: "), "{error}");
}

#[test]
fn what_is_wrong_with_keys_and_certificates_is_named_by_its_key_and_never_shown() {
    let relay = "[[email.relays]]\nname = \"r\"\nurl = \"smtp://127.0.0.1:25\"\n";
    let gateway = "[[sms.gateways]]\nname = \"g\"\nkind = \"http\"\nurl = \"https://x/\"\nca = \"sEcReT\"\n";
    let text = format!(
        "[broker]\nca = \"sEcReT\"\n[email]\nreturn_path = \"bounce\"\n{relay}ca = \"sEcReT\"\n{gateway}"
    );
    let forms = load(&text, &[]).expect_err("wrong");
    for key in [
        "broker.ca: holds no",
        "email.return_path: is no",
        "email.relays.0.ca: holds no",
        "sms.gateways.0.ca: holds no",
    ] {
        assert!(forms.contains(key), "{key}: {forms}");
    }
    let signing = "[email.dkim]\ndomain = \"example.jp\"\nselector = \"s 1\"\nprivate_key = \"sEcReT\"\n";
    let values = load(&format!("{signing}{relay}client_name = \"a\\r\\nb\"\n"), &[]).expect_err("wrong");
    for key in [
        "email.dkim.selector: is no selector",
        "email.dkim.private_key: is no private key",
        "email.relays.0.client_name: is no host name",
    ] {
        assert!(values.contains(key), "{key}: {values}");
    }
    assert!(!format!("{forms}{values}").contains("sEcReT"), "{forms}\n{values}");
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

#[test]
fn a_canary_needs_a_gateway_that_is_there_and_an_address_that_fits_it() {
    let text = "[canary]\nevery = \"2h\"\ngateway = \"mta\"\nphone = \"090-1234-5678\"\n";
    let error = load(text, &[]).expect_err("many problems");
    for expected in [
        "house.toml:2: canary.every: is not between",
        "house.toml:4: canary.phone: has no use: the gateway mta sends mail; remove it",
        "canary.email: is missing: the gateway mta sends mail",
    ] {
        assert!(error.contains(expected), "{expected}\nis not in\n{error}");
    }
    let error =
        load("[canary]\ngateway = \"nobody\"\nphone = \"090-1234-5678\"\n", &[]).expect_err("unknown");
    assert!(error.contains("house.toml:2: canary.gateway: is no name"), "{error}");
    let forms = load("[canary]\nphone = \"sEcReT\"\nemial = \"x\"\n", &[]).expect_err("wrong");
    for expected in ["canary.gateway: is missing", "canary.phone: holds something", "did you mean `email`?"] {
        assert!(forms.contains(expected), "{expected}\nis not in\n{forms}");
    }
    assert!(!forms.contains("sEcReT"), "{forms}");
    let config = load("[canary]\ngateway = \"primary\"\nphone = \"090-1234-5678\"\n", &[]).expect("in order");
    assert!(!format!("{config:?}").contains("1234"), "{config:?}");
}

#[test]
fn an_exception_of_an_unknown_rule_or_without_a_reason_is_named_by_its_key() {
    let exception = "[[templates.check.exceptions]]\ntemplate = \"ja/*\"\n";
    let forms = load(&format!("{exception}rule = \"lnks\"\n"), &[]).expect_err("wrong");
    for expected in [
        "exceptions.0.rule: is no rule that can be set otherwise; those that can: partials, ",
        "templates.check.exceptions.0.reason: is missing",
    ] {
        assert!(forms.contains(expected), "{expected}\nis not in\n{forms}");
    }
    let link = "[[templates.check.links]]\ntext = \"\"\nreason = \"Legal\"\n";
    let blank = format!("{exception}rule = \"links\"\nreason = \" \u{3000}\"\n{link}");
    let values = load(&blank, &[]).expect_err("wrong");
    for key in ["house.toml:4: templates.check.exceptions.0.reason: is blank", "check.links.0.text: is blank"]
    {
        assert!(values.contains(key), "{key}\nis not in\n{values}");
    }
}
