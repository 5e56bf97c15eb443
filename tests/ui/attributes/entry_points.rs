//! An entry point has nobody to be given a context by, whichever attribute stands first.

use ctxprop::propagate;

#[propagate]
#[tokio::test]
async fn test_below() {}

#[tokio::test]
#[propagate]
async fn test_above() {}

#[propagate]
#[rstest::rstest]
#[tokio::test]
async fn rstest_below() {}

#[rstest::rstest]
#[tokio::test]
#[propagate]
async fn rstest_above() {}

#[tokio::main]
#[propagate]
async fn main() {}
