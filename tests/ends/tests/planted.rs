//! Each planted bug is found, by tests that anybody would write, and told by its line.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::sync::Arc;

use ctxprop::testing::{Finding, World, given};
use ends::{Shop, leaks, loses, right, swallows, unshielded};

/// Where `file` says `// planted`, as reports name it.
fn planted(file: &str, text: &str) -> String {
    let line = text.lines().position(|line| line.ends_with("// planted")).unwrap() + 1;
    format!("{file}:{line}:")
}

fn nothing<T>(_: &World<Arc<Shop>, T>) {}

#[test]
fn a_right_one_is_through_at_every_await() {
    let runs = given(Shop::open)
        .ends_everywhere(right::checkout)
        .try_check(|world| {
            assert_eq!(world.state().reserved(), 0);
            let bought = world.output().is_some_and(Result::is_ok);
            assert!(bought || world.end().is_some());
        })
        .unwrap();
    // Nine awaits, two causes, and up to three moments of each.
    assert!(runs > 30, "{runs}");
}

#[test]
fn cleanup_without_a_shield_is_found() {
    let report =
        given(Shop::open).ends_everywhere(|_, shop| unshielded::checkout(shop)).try_check(nothing);
    let report = report.unwrap_err();
    let place = planted("unshielded.rs", include_str!("../src/unshielded.rs"));
    assert!(report.contains("`ends::release` did not begin"), "{report}");
    assert!(report.contains(&place), "{report}");
    assert!(report.contains("ctx.shield(limit, ..)"), "{report}");
}

#[test]
fn the_same_is_found_by_a_check_and_told_with_what_did_not_begin() {
    let report = given(Shop::open)
        .ends_everywhere(|_, shop| unshielded::checkout(shop))
        .allow(Finding::Skipped)
        .try_check(|world| assert_eq!(world.state().reserved(), 0));
    let report = report.unwrap_err();
    let place = planted("unshielded.rs", include_str!("../src/unshielded.rs"));
    assert!(report.contains("the check failed: assertion `left == right` failed"), "{report}");
    assert!(
        report.contains(&format!("`ends::release` did not begin, at tests/ends/src/{place}")),
        "{report}"
    );
}

#[test]
fn a_lost_task_is_found() {
    let report = given(Shop::open).ends_everywhere(loses::checkout).try_check(nothing).unwrap_err();
    let place = planted("loses.rs", include_str!("../src/loses.rs"));
    assert!(report.contains("a task is still running, spawned at "), "{report}");
    assert!(report.contains(&place), "{report}");
    assert!(report.contains("`ends::loses::audit`, which waits at "), "{report}");
    assert!(report.contains("for `Notified<'_>`"), "{report}");
}

#[test]
fn a_lost_task_that_has_no_context_is_found() {
    let report = given(Shop::open)
        .ends_everywhere(|_, shop| loses::checkout_behind(shop))
        .try_check(nothing)
        .unwrap_err();
    assert!(report.contains("a task of `tokio::spawn` is still running"), "{report}");
}

#[test]
fn a_swallowed_end_is_found() {
    let report = given(Shop::open)
        .ends_everywhere(|_, shop| swallows::checkout(shop))
        .try_check(nothing)
        .unwrap_err();
    let place = planted("swallows.rs", include_str!("../src/swallows.rs"));
    assert!(report.contains("the end was swallowed"), "{report}");
    assert!(report.contains(&place), "{report}");
}

#[test]
fn a_leaked_context_is_found() {
    let report = given(Shop::open).ends_everywhere(leaks::checkout).try_check(nothing).unwrap_err();
    let place = planted("leaks.rs", include_str!("../src/leaks.rs"));
    assert!(report.contains("a context is still held, made at "), "{report}");
    assert!(report.contains(&place), "{report}");
    let report =
        given(Shop::open).ends_everywhere(leaks::checkout_itself).try_check(nothing).unwrap_err();
    assert!(report.contains("the context that the run was given is still held"), "{report}");
}
