#[propagate]
trait Store {
    async fn get(&self, key: &str) -> Option<String>;
    async fn has(&self, key: &str) -> bool {
        self.get(key).await.is_some()
    }
    async fn named(&self, ctx: &Ctx) -> u32;
}
