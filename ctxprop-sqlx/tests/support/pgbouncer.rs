//! A pgbouncer of the test's own, in transaction mode.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::{Server, as_postgres, free_port, skip};
use sqlx::postgres::PgConnectOptions;

const SCRIPT: &str = r#"
set -eu
PATH="/usr/sbin:$PATH"; server=$1; port=$2
dir=$(mktemp -d /tmp/ctxprop-pgbouncer.XXXXXX)
trap 'kill $! 2>/dev/null || true; rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$dir/ini" <<END
[databases]
* = host=127.0.0.1 port=$server user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
pool_mode = transaction
ignore_startup_parameters = extra_float_digits
default_pool_size = 3
max_client_conn = 50
END
pgbouncer "$dir/ini" >"$dir/log" 2>&1 &
until grep -qs 'process up' "$dir/log"; do kill -0 $! || exit 1; sleep 0.05; done
echo ready
cat >/dev/null
"#;

pub(crate) struct Pgbouncer {
    port: u16,
    child: Child,
}

impl Pgbouncer {
    pub(crate) fn before(server: &Server) -> Option<Pgbouncer> {
        let look = "PATH=/usr/sbin:$PATH; command -v pgbouncer";
        let found = Command::new("sh").args(["-c", look]).output();
        if !found.is_ok_and(|found| found.status.success()) {
            skip("no pgbouncer here (Debian's package `pgbouncer`)");
            return None;
        }
        let port = free_port();
        let mut child = as_postgres("sh")
            .args(["-c", SCRIPT, "pgbouncer"])
            .args([server.port.to_string(), port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answer = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), "ready");
        Some(Pgbouncer { port, child })
    }

    pub(crate) fn options(&self, server: &Server) -> PgConnectOptions {
        server.reach(self.port).statement_cache_capacity(0)
    }
}

impl Drop for Pgbouncer {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
