//! A Python program as a peer.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The interpreter that has the peers, if `tests/interop/setup` got them.
pub(crate) fn interpreter() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?;
    let python = target.join("interop/bin/python");
    if target.join("interop/requirements.txt").exists() && python.exists() {
        return Some(python);
    }
    eprintln!(
        "skipped: no grpcio and h2 here, run `tests/interop/setup` (it needs python3 and PyPI)"
    );
    None
}

/// A program that runs. Dropped, it is killed.
pub(crate) struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    pub(crate) fn start(python: &Path, program: &str, arguments: &[&str]) -> Peer {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop").join(program);
        let mut child = Command::new(python)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("python starts");
        let input = child.stdin.take();
        let output = child.stdout.take().expect("it is piped");
        Peer { child, input, output: BufReader::new(output).lines() }
    }

    /// What it says next; `None` where it ended.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let line = self.output.next_line().await.expect("it is text")?;
        Some(serde_json::from_str(&line).expect("a line of JSON"))
    }

    pub(crate) async fn say(&mut self, value: &Value) {
        let input = self.input.as_mut().expect("it is open");
        input.write_all(format!("{value}\n").as_bytes()).await.expect("it reads");
    }

    /// Lets it end, and fails if it did not do so well.
    pub(crate) async fn end(mut self) {
        drop(self.input.take());
        let status = self.child.wait().await.expect("it ran");
        assert!(status.success(), "{status}");
    }
}
