//! The workbench as a process, on a house's folder or on the built-in texts.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::guard::Guard;
use super::http::{http_request, try_http_get};
use super::ports::free_port;
use super::scratch::Scratch;
use super::wait::eventually;

/// `shirase workbench` in a folder of its own, ended with the value.
pub struct Workbench {
    pub port: u16,
    pub scratch: Scratch,
    _guard: Guard,
}

impl Workbench {
    /// On the built-in texts, in memory.
    pub fn built_in(binary: &str) -> Self {
        Self::start(binary, Scratch::new("workbench"), &[])
    }

    /// On the folder that `shirase init` writes.
    pub fn of_a_house(binary: &str) -> Self {
        let scratch = Scratch::new("workbench");
        let init = scratch.command(binary).args(["init", "."]).stdout(Stdio::null()).status();
        assert!(init.expect("the binary starts").success());
        Self::start(binary, scratch, &["--config", "config/shirase.toml"])
    }

    fn start(binary: &str, scratch: Scratch, arguments: &[&str]) -> Self {
        let port = free_port();
        let mut command = scratch.command(binary);
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SHIRASE_"))
        {
            command.env_remove(name);
        }
        let output = std::fs::File::create(scratch.join("output")).expect("our folder");
        command.args(["workbench", "--listen", &format!("127.0.0.1:{port}")]).args(arguments);
        command.stdout(output.try_clone().expect("a file")).stderr(output);
        let guard = Guard::start(&scratch, &mut command);
        eventually(Duration::from_secs(60), "the workbench", || {
            assert!(guard.try_wait().is_none(), "ended: {}", scratch.read("output"));
            try_http_get(port, "/").is_ok().then_some(())
        });
        Self { port, scratch, _guard: guard }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// A template as it lies in the house's folder.
    pub fn file(&self, path: &str) -> String {
        self.scratch.read(&format!("templates/{path}"))
    }

    /// Status and answer of a request with a JSON body.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let host = format!("127.0.0.1:{}", self.port);
        let headers = format!("Host: {host}\r\nContent-Type: application/json\r\n");
        let (status, text) = self.raw(method, path, &headers, &body.to_string());
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// As [`Self::ask`], with headers as another site or program may send them.
    #[track_caller]
    pub fn raw(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        http_request(self.port, method, path, headers, body)
    }
}
