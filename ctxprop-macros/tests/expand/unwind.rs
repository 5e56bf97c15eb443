#[propagate(unwind)]
async fn release(id: u64) -> Result<(), AppError> {
    Ok(())
}
