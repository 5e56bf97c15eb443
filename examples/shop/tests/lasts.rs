//! What lasts longer than an order: uploads, the events of an order, the board.
#![allow(clippy::unwrap_used, reason = "it is a test")]

#[path = "support/house.rs"]
mod support;

use std::net::SocketAddr;
use std::path::Path;

use ctxprop::{Background, Cause, Ctx};
use ctxprop_reqwest::{Body, Client};
use futures_util::{StreamExt, stream};
use shop::NewOrder;
use support::{Folder, House, broker};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

fn files(folder: &Path) -> Vec<String> {
    let all = std::fs::read_dir(folder.join("pictures")).unwrap();
    all.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

async fn look(gateway: SocketAddr) -> impl StreamExt<Item = Message> + Unpin {
    let mut request = format!("ws://{gateway}/board").into_client_request().unwrap();
    request.headers_mut().insert("authorization", "Bearer bob".parse().unwrap());
    let stream = TcpStream::connect(gateway).await.unwrap();
    let (board, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    board.map(Result::unwrap)
}

#[tokio::test]
async fn what_lasts_is_whole_or_is_told_that_it_is_not() {
    let Some(broker) = broker() else { return };
    let folder = Folder::new("lasts");
    let house = House::open(&folder.0, &broker).await;
    let gateway = house.gateway.address;
    let client = Client::builder().base_url(format!("http://{gateway}")).build().unwrap();
    let ctx = Ctx::background();

    // A stranger who does not say who they are.
    let stranger = client.post("/orders").json(&7).send().with(&ctx).await.unwrap();
    assert_eq!(stranger.status(), 401);

    // A picture in pieces.
    let pieces = stream::iter((0..100_u8).map(|n| Ok::<_, std::io::Error>(vec![n; 1_000])));
    let upload = client.put("/articles/3/picture").bearer_auth("alice");
    let stored = upload.body(Body::wrap_stream(pieces)).send().with(&ctx).await.unwrap();
    assert_eq!(stored.text().await.unwrap(), "100000 bytes");
    assert_eq!(files(&folder.0), ["3.png"]);
    // Half a picture, whose sender then leaves: nothing of it stays.
    let mut half = TcpStream::connect(gateway).await.unwrap();
    let head = "PUT /articles/4/picture HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer alice\r\ncontent-length: 100000\r\n\r\n";
    half.write_all(head.as_bytes()).await.unwrap();
    half.write_all(&[7; 50_000]).await.unwrap();
    while files(&folder.0).len() < 2 {
        tokio::task::yield_now().await;
    }
    drop(half);
    while files(&folder.0) != ["3.png"] {
        tokio::task::yield_now().await;
    }

    // The events of an order, and the board.
    let mut board = look(gateway).await;
    let order = NewOrder { key: "a-book".to_owned(), article: 1 };
    let (receipt, _) = shop::order(&client, "alice", &order).with(&ctx).await.unwrap();
    assert_eq!((receipt.price, &*receipt.state), (1_200, "paid"));
    let mut states = Vec::new();
    let watch =
        shop::watch(ctx.clone(), &client, "alice", "a-book", |state| states.push(state.to_owned()));
    watch.await.unwrap();
    assert_eq!(states.last().unwrap(), "shipped");
    // The same again is the same order.
    let (again, _) = shop::order(&client, "alice", &order).with(&ctx).await.unwrap();
    assert_eq!((again.price, &*again.state), (1_200, "shipped"));
    for state in ["pending", "paid", "shipped"] {
        let told = board.next().await.unwrap().into_text().unwrap();
        assert_eq!(told.as_str(), format!(r#"{{"key":"a-book","state":"{state}"}}"#));
    }

    // The gateway goes: who looks at the board is told why.
    let House { gateway, orders, worker, stock, .. } = house;
    let root = gateway.root.clone();
    let going = tokio::spawn(gateway.stop());
    let bye = loop {
        if let Message::Close(bye) = board.next().await.unwrap() {
            break bye.unwrap();
        }
    };
    assert_eq!(bye.reason.as_str(), Cause::Shutdown.to_string());
    drop(board);
    assert!(going.await.unwrap().unwrap().is_clean());
    assert_eq!((root.live_children(), root.live_tasks()), (0, 0));
    for service in [worker, orders, stock] {
        let drained = service.stop().await.unwrap();
        assert!(drained.is_clean(), "{drained:?}");
    }
}
