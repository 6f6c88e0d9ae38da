//! A program that lets a model read files of one folder, and nothing else.
//!
//! `cargo run --example embed`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::Arc;

use caplet::audit::MemorySink;
use caplet::{Caplet, Grant, Source};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("docs"))?;
    std::fs::write(folder.path().join("docs/index.md"), "# Hello\n")?;
    std::fs::write(folder.path().join("secret.txt"), "not for tools\n")?;

    // Records stay in memory here; a program that runs for long uses a `Log`, or a sink of its own.
    let records = Arc::new(MemorySink::new());
    let caplet = Caplet::builder().sink(records.clone()).build()?;
    let tool = caplet.load(&Source::parse("file-read")?)?;

    // A new grant gives nothing; this one gives a folder, for reading.
    let mut grant = Grant::new(folder.path())?;
    grant.allow("read:docs/**")?.limit("timeout=5s")?;
    let granted = caplet.grant(&tool, grant)?;

    let read = granted.call(None, json!({"path": "docs/index.md"})).await;
    assert!(read.is_ok(), "{read:?}");
    println!("answer:  {}", read.output);

    let refused = granted.call(None, json!({"path": "secret.txt"})).await;
    assert_eq!(refused.process_exit_code(), 3);
    let denied = &refused.decisions.denied[0];
    println!("refused: {} ({} layer), {}", denied.op, denied.layer, denied.hint);

    assert_eq!(records.take().len(), 2);
    Ok(())
}
