//! A real browser, by the `DevTools` protocol: Debian's `chromium`, or another of that family.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;

const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
const PATIENCE: Duration = Duration::from_secs(120);

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

/// One page.
pub(crate) struct Browser {
    child: Child,
    profile: PathBuf,
    commands: mpsc::UnboundedSender<Value>,
    waiting: Waiting,
    next: std::sync::atomic::AtomicU64,
    session: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// The program, or `None` and a line that says so where there is none.
pub(crate) fn program() -> Option<&'static str> {
    let runs = |program: &&str| {
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    };
    let found = PROGRAMS.into_iter().find(runs);
    if found.is_none() {
        eprintln!("skipped: no browser here, Debian's package is `chromium`");
    }
    found
}

impl Browser {
    pub(crate) async fn start(program: &str, name: &str) -> Browser {
        let profile =
            std::env::temp_dir().join(format!("ctxprop-live-{name}-{}", std::process::id()));
        let mut child = Command::new(program)
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-extensions", "--hide-scrollbars", "--mute-audio"])
            .args(["--remote-debugging-port=0", "--window-size=1440,900"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        let (found, url) = oneshot::channel();
        // It goes on reading: a pipe that is full would stop the browser.
        std::thread::spawn(move || {
            let mut found = Some(found);
            for line in lines.lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("DevTools listening on ")
                    && let Some(found) = found.take()
                {
                    drop(found.send(url.to_owned()));
                }
            }
        });
        let url = tokio::time::timeout(PATIENCE, url).await.unwrap().unwrap();
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let (mut sink, mut stream) = socket.split();
        let (commands, mut queue) = mpsc::unbounded_channel::<Value>();
        tokio::spawn(async move {
            while let Some(command) = queue.recv().await {
                if sink.send(Message::text(command.to_string())).await.is_err() {
                    return;
                }
            }
        });
        let waiting = Waiting::default();
        let answers = Arc::clone(&waiting);
        tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                let Ok(message) = serde_json::from_str::<Value>(message.to_text().unwrap_or(""))
                else {
                    continue;
                };
                let waits =
                    message["id"].as_u64().and_then(|id| answers.lock().unwrap().remove(&id));
                match waits {
                    Some(waits) => drop(waits.send(message)),
                    // What a test would else never show.
                    None if message["method"] == "Runtime.exceptionThrown" => {
                        eprintln!("the page: {message:#}");
                    }
                    None => {}
                }
            }
        });
        let next = std::sync::atomic::AtomicU64::new(1);
        let mut browser =
            Browser { child, profile, commands, waiting, next, session: String::new() };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach).await;
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page.enable", "Runtime.enable"] {
            browser.call(domain, json!({})).await;
        }
        // The time that the thread had, and not that which passed: others want the processor too.
        browser.call("Performance.enable", json!({ "timeDomain": "threadTicks" })).await;
        browser.size(1440, 900).await;
        browser
    }

    pub(crate) async fn call(&self, method: &str, params: Value) -> Value {
        let id = self.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (answer, waits) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, answer);
        let mut command = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            command["sessionId"] = json!(self.session);
        }
        self.commands.send(command).unwrap();
        let answer = tokio::time::timeout(PATIENCE, waits).await.unwrap().unwrap();
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    pub(crate) async fn size(&self, width: u32, height: u32) {
        let metrics =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    pub(crate) async fn theme(&self, scheme: &str) {
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", media).await;
    }

    pub(crate) async fn open(&self, url: &str) {
        self.call("Page.navigate", json!({ "url": url })).await;
    }

    /// The value of a script.
    pub(crate) async fn eval(&self, script: &str) -> Value {
        let params = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", params).await;
        assert!(answer["exceptionDetails"].is_null(), "{script}: {:#}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Asks until a script gives something that is true.
    pub(crate) async fn until(&self, script: &str) -> Value {
        let ask = async {
            loop {
                let at_a_frame =
                    format!("new Promise(done => requestAnimationFrame(() => done({script})))");
                let value = self.eval(&at_a_frame).await;
                if value != json!(false) && !value.is_null() && value != json!("") {
                    return value;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, ask).await {
            Ok(value) => value,
            Err(_) => panic!(
                "never: {script}\n{}",
                self.eval("document.body.innerText.slice(0, 1500)").await
            ),
        }
    }

    /// A click where a person would click.
    pub(crate) async fn click(&self, selector: &str) {
        let script = format!(
            "(() => {{ const it = document.querySelector({selector:?}).getBoundingClientRect(); \
             return [it.x + it.width / 2, it.y + it.height / 2]; }})()"
        );
        let at = self.eval(&script).await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Types into a field that is empty.
    pub(crate) async fn write(&self, selector: &str, text: &str) {
        self.eval(&format!("document.querySelector({selector:?}).focus()")).await;
        self.eval("document.activeElement.select()").await;
        self.call("Input.insertText", json!({ "text": text })).await;
    }

    pub(crate) async fn picture(&self, path: &std::path::Path) {
        let picture = self.call("Page.captureScreenshot", json!({ "format": "png" })).await;
        let bytes = BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// How much processor time the main thread has had for its tasks in all, in milliseconds.
    pub(crate) async fn busy(&self) -> f64 {
        let metrics = self.call("Performance.getMetrics", json!({})).await;
        let metric =
            metrics["metrics"].as_array().unwrap().iter().find(|one| one["name"] == "TaskDuration");
        metric.unwrap()["value"].as_f64().unwrap() * 1000.0
    }
}
