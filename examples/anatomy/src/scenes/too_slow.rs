//! (b) The same with a slow business service: 504 at the edge, and no work left running anywhere.

use super::{Answer, Error, order, patient};
use crate::house::House;
use crate::story::{Event, Story};

pub(super) async fn play(house: &House, story: &Story) -> Result<(), Error> {
    let story = story.begin();
    house.begin(story.clone());
    story.tell(&Event::Scene {
        scene: "b",
        title: "an order that takes a minute, at an edge that grants 800 ms",
    });
    let answer = Answer::read(&story, order(house, &patient(), "piano").await?).await?;
    house.quiet().await;

    let counts = house.count();
    story.check("the edge answers 504 and says whose deadline it was", {
        answer.status == 504 && answer.deadline_exceeded.as_deref() == Some("server")
    });
    story.check("every service unwound, and none still works", {
        counts
            .iter()
            .all(|(_, counts)| (counts.started, counts.unwound, counts.running) == (2, 1, 0))
    });
    story.check("what was reserved was given back", !house.is_reserved("piano"));
    Ok(())
}
