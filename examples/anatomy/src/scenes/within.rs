//! (a) An order within its budget: each hop knows who asks and how long is left.

use std::time::Duration;

use ctxprop::{Background, Ctx};

use super::{Answer, Error, order};
use crate::house::House;
use crate::services::Receipt;
use crate::story::{Event, Story};

const BUDGET: Duration = Duration::from_millis(600);

/// Gives the id of the trace.
pub(super) async fn play(house: &House, story: &Story) -> Result<String, Error> {
    let story = story.begin();
    house.begin(story.clone());
    story.tell(&Event::Scene { scene: "a", title: "an order within its budget of 600 ms" });
    let client = Ctx::background().with_timeout(BUDGET);
    let answer = Answer::read(&story, order(house, &client, "book").await?).await?;
    house.quiet().await;

    let receipt: Receipt = serde_json::from_str(&answer.body)?;
    let visits = house.visits();
    let left: Vec<_> = visits.iter().map(|visit| visit.left_ms.unwrap_or(f64::INFINITY)).collect();
    story.check("the answer is 200", answer.status == 200);
    story.check(
        "three hops, one trace",
        visits.len() == 3 && visits.iter().all(|visit| visit.trace_id == visits[0].trace_id),
    );
    story.check(
        "the budget shrinks from hop to hop",
        left.is_sorted_by(|one, two| one > two) && left[0] <= 600.0,
    );
    story.check(
        "the last hop read who asks",
        (receipt.user_id, receipt.tenant.as_str()) == (7, "acme"),
    );
    Ok(visits.first().map(|visit| visit.trace_id.clone()).unwrap_or_default())
}
