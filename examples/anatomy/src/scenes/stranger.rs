//! (d) What the third party received: trace and budget, and no word of the user.

use std::collections::BTreeMap;

use super::{Answer, Error, order, patient};
use crate::house::House;
use crate::story::{Event, Story};

pub(super) async fn play(house: &House, story: &Story) -> Result<(), Error> {
    let story = story.begin();
    house.begin(story.clone());
    story.tell(&Event::Scene { scene: "d", title: "what the third party received" });
    let answer = Answer::read(&story, order(house, &patient(), "book").await?).await?;
    house.quiet().await;

    let headers: BTreeMap<String, String> = house
        .third_party()
        .iter()
        .map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let at_ms = story.at_ms();
    story.tell(&Event::Received { at_ms, service: "ledger", headers: headers.clone() });
    let trace = house.visits().first().map(|visit| visit.trace_id.clone()).unwrap_or_default();
    story.check("the answer is 200", answer.status == 200);
    story.check("it got the trace and half of the time that was left", {
        let budget = headers.get("x-timeout-ms").and_then(|ms| ms.parse::<u64>().ok());
        headers.get("traceparent").is_some_and(|parent| parent.contains(&trace))
            && budget.is_some_and(|ms| ms <= 400)
    });
    story.check("it got no baggage", !headers.keys().any(|name| name == "baggage"));
    Ok(())
}
