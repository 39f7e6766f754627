//! Connecting: URL, TLS, migrations, prepared statements.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;
use url::Url;

use super::super::engine::random_hex;
use super::super::url::LedgerUrlError;
use super::rows::Statements;
use crate::config::Secret;

/// Connecting, migrating and preparing together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// A batch waits for us between its two round trips only.
const FREE_LOCKS: &str = "SET idle_in_transaction_session_timeout = '5s'";

/// Every batch looks a few rows up by their keys. Of a ledger that is new PostgreSQL thinks that it is small, would read all of
/// it each time, and keeps that plan until the table has grown to some ten thousand rows and was analysed.
const BY_INDEX: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

/// Migrations are applied one by one, under a lock that only one worker gets at a time.
const MIGRATIONS: [&str; 5] = [
    include_str!("../schema/postgres-1.sql"),
    include_str!("../schema/postgres-2.sql"),
    include_str!("../schema/postgres-3.sql"),
    include_str!("../schema/postgres-4.sql"),
    include_str!("../schema/postgres-5.sql"),
];

/// `pg_advisory_xact_lock`'s argument: any number, so long as all workers use the same. "shirase" in ASCII.
const MIGRATION_LOCK: i64 = 0x0073_6869_7261_7365;

/// Where the database is. `Display` and `Debug` hide user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    config: Config,
    /// `?sslrootcert=FILE`: whom to trust instead of the system's roots.
    root_certificate: Option<PathBuf>,
}

impl FromStr for PostgresUrl {
    type Err = LedgerUrlError;

    fn from_str(text: &str) -> Result<Self, LedgerUrlError> {
        let mut url = Url::parse(text).map_err(|_| LedgerUrlError::Postgres)?;
        let parameters: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let parameter = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let root_certificate = parameter("sslrootcert").map(PathBuf::from);
        let mode = parameter("sslmode").cloned();
        let ours = ["sslrootcert", "sslmode"];
        let others: Vec<_> = parameters.iter().filter(|(key, _)| !ours.contains(&key.as_str())).collect();
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
        let mut config: Config = url.as_str().parse().map_err(|_| LedgerUrlError::Postgres)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(LedgerUrlError::Postgres);
        }
        config.ssl_mode(match mode.as_deref() {
            Some("disable") => SslMode::Disable,
            Some("prefer") => SslMode::Prefer,
            Some("require" | "verify-ca" | "verify-full") => SslMode::Require,
            Some(_) => return Err(LedgerUrlError::SslMode),
            None if is_local(&config) => SslMode::Disable,
            None => SslMode::Require,
        });
        config.application_name("shirase").connect_timeout(Duration::from_secs(5));
        config.tcp_user_timeout(Duration::from_secs(10)).keepalives_idle(Duration::from_secs(10));
        Ok(Self { config, root_certificate })
    }
}

impl PostgresUrl {
    /// Host and port of every database that is spoken to with TLS.
    pub fn tls_places(&self) -> Vec<(String, u16)> {
        if self.config.get_ssl_mode() == SslMode::Disable {
            return Vec::new();
        }
        let tcp = |(index, host): (usize, &Host)| match host {
            Host::Tcp(name) => Some((name.clone(), port(&self.config, index))),
            Host::Unix(_) => None,
        };
        self.config.get_hosts().iter().enumerate().filter_map(tcp).collect()
    }
}

/// The port of one of the hosts.
fn port(config: &Config, index: usize) -> u16 {
    let ports = config.get_ports();
    ports.get(index).or(ports.first()).copied().unwrap_or(5432)
}

/// Loopback, or a socket in the file system: nobody is between.
fn is_local(config: &Config) -> bool {
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        Host::Unix(_) => true,
    })
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = |(index, host): (usize, &Host)| {
            let port = port(&self.config, index);
            match host {
                Host::Tcp(name) => format!("{name}:{port}"),
                Host::Unix(path) => path.display().to_string(),
            }
        };
        let hosts: Vec<String> = self.config.get_hosts().iter().enumerate().map(host).collect();
        write!(f, "postgres://{}/{}", hosts.join(","), self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What went wrong with the database. Its words hold no values of rows.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{}", described(.0))]
    Postgres(#[from] tokio_postgres::Error),
    #[error("no answer within {} s", super::TRANSACTION_TIMEOUT.as_secs())]
    Silent,
    #[error("{url}: {detail}")]
    Connect { url: String, detail: String },
    #[error("\"{0}\" is no state that this version knows")]
    Word(String),
    #[error(
        "its ledger has schema version {found}, newer than this program's {known}; run the newer version"
    )]
    Newer { found: i64, known: i64 },
    #[error(
        "there is no ledger of this version (found {found}, known {known}); a worker makes it and brings it up to date"
    )]
    Older { found: i64, known: i64 },
}

/// The database's own words and code, without the row that it is about (`DETAIL`); else the chain of causes.
fn described(error: &tokio_postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} {} ({})", error.severity(), error.message(), error.code().code());
    }
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A worker's: tables are made and brought up to date.
    Write,
    /// Somebody's beside the workers: no table is made, and for looking the user may be one who can only read.
    Beside,
}

