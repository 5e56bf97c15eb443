//! The rules of `#[propagate]` (design, 6.4) from the other side: what must not fire, and what an allow lets through.
//! What does fire is in `ui/`.

#![deny(warnings, clippy::pedantic)]

use std::future::Future;
use std::time::Duration;

use ctxprop::{Background, Ctx, propagate};

/// A user's own, under names that known functions have.
mod my {
    use super::Future;

    pub(crate) fn spawn<F: Future>(future: F) -> F {
        future
    }

    pub(crate) fn block_on<F>(_: F) -> &'static str {
        "mine"
    }

    pub(crate) mod thread {
        pub(crate) fn sleep(_: std::time::Duration) -> &'static str {
            "mine"
        }
        pub(crate) fn spawn<F: FnOnce() -> &'static str>(f: F) -> &'static str {
            f()
        }
    }

    /// With a type of the name that the known module is asked for.
    pub(crate) mod task {
        #[derive(Debug)]
        pub(crate) struct LocalEnterGuard;

        pub(crate) fn spawn(_: LocalEnterGuard) -> &'static str {
            "mine"
        }
        pub(crate) fn spawn_blocking(f: impl FnOnce()) {
            f();
        }
    }

    #[derive(Debug, Default, PartialEq)]
    pub(crate) struct Client(u8);

    impl Client {
        pub(crate) fn new() -> Client {
            Client(0)
        }
        pub(crate) fn builder() -> Client {
            Client(0)
        }
    }

    /// The context of another crate.
    #[derive(Debug, PartialEq)]
    pub(crate) struct Ctx<T>(pub(crate) Option<T>);

    impl<T> Ctx<T> {
        pub(crate) fn background() -> Self {
            Ctx(None)
        }
        pub(crate) fn todo() -> Self {
            Ctx(None)
        }
    }

    pub(crate) fn same(one: u8, other: u8) -> u8 {
        assert_eq!(one, other);
        one
    }

    pub(crate) fn timeout<F>(_: std::time::Duration, future: F) -> F {
        future
    }
}

struct Pool;

impl Pool {
    fn spawn(&self, text: &'static str) -> &'static str {
        let Pool = self;
        text
    }
    fn block_on(self, text: &'static str) -> &'static str {
        self.spawn(text)
    }
}

#[propagate]
async fn functions() {
    use my::spawn;
    use my::{task, thread};
    assert_eq!(my::spawn(async { "mine" }).await, "mine");
    assert_eq!(spawn(async { "mine" }).await, "mine");
    assert_eq!(crate::my::thread::sleep(Duration::ZERO), "mine");
    assert_eq!(thread::sleep(Duration::ZERO), "mine");
    assert_eq!(self::my::block_on(1), "mine");
    assert_eq!(task::spawn(task::LocalEnterGuard), "mine");
    tokio::time::sleep(Duration::ZERO).await;
    tokio::task::yield_now().await;
    std::thread::yield_now();
}

mod modules {
    use super::my::{task, thread};
    use super::{Duration, propagate};

    #[propagate]
    pub(crate) async fn imported_outside() {
        assert_eq!(thread::sleep(Duration::ZERO), "mine");
        assert_eq!(thread::spawn(|| "mine"), "mine");
        assert_eq!(["mine"].map(|text| thread::spawn(|| text)), ["mine"]);
        assert_eq!(task::spawn(task::LocalEnterGuard), "mine");
        task::spawn_blocking(|| ());
    }

    #[propagate]
    pub(crate) fn in_a_plain_function(ctx: &ctxprop::Ctx) -> &'static str {
        let _ = ctx;
        thread::sleep(Duration::ZERO)
    }
}

#[propagate]
async fn methods() {
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async { "joined" });
    assert_eq!(tasks.join_next().await.map(Result::ok), Some(Some("joined")));
    let pool = Pool;
    assert_eq!(pool.spawn("mine"), "mine");
    assert_eq!(pool.block_on("mine"), "mine");
    assert_eq!(Ctx::current().spawn(async { 1 }).await.ok(), Some(1));
    std::thread::scope(|scope| scope.spawn(|| ()).join().is_ok());
}

#[propagate]
async fn clients() {
    use my::Client;
    assert_eq!(Client::new(), my::Client::builder());
    assert_eq!(Client::default(), Client::new());
    let ours = ctxprop_reqwest::Client::builder().build().is_ok();
    assert!(ours);
}

#[propagate]
async fn contexts() {
    use my::Ctx as Other;
    let root: Other<u8> = Other::background();
    assert_eq!(root, my::Ctx::todo());
    assert_eq!(my::Ctx::<u8>::background(), <my::Ctx<u8>>::todo());
}

#[propagate]
fn contexts_in_a_plain_function(ctx: &Ctx) -> my::Ctx<u8> {
    let _ = ctx;
    my::Ctx::background()
}

#[propagate]
async fn timeouts(limit: Duration) {
    const LIMIT: Duration = Duration::from_secs(5);
    assert!(tokio::time::timeout(limit, async {}).await.is_ok());
    assert!(tokio::time::timeout(LIMIT, async {}).await.is_ok());
    assert!(tokio::time::timeout(limit.min(LIMIT), async {}).await.is_ok());
    assert_eq!(my::timeout(Duration::from_secs(5), async { 1 }).await, 1);
    let lent = String::from("lent");
    assert_eq!(my::timeout(Duration::from_secs(5), async { lent.len() }).await, 4);
}

