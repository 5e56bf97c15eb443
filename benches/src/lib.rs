//! What the benchmarks share: instructions counted by valgrind. Nothing here measures time.

pub mod instructions;
