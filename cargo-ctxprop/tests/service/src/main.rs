use std::sync::Arc;

use service::{Memory, Store, app};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let store = Arc::new(Memory::default());
    store.save(1, "one".to_owned()).await;
    println!("{:?}", store.load(1).await);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    axum::serve(listener, app(store)).await
}
