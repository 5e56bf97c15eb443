//! Header bombs: 100 lines, 64 KiB lines, and what they cost in memory, counted by an allocator. What they cost in
//! instructions: `benches/src/bin/bomb-cost.rs`.
//!
//! In a process of its own, since it replaces the allocator. It counts by thread: each test runs on one.
#![allow(clippy::expect_used, reason = "it is a test")]
#![allow(unsafe_code, reason = "a global allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use axum::Router;
use axum::routing::get;
use ctxprop::wire::{Formats, Incoming};
use ctxprop::{Background, Ctx, MAX_BAGGAGE_BYTES, MAX_BAGGAGE_MEMBERS};
use ctxprop_axum::CtxLayer;
use http::{HeaderMap, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[path = "../../benches/src/bombs.rs"]
mod bombs;
use bombs::{BOMBS, LINES, LONG, bomb, line};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// What was asked for, whether or not it was given back.
fn count(bytes: usize) {
    let _ = ALLOCATIONS.try_with(|cell| cell.set(cell.get() + 1));
    let _ = BYTES.try_with(|cell| cell.set(cell.get() + bytes));
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// What `f` gives, how many allocations it made, and how many bytes they were in all.
fn cost<T>(f: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = (ALLOCATIONS.get(), BYTES.get());
    let made = f();
    (made, ALLOCATIONS.get() - before.0, BYTES.get() - before.1)
}

#[test]
fn what_a_bomb_makes_us_allocate_does_not_grow_with_it() {
    for &(name, piece) in BOMBS {
        for (lines, length) in [(1, LONG), (LINES, 80), (LINES, LONG)] {
            let headers = bomb(name, piece, lines, length);
            let row = format!("{name}: {lines} lines of {length}: {piece:?}..");
            let (caller, allocations, bytes) = cost(|| Incoming::from_headers(&headers));
            // The lines that are kept, once, and the list of them. `http` and `time` allocate nothing.
            assert!(allocations <= 24, "{row}: {allocations} allocations");
            assert!(bytes <= 4 * MAX_BAGGAGE_BYTES, "{row}: {bytes} bytes");

            let (members, allocations, bytes) = cost(|| caller.baggage.len());
            assert!(members <= MAX_BAGGAGE_MEMBERS);
            // A decoded value is copied once or twice; the lists grow twofold.
            let most = 3 * MAX_BAGGAGE_MEMBERS + 24;
            assert!(allocations <= most, "{row}: {allocations} to decode");
            // A property is 40 bytes of ours for two of the sender's; the list of them grows twofold.
            let most = MAX_BAGGAGE_BYTES / 2 * 40 * 4 + 8 * MAX_BAGGAGE_BYTES;
            assert!(bytes <= most, "{row}: {bytes} bytes to decode");

            let (ctx, _canceller) = Ctx::background().with_incoming(caller);
            let mut next = HeaderMap::with_capacity(32);
            let (sent, allocations, bytes) = cost(|| ctx.inject(&mut next, &Formats::new()));
            assert!(allocations <= 24 && bytes <= 4 * MAX_BAGGAGE_BYTES, "{row}: {bytes} to send");
            let size: usize = next.values().map(HeaderValue::len).sum();
            assert!(sent.is_err() || size <= MAX_BAGGAGE_BYTES + 1_024, "{row}: {size} bytes sent");
        }
    }
}

/// Over a socket: hyper reads 100 headers and about 400 KiB of them, and says 431 beyond.
#[tokio::test]
async fn a_server_answers_and_goes_on() {
    let (root, _canceller) = Ctx::background().with_cancel();
    let reads = |ctx: Ctx| async move { ctx.baggage_map().len().to_string() };
    let app = Router::new().route("/", get(reads)).layer(CtxLayer::mesh().under(&root));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut statuses = Vec::new();
    for &(name, piece) in BOMBS {
        for (lines, length) in [(1, LONG), (90, 4_000), (LINES + 1, 80), (LINES, LONG)] {
            let value = line(piece, length);
            let mut request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".to_vec();
            for _ in 0..lines {
                request.extend_from_slice(name.as_bytes());
                request.extend_from_slice(b": ");
                request.extend_from_slice(value.as_bytes());
                request.extend_from_slice(b"\r\n");
            }
            request.extend_from_slice(b"\r\n");
            let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
            // A server that has seen enough closes while more is being sent.
            let writes = async { drop(writer.write_all(&request).await) };
            let mut answer = Vec::new();
            let reads = async { drop(reader.read_to_end(&mut answer).await) };
            tokio::join!(writes, reads);
            let status = String::from_utf8_lossy(&answer);
            let status = status.split(' ').nth(1).map_or(0, |status| status.parse().unwrap_or(0));
            let fits = lines < LINES && value.len() * lines < 380_000;
            // `x-timeout-ms: 000..` and its like say that nobody waits.
            let expected: &[u16] = match (fits, piece.bytes().all(|byte| byte == b'0')) {
                (true, false) => &[200],
                (true, true) => &[200, 504],
                // .. or the answer was lost in the reset.
                (false, _) => &[431, 0],
            };
            assert!(expected.contains(&status), "{name}: {lines} of {length} {piece:?}: {status}");
            statuses.push(status);
        }
    }
    assert!(statuses.contains(&431), "{statuses:?}");
    while root.live_children() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((root.live_children(), root.live_tasks()), (0, 0));
}
