//! An SMS gateway that answers as a test tells it to, and remembers what it was asked.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::house::{PATIENCE, block_on, runtime};
use crate::support::eventually;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 200 with an id.
    Accept,
    /// The same, later.
    AcceptAfter(Duration),
    /// This status.
    Status(u16),
    /// Nothing, until [`Gateway::release`]; then 200.
    Hang,
    /// Takes the request and closes the connection.
    Cut,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Sms {
    pub to: String,
    pub reference: String,
    pub at: Instant,
    /// The answer was 200. The worker may have been gone by then.
    pub accepted: bool,
}

type Script = Arc<dyn Fn(&Sms, usize) -> Answer + Send + Sync>;

struct Shared {
    asked: Mutex<Vec<Sms>>,
    script: Mutex<Script>,
    released: watch::Sender<bool>,
}

pub struct Gateway {
    port: u16,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

impl Gateway {
    /// Answers every request the same.
    pub fn always(answer: Answer) -> Self {
        Self::scripted(move |_, _| answer)
    }

    /// The script is told the request and how many came to the same number before it.
    pub fn scripted(script: impl Fn(&Sms, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::on_port(0, script)
    }

    pub fn on_port(port: u16, script: impl Fn(&Sms, usize) -> Answer + Send + Sync + 'static) -> Self {
        let script: Script = Arc::new(script);
        let shared = Arc::new(Shared {
            asked: Mutex::default(),
            script: Mutex::new(script),
            released: watch::channel(false).0,
        });
        let listener =
            block_on(TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let serving = Arc::clone(&shared);
        let listening = runtime().spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self { port, shared, listening }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/sms", self.port)
    }

    pub fn script(&self, script: impl Fn(&Sms, usize) -> Answer + Send + Sync + 'static) {
        *locked(&self.shared.script) = Arc::new(script);
    }

    /// Lets those that hang go on.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }

    /// Every request so far.
    pub fn asked(&self) -> Vec<Sms> {
        locked(&self.shared.asked).clone()
    }

    pub fn accepted(&self) -> Vec<Sms> {
        self.asked().into_iter().filter(|sms| sms.accepted).collect()
    }

    #[track_caller]
    pub fn wait_asked(&self, count: usize) -> Vec<Sms> {
        eventually(PATIENCE, &format!("{count} requests to the gateway"), || {
            Some(self.asked()).filter(|asked| asked.len() >= count)
        })
    }

    /// Accepted messages by number.
    pub fn by_number(&self) -> BTreeMap<String, Vec<Sms>> {
        let mut numbers = BTreeMap::<_, Vec<_>>::new();
        for sms in self.accepted() {
            numbers.entry(sms.to.clone()).or_default().push(sms);
        }
        numbers
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.listening.abort();
        self.release();
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // A client that is gone ends its own conversation only.
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    while let Some((method, body)) = read_request(&mut stream).await {
        if method != "POST" {
            let _ = stream.write_all(b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n").await;
            continue;
        }
        let Some((index, answer)) = take(&shared, &body) else { return };
        match answer {
            Answer::Cut => return,
            Answer::AcceptAfter(delay) => sleep(delay).await,
            Answer::Hang => {
                let mut released = shared.released.subscribe();
                let _ = released.wait_for(|released| *released).await;
            }
            Answer::Accept | Answer::Status(_) => {}
        }
        let (status, body) = match answer {
            Answer::Status(status) => (status, "{}".to_owned()),
            _ => (200, format!(r#"{{"message_id":"m-{index}"}}"#)),
        };
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        // Before the answer: once the worker has it, the test may look.
        locked(&shared.asked)[index].accepted = status == 200;
        if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
            return;
        }
    }
}

fn take(shared: &Shared, body: &[u8]) -> Option<(usize, Answer)> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let field = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let sms = Sms { to: field("to"), reference: field("reference"), at: Instant::now(), accepted: false };
    let mut asked = locked(&shared.asked);
    let before = asked.iter().filter(|other| other.to == sms.to).count();
    let answer = locked(&shared.script)(&sms, before);
    asked.push(sms);
    Some((asked.len() - 1, answer))
}

/// Method and body; `None` at the end of the connection.
async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut method = None;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        method.get_or_insert_with(|| line.split(' ').next().unwrap_or_default().to_owned());
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((method?, body))
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
