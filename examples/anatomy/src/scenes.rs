//! What is shown: four scenes, one file each.

use axum::http::HeaderMap;
use ctxprop::{Background, Ctx};
use ctxprop_reqwest::{Client, Response};

use crate::house::House;
use crate::services::Order;
use crate::spans::Spans;
use crate::story::{Event, Story};

mod gone;
mod stranger;
mod too_slow;
mod within;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// Plays all scenes. An error is one of the stage; what does not hold is told to the story.
pub(crate) async fn play(story: &Story, spans: &Spans) -> Result<(), Error> {
    let house = House::build(story, spans, 1).await?;
    let trace_id = within::play(&house, story).await?;
    too_slow::play(&house, story).await?;
    gone::play(&house, story).await?;
    stranger::play(&house, story).await?;
    let bars = crate::waterfall::bars(&house.spans().of_trace(&trace_id));
    story.check("the trace has a span of every service", bars.len() >= 3);
    story.tell(&Event::Waterfall { trace_id, spans: bars });
    Ok(())
}

/// Sends an order as a client that is none of ours: its own context, and a new connection.
pub(crate) async fn order(
    house: &House,
    ctx: &Ctx,
    item: &str,
) -> Result<Response, ctxprop_reqwest::Error> {
    let client = Client::builder().no_proxy().build()?;
    let order = Order { item: item.to_owned() };
    client.post(house.url("gateway", "/checkout")).json(&order).send().with(ctx).await
}

/// What the client was told.
pub(crate) struct Answer {
    status: u16,
    deadline_exceeded: Option<String>,
    body: String,
}

impl Answer {
    pub(crate) async fn read(story: &Story, response: Response) -> Result<Answer, Error> {
        let text = |headers: &HeaderMap| {
            Some(headers.get("x-deadline-exceeded")?.to_str().ok()?.to_owned())
        };
        let answer = Answer {
            status: response.status().as_u16(),
            deadline_exceeded: text(response.headers()),
            body: response.text().await?,
        };
        story.tell(&Event::Answered {
            at_ms: story.at_ms(),
            status: answer.status,
            deadline_exceeded: answer.deadline_exceeded.clone(),
            body: answer.body.clone(),
        });
        Ok(answer)
    }
}

/// A context for a client that waits for ever.
fn patient() -> Ctx {
    Ctx::background()
}
