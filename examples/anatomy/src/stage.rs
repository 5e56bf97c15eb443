//! What the page's buttons play: one request at a time, slow enough to be watched.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ctxprop::{Background, Canceller, Ctx};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::house::House;
use crate::recording::{Recording, What};
use crate::scenes::{Answer, Error, order};
use crate::spans::Spans;
use crate::story::{Event, Story, Voice};

/// Everything takes so many times as long as in a hurry: a book's order a second, an end five.
const PACE: u32 = 6;

/// How long the client of an order in time waits, in a hurry.
const PATIENCE: Duration = Duration::from_millis(600);

/// What can be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    InTime,
    Slow,
    Leave,
    Malformed,
}

impl Act {
    pub(crate) fn of(name: &str) -> Option<Act> {
        Some(match name {
            "in-time" => Act::InTime,
            "slow" => Act::Slow,
            "leave" => Act::Leave,
            "malformed" => Act::Malformed,
            _ => return None,
        })
    }

    fn title(self) -> &'static str {
        match self {
            Act::InTime => "a book, by a client that waits for 3.6 seconds",
            Act::Slow => "a piano, which takes six minutes to pack: the edge grants 4.8 seconds",
            Act::Leave => "a piano, by a client that leaves as soon as it is reserved",
            Act::Malformed => "a book, by a peer whose headers are malformed",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Act::InTime => "in-time",
            Act::Slow => "slow",
            Act::Leave => "leave",
            Act::Malformed => "malformed",
        }
    }
}

/// The house, and who plays in it.
#[derive(Clone)]
pub(crate) struct Stage(Arc<Inner>);

struct Inner {
    house: House,
    story: Story,
    spans: Spans,
    recording: Recording,
    /// What has the client of the request leave; `None` where none is under way.
    client: Mutex<Option<Canceller>>,
}

impl Stage {
    pub(crate) async fn build() -> Result<Stage, Error> {
        let recording = Recording::new();
        let spans = Spans::install(Some(recording.clone()));
        let story = Story::new(Voice::Silent, Some(recording.clone()));
        let house = House::build(&story, &spans, PACE).await?;
        Ok(Stage(Arc::new(Inner { house, story, spans, recording, client: Mutex::default() })))
    }

    pub(crate) fn recording(&self) -> &Recording {
        &self.0.recording
    }

    /// Begins to play. False where something is played already.
    pub(crate) fn play(&self, act: Act) -> bool {
        let (ctx, canceller) = Ctx::background().with_cancel();
        let mut client = self.client();
        if client.is_some() {
            return false;
        }
        *client = Some(canceller.clone());
        drop(client);
        self.0.spans.forget();
        self.0.recording.begin();
        let story = self.0.story.begin();
        self.0.house.begin(story.clone());
        story.tell(&Event::Scene { scene: act.name(), title: act.title() });
        let stage = self.clone();
        // Ends with the runtime, that is with the process.
        drop(tokio::spawn(async move {
            if let Err(error) = stage.perform(act, &ctx, &canceller, &story).await {
                story.check(format!("the stage stands: {error}"), false);
            }
            stage.0.recording.push(What::Over);
            *stage.client() = None;
        }));
        true
    }

    /// The client closes its connection. False where there is none.
    pub(crate) fn leave(&self) -> bool {
        match &*self.client() {
            Some(canceller) => canceller.cancel(),
            None => return false,
        }
        true
    }

    async fn perform(
        &self,
        act: Act,
        ctx: &Ctx,
        canceller: &Canceller,
        story: &Story,
    ) -> Result<(), Error> {
        let house = &self.0.house;
        match act {
            Act::InTime => {
                let ctx = ctx.with_timeout(house.pace(PATIENCE));
                self.send(&ctx, "book", story).await?;
            }
            Act::Slow => self.send(ctx, "piano", story).await?,
            Act::Leave => {
                let leaves = async {
                    house.until_reserved("piano").await;
                    // A moment, so that one sees what there is to lose.
                    tokio::time::sleep(house.pace(Duration::from_millis(150))).await;
                    canceller.cancel();
                };
                let send = self.send(ctx, "piano", story);
                let (sent, ()) = tokio::join!(send, async {
                    // Who leaves by hand, earlier, has left.
                    drop(ctx.run(leaves).await);
                });
                sent?;
            }
            Act::Malformed => self.send_malformed(ctx, story).await?,
        }
        house.quiet().await;
        let counts = house.count();
        let running: usize = counts.iter().map(|(_, counts)| counts.running).sum();
        story.check("nothing runs any more, in any service", running == 0);
        let trace_id = house.visits().first().map(|visit| visit.trace_id.clone());
        story.check(
            "every hop was in the same trace",
            house.visits().iter().all(|visit| Some(&visit.trace_id) == trace_id.as_ref()),
        );
        story.check("what was not sold is not reserved", !house.is_reserved("piano"));
        Ok(())
    }

    /// Sends an order to the edge, and waits for the answer, or for who presses the button.
    async fn send(&self, ctx: &Ctx, item: &str, story: &Story) -> Result<(), Error> {
        let answer = async {
            let response = order(&self.0.house, ctx, item).await?;
            Answer::read(story, response).await
        };
        match ctx.run(answer).await {
            Ok(Ok(_)) => Ok(()),
            // Its budget and its button are the two ways in which it gives up.
            Ok(Err(error)) if ctx.is_done() => {
                drop(error);
                story.tell(&Event::Left { at_ms: story.at_ms() });
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                story.tell(&Event::Left { at_ms: story.at_ms() });
                Ok(())
            }
        }
    }

    /// Sends what no client of ours would, to a service in the mesh, which reads it: the edge would not even look.
    async fn send_malformed(&self, ctx: &Ctx, story: &Story) -> Result<(), Error> {
        let url = self.0.house.url("auth", "");
        let address = url.trim_start_matches("http://").to_owned();
        let body = r#"{"item":"book"}"#;
        let request = format!(
            "POST /authorize HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
             authorization: Bearer a-token-of-ada\r\ncontent-type: application/json\r\n\
             traceparent: 00-not-a-trace-id-01\r\nbaggage: locale=en,no value,tier=gold\r\n\
             x-timeout-ms: soon\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let exchange = async {
            let mut socket = TcpStream::connect(&address).await?;
            socket.write_all(request.as_bytes()).await?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await?;
            Ok::<_, io::Error>(answer)
        };
        let Ok(answer) = ctx.run(exchange).await else {
            story.tell(&Event::Left { at_ms: story.at_ms() });
            return Ok(());
        };
        let answer = answer?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        story.tell(&Event::Answered {
            at_ms: story.at_ms(),
            status: status.ok_or("an answer without a status")?,
            deadline_exceeded: None,
            body: body.to_owned(),
        });
        Ok(())
    }

    fn client(&self) -> MutexGuard<'_, Option<Canceller>> {
        self.0.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
