//! A real Chromium, driven over WebDriver (W3C), of which only the few commands that tests need are spoken.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::guard::Guard;
use super::ports::free_port;
use super::run::is_root;
use super::scratch::Scratch;
use super::wait::{eventually, within};

/// For whatever a busy machine may delay; no assertion about speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys by the characters that WebDriver gives them.
pub mod key {
    /// Of all that were held.
    pub const RELEASED: &str = "\u{E000}";
    pub const TAB: &str = "\u{E004}";
    pub const ENTER: &str = "\u{E007}";
    pub const SHIFT: &str = "\u{E008}";
    pub const CONTROL: &str = "\u{E009}";
    pub const ALT: &str = "\u{E00A}";
    pub const ESCAPE: &str = "\u{E00C}";
    pub const END: &str = "\u{E010}";
    pub const DOWN: &str = "\u{E015}";
    pub const DELETE: &str = "\u{E017}";
}

/// How large a screenshot is.
#[derive(Clone, Copy)]
pub struct Screen {
    width: u32,
    height: u32,
    mobile: bool,
}

impl Screen {
    /// A phone's of this size.
    pub const fn phone(width: u32, height: u32) -> Self {
        Self { width, height, mobile: true }
    }

    /// Wide enough for panes side by side.
    pub fn is_wide(self) -> bool {
        !self.mobile
    }
}

pub const PHONE: Screen = Screen { width: 390, height: 844, mobile: true };
pub const DESKTOP: Screen = Screen { width: 1440, height: 900, mobile: false };

/// A browser with a profile of its own; both end with the value.
pub struct Browser {
    runtime: Runtime,
    client: Client,
    session: String,
    _driver: Guard,
}

impl Browser {
    /// Starts one, without a window, as large as a desktop's.
    pub fn start() -> Self {
        // Its client wants a provider even though nothing here speaks TLS; another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (scratch, port) = (Scratch::new("browser"), free_port());
        let mut command = scratch.command("chromedriver");
        let output = fs::File::create(scratch.join("chromedriver.log")).expect("our folder");
        command.arg(format!("--port={port}")).env("HOME", scratch.path());
        command.stdout(output.try_clone().expect("a file")).stderr(output);
        let driver = Guard::start(&scratch, &mut command);
        // It holds connections open, so a client that waits for their end would wait for ever.
        let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok().then_some(());
        eventually(PATIENCE, "chromedriver", listens);
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (client, session) = (Client::new(), format!("http://127.0.0.1:{port}/session"));
        let mut browser = Self { runtime, client, session, _driver: driver };
        let started = browser.ask(Method::POST, "", &capabilities(&scratch));
        let id = started["sessionId"].as_str().expect("a session").to_owned();
        browser.session = format!("{}/{id}", browser.session);
        browser.screen(DESKTOP);
        browser
    }

    /// Opens a page and waits for it.
    pub fn open(&self, url: &str) {
        self.ask(Method::POST, "/url", &json!({"url": url}));
    }

    /// Runs a script, whose `return` is the answer.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.ask(Method::POST, "/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until a JavaScript expression is true; the page's own text says what it was instead.
    #[track_caller]
    pub fn wait_for(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        if within(PATIENCE, || (self.run(&script) == true).then_some(())).is_none() {
            panic!("waited in vain for {expression} in:\n{}", self.run("return document.body.innerText"));
        }
    }

