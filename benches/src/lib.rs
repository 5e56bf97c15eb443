//! What the benchmarks share. Nothing here measures time.

pub mod bombs;
pub mod instructions;