/// A connection with all that is used on it.
pub(super) struct Connected {
    pub client: Client,
    pub statements: Statements,
    /// The ledger's own key for pseudonyms, for workers that have none in their configuration.
    pub own_key: Secret,
}

pub(super) async fn connect(url: &PostgresUrl, purpose: Purpose) -> Result<Connected, Problem> {
    let failed = |detail: String| Problem::Connect { url: url.to_string(), detail };
    match timeout(CONNECT_TIMEOUT, prepare(url, purpose)).await {
        Ok(Ok(connected)) => Ok(connected),
        Ok(Err(problem)) => Err(failed(with_mend(url, problem.to_string()))),
        Err(_) => Err(failed(format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()))),
    }
}

fn with_mend(url: &PostgresUrl, problem: String) -> String {
    if !problem.contains("certificate") {
        return problem;
    }
    let roots = match &url.root_certificate {
        Some(file) => file.display().to_string(),
        None => "the system's roots".to_owned(),
    };
    format!(
        "{problem}; the host's certificate has to be for its name and lead to {roots} (ledger.url: ?sslrootcert=FILE)"
    )
}

async fn prepare(url: &PostgresUrl, purpose: Purpose) -> Result<Connected, Problem> {
    let tls = MakeRustlsConnect::new(tls(url)?);
    let (mut client, connection) = url.config.connect(tls).await?;
    // It ends with the client; how, the client's own calls say.
    tokio::spawn(connection);
    match purpose {
        Purpose::Write => {
            migrate(&mut client).await?;
            make_key(&client).await?;
            // A worker that freezes in the middle of a batch holds its events' locks: others go on after this time, and
            // it commits once more when it comes back.
            client.batch_execute(FREE_LOCKS).await?;
            client.batch_execute(BY_INDEX).await?;
        }
        Purpose::Beside => see_version(&client).await?,
    }
    // A house may ask for more than `on`, never for less: what is claimed has to survive a crash.
    client.batch_execute("SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'").await?;
    let own_key = own_key(&client).await?;
    let statements = Statements::prepare(&client).await?;
    Ok(Connected { client, statements, own_key })
}

fn tls(url: &PostgresUrl) -> Result<ClientConfig, Problem> {
    let mut roots = RootCertStore::empty();
    match &url.root_certificate {
        Some(file) => {
            let failed = |error: &dyn fmt::Display| Problem::Connect {
                url: url.to_string(),
                detail: format!("sslrootcert {}: {error}", file.display()),
            };
            let found = CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))?;
            for certificate in found {
                let certificate = certificate.map_err(|error| failed(&error))?;
                roots.add(certificate).map_err(|error| failed(&error))?;
            }
        }
        None if url.config.get_ssl_mode() == SslMode::Disable => {}
        // A root that does not parse is one nobody has asked for; a missing one shows when it is needed.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// Ten workers may start at once: one of them makes the tables, the others wait for it and find them there.
async fn migrate(client: &mut Client) -> Result<(), Problem> {
    let transaction = client.transaction().await?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&MIGRATION_LOCK]).await?;
    transaction
        .batch_execute("CREATE TABLE IF NOT EXISTS shirase_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        .await?;
    let (found, known) = (version(transaction.client()).await?, MIGRATIONS.len() as i64);
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or_default()) {
        transaction.batch_execute(migration).await?;
    }
    if found < known {
        let write = "INSERT INTO shirase_meta VALUES ('version', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        transaction.execute(write, &[&known.to_string()]).await?;
    }
    Ok(transaction.commit().await?)
}

/// The schema's version, of one that we know.
async fn version(client: &Client) -> Result<i64, Problem> {
    let found = client.query_opt("SELECT value FROM shirase_meta WHERE name = 'version'", &[]).await?;
    let found: i64 = match found {
        Some(row) => row.try_get::<_, String>(0)?.parse().unwrap_or(i64::MAX),
        None => 0,
    };
    let known = MIGRATIONS.len() as i64;
    if found > known { Err(Problem::Newer { found, known }) } else { Ok(found) }
}

/// That there is a ledger, of this version.
async fn see_version(client: &Client) -> Result<(), Problem> {
    let there = client.query_one("SELECT to_regclass('shirase_meta') IS NOT NULL", &[]).await?;
    let found = if there.try_get(0)? { version(client).await? } else { 0 };
    let known = MIGRATIONS.len() as i64;
    if found < known { Err(Problem::Older { found, known }) } else { Ok(()) }
}

async fn make_key(client: &Client) -> Result<(), Problem> {
    let insert = "INSERT INTO shirase_meta VALUES ('recipient_key', $1) ON CONFLICT (name) DO NOTHING";
    client.execute(insert, &[&random_hex(32)]).await?;
    Ok(())
}

async fn own_key(client: &Client) -> Result<Secret, Problem> {
    let row = client.query_one("SELECT value FROM shirase_meta WHERE name = 'recipient_key'", &[]).await?;
    let key: String = row.try_get(0)?;
    key.parse().map_err(|_| Problem::Word(String::new()))
}
