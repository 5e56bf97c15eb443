//! [`Here`]: a script for the clients that a test cannot reach.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

use super::Script;

thread_local! {
    static HERE: RefCell<Option<Script>> = const { RefCell::new(None) };
}

/// The script of this thread.
pub(crate) fn script() -> Option<Script> {
    HERE.with(|here| here.borrow().clone())
}

/// As long as it lives, or a clone of it, its script answers the requests of all clients on this thread, also of one that is a
/// `static`. See [`Script::here`].
#[derive(Clone, Debug)]
#[must_use = "the script answers as long as this lives"]
pub struct Here(Rc<Guard>);

#[derive(Debug)]
struct Guard {
    script: Script,
    before: Option<Script>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let before = self.before.take();
        HERE.with(|here| here.replace(before));
    }
}

impl Deref for Here {
    type Target = Script;

    fn deref(&self) -> &Script {
        &self.0.script
    }
}

impl Script {
    /// Has this script answer all clients on this thread, those that were built without one, in the place of sockets: for code
    /// whose client is a `static`. A runtime of one thread runs its tasks there too.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::LazyLock;
    ///
    /// use ctxprop::{Background, Ctx, propagate};
    /// use ctxprop_reqwest::testing::{Answer, Script};
    /// use ctxprop_reqwest::{Client, Error, Method};
    ///
    /// static PAYMENTS: LazyLock<Client> = LazyLock::new(Client::new);
    ///
    /// #[propagate]
    /// async fn health() -> Result<String, Error> {
    ///     PAYMENTS.get("http://payments/health").send().await?.text().await
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let script = Script::new().here();
    /// script.on(Method::GET, "/health", Answer::ok("fine"));
    /// assert_eq!(health().with(&Ctx::background()).await?, "fine");
    /// # Ok::<(), Error>(())
    /// # }).unwrap();
    /// ```
    pub fn here(self) -> Here {
        let before = HERE.with(|here| here.replace(Some(self.clone())));
        Here(Rc::new(Guard { script: self, before }))
    }
}
