//! A process that tells its lines, and goes down when its standard input ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// For what comes at once unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Process {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Process { child, lines, seen: Vec::new() }
    }

    pub(crate) fn line(&mut self) -> String {
        let line = self.lines.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|_| panic!("it says no more after {:#?}", self.seen));
        self.seen.push(line.clone());
        line
    }

    /// Waits for a line that says `what`, if none has said it before, and gives it.
    pub(crate) fn says(&mut self, what: &str) -> String {
        if let Some(said) = self.seen.iter().find(|line| line.contains(what)) {
            return said.clone();
        }
        loop {
            let line = self.line();
            if line.contains(what) {
                return line;
            }
        }
    }

    /// Has it go down, and gives all that it has said.
    pub(crate) fn stop(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        let rest: Vec<_> = self.lines.iter().collect();
        self.seen.extend(rest);
        std::mem::take(&mut self.seen)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whatever becomes of a test, nothing of it stays behind.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
