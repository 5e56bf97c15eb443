#[propagate(budget = "40%", span = "charge", fields(id, amount = %amount))]
async fn charge(id: u64, amount: Amount) -> Result<(), AppError> {
    pay(id, amount).await
}
