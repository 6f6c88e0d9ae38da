//! `caplet cache`: compiled code, shown and cleared.

use caplet::audit::text::{json_line, visible_line};
use caplet::sandbox::CacheStats;
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::failure::{Failure, Stop};
use crate::host;
use crate::ui::Ui;

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet cache
  caplet cache clear"#;

/// Show or clear the compiled code of tools
///
/// A tool is compiled when it is first run; the code is kept, so that the next run starts at once. Only code that caplet itself
/// compiled for you is ever run: each entry is authenticated with a key that only you can read.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    command: Option<CacheCommand>,

    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, Subcommand)]
enum CacheCommand {
    /// Remove all compiled code; tools are compiled again when they are next run
    Clear,
}

#[derive(Serialize)]
struct Listing {
    folder: String,
    entries: u64,
    bytes: u64,
    max_bytes: u64,
    cleared: bool,
}

pub(crate) fn run(ui: &mut Ui, args: &CacheArgs) -> Result<u8, Stop> {
    let cache = host::cache()?;
    let cleared = args.command.is_some();
    let stats = match args.command {
        None => cache.stats(),
        Some(CacheCommand::Clear) => cache.clear(),
    };
    let CacheStats { entries, bytes, max_bytes, .. } = stats
        .map_err(|error| Failure::new(caplet::audit::ErrorKind::Host, format!("the cache cannot be used: {error}")))?;
    let listing = Listing { folder: cache.folder().display().to_string(), entries, bytes, max_bytes, cleared };
    if args.json {
        ui.json(&json_line(&listing).map_err(std::io::Error::from)?)?;
    } else {
        let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
        let did = if cleared { "removed from" } else { "in" };
        ui.line(format_args!("{entries} entries, {} {did} {}", mib(bytes), visible_line(&listing.folder)))?;
        ui.line(format_args!("it keeps at most {}", mib(max_bytes)))?;
    }
    Ok(0)
}
