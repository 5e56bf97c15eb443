//! A client without sockets: [`Script`] answers what it is told to, and knows what it was asked.
//!
//! All else is the real client: the headers that a peer would have got, redirects, retries, timeouts, and the end of the
//! context. An answer that takes time takes it by tokio's clock, which tests pause.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//!
//! use ctxprop::{Ctx, propagate};
//! use ctxprop_reqwest::testing::{Answer, Script};
//! use ctxprop_reqwest::{Client, Error, Method};
//!
//! #[propagate]
//! async fn stock(client: &Client, article: u32) -> Result<String, Error> {
//!     client.get(format!("/articles/{article}")).send().await?.error_for_status()?.text().await
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use ctxprop::Background;
//!
//! let script = Script::new();
//! script.on(Method::GET, "/articles/7", Answer::ok("12 left").after(Duration::from_millis(30)));
//! let ctx = Ctx::background().with_timeout(Duration::from_secs(1));
//!
//! assert_eq!(stock(&script.client(), 7).with(&ctx).await?, "12 left");
//! let asked = script.asked();
//! assert_eq!(asked[0].path(), "/articles/7");
//! assert_eq!(asked[0].budget(), Some(Duration::from_secs(1)));
//! assert_eq!(ctx.remaining(), Some(Duration::from_millis(970)));
//! # Ok::<(), Error>(())
//! # }).unwrap();
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::{Method, Request, ResponseBuilderExt as _, Url};
use tokio::time::{Instant, sleep, timeout};

use crate::client::Client;
use crate::error::Error;
use crate::send::Transport;

mod answer;
mod asked;
mod here;

pub use answer::Answer;
pub use asked::Asked;
pub use here::Here;
pub(crate) use here::script;

/// Of which [`Script::client`] asks: a name of one word, so inside of the mesh, and told baggage.
const BASE: &str = "http://scripted/";

/// What a client is answered, and what it asked. Clones share both.
#[derive(Clone, Default)]
pub struct Script {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    lines: Vec<Line>,
    asked: Vec<Asked>,
}

struct Line {
    method: Method,
    /// A path, or a whole URL without its query.
    target: String,
    /// The last one stays.
    answers: VecDeque<Answer>,
}

impl Line {
    fn is_for(&self, method: &Method, url: &Url) -> bool {
        let whole = || {
            let mut url = url.clone();
            url.set_query(None);
            url.set_fragment(None);
            url.as_str() == self.target
        };
        self.method == *method && (self.target == url.path() || whole())
    }
}

impl Script {
    /// One that has no answer yet.
    #[must_use]
    pub fn new() -> Script {
        Script::default()
    }

    /// Answers requests of `method` for `target`, which is a path, of whichever host, or a URL without its query.
    ///
    /// Called again for the same, it is for the next request: each answer is given once, and the last one from then on.
    pub fn on(&self, method: Method, target: &str, answer: Answer) -> &Self {
        let mut shared = self.lock();
        let known =
            shared.lines.iter_mut().find(|line| line.method == method && line.target == target);
        match known {
            Some(line) => line.answers.push_back(answer),
            None => shared.lines.push(Line {
                method,
                target: target.to_owned(),
                answers: VecDeque::from([answer]),
            }),
        }
        self
    }

    /// A client with the defaults that asks this script, also for paths alone: its base is `http://scripted/`. With a
    /// builder of your own, [`ClientBuilder::script`](crate::ClientBuilder::script).
    ///
    /// # Panics
    ///
    /// As [`Client::new`].
    #[must_use]
    pub fn client(&self) -> Client {
        match Client::builder().base_url(BASE).script(self).build() {
            Ok(client) => client,
            Err(error) => panic!("a client with the defaults cannot be built: {error}"),
        }
    }

    /// What was asked so far, each hop and each attempt, in its order.
    pub fn asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a request, which is noted.
    ///
    /// # Panics
    ///
    /// Where there is none: a test that asks for something else than it says is wrong.
    fn answer(&self, hop: &Request) -> Answer {
        let mut shared = self.lock();
        shared.asked.push(Asked::of(hop));
        let line = shared.lines.iter_mut().find(|line| line.is_for(hop.method(), hop.url()));
        let answer = line.and_then(|line| match line.answers.len() {
            1 => line.answers.front().cloned(),
            _ => line.answers.pop_front(),
        });
        if let Some(answer) = answer {
            return answer;
        }
        let known: Vec<_> =
            shared.lines.iter().map(|line| format!("{} {}", line.method, line.target)).collect();
        drop(shared);
        let (method, url) = (hop.method(), hop.url());
        panic!("the script has no answer for {method} {url}, only for {known:?}");
    }

    async fn execute(&self, hop: Request) -> Result<reqwest::Response, Error> {
        let limit = hop.timeout().copied();
        let answered = async {
            let answer = self.answer(&hop);
            let began = Instant::now();
            sleep(answer.delay).await;
            if answer.unreachable {
                return Err(Error::from(answer::unreachable(hop.url()).await));
            }
            let mut response =
                http::Response::builder().status(answer.status).url(hop.url().clone());
            if let Some(headers) = response.headers_mut() {
                *headers = answer.headers.clone();
            }
            let rest = limit.map(|limit| began + limit);
            match response.body(answer.to_body(rest)) {
                Ok(response) => Ok(reqwest::Response::from(response)),
                Err(error) => panic!("an answer of the script is none: {error}"),
            }
        };
        match limit {
            None => answered.await,
            Some(limit) => timeout(limit, answered).await.unwrap_or(Err(Error::TimedOut)),
        }
    }
}

/// What carries a client's hops.
pub(crate) enum Via<'a> {
    Http(&'a reqwest::Client),
    Script(Script),
}

impl Transport for Via<'_> {
    type Error = Error;

    const ANSWER_TELLS_URL: bool = true;

    fn execute(
        &mut self,
        hop: Request,
    ) -> impl Future<Output = Result<reqwest::Response, Error>> + Send {
        let sent: Pin<Box<dyn Future<Output = _> + Send + '_>> = match self {
            Via::Http(http) => Box::pin(Transport::execute(http, hop)),
            Via::Script(script) => Box::pin(script.execute(hop)),
        };
        sent
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.lock();
        f.debug_struct("Script")
            .field("lines", &shared.lines.len())
            .field("asked", &shared.asked.len())
            .finish()
    }
}
