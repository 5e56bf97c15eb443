//! Roots made inside a scope: counted, and refused where `detached::deny` was called. Both are process-wide, so
//! they are looked at in a process of their own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use ctxprop::{Background, Ctx, detached};

use crate::support::root;

const CHILD: &str = "CTXPROP_TEST_CHILD";

/// Runs the test `name` again, alone and in a new process, where this gives `true`.
fn in_own_process(name: &str) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("roots::{name}"), "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && output.contains("1 passed"),
        "{output}{}",
        String::from_utf8_lossy(&child.stderr)
    );
    false
}

#[test]
fn a_root_made_inside_a_scope_is_counted_and_others_are_not() {
    if !in_own_process("a_root_made_inside_a_scope_is_counted_and_others_are_not") {
        return;
    }
    let ctx = root();
    assert_eq!(detached::count(), 0, "outside of scopes roots are free");
    ctx.sync_scope(|| {
        let derived = Ctx::current().with_cancel().0.detach("no new root");
        assert_eq!(derived.value::<u8>(), None);
        assert_eq!(detached::count(), 0);
        for _ in 0..3 {
            assert!(!Ctx::background().is_done());
        }
        drop(Ctx::todo());
    });
    assert_eq!(detached::count(), 4, "each one, wherever it is");
    drop(Ctx::background());
    std::thread::spawn(|| drop(Ctx::background())).join().unwrap();
    assert_eq!(detached::count(), 4);
}

#[test]
fn a_root_made_inside_a_scope_panics_where_it_is_denied() {
    if !in_own_process("a_root_made_inside_a_scope_panics_where_it_is_denied") {
        return;
    }
    detached::deny();
    let ctx = root();
    let panic = catch_unwind(AssertUnwindSafe(|| {
        ctx.sync_scope(|| drop(Ctx::background()));
    }))
    .unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("roots.rs"), "it tells the place: {message}");
    assert!(Ctx::try_current().is_none());
    drop(Ctx::background());
    assert_eq!(detached::count(), 1);
}
