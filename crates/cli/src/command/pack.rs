//! `caplet pack`: a manifest into a component.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use caplet::audit::ErrorKind;
use caplet::component::{Caps, Docs, Existing, Manifest, embed, embed_docs};
use caplet::{Error, read_file};
use clap::Args;

use crate::command::check::{manifest_failure, read_manifest};
use crate::failure::{Failure, Stop};
use crate::ui::Ui;

/// The name of a manifest beside a component.
pub(crate) const MANIFEST: &str = "agent-tool.toml";

/// Examples, at the end of the long help and of the manual.
const EXAMPLES: &str = r#"Examples:
  caplet pack tool.wasm
  caplet pack target/tool.wasm --manifest agent-tool.toml --wit wit -o dist/tool.wasm"#;

/// Put a manifest into a component
///
/// The manifest is checked first; when anything is wrong, nothing is written. A manifest that the file has already is replaced.
/// A preview1 module stays a module, and becomes a component whenever it is loaded.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct PackArgs {
    /// A .wasm or .wat file
    file: PathBuf,

    /// The manifest [default: agent-tool.toml beside FILE, else in the current directory]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,

    /// Also put in the documentation of this .wit file or folder, as the tools' descriptions
    #[arg(long, value_name = "PATH")]
    wit: Option<PathBuf>,

    /// Where to write; - is standard output [default: FILE itself, as .wasm]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn run(ui: &mut Ui, args: &PackArgs) -> Result<u8, Stop> {
    let packed = pack(args)?;
    let output = args.output.clone().unwrap_or_else(|| args.file.with_extension("wasm"));
    if output == Path::new("-") {
        if ui.is_terminal() {
            return Err(Failure::new(ErrorKind::InvalidConfig, "a component is not for a terminal")
                .with_hint("redirect standard output, or write to a file with -o FILE")
                .into());
        }
        ui.bytes(&packed)?;
        return Ok(0);
    }
    write(&output, &packed)?;
    ui.note(&format!(
        "wrote {} ({} bytes, {})",
        output.display(),
        packed.len(),
        caplet::component::Digest::of(&packed)
    ))?;
    Ok(0)
}

fn pack(args: &PackArgs) -> Result<Vec<u8>, Failure> {
    let bytes = read_file(&args.file, caplet::authority::Limits::default().component)?;
    let path = args.manifest.clone().unwrap_or_else(|| default_manifest(&args.file));
    let text = read_manifest(&path)?;
    let manifest = Manifest::parse(&text).map_err(|error| manifest_failure(&path, &text, error))?;
    packed(&args.file.display().to_string(), &bytes, &manifest, args.wit.as_deref())
}

/// The component `bytes`, called `name` where it is refused, with its manifest, and with the documentation that is in `wit`.
pub(crate) fn packed(name: &str, bytes: &[u8], manifest: &Manifest, wit: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let caps = Caps::default();
    let refused = |source| Error::Component { name: name.to_owned(), source: Box::new(source) };
    let documented = match wit {
        Some(wit) => {
            let docs = Docs::read_wit(wit, None)
                .map_err(|error| Failure::new(ErrorKind::InvalidConfig, format!("{}: {error}", wit.display())))?;
            Some(embed_docs(bytes, &docs, &caps).map_err(refused)?)
        }
        None => None,
    };
    let bytes = documented.as_deref().unwrap_or(bytes);
    Ok(embed(bytes, manifest, Existing::Replace, &caps).map_err(refused)?)
}

/// Writes a component to `path`, whole, in the place of what is there.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    replace(path, bytes)
        .map_err(|error| Failure::new(ErrorKind::Host, format!("cannot write {}: {error}", path.display())))
}

fn default_manifest(file: &Path) -> PathBuf {
    let beside = file.with_file_name(MANIFEST);
    if beside.exists() { beside } else { PathBuf::from(MANIFEST) }
}

/// Writes all of `bytes` beside `path` and then takes its place, so that a reader sees the old file or the new one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it names no file"))?.to_string_lossy();
    if path.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut file = File::create_new(&beside)?;
    let written = file.write_all(bytes).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // What is left behind is named after this file and this process; the first error is the one to tell.
        let _ = std::fs::remove_file(&beside);
    }
    written
}
