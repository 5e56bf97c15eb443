//! A real browser: Debian's `chromium`, asked over the pipe of its debugging protocol, so that no driver has to be installed.
//! What the page throws or logs as an error fails the test.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use serde_json::{Value, json};

/// What a machine that builds seven other things at the same time may take. Nothing waits that long by itself.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Chromium {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    next: u64,
    session: Option<String>,
    profile: PathBuf,
}

impl Chromium {
    /// `None` where there is none.
    pub(crate) fn start() -> Option<Chromium> {
        let mut asks = Command::new("chromium");
        let there = asks.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !there.is_ok_and(|status| status.success()) {
            return None;
        }
        let profile =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{}", std::process::id()));
        // The protocol is spoken on descriptors 3 and 4, which only a shell can make of our pipes.
        let script = r#"exec chromium "$@" 3<&0 4>&1 </dev/null >/dev/null"#;
        let mut child = Command::new("sh")
            .args(["-c", script, "chromium", "--headless", "--remote-debugging-pipe"])
            .args(["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let (to, stdout) =
            (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let (sender, from) = mpsc::channel();
        std::thread::spawn(move || {
            for message in BufReader::new(stdout).split(0) {
                let Ok(message) = message else { return };
                let message = serde_json::from_slice(&message).expect("the browser speaks JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut chromium = Chromium { child, to, from, next: 0, session: None, profile };
        let target = chromium.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = chromium.call("Target.attachToTarget", attach);
        chromium.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            chromium.call(domain, json!({}));
        }
        Some(chromium)
    }

    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).expect("the browser listens");
        self.to.flush().expect("the browser listens");
        loop {
            let answer = self.from.recv_timeout(PATIENCE).unwrap_or_else(|error| {
                panic!("{method} {params}: {error}");
            });
            if answer["id"] == self.next {
                assert!(answer["error"].is_null(), "{method} {params}: {answer}");
                return answer["result"].clone();
            }
            let is_error = answer["method"] == "Runtime.exceptionThrown"
                || (answer["method"] == "Log.entryAdded"
                    && answer["params"]["entry"]["level"] == "error");
            assert!(!is_error, "the page fails: {answer:#}");
        }
    }

    /// The value of a JavaScript expression, a promise awaited.
    pub(crate) fn ask(&mut self, expression: &str) -> Value {
        let params =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.call("Runtime.evaluate", params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer:#}");
        answer["result"]["value"].clone()
    }

    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.ask(&format!("document.querySelector({selector:?}).innerText"));
        text.as_str().unwrap_or_else(|| panic!("no text in {selector}")).to_owned()
    }

    /// The texts of all that the selector finds.
    pub(crate) fn texts(&mut self, selector: &str) -> Vec<String> {
        let all = format!("[...document.querySelectorAll({selector:?})].map((it) => it.innerText)");
        serde_json::from_value(self.ask(&all)).expect("texts")
    }

    /// Looks at each frame, until the expression is true.
    pub(crate) fn until(&mut self, condition: &str) {
        self.ask(&format!(
            "new Promise((done) => {{ const look = () => ({condition}) ? done(true) : requestAnimationFrame(look); look(); }})"
        ));
    }

    pub(crate) fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
        self.until("document.readyState === 'complete'");
    }

    /// Presses the left button of the mouse in the middle of an element.
    pub(crate) fn click(&mut self, selector: &str) {
        let middle = self.ask(&format!(
            "(() => {{ const it = document.querySelector({selector:?}); it.scrollIntoView({{ block: 'nearest' }});
              const r = it.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({
                "type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1
            });
            self.call("Input.dispatchMouseEvent", params);
        }
    }

    /// Presses a key, as `KeyboardEvent.key` names it.
    pub(crate) fn key(&mut self, key: &str) {
        let (code, text) = match key {
            "Tab" => (9, None),
            "Enter" => (13, Some("\r")),
            "ArrowDown" => (40, None),
            _ => (i64::from(key.as_bytes()[0].to_ascii_uppercase()), Some(key)),
        };
        let mut down = json!({
            "type": if text.is_some() { "keyDown" } else { "rawKeyDown" },
            "key": key, "code": key, "windowsVirtualKeyCode": code
        });
        if let Some(text) = text {
            down["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", down);
        let up = json!({ "type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code });
        self.call("Input.dispatchKeyEvent", up);
    }

    pub(crate) fn size(&mut self, width: u32, height: u32) {
        let params = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false
        });
        self.call("Emulation.setDeviceMetricsOverride", params);
    }

    /// What the system asks for: `light` or `dark`.
    pub(crate) fn theme(&mut self, theme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": theme });
        self.call("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
    }

    /// Writes the whole page as a picture, for people to look at.
    pub(crate) fn screenshot(&mut self, name: &str) {
        let picture = self.call(
            "Page.captureScreenshot",
            json!({ "format": "png", "captureBeyondViewport": true }),
        );
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
        std::fs::create_dir_all(&folder).expect("a folder");
        let bytes = from_base64(picture["data"].as_str().expect("a picture"));
        std::fs::write(folder.join(format!("{name}.png")), bytes).expect("a picture");
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(std::fs::remove_dir_all(&self.profile));
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let sextets: Vec<_> = text.bytes().filter(|byte| *byte != b'=').map(value).collect();
    let bytes = |group: &[u8]| {
        let word = group.iter().fold(0u32, |word, sextet| word << 6 | u32::from(*sextet));
        let word = word << (6 * (4 - group.len()));
        word.to_be_bytes()[1..group.len()].to_vec()
    };
    sextets.chunks(4).flat_map(bytes).collect()
}