    /// Clicks what a CSS selector names, as a mouse would, once it is there.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let clicked = within(PATIENCE, || {
            let element = self.element(selector);
            match self.try_ask(Method::POST, &format!("/element/{element}/click"), &json!({})) {
                // The page drew it anew between the look and the click.
                Err(error) if error.starts_with("stale element") => None,
                clicked => Some(clicked),
            }
        });
        let clicked = clicked.unwrap_or_else(|| panic!("{selector} is drawn anew all the time"));
        clicked.unwrap_or_else(|error| panic!("no click on {selector}: {error}"));
    }

    /// What a reader sees of an element.
    #[track_caller]
    pub fn text(&self, selector: &str) -> String {
        let element = self.element(selector);
        let text = self.ask(Method::GET, &format!("/element/{element}/text"), &Value::Null);
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Types over what a field holds, as people do: WebDriver's own "clear" tells the page nothing of an input, which may put the
    /// old text back before the new one comes.
    #[track_caller]
    pub fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        let keys = [key::CONTROL, "a", key::RELEASED, key::DELETE, text].concat();
        self.ask(Method::POST, &format!("/element/{element}/value"), &json!({"text": keys}));
    }

    /// Presses keys together, where the focus is: `[CONTROL, "s"]`.
    pub fn press(&self, keys: &[&str]) {
        let down = keys.iter().map(|key| json!({"type": "keyDown", "value": key}));
        let up = keys.iter().rev().map(|key| json!({"type": "keyUp", "value": key}));
        self.keys(down.chain(up).collect());
    }

    /// Types a text, where the focus is.
    pub fn type_text(&self, text: &str) {
        let strokes = text.chars().map(String::from);
        let both =
            |key: String| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})];
        self.keys(strokes.flat_map(both).collect());
    }

    fn keys(&self, actions: Vec<Value>) {
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        self.ask(Method::POST, "/actions", &json!({"actions": [keyboard]}));
    }

    /// From now on the page has this much room.
    pub fn screen(&self, Screen { width, height, mobile }: Screen) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// From now on the device prefers dark, or light.
    pub fn prefer_dark(&self, dark: bool) {
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &media);
    }

    fn devtools(&self, command: &str, params: &Value) {
        self.ask(Method::POST, "/goog/cdp/execute", &json!({"cmd": command, "params": params}));
    }

    /// Keeps a picture of the page as `target/screenshots/NAME.png`.
    pub fn screenshot(&self, name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        fs::create_dir_all(&folder).expect("target is ours");
        let picture = self.ask(Method::GET, "/screenshot", &Value::Null);
        let bytes = STANDARD.decode(picture.as_str().expect("a picture")).expect("base64");
        let file = folder.join(format!("{name}.png"));
        fs::write(&file, bytes).expect("target is ours");
        file
    }

    /// What the page complained of: scripts that failed, what its policy forbade.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.ask(Method::POST, "/se/log", &json!({"type": "browser"}));
        let entries = log.as_array().cloned().unwrap_or_default();
        entries.iter().filter_map(|entry| Some(entry["message"].as_str()?.to_owned())).collect()
    }

    #[track_caller]
    fn element(&self, selector: &str) -> String {
        let asked = json!({"using": "css selector", "value": selector});
        let found = within(PATIENCE, || self.try_ask(Method::POST, "/element", &asked).ok());
        let found = found.unwrap_or_else(|| panic!("no {selector} in the page"));
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    #[track_caller]
    fn ask(&self, method: Method, path: &str, body: &Value) -> Value {
        self.try_ask(method, path, body).unwrap_or_else(|error| panic!("WebDriver {path} {body}: {error}"))
    }

    fn try_ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let request = self.client.request(method, format!("{}{path}", self.session));
        let request = if body.is_null() { request } else { request.json(body) };
        let answer = self.runtime.block_on(async { request.send().await?.json::<Value>().await });
        let mut answer = answer.map_err(|error| error.to_string())?;
        match answer["value"]["error"].as_str() {
            Some(error) => Err(format!("{error}: {}", answer["value"]["message"])),
            None => Ok(answer["value"].take()),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends in order where it can; whatever is left goes with the scratch folder.
        let _ = self.try_ask(Method::DELETE, "", &Value::Null);
    }
}

fn capabilities(scratch: &Scratch) -> Value {
    let mut arguments = vec![
        "--headless=new".to_owned(),
        "--lang=ja".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-background-networking".to_owned(),
        "--no-first-run".to_owned(),
        format!("--user-data-dir={}", scratch.join("profile").display()),
    ];
    if is_root() {
        arguments.push("--no-sandbox".to_owned());
    }
    json!({"capabilities": {"alwaysMatch": {
        "browserName": "chrome",
        "goog:loggingPrefs": {"browser": "ALL"},
        "goog:chromeOptions": {"args": arguments}
    }}})
}
