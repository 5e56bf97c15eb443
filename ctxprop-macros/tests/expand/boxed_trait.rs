#[propagate(boxed)]
trait Store: Send + Sync {
    async fn get(&self, key: &str) -> Option<&str>;
    async fn size(&self) -> u32;
    async fn named(&self, ctx: &Ctx) -> u32;
}
