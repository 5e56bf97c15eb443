//! For tests: what carries a hop, and answers from a script. Sockets are in `tests/`.

use ctxprop::Ctx;
use http::Method;
use tokio::time::Instant;

use super::*;

pub(crate) const URL: &str = "http://payments/charge";

/// Answers as the script says, the last line again and again, and keeps what it was asked.
pub(crate) struct Script {
    pub(crate) rules: Rules,
    pub(crate) lines: Vec<(u16, &'static [(&'static str, &'static str)])>,
    /// How long each answer takes.
    pub(crate) takes: Duration,
    pub(crate) asked: Vec<(Instant, Request)>,
}

impl Transport for Script {
    type Error = Error;

    async fn execute(&mut self, hop: Request) -> Result<Response, Error> {
        let line = self.asked.len().min(self.lines.len() - 1);
        self.asked.push((Instant::now(), hop));
        tokio::time::advance(self.takes).await;
        let (status, headers) = self.lines[line];
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        Ok(response.body("").unwrap().into())
    }
}

impl Script {
    pub(crate) fn always(status: u16, headers: &'static [(&'static str, &'static str)]) -> Script {
        Script {
            rules: Rules::default(),
            lines: vec![(status, headers)],
            takes: Duration::ZERO,
            asked: Vec::new(),
        }
    }

    pub(crate) async fn send(
        &mut self,
        request: Request,
        retries: u32,
        ctx: &Ctx,
    ) -> Result<Response, Error> {
        let (rules, mut request) = (std::mem::take(&mut self.rules), Some(request));
        let sender = Sender::new(&rules, ctx, request.as_mut());
        ctx.run(retry::send(&sender, &mut request, retries, self)).await?
    }

    pub(crate) async fn get(&mut self, retries: u32, ctx: &Ctx) -> Result<Response, Error> {
        self.send(Request::new(Method::GET, URL.parse().unwrap()), retries, ctx).await
    }

    pub(crate) fn waits(&self) -> Vec<Duration> {
        self.asked.windows(2).map(|pair| pair[1].0 - pair[0].0 - self.takes).collect()
    }

    pub(crate) fn header(&self, hop: usize, name: &str) -> &str {
        self.asked[hop].1.headers()[name].to_str().unwrap()
    }
}
