//! (c) The client closes its connection: the end ripples from the edge to the last hop, and a shield releases
//! what was reserved.

use ctxprop::{Background, Ctx};

use super::{Error, order};
use crate::house::House;
use crate::story::{Event, Story};

pub(super) async fn play(house: &House, story: &Story) -> Result<(), Error> {
    let story = story.begin();
    house.begin(story.clone());
    story.tell(&Event::Scene { scene: "c", title: "the client closes its connection" });
    let (client, canceller) = Ctx::background().with_cancel();
    let leaves = async {
        // As soon as the last hop has reserved something.
        house.until_reserved("piano").await;
        let reserved = house.is_reserved("piano");
        canceller.cancel();
        story.note(|| Event::Left { at_ms: story.at_ms() });
        reserved
    };
    let (answer, reserved) = tokio::join!(order(house, &client, "piano"), leaves);
    house.quiet().await;

    let counts = house.count();
    story.check("the client got no answer", answer.is_err_and(|error| error.is_cancelled()));
    story.check("every hop saw that it left, and unwound", {
        counts
            .iter()
            .all(|(_, counts)| (counts.started, counts.unwound, counts.running) == (3, 2, 0))
    });
    story.check(
        "what was reserved was given back, under a shield",
        reserved && !house.is_reserved("piano"),
    );
    Ok(())
}
