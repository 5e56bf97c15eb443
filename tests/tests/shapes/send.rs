//! A function is `Send` exactly when the `async fn` would be. That the compiler says why is a ui test.

use std::cell::Cell;
use std::rc::Rc;

use ctxprop::{Ctx, NeedsCtx, propagate};

use super::{ctx, marked};

/// Asked by method: the inherent one is there only for what is `Send`.
struct Probe<T>(T);

impl<T: Send> Probe<T> {
    fn is_send(&self) -> bool {
        let _ = &self.0;
        true
    }
}

trait IsNot {
    fn is_send(&self) -> bool {
        false
    }
}

impl<T> IsNot for Probe<T> {}

macro_rules! both {
    ($($name:ident $plain:ident($($arg:ident: $ty:ty),*) $body:block)*) => {$(
        #[propagate]
        async fn $name($($arg: $ty),*) -> u32 $body

        async fn $plain($($arg: $ty),*) -> u32 $body
    )*};
}

both! {
    nothing plain_nothing() { 1 }
    holds_rc plain_holds_rc() {
        let local = Rc::new(1);
        std::future::ready(()).await;
        *local
    }
    drops_rc plain_drops_rc() {
        let local = { let rc = Rc::new(1); *rc };
        std::future::ready(()).await;
        local
    }
    takes_rc plain_takes_rc(rc: Rc<u32>) { *rc }
    leaves_rc plain_leaves_rc(_rc: Rc<u32>) { 1 }
    takes_cell plain_takes_cell(cell: &Cell<u32>) { cell.get() }
    awaits_rc plain_awaits_rc() { std::future::ready(Rc::new(1)).await; 1 }
    block_of_rc plain_block_of_rc() {
        let block = async { let rc = Rc::new(1); std::future::ready(()).await; *rc };
        block.await
    }
    joins_rc plain_joins_rc() {
        let (rc, n) = tokio::join!(std::future::ready(Rc::new(1)), std::future::ready(2));
        *rc + n
    }
}

#[tokio::test]
async fn send_is_inferred() {
    macro_rules! same {
        ($($name:ident $plain:ident($($arg:expr),*) = $expected:expr;)*) => {$(
            assert_eq!(Probe($name($($arg),*).with(&ctx())).is_send(), $expected, stringify!($name));
            assert_eq!(Probe($plain($($arg),*)).is_send(), $expected, stringify!($plain));
            assert_eq!($name($($arg),*).with(&ctx()).await, $plain($($arg),*).await);
        )*};
    }
    same! {
        nothing plain_nothing() = true;
        holds_rc plain_holds_rc() = false;
        drops_rc plain_drops_rc() = true;
        takes_rc plain_takes_rc(Rc::new(1)) = false;
        leaves_rc plain_leaves_rc(Rc::new(1)) = false;
        takes_cell plain_takes_cell(&Cell::new(1)) = false;
        awaits_rc plain_awaits_rc() = false;
        block_of_rc plain_block_of_rc() = false;
        joins_rc plain_joins_rc() = false;
    }
}

#[propagate]
async fn named(ctx: &Ctx, n: u32) -> u32 {
    assert!(!ctx.is_done());
    marked().await;
    n
}

/// Generic over what may or may not be `Send`: decided where it is called.
#[propagate]
async fn generic<T>(value: T) -> T {
    marked().await;
    value
}

#[tokio::test]
async fn send_is_inferred_through_generics_and_other_forms() {
    let ctx = ctx();
    assert!(Probe(named(&ctx, 1)).is_send());
    assert!(Probe(generic(1).with(&ctx)).is_send());
    assert!(!Probe(generic(Rc::new(1)).with(&ctx)).is_send());
    assert!(Probe(generic(1)).is_send());
    let call: NeedsCtx<_> = generic(Rc::new(1));
    assert!(!Probe(call).is_send());
    assert_eq!(named(&ctx, 1).await, 1);
}
