//! Compiles the `.proto` with what cargo brings: no `protoc` needs to be installed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["probe.proto"], ["proto"])?;
    tonic_prost_build::compile_fds(files)?;
    Ok(())
}
