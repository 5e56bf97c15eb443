#[propagate]
async fn serve() -> ! {
    loop {
        next().await;
    }
}