/// What it gives may be awaited, as that of an `async fn` may.
#[propagate]
async fn started() -> std::future::Ready<u8> {
    tokio::task::yield_now().await;
    std::future::ready(1)
}

/// Local names hide what is imported further out.
#[propagate]
async fn hidden() {
    #[allow(unused_imports)]
    use tokio::spawn;
    {
        fn spawn() -> &'static str {
            "mine"
        }
        assert_eq!(spawn(), "mine");
    }
    let spawn = |text: &'static str| text;
    assert_eq!(spawn("mine"), "mine");
    mod tokio_like {
        pub(crate) use super::my::spawn;
    }
    assert_eq!(tokio_like::spawn(async { "mine" }).await, "mine");
}

#[path = "let_through/imported_outside.rs"]
mod imported_outside;

#[tokio::test]
async fn what_is_asked_by_type_stays_what_it_is() {
    let ctx = &Ctx::background();
    imported_outside::functions().with(ctx).await;
    let (spawn, hidden) = imported_outside::params();
    imported_outside::locals(spawn, hidden).with(ctx).await;
    assert_eq!(imported_outside::constants::<1>().with(ctx).await, 14);
    imported_outside::types(7_u8).with(ctx).await;
}

#[tokio::test]
async fn look_alikes_do_not_fire() {
    let ctx = Ctx::background();
    let ctx = &ctx;
    functions().with(ctx).await;
    modules::imported_outside().with(ctx).await;
    assert_eq!(modules::in_a_plain_function(ctx), "mine");
    methods().with(ctx).await;
    clients().with(ctx).await;
    contexts().with(ctx).await;
    assert_eq!(contexts_in_a_plain_function(ctx), my::Ctx(None));
    timeouts(Duration::from_secs(1)).with(ctx).await;
    hidden().with(ctx).await;
    assert_eq!(started().with(ctx).await.await, 1);
}

#[propagate(allow(
    detached_context,
    detached_task,
    bare_client,
    blocking_call,
    static_timeout,
    reason = "all of them, in a test"
))]
async fn allowed_on_the_function() -> usize {
    use tokio::time::timeout;
    let root = Ctx::background();
    let task = tokio::spawn(async move { root.is_done() });
    assert!(!task.await.unwrap_or(true));
    std::thread::sleep(Duration::ZERO);
    let _ = reqwest::Client::new();
    let text = String::from("text");
    timeout(Duration::from_secs(5), async { text.len() }).await.unwrap_or_default()
}

#[propagate]
async fn allowed_on_a_statement() -> Option<usize> {
    #[propagate(allow(detached_context, reason = "a root is meant"))]
    let root = Ctx::background();
    #[propagate(allow(detached_task, reason = "it outlives the request"))]
    drop(tokio::spawn(async move { root.is_done() }));
    let client;
    #[propagate(allow(bare_client, reason = "to a host that reads no headers"))]
    {
        client = Some(reqwest::Client::new());
    }
    #[propagate(allow(blocking_call, reason = "no time at all"))]
    std::thread::sleep(Duration::ZERO);
    drop(client);
    #[propagate(allow(static_timeout, reason = "shorter than any budget"))]
    tokio::time::timeout(Duration::from_secs(5), async { 1 }).await.ok()
}

mod allowed {
    use std::thread::sleep;
    use std::time::Duration;

    use tokio::spawn as go;

    use super::propagate;

    #[propagate]
    pub(super) async fn imported_outside() -> bool {
        #[propagate(allow(detached_task, reason = "it outlives the request"))]
        let task = go(async { 1 });
        #[propagate(allow(blocking_call, reason = "no time at all"))]
        sleep(Duration::from_millis(0));
        task.await.is_ok()
    }
}

/// What only later code tells the type of is no client.
trait Make: Sized {
    fn new() -> Self;
}

impl Make for u8 {
    fn new() -> u8 {
        8
    }
}

fn take(made: u8) -> u8 {
    made
}

#[propagate]
async fn made_first_and_typed_later() -> u8 {
    let made = Make::new();
    take(made)
}

#[tokio::test]
async fn a_type_that_is_told_later_is_no_client() {
    assert_eq!(made_first_and_typed_later().with(&Ctx::background()).await, 8);
}

/// The warning is one of rustc's own lint.
#[allow(deprecated)]
#[propagate]
async fn allowed_as_a_lint() -> Option<usize> {
    tokio::time::timeout(Duration::from_secs(5), async { 1 }).await.ok()
}

#[tokio::test]
async fn an_allow_lets_through_what_it_names() {
    let ctx = Ctx::background();
    assert_eq!(allowed_on_the_function().with(&ctx).await, 4);
    assert_eq!(allowed_on_a_statement().with(&ctx).await, Some(1));
    assert!(allowed::imported_outside().with(&ctx).await);
    assert_eq!(allowed_as_a_lint().with(&ctx).await, Some(1));
}
