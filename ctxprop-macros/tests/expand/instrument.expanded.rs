#[tracing::instrument(skip(id))]
///Docs.
#[::ctxprop::propagate(unwind)]
async fn load(id: u64) -> Result<String, AppError> {
    find(id).await
}
