//! What the benchmarks share, and the parts of the report, one a file.

pub mod bombs;
pub mod builds;
pub mod calls;
pub mod check_time;
pub mod client;
pub mod crates;
pub mod gone;
pub mod growth;
pub mod instructions;
pub mod layer;
pub mod lookups;
pub mod nodes;
pub mod peers;
pub mod plot;
pub mod report;
pub mod scopes;
pub mod served;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod soak;
pub mod throughput;
pub mod trees;
pub mod wire;

/// All that the report measures, in its order.
pub const PARTS: &[report::Part] = &[
    nodes::PART,
    lookups::PART,
    scopes::PART,
    calls::PART,
    trees::PART,
    wire::PART,
    layer::PART,
    client::PART,
    gone::PART,
    throughput::PART,
    growth::PART,
    check_time::PART,
    builds::PART,
];
