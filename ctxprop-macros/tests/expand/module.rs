#[propagate]
mod handlers {
    pub async fn get(id: u64) -> Response {
        find(id).await
    }
    pub struct Cart;
    impl Cart {
        async fn clear(&mut self) {}
    }
    #[tokio::test]
    async fn a_test() {
        get(1).with(&Ctx::background()).await;
    }
}
