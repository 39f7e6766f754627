//! A Postfix relay of a test's own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::guard::Guard;
use super::ports::{free_port, wait_until_refused};
use super::run::{is_root, run};
use super::scratch::Scratch;
use super::wait::within;

const PROGRAMS: &str = "/usr/lib/postfix/sbin";

const START: Duration = Duration::from_secs(60);

/// What Postfix does without; everything else is left as a house would have it.
const SERVICES: &str = "\
pickup   unix       n - n 60   1 pickup
cleanup  unix       n - n -    0 cleanup
qmgr     unix       n - n 300  1 qmgr
rewrite  unix       - - n -    - trivial-rewrite
bounce   unix       - - n -    0 bounce
defer    unix       - - n -    0 bounce
trace    unix       - - n -    0 bounce
verify   unix       - - n -    1 verify
flush    unix       n - n 1000? 0 flush
proxymap unix       - - n -    - proxymap
showq    unix       n - n -    - showq
error    unix       - - n -    - error
retry    unix       - - n -    - error
virtual  unix       - n n -    - virtual
anvil    unix       - - n -    1 anvil
postlog  unix-dgram n - n -    1 postlogd
tlsmgr   unix       - - n 1000? 1 tlsmgr
";

/// What an authenticated client of [`Postfix::start_submission`] says.
pub const USER: &str = "shirase@example.test";
pub const PASSWORD: &str = "p+ss/w@rd: x";

/// The ports of [`Postfix::start_submission`].
pub struct Submission {
    /// STARTTLS, then AUTH, or nothing is taken.
    pub starttls: u16,
    /// The same with TLS from the first byte.
    pub smtps: u16,
}

/// Where mails for a domain go: the domain, and a line of `master.cf` that makes its transport, called `bounced`.
pub struct Bounced<'a> {
    pub domain: &'a str,
    pub pipe: &'a str,
}

/// An SMTP server on loopback that keeps the mails for `example.jp`, `example.com`, `docomo.ne.jp` and `ezweb.ne.jp` in a
/// maildir.
///
/// Recipients `refused@...` get `550 5.1.1` and `later@...` get `450 4.2.0`; other domains `554 5.7.1`. Nothing ever
/// leaves the machine, and a Postfix of the system is neither used nor disturbed.
pub struct Postfix {
    master: Mutex<Option<Guard>>,
    port: u16,
    scratch: Scratch,
}

impl Postfix {
    /// Starts the relay and waits until it greets.
    pub fn start() -> Self {
        Self::start_with("", |_, _| String::new())
    }

    /// As [`Self::start`], and also takes mails for anywhere from [`USER`] with [`PASSWORD`], over TLS with this certificate
    /// and key (PEM). Those for `refused@example.com` are then given up, because the next hop refuses them; those of
    /// `bounced` go where it says.
    pub fn start_submission(certificate: &str, key: &str, bounced: &Bounced<'_>) -> (Self, Submission) {
        let ports = Submission { starttls: free_port(), smtps: free_port() };
        let services = format!(
            "127.0.0.1:{} inet n - n - - smtpd -o smtpd_tls_security_level=encrypt {AUTHENTICATED}\n\
             127.0.0.1:{} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes {AUTHENTICATED}\n\
             next unix - - n - - smtp -o myhostname=submission.example.test\n\
             bounced unix - n n - - pipe {}\n",
            ports.starttls, ports.smtps, bounced.pipe
        );
        let postfix = Self::start_with(&services, |scratch, port| {
            scratch.write("etc/tls.pem", &format!("{key}\n{certificate}"));
            add_user(scratch);
            let dir = scratch.path().display();
            let domain = bounced.domain;
            format!(
                "smtpd_tls_chain_files = {dir}/etc/tls.pem\n\
                 cyrus_sasl_config_path = {dir}/etc/sasl\n\
                 smtpd_sasl_local_domain = example.test\n\
                 relay_domains = {domain}\n\
                 transport_maps = inline:{{ {{refused@example.com = next:[127.0.0.1]:{port}}}, {{{domain} = bounced:}} }}\n"
            )
        });
        (postfix, ports)
    }

