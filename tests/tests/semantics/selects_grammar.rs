//! What `tokio::select!` takes works in `#[propagate]` code as it does elsewhere: preconditions, patterns that
//! refuse, `else`, `biased`, handlers with control flow (`docs/semantics.md`, 3.2).

use std::future::{pending, ready};
use std::pin::pin;

use ctxprop::{Cancelled, Ctx, propagate};
use tokio::sync::mpsc;

use crate::support::{Log, no_hang, root, secs};

/// Random order is part of `select!`: what must hold for each is tried this often.
const TRIES: usize = 64;

#[propagate]
async fn guards(mut ticks: mpsc::Receiver<u8>, log: Log) -> Result<u8, Cancelled> {
    let (mut sum, mut open) = (0, true);
    let forbidden = poll_must_not_happen();
    let mut forbidden = pin!(forbidden);
    loop {
        tokio::select! {
            biased;
            tick = ticks.recv(), if open => match tick {
                Some(100) => continue,
                Some(tick) => sum += tick,
                None => open = false,
            },
            () = &mut forbidden, if !open && sum > 200 => break,
            Some(n) = async { (sum == 6).then_some(sum) }, if sum > 5 && !open => return Ok(n),
            else => {
                log.note("else");
                return Ok(99);
            }
        }
    }
    Ok(0)
}

async fn poll_must_not_happen() {
    panic!("its precondition never held");
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_19_preconditions_refutable_patterns_and_else_work_as_tokios() {
    for (ticks, expected, notes) in
        [(&[1_u8, 100, 2, 3][..], 6, 0), (&[1, 2], 99, 1), (&[7], 99, 1), (&[], 99, 1)]
    {
        let (send, receive) = mpsc::channel(9);
        let log = Log::default();
        for tick in ticks {
            send.try_send(*tick).unwrap();
        }
        drop(send);
        let (ctx, _canceller) = root().with_cancel();
        let outcome = no_hang(guards(receive, log.clone()).with(&ctx)).await;
        assert_eq!((outcome.unwrap(), log.taken().len()), (expected, notes), "{ticks:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_23_a_select_in_a_loop_with_preconditions_unwinds() {
    let (_send, receive) = mpsc::channel(9);
    let ctx = root().with_timeout(secs(1));
    let outcome = no_hang(guards(receive, Log::default()).with(&ctx)).await;
    assert!(outcome.unwrap_err().is_deadline());
}

#[propagate]
async fn refused(which: u8) -> Result<&'static str, Cancelled> {
    tokio::select! {
        Some(1) = async { tokio::task::yield_now().await; Some(which) } => Ok("first"),
        Ok(2_u8) = ready(if which == 2 { Ok(2) } else { Err(()) }) => Ok("second"),
        else => Ok("else"),
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_19_when_every_pattern_refuses_else_comes_although_the_end_has_a_branch() {
    let (ctx, _canceller) = root().with_cancel();
    for _ in 0..TRIES {
        assert_eq!(no_hang(refused(1).with(&ctx)).await.unwrap(), "first");
        assert_eq!(no_hang(refused(2).with(&ctx)).await.unwrap(), "second");
        assert_eq!(no_hang(refused(3).with(&ctx)).await.unwrap(), "else");
    }
}

#[propagate]
async fn all_disabled(refuses: bool) -> Result<(), Cancelled> {
    tokio::select! {
        Some(()) = async { None::<()> }, if refuses => Ok(()),
        () = pending(), if false => Ok(()),
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_19_all_branches_disabled_without_else_panics_as_tokios_does() {
    let (ctx, _canceller) = root().with_cancel();
    let message = |join: Result<(), tokio::task::JoinError>| {
        let panic = join.unwrap_err().into_panic();
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap()
    };
    let tokios = tokio::spawn(async {
        tokio::select! { () = pending(), if false => {} }
    });
    let tokios = message(tokios.await);
    for refuses in [true, false] {
        let scope = all_disabled(refuses).with(&ctx);
        let ours = tokio::spawn(async move { no_hang(scope).await.unwrap() });
        assert_eq!(message(ours.await), tokios);
    }
}

#[propagate]
async fn biased_order() -> Result<&'static str, Cancelled> {
    tokio::select! {
        biased;
        _ = ready(1) => Ok("first"),
        _ = ready(2) => Ok("second"),
    }
}

#[propagate]
async fn control_flow(log: Log) -> Result<u32, std::io::Error> {
    let mut n = 0;
    let broken = 'outer: loop {
        tokio::select! {
            biased;
            () = ready(()), if n < 3 => { n += 1; continue }
            () = ready(()), if n < 4 => {
                n += 1;
                std::io::Result::Ok(())?;
                log.note("question mark");
            }
            () = tokio::task::yield_now() => break 'outer n,
        }
    };
    tokio::select! {
        () = ready(()) => return Ok(broken + Ctx::current().value::<u32>().copied().unwrap_or(0)),
    }
}

#[tokio::test(start_paused = true)]
async fn rule_3_2_19_biased_and_handlers_with_control_flow_work_as_tokios() {
    let (ctx, _canceller) = root().with_value(10_u32).with_cancel();
    for _ in 0..TRIES {
        assert_eq!(biased_order().with(&ctx).await.unwrap(), "first");
    }
    let log = Log::default();
    assert_eq!(no_hang(control_flow(log.clone()).with(&ctx)).await.unwrap(), 14);
    assert_eq!(log.taken(), ["question mark"]);
}
