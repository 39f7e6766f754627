//! DKIM keys as a house makes them (docs/email.md), and a verifier that is not ours: dkimpy.

use std::fs::File;
use std::process::Command;

use super::run::run;
use super::scratch::Scratch;

/// Ends with 3 where a mail on standard input is not signed by the key whose record is given.
const VERIFY: &str = "
import sys, dkim
name, record = sys.argv[1].encode() + b'.', sys.argv[2].encode()
verified = dkim.verify(sys.stdin.buffer.read(), dnsfunc=lambda asked, timeout=5: record if asked == name else None)
sys.exit(0 if verified else 3)
";

/// A private key (PEM) and the DNS record of its public half.
pub struct DkimKey {
    pub pem: String,
    pub record: String,
}

impl DkimKey {
    /// `openssl genrsa 2048`.
    pub fn rsa(scratch: &Scratch) -> Self {
        Self::make(scratch, "v=DKIM1; k=rsa; p=", "openssl genrsa 2048 2>/dev/null", "cat")
    }

    /// `openssl genpkey -algorithm ed25519`; the record holds the bare key (RFC 8463, 4.2).
    pub fn ed25519(scratch: &Scratch) -> Self {
        Self::make(scratch, "v=DKIM1; k=ed25519; p=", "openssl genpkey -algorithm ed25519", "tail -c 32")
    }

    fn make(scratch: &Scratch, begin: &str, make: &str, public: &str) -> Self {
        let line = format!(
            "{make} >dkim.pem && openssl pkey -in dkim.pem -pubout -outform DER | {public} | openssl base64 -A"
        );
        let public = run(scratch.command("sh").args(["-c", &line]));
        Self { pem: scratch.read("dkim.pem"), record: format!("{begin}{public}") }
    }
}

/// Whether the mail is signed by the key whose record stands at `name`.
pub fn dkim_verifies(scratch: &Scratch, mail: &[u8], name: &str, record: &str) -> bool {
    let file = scratch.join("signed.eml");
    std::fs::write(&file, mail).expect("a file in our folder");
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", VERIFY, name, record]).stdin(File::open(file).expect("just written"));
    let ended = python.output().expect("python3: apt-get install --no-install-recommends python3-dkim");
    match ended.status.code() {
        Some(0) => true,
        Some(3) => false,
        _ => panic!("the verifier failed:\n{}", String::from_utf8_lossy(&ended.stderr)),
    }
}
