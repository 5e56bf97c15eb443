// As `tonic-prost-build` writes it into `OUT_DIR`: the trait is nobody's to change.
#[tonic::async_trait]
pub trait Greeter: Send + Sync + 'static {
    async fn greet(&self, request: tonic::Request<u64>) -> Result<tonic::Response<String>, tonic::Status>;
}
