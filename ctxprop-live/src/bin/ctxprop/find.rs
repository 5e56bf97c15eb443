//! From a process to its page: the TCP sockets on which it listens, of which one answers.

use std::net::SocketAddr;

use ctxprop_live::model::Snapshot;

use crate::fetch::{Page, Problem};

/// The page of the process, where one of its listeners has it, and what is live there: it was asked.
pub(crate) async fn page_of(pid: u32) -> Result<(Page, Snapshot), Problem> {
    let mut tried = Vec::new();
    for address in listeners(pid)? {
        let page = Page::of(address)?;
        match page.look().await {
            Ok(found) => return Ok((page, found)),
            Err(problem) => tried.push((address, problem)),
        }
    }
    Err(if tried.is_empty() { Problem::NoListener(pid) } else { Problem::NoneAnswers(pid, tried) })
}

#[cfg(not(target_os = "linux"))]
fn listeners(_pid: u32) -> Result<Vec<SocketAddr>, Problem> {
    Err(Problem::NotHere)
}

/// Those that loopback reaches, the ones of loopback alone first.
#[cfg(target_os = "linux")]
fn listeners(pid: u32) -> Result<Vec<SocketAddr>, Problem> {
    let sockets = linux::sockets(pid)?;
    let mut found: Vec<_> = ["tcp", "tcp6"]
        .into_iter()
        .filter_map(|table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).ok())
        .flat_map(|table| table.lines().skip(1).filter_map(linux::listener).collect::<Vec<_>>())
        .filter(|(_, inode)| sockets.contains(inode))
        .filter_map(|(address, _)| linux::by_loopback(address))
        .collect();
    found.sort_by_key(|(is_open, address)| (*is_open, *address));
    found.dedup();
    Ok(found.into_iter().map(|(_, address)| address).collect())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;
    use std::io;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

    use super::Problem;

    /// The state of a socket that listens, as `/proc/net/tcp` has it.
    const LISTENS: &str = "0A";

    /// The inodes of its open sockets.
    pub(super) fn sockets(pid: u32) -> Result<HashSet<u64>, Problem> {
        let problem = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Problem::NoProcess(pid),
            _ => Problem::NotAllowed(pid, error),
        };
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).map_err(problem)?;
        // One that was closed meanwhile is none.
        let inode = |file: io::Result<std::fs::DirEntry>| {
            let target = std::fs::read_link(file.ok()?.path()).ok()?;
            target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        };
        Ok(files.filter_map(inode).collect())
    }

    /// Address and inode of a line, if that is of a socket that listens. See `proc_pid_net(5)`.
    pub(super) fn listener(line: &str) -> Option<(SocketAddr, u64)> {
        let mut fields = line.split_ascii_whitespace();
        let local = fields.nth(1)?;
        if fields.nth(1)? != LISTENS {
            return None;
        }
        let inode = fields.nth(5)?.parse().ok()?;
        let (address, port) = local.split_once(':')?;
        Some((SocketAddr::new(ip(address)?, u16::from_str_radix(port, 16).ok()?), inode))
    }

    /// Words of 32 bits, each in the order of the machine.
    fn ip(hex: &str) -> Option<IpAddr> {
        let word =
            |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
        match hex.len() {
            8 => Some(Ipv4Addr::from(word(0)?).into()),
            32 => {
                let mut bytes = [0; 16];
                for (n, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                    chunk.copy_from_slice(&word(n * 8)?);
                }
                Some(Ipv6Addr::from(bytes).into())
            }
            _ => None,
        }
    }

    /// How loopback reaches it, and whether others do too; not at all, where it listens on another address.
    pub(super) fn by_loopback(address: SocketAddr) -> Option<(bool, SocketAddr)> {
        let ip = address.ip().to_canonical();
        if ip.is_loopback() {
            return Some((false, SocketAddr::new(ip, address.port())));
        }
        if !ip.is_unspecified() {
            return None;
        }
        // One of IPv6 takes IPv4 too, unless it was told not to; its own always.
        let loopback: IpAddr =
            if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        Some((true, SocketAddr::new(loopback, address.port())))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        #[cfg(target_endian = "little")]
        fn a_line_of_proc_is_read() {
            let four = "   0: 0100007F:17AC 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0";
            assert_eq!(listener(four), Some(("127.0.0.1:6060".parse().unwrap(), 12345)));
            let six = "   1: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 7 1 0";
            assert_eq!(listener(six), Some(("[::1]:80".parse().unwrap(), 7)));
            assert_eq!(listener(&four.replace(" 0A ", " 01 ")), None, "it is connected");
            assert_eq!(listener("what is this"), None);
        }

        #[test]
        fn only_what_loopback_reaches() {
            let by = |address: &str| {
                by_loopback(address.parse().unwrap()).map(|(open, it)| (open, it.to_string()))
            };
            assert_eq!(by("127.0.0.1:1"), Some((false, "127.0.0.1:1".to_owned())));
            assert_eq!(by("0.0.0.0:1"), Some((true, "127.0.0.1:1".to_owned())));
            assert_eq!(by("[::]:1"), Some((true, "[::1]:1".to_owned())));
            assert_eq!(by("10.0.0.7:1"), None);
        }
    }
}
