#[propagate]
async fn blocks() {
    let block = async { load(1).await };
    let closure = |n| async move { load(n).await };
    let asynchronous = async |n| load(n).await;
    block.await;
}
