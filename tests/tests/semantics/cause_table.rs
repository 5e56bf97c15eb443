//! Whose cause wins (rule 3.1.3): a table of who is ended with what, and when, as in Go's `TestCause`.

use std::sync::LazyLock;

use ctxprop::{Cancelled, Canceller, Cause, Ctx};
use tokio::time::advance;

use crate::support::{custom, root, secs};

#[derive(Clone, Copy, Debug)]
enum Kind {
    Cancel,
    Timeout(u64),
    Value,
    Span,
    Detach,
    DetachTimeout(u64),
}
use Kind::{Cancel, Detach, DetachTimeout, Span, Timeout, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    P,
    C,
    G,
}
use Who::{C, G, P};

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Ends one with `cancel`.
    End(Who),
    /// Ends one with a cause.
    With(Who, Say),
    /// Lets seconds pass; nobody looks at any context.
    Wait(u64),
    /// Looks at one, so that its deadline is noticed.
    Look(Who),
}
use Step::{End, Look, Wait, With};

/// A cause, in a form that a table can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Say {
    Plain,
    Deadline,
    Shutdown,
    Gone,
    /// Two errors that are equal to themselves alone.
    One,
    Two,
    /// `Cancelled` used as the error: keeps its cause, which is `Shutdown`.
    Error,
}
use Say::{Deadline, Error, Gone, One, Plain, Shutdown, Two};

static ONE: LazyLock<Cause> = LazyLock::new(|| custom("one"));
static TWO: LazyLock<Cause> = LazyLock::new(|| custom("two"));

impl Say {
    fn cause(self) -> Cause {
        match self {
            Plain => Cause::Cancelled,
            Deadline => Cause::DeadlineExceeded,
            Shutdown | Error => Cause::Shutdown,
            Gone => Cause::Disconnected,
            One => ONE.clone(),
            Two => TWO.clone(),
        }
    }
}

fn make(parent: &Ctx, kind: Kind) -> (Ctx, Option<Canceller>) {
    let with = |ctx: Ctx| {
        let (ctx, canceller) = ctx.with_cancel();
        (ctx, Some(canceller))
    };
    match kind {
        Cancel => with(parent.clone()),
        Timeout(n) => with(parent.with_timeout(secs(n))),
        Value => (parent.with_value(1_u8), None),
        Span => (parent.child_span(), None),
        Detach => with(parent.detach("a row")),
        DetachTimeout(n) => with(parent.detach("a row").with_timeout(secs(n))),
    }
}

