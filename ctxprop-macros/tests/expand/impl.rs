#[propagate(unwind)]
impl Store for Memory {
    async fn get(&self, key: &str) -> Result<String, AppError> {
        self.find(key).await
    }
    #[propagate(skip)]
    async fn left(&self) -> u32 {
        self.size().await
    }
    fn plain(&self) -> u32 {
        3
    }
}
