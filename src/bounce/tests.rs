//! Reports as mail systems write them (`samples`), and garbage.

use proptest::prelude::*;

use super::*;

const REFERENCE: &str = "0123456789abcdef0123456789abcdef";

macro_rules! sample {
    ($name:literal) => {
        ($name, include_bytes!(concat!("samples/", $name, ".eml")).as_slice())
    };
}

#[test]
fn a_report_of_each_mail_system_names_our_mail_and_what_became_of_it() {
    use Loss::{Expired, Other, Recipient, Unreachable};
    use Status::{Delivered, Undelivered, Underway};
    for ((name, mail), status, code) in [
        (sample!("postfix-unknown-user"), Undelivered(Recipient), Some("5.1.1")),
        (sample!("exchange-unknown-user"), Undelivered(Recipient), Some("5.1.10")),
        (sample!("gmail-full-mailbox"), Undelivered(Unreachable), Some("5.2.2")),
        (sample!("sendmail-expired"), Undelivered(Expired), Some("4.4.7")),
        (sample!("postfix-docomo"), Undelivered(Recipient), Some("550")),
        (sample!("carrier-in-words"), Undelivered(Other), None),
        (sample!("qmail-in-words"), Undelivered(Other), None),
        (sample!("exim-in-words"), Undelivered(Other), None),
        (sample!("postfix-delayed"), Underway, Some("4.4.1")),
        (sample!("forwarded-and-delivered"), Delivered, Some("2.6.0")),
    ] {
        let report = read(mail, None).unwrap_or_else(|nothing| panic!("{name}: {nothing}"));
        assert_eq!(report.message, Which::Reference(REFERENCE.to_owned()), "{name}");
        assert_eq!((report.status, report.code.as_deref()), (status, code), "{name}");
        let crlf = String::from_utf8_lossy(mail).replace('\n', "\r\n");
        assert_eq!(read(crlf.as_bytes(), None).as_ref(), Ok(&report), "{name} with the line ends of SMTP");
    }
}

#[test]
fn what_is_no_report_of_a_delivery_settles_nothing() {
    for (name, mail) in [sample!("holiday"), sample!("read-receipt")] {
        assert_eq!(read(mail, None), Err(Nothing::NoReport), "{name}");
    }
    let to_us = format!("To: bounce+{REFERENCE}@example.jp\n");
    for (case, head) in [
        ("a person's mail", format!("From: taro@example.com\nReturn-Path: <taro@example.com>\n{to_us}")),
        ("a person's, sent by nobody", format!("From: taro@example.com\nReturn-Path: <>\n{to_us}")),
        (
            "a mail system's, sent by somebody",
            format!("From: MAILER-DAEMON@x.example\nReturn-Path: <a@b.example>\n{to_us}"),
        ),
        (
            "a mail system's automatic answer",
            format!("From: postmaster@x.example\nReturn-Path: <>\nAuto-Submitted: auto-replied\n{to_us}"),
        ),
        ("a mail system's, by whom nobody says", format!("From: MAILER-DAEMON@x.example\n{to_us}")),
    ] {
        let mail = format!("{head}Subject: x\n\nUser unknown (550 5.1.1)\n");
        assert_eq!(read(mail.as_bytes(), None), Err(Nothing::NoReport), "{case}");
    }
}

#[test]
fn the_address_that_it_came_to_goes_before_what_the_report_says() {
    let (_, mail) = sample!("postfix-unknown-user");
    let other = "f".repeat(32);
    let recipient = format!("bounce+{other}@example.jp");
    let report = read(mail, Some(&recipient)).expect("a report");
    assert_eq!(report.message, Which::Reference(other));
    // An address without a reference leaves the others their say.
    let report = read(mail, Some("bounce@example.jp")).expect("a report");
    assert_eq!(report.message, Which::Reference(REFERENCE.to_owned()));
}

#[test]
fn a_report_about_somebody_elses_mail_settles_nothing() {
    let (_, mail) = sample!("sendmail-expired");
    let text = String::from_utf8_lossy(mail);
    for id in ["20261122.1234@example.jp", "0123@example.jp", "0123456789abcdef0123456789abcdeg@example.jp"] {
        let other = text.replace(&format!("{REFERENCE}@example.jp"), id);
        assert_eq!(read(other.as_bytes(), None), Err(Nothing::NoReference), "{id}");
    }
}

#[test]
fn a_report_without_its_action_is_judged_by_its_class_and_one_without_either_not_at_all() {
    let report = |fields: &str| {
        let mail = format!(
            "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\
             Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n{fields}\n\n--b--\n"
        );
        read(mail.as_bytes(), Some(&format!("b+{REFERENCE}@example.jp"))).map(|report| report.status)
    };
    assert_eq!(report("Status: 5.1.1"), Ok(Status::Undelivered(Loss::Recipient)));
    assert_eq!(report("Diagnostic-Code: smtp; 550 5.2.2 full"), Ok(Status::Undelivered(Loss::Unreachable)));
    assert_eq!(report("Status: 4.4.1"), Err(Nothing::NoReport), "it may still arrive");
    assert_eq!(report("Action: lost"), Err(Nothing::NoReport));
    assert_eq!(
        report("Action: failed\nDiagnostic-Code: smtp; 99999 x"),
        Ok(Status::Undelivered(Loss::Other))
    );
}

#[test]
fn nothing_of_a_reports_words_gets_into_what_is_told() {
    let samples =
        [sample!("postfix-unknown-user"), sample!("postfix-docomo"), sample!("exchange-unknown-user")];
    for (name, mail) in samples {
        let code = read(mail, None).expect(name).code.expect(name);
        assert!(code.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'), "{name}: {code}");
    }
}

proptest! {
    #[test]
    fn garbage_is_read_without_a_panic(mail in proptest::collection::vec(any::<u8>(), 0..2000), to in ".{0,60}") {
        let _ = read(&mail, Some(&to));
    }

    /// A report with a hole, a byte changed, or its end missing.
    #[test]
    fn a_damaged_report_is_read_without_a_panic(from in 0usize..3000, length in 0usize..400, byte in any::<u8>()) {
        for (_, mail) in [sample!("postfix-unknown-user"), sample!("exchange-unknown-user"), sample!("forwarded-and-delivered")] {
            let (from, to) = (from.min(mail.len()), (from + length).min(mail.len()));
            let _ = read(&mail[..from], None);
            let _ = read(&[&mail[..from], &mail[to..]].concat(), None);
            let _ = read(&[&mail[..from], &[byte], &mail[to..]].concat(), None);
        }
    }
}
