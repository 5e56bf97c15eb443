#[propagate]
async fn load(id: u64, (one, _): (u32, u32)) -> Result<String, AppError> {
    let row = query(id).await?;
    Ok(format!("{row}{one}"))
}
