//! Gives the component a stack of its own that is larger than what the host's holds, so that what nests too deep in a library meets the
//! host's limit, which has a name, and not the end of the component's memory.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "wasm") {
        println!("cargo::rustc-link-arg-cdylib=-zstack-size=4194304");
    }
}
