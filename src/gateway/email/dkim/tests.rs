//! Against the examples of RFC 6376 and RFC 8463. An independent verifier reads whole mails in `tests/e2e/email.rs`.

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::*;

/// RFC 8463, A.1 (the seed) in PKCS#8, and A.2.
fn example_key() -> Key {
    let seed = STANDARD.decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").expect("base64");
    let der =
        [b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".as_slice(), &seed].concat();
    Key::parse(&pem("PRIVATE KEY", &der)).expect("a key")
}

fn pem(label: &str, der: &[u8]) -> Secret {
    let text = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der));
    text.parse().expect("not empty")
}

const EXAMPLE_HEAD: &str = "From: Joe SixPack <joe@football.example.com>\r\n\
    To: Suzie Q <suzie@shopping.example.net>\r\n\
    Subject: Is dinner ready?\r\n\
    Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
    Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n";

const EXAMPLE_BODY: &str = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

#[test]
fn the_example_of_rfc_8463_gets_the_signature_that_stands_there() {
    let unsigned = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; \
        i=@football.example.com;\r\n q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : \
        message-id : from : subject : date;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=";
    let names = ["from", "to", "subject", "date", "message-id", "from", "subject", "date"].map(str::to_owned);
    let text = signed_text(&names, &fields(EXAMPLE_HEAD.as_bytes()), unsigned);
    assert_eq!(
        example_key().sign(&text).as_deref(),
        Ok("/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==")
    );
    let hash = digest(&SHA256, &relaxed_body(EXAMPLE_BODY.as_bytes()));
    assert_eq!(STANDARD.encode(hash), "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
}

#[test]
fn the_example_of_rfc_6376_is_relaxed_as_it_stands_there() {
    // RFC 6376, 3.4.5, example 1.
    let mail = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";
    let (head, body) = split(mail);
    let fields = fields(head);
    assert!(fields[0].is("a") && fields[1].is("b"), "white space before the colon is no part of the name");
    assert_eq!(relaxed_header("A", fields[0].value), b"a:X");
    assert_eq!(relaxed_header("B", fields[1].value), b"b:Y Z");
    assert_eq!(relaxed_body(body), b" C\r\nD E\r\n");
}

#[test]
fn a_body_ends_with_one_line_end_and_an_empty_one_is_empty() {
    for (body, relaxed) in [
        ("", ""),
        ("\r\n", ""),
        ("\r\n\r\n\r\n", ""),
        (" \t \r\n", ""),
        ("x", "x\r\n"),
        ("x\r\n", "x\r\n"),
        ("x \t\r\n \r\n\r\n", "x\r\n"),
        ("\r\nx", "\r\nx\r\n"),
        ("\tx\r\n", " x\r\n"),
        ("日本\u{3000}\r\n", "日本\u{3000}\r\n"),
    ] {
        assert_eq!(String::from_utf8_lossy(&relaxed_body(body.as_bytes())), relaxed, "{body:?}");
    }
    // RFC 6376, 3.4.4: the hash of an empty body.
    let hash = STANDARD.encode(digest(&SHA256, &relaxed_body(b"\r\n")));
    assert_eq!(hash, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

fn signer(key: Key) -> Signer {
    let headers = SIGNED.map(str::to_owned).to_vec();
    Signer { domain: "example.jp".to_owned(), selector: "s1".to_owned(), headers, key }
}

fn signed(mail: &str) -> String {
    let now = Timestamp::from_second(1_528_637_909).expect("a time");
    String::from_utf8(signer(example_key()).sign(mail.as_bytes(), now).expect("signed")).expect("ASCII")
}

#[test]
fn a_signature_stands_before_the_mail_and_says_who_when_and_what() {
    let mail = format!("{EXAMPLE_HEAD}\r\n{EXAMPLE_BODY}");
    let signed = signed(&mail);
    let header = signed.strip_suffix(&mail).expect("the mail is as it was");
    let words = header.replace("\r\n\t", "").replace([' ', '\r', '\n'], "");
    assert!(words.starts_with(
        "DKIM-Signature:v=1;a=ed25519-sha256;c=relaxed/relaxed;d=example.jp;s=s1;t=1528637909;h="
    ));
    assert!(words.contains("bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;b="), "{words}");
    assert!(header.split("\r\n").all(|line| line.len() <= 78), "{header}");
    assert!(header.ends_with("\r\n") && !header.contains("\r\n\r\n"), "{header}");
}

#[test]
fn every_header_is_named_once_more_than_it_is_there() {
    let mail = "From: a@example.jp\r\nSubject: 1\r\nSubject: 2\r\n\r\nx\r\n";
    let names = signer(example_key()).names(&fields(split(mail.as_bytes()).0));
    let times = |name: &str| names.iter().filter(|other| *other == name).count();
    assert_eq!(["from", "subject", "cc", "received"].map(times), [2, 3, 1, 0]);
    let two =
        signed_text(&["subject".to_owned(), "subject".to_owned()], &fields(split(mail.as_bytes()).0), "X:");
    assert_eq!(String::from_utf8_lossy(&two), "subject:2\r\nsubject:1\r\nx:", "from the bottom up");
}

#[test]
fn another_header_or_another_body_gets_another_signature() {
    let original = signed("From: a@example.jp\r\nSubject: x\r\n\r\nbody\r\n");
    for other in [
        "From: b@example.jp\r\nSubject: x\r\n\r\nbody\r\n",
        "From: a@example.jp\r\nSubject: y\r\n\r\nbody\r\n",
        "From: a@example.jp\r\nSubject: x\r\n\r\nBody\r\n",
    ] {
        let signature = |signed: &str| {
            signed.split("\r\n").take_while(|line| !line.starts_with("From")).collect::<String>()
        };
        assert_ne!(signature(&signed(other)), signature(&original), "{other}");
    }
}

/// The key that RFC 9500 publishes for tests, under a label that no program takes for a key.
const RSA: &str = include_str!("../../../../tests/support/rfc9500-rsa2048.pem");

#[test]
fn an_rsa_key_is_read_in_both_forms_and_its_signature_verifies() {
    let pkcs1 = STANDARD
        .decode(RSA.lines().filter(|line| !line.starts_with('-')).collect::<String>())
        .expect("base64");
    // PrivateKeyInfo (RFC 5208) around it.
    let header = b"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    let octets = [b"\x04\x82", &(pkcs1.len() as u16).to_be_bytes()[..], &pkcs1].concat();
    let inside = [&header[..], &octets].concat();
    let pkcs8 = [b"\x30\x82", &(inside.len() as u16).to_be_bytes()[..], &inside].concat();
    for pem in [pem("RSA PRIVATE KEY", &pkcs1), pem("PRIVATE KEY", &pkcs8)] {
        let Ok(Key::Rsa(key)) = Key::parse(&pem) else { panic!("no RSA key") };
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public().as_ref().to_vec());
        let key = Key::Rsa(key);
        assert_eq!(key.algorithm(), "rsa-sha256");
        let signature = STANDARD.decode(key.sign(b"text").expect("signed")).expect("base64");
        assert!(public.verify(b"text", &signature).is_ok());
        assert!(public.verify(b"Text", &signature).is_err());
    }
}

#[test]
fn bad_configuration_is_named_with_its_mend() {
    let config = |domain: &str, selector: &str, headers: Option<&[&str]>| DkimConfig {
        domain: domain.to_owned(),
        selector: selector.to_owned(),
        private_key: "-----BEGIN PRIVATE KEY-----\nnot base64".parse().expect("not empty"),
        headers: headers.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
    };
    let keys = |config: DkimConfig| config.problems().into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(keys(config("example.jp", "s1", None)), ["private_key"]);
    assert_eq!(keys(config("example.jp; x", "", None)), ["domain", "selector", "private_key"]);
    for headers in [&["Subject"][..], &["From", "Received"], &["From", "X: y"], &["From", ""], &[]] {
        assert_eq!(
            keys(config("example.jp", "s1", Some(headers))),
            ["headers", "private_key"],
            "{headers:?}"
        );
    }
    let problem = config("example.jp", "s1", None).problems().remove(0).1;
    assert!(problem.contains("openssl") && !problem.contains("base64"), "{problem}");
}