type Row = (&'static str, [Kind; 3], &'static [Step], [Option<Say>; 3]);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("nothing happens",                    [Cancel, Cancel, Cancel],         &[],                                          [None, None, None]),
    ("parent cancelled",                   [Cancel, Cancel, Cancel],         &[End(P)],                                    [Some(Plain), Some(Plain), Some(Plain)]),
    ("parent with a cause",                [Cancel, Cancel, Cancel],         &[With(P, One)],                              [Some(One), Some(One), Some(One)]),
    ("parent with Shutdown",               [Cancel, Value, Span],            &[With(P, Shutdown)],                         [Some(Shutdown), Some(Shutdown), Some(Shutdown)]),
    ("child alone",                        [Cancel, Cancel, Cancel],         &[With(C, One)],                              [None, Some(One), Some(One)]),
    ("grandchild alone",                   [Cancel, Cancel, Cancel],         &[With(G, One)],                              [None, None, Some(One)]),
    ("grandchild below a value",           [Cancel, Value, Cancel],          &[With(G, One)],                              [None, None, Some(One)]),
    ("parent twice",                       [Cancel, Cancel, Cancel],         &[With(P, One), With(P, Two)],                [Some(One), Some(One), Some(One)]),
    ("cancel, then a cause",               [Cancel, Cancel, Cancel],         &[End(P), With(P, One)],                      [Some(Plain), Some(Plain), Some(Plain)]),
    ("a cause, then cancel",               [Cancel, Cancel, Cancel],         &[With(P, One), End(P)],                      [Some(One), Some(One), Some(One)]),
    ("child first, parent later",          [Cancel, Cancel, Cancel],         &[With(C, One), With(P, Two)],                [Some(Two), Some(One), Some(One)]),
    ("parent first, child later",          [Cancel, Cancel, Cancel],         &[With(P, One), With(C, Two)],                [Some(One), Some(One), Some(One)]),
    ("grandchild, child, parent",          [Cancel, Cancel, Cancel],         &[With(G, One), With(C, Two), End(P)],        [Some(Plain), Some(Two), Some(One)]),
    ("grandchild, then parent",            [Cancel, Cancel, Cancel],         &[With(G, One), With(P, Two)],                [Some(Two), Some(Two), Some(One)]),
    ("an error that is Cancelled",         [Cancel, Cancel, Cancel],         &[With(P, Error)],                            [Some(Shutdown), Some(Shutdown), Some(Shutdown)]),
    ("told DeadlineExceeded by hand",      [Cancel, Cancel, Value],          &[With(C, Deadline), With(P, Gone)],          [Some(Gone), Some(Deadline), Some(Deadline)]),
    ("parent's deadline",                  [Timeout(1), Cancel, Value],      &[Wait(1)],                                   [Some(Deadline), Some(Deadline), Some(Deadline)]),
    ("parent's deadline, then its cancel", [Timeout(1), Cancel, Cancel],     &[Wait(1), With(P, One)],                     [Some(Deadline), Some(Deadline), Some(Deadline)]),
    ("parent's cancel, then its deadline", [Timeout(2), Cancel, Cancel],     &[Wait(1), With(P, One), Wait(5)],            [Some(One), Some(One), Some(One)]),
    ("child's deadline",                   [Cancel, Timeout(1), Cancel],     &[Wait(1)],                                   [None, Some(Deadline), Some(Deadline)]),
    ("child's deadline, then parent",      [Cancel, Timeout(1), Cancel],     &[Wait(1), With(P, One)],                     [Some(One), Some(Deadline), Some(Deadline)]),
    ("child's deadline seen, then parent", [Cancel, Timeout(1), Value],      &[Wait(1), Look(C), With(P, One)],            [Some(One), Some(Deadline), Some(Deadline)]),
    ("parent, then child's deadline",      [Cancel, Timeout(2), Cancel],     &[Wait(1), With(P, One), Wait(2)],            [Some(One), Some(One), Some(One)]),
    ("child, then child's deadline",       [Cancel, Timeout(2), Cancel],     &[With(C, Two), Wait(2), End(P)],             [Some(Plain), Some(Two), Some(Two)]),
    ("grandchild's deadline unseen",       [Cancel, Cancel, Timeout(1)],     &[Wait(2), With(C, One), With(P, Two)],       [Some(Two), Some(One), Some(Deadline)]),
    ("both deadlines, seen from below",    [Timeout(2), Cancel, Timeout(1)], &[Wait(3), Look(G)],                          [Some(Deadline), Some(Deadline), Some(Deadline)]),
    ("parent's deadline, child's cancel",  [Timeout(1), Cancel, Cancel],     &[Wait(1), With(C, One)],                     [Some(Deadline), Some(Deadline), Some(Deadline)]),
    ("child's cancel, parent's deadline",  [Timeout(2), Cancel, Cancel],     &[With(C, One), Wait(3)],                     [Some(Deadline), Some(One), Some(One)]),
    ("detached child",                     [Cancel, Detach, Cancel],         &[With(P, One)],                              [Some(One), None, None]),
    ("detached child ends by itself",      [Cancel, Detach, Cancel],         &[With(C, One), With(P, Two)],                [Some(Two), Some(One), Some(One)]),
    ("detached from a deadline",           [Timeout(1), Detach, Value],      &[Wait(9)],                                   [Some(Deadline), None, None]),
    ("detached with a later deadline",     [Timeout(1), DetachTimeout(5), Cancel], &[Wait(2)],                             [Some(Deadline), None, None]),
    ("detached, its own deadline",         [Cancel, DetachTimeout(5), Cancel], &[Wait(5), With(P, One)],                   [Some(One), Some(Deadline), Some(Deadline)]),
    ("detached grandchild",                [Cancel, Cancel, Detach],         &[With(C, One), With(P, Two)],                [Some(Two), Some(One), None]),
    ("zero timeout of a child",            [Cancel, Timeout(0), Cancel],     &[With(P, One)],                              [Some(One), Some(Deadline), Some(Deadline)]),
];

#[tokio::test(start_paused = true)]
async fn rule_3_1_3_the_first_cause_wins_and_is_inherited() {
    assert!(ROWS.len() >= 23);
    for (name, kinds, steps, expected) in ROWS {
        // Whoever is looked at first may notice a deadline for the others: every order must agree.
        for order in [[P, C, G], [G, C, P], [C, G, P]] {
            let (parent, end_parent) = make(&root(), kinds[0]);
            let (child, end_child) = make(&parent, kinds[1]);
            let (grandchild, end_grandchild) = make(&child, kinds[2]);
            let ctx = |who| match who {
                P => &parent,
                C => &child,
                G => &grandchild,
            };
            for step in *steps {
                match *step {
                    End(who) | With(who, _) => {
                        let canceller = match who {
                            P => &end_parent,
                            C => &end_child,
                            G => &end_grandchild,
                        };
                        let canceller = canceller.as_ref().unwrap();
                        match *step {
                            With(_, Error) => {
                                canceller.cancel_with(Cancelled::new(Cause::Shutdown));
                            }
                            With(_, say) => canceller.cancel_with(say.cause()),
                            _ => canceller.cancel(),
                        }
                    }
                    Wait(n) => advance(secs(n)).await,
                    Look(who) => assert!(ctx(who).is_done(), "{name}"),
                }
            }
            for who in order {
                let expected = expected[who as usize].map(Say::cause);
                assert_eq!(
                    ctx(who).cause(),
                    expected,
                    "{name}: cause of {who:?}, looking in order {order:?}"
                );
                assert_eq!(ctx(who).is_done(), expected.is_some(), "{name}: {who:?}");
                let checked = ctx(who).check().err().map(|cancelled| cancelled.cause().clone());
                assert_eq!(checked, expected, "{name}: check of {who:?}");
            }
        }
    }
}

#[test]
fn rule_3_1_4_whoever_is_born_late_has_its_parents_cause_not_its_grandparents() {
    let (parent, end_parent) = root().with_cancel();
    let (child, end_child) = parent.with_cancel();
    end_child.cancel_with(ONE.clone());
    end_parent.cancel_with(TWO.clone());
    assert_eq!(child.with_cancel().0.cause(), Some(ONE.clone()));
    assert_eq!(child.with_timeout(secs(0)).cause(), Some(ONE.clone()));
    assert_eq!(parent.with_cancel().0.cause(), Some(TWO.clone()));
}
