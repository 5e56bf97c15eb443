#[propagate(boxed)]
async fn walk(tree: &Tree) -> u32 {
    walk(tree.left()).await + 1
}