    /// With more services, and more settings made with the files that they name; they are told the relay's port.
    fn start_with(services: &str, more: impl FnOnce(&Scratch, u16) -> String) -> Self {
        let master = format!("{PROGRAMS}/master");
        assert!(Path::new(&master).exists(), "no {master}: apt-get install --no-install-recommends postfix");
        assert!(
            is_root(),
            "Postfix starts as root only: run these tests as root, in a container for example"
        );
        let scratch = Scratch::new("postfix");
        let port = free_port();
        make_folders(&scratch);
        let more = more(&scratch, port);
        write_config(&scratch, "main.cf", &(settings(&scratch) + &more));
        let services = format!("127.0.0.1:{port} inet n - n - - smtpd\n{services}{SERVICES}");
        write_config(&scratch, "master.cf", &services);
        // Makes the folders of the queue.
        run(scratch.clean_command("/usr/sbin/postfix").arg("-c").arg(scratch.join("etc")).arg("check"));
        let postfix = Self { master: Mutex::new(None), port, scratch };
        postfix.start_again();
        postfix
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Ends the relay with all its processes, and waits until nobody listens. What it accepted stays in its queue.
    pub fn kill(&self) {
        let master = self.master().take();
        drop(master.expect("the relay runs"));
        wait_until_refused(self.port);
    }

    /// Starts the relay after a [`Self::kill`], with the same port, queue and mails.
    pub fn start_again(&self) {
        let mut master = self.master();
        assert!(master.is_none(), "the relay runs already");
        let output = File::create(self.scratch.join("output")).expect("a file in our folder");
        let mut command = self.scratch.clean_command(&format!("{PROGRAMS}/master"));
        // -s: keep to the output given, instead of the bit bucket.
        command.arg("-s").arg("-c").arg(self.scratch.join("etc"));
        command.stderr(output.try_clone().expect("a second handle")).stdout(output);
        let started = master.insert(Guard::start(&self.scratch, &mut command));
        let greeted = within(START, || self.greets(started).then_some(()));
        assert!(greeted.is_some(), "no greeting from Postfix:\n{}", self.log());
    }

    /// Freezes the relay: it takes connections, and answers nothing.
    pub fn stop(&self) {
        self.signal("STOP");
    }

    /// Lets a stopped relay go on.
    pub fn cont(&self) {
        self.signal("CONT");
    }

    /// The mails delivered so far, in that order: headers and body as they are on disk.
    ///
    /// Postfix's own come first, `Return-Path` and, one mail a recipient, `X-Original-To` and `Delivered-To`.
    pub fn mails(&self) -> Vec<Vec<u8>> {
        let Ok(delivered) = fs::read_dir(self.scratch.join("mail/inbox/new")) else { return Vec::new() };
        let mut files: Vec<_> = delivered.filter_map(|file| Some(file.ok()?.path())).collect();
        files.sort_by_key(|file| (modified(file), file.clone()));
        files.iter().filter_map(|file| fs::read(file).ok()).collect()
    }

    /// The mails, as soon as there are `count` of them.
    #[track_caller]
    pub fn wait_for(&self, count: usize, timeout: Duration) -> Vec<Vec<u8>> {
        let arrived = within(timeout, || Some(self.mails()).filter(|mails| mails.len() >= count));
        arrived.unwrap_or_else(|| {
            panic!("{} mails after {timeout:?}, not {count}:\n{}", self.mails().len(), self.log())
        })
    }

    /// What Postfix wrote into its log.
    pub fn log(&self) -> String {
        self.scratch.read("maillog")
    }

    /// To all its processes: the master only hands out connections, it does not serve them.
    fn signal(&self, name: &str) {
        self.master().as_ref().expect("the relay runs").signal_group(name);
    }

    fn greets(&self, master: &Guard) -> bool {
        if let Some(status) = master.try_wait() {
            panic!("Postfix ended with {status}:\n{}{}", self.scratch.read("output"), self.log());
        }
        let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else { return false };
        stream.set_read_timeout(Some(START)).expect("a timeout above zero");
        let mut greeting = String::new();
        BufReader::new(stream).read_line(&mut greeting).is_ok() && greeting.starts_with("220 ")
    }

    fn master(&self) -> MutexGuard<'_, Option<Guard>> {
        self.master.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn modified(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|metadata| metadata.modified()).ok()
}

/// For the services of [`Postfix::start_submission`].
const AUTHENTICATED: &str = "-o smtpd_sasl_auth_enable=yes -o smtpd_tls_auth_only=yes \
    -o smtpd_relay_restrictions=permit_sasl_authenticated,reject -o smtpd_recipient_restrictions=";

/// Makes the user's entry, and tells SASL to find it there: the system's own is not asked.
fn add_user(scratch: &Scratch) {
    run(Command::new("install").args(["-d", "-m", "755"]).arg(scratch.join("etc/sasl")));
    let users = scratch.join("etc/sasl/users");
    scratch.write(
        "etc/sasl/smtpd.conf",
        &format!(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {}\nmech_list: PLAIN LOGIN\n",
            users.display()
        ),
    );
    let (name, realm) = USER.split_once('@').expect("name and realm");
    // Without an end of line, which would belong to the password.
    let password = File::open(scratch.write("etc/sasl/password", PASSWORD)).expect("just written");
    let program = "/usr/sbin/saslpasswd2";
    assert!(
        Path::new(program).exists(),
        "no {program}: apt-get install --no-install-recommends sasl2-bin libsasl2-modules"
    );
    run(Command::new(program)
        .arg("-p")
        .arg("-c")
        .arg("-f")
        .arg(&users)
        .args(["-u", realm, name])
        .stdin(password));
    // The server has given up its rights when it looks.
    run(Command::new("chown").arg("postfix").arg(&users));
}

/// The folders that Postfix and its delivery agent have to find.
fn make_folders(scratch: &Scratch) {
    let folders = [
        ("755", "root", "etc"),
        ("755", "root", "queue"),
        ("700", "postfix", "data"),
        ("700", "nobody", "mail"),
    ];
    for (mode, owner, name) in folders {
        run(Command::new("install").args(["-d", "-m", mode, "-o", owner]).arg(scratch.join(name)));
    }
}

/// Writes a configuration file an hour old: Postfix waits two seconds with one that may just be being written.
fn write_config(scratch: &Scratch, name: &str, text: &str) {
    let file = scratch.write(&format!("etc/{name}"), text);
    let old = SystemTime::now() - Duration::from_secs(3600);
    File::options()
        .append(true)
        .open(file)
        .and_then(|file| file.set_modified(old))
        .expect("the file is ours");
}

fn settings(scratch: &Scratch) -> String {
    let dir = scratch.path().display();
    let mark = Scratch::mark_name();
    format!(
        "compatibility_level = 3.6
queue_directory = {dir}/queue
data_directory = {dir}/data
daemon_directory = {PROGRAMS}
maillog_file = {dir}/maillog
maillog_file_prefixes = {dir}
import_environment = MAIL_CONFIG {mark}

inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mail.example.test
mynetworks = 127.0.0.0/8
smtpd_peername_lookup = no
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{{
    {{refused@ = 550 5.1.1 Unknown user}}, {{later@ = 450 4.2.0 Mailbox busy}} }}

# Everything into one maildir, which belongs to nobody (and whose name ends in a slash for that).
mydestination =
local_recipient_maps =
alias_maps =
virtual_mailbox_domains = example.jp, example.com, docomo.ne.jp, ezweb.ne.jp
virtual_mailbox_base = {dir}/mail
virtual_mailbox_maps = static:inbox/
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534

# No second's rest between mails that come in quickly, and no way out.
in_flow_delay = 0
default_transport = error:5.7.1 no mail leaves a test
relay_transport = error:5.7.1 no mail leaves a test
"
    )
}
