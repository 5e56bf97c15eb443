#[propagate]
async fn macros() -> Result<(), AppError> {
    let (one, two) = tokio::join!(load(1), load(2));
    tokio::select! {
        value = load(3) => println!("{}", value?),
        _ = left(), if one.is_ok() => return Ok(()),
    }
    println!("{}", load(4).await?);
    run!(do load(5));
    Ok(())
}
