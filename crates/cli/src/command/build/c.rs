//! C, by Zig or by the clang of a WASI SDK: a command of WASI preview1.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use caplet::audit::ErrorKind;

use super::program::{missing, on_path, run};
use super::project::{Project, Raw};
use crate::failure::Failure;

/// Builds the folder's C files into one program.
pub(super) fn build(project: &Project, raw: &Raw) -> Result<PathBuf, Failure> {
    let files = project.c_files();
    if files.is_empty() {
        let message = format!("{} has no C file, and neither has its src", project.folder.display());
        return Err(Failure::new(ErrorKind::InvalidConfig, message));
    }
    let mut command = compiler()?;
    command.args(["-std=c17", "-O2", "-Wall", "-Wextra", "-s", "-o"]).arg(raw.path()).args(files);
    run(command.current_dir(&project.folder), not_there)?;
    Ok(raw.path().to_owned())
}

/// The SDK that is named, else Zig, which may be a package of Python.
fn compiler() -> Result<Command, Failure> {
    if let Some(sdk) = env::var_os("WASI_SDK_PATH") {
        let mut clang = Command::new(Path::new(&sdk).join("bin/clang"));
        clang.arg("--target=wasm32-wasip1");
        return Ok(clang);
    }
    let mut zig = match on_path("zig") {
        Some(zig) => Command::new(zig),
        None if has_package() => {
            let mut python = Command::new("python3");
            python.args(["-m", "ziglang"]);
            python
        }
        None => return Err(not_there()),
    };
    zig.args(["cc", "-target", "wasm32-wasi"]);
    Ok(zig)
}

fn has_package() -> bool {
    let mut python = Command::new("python3");
    python.args(["-c", "import ziglang"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}

fn not_there() -> Failure {
    missing(
        "a C compiler for WebAssembly",
        "install Zig, with: python3 -m pip install ziglang; or set WASI_SDK_PATH to where a WASI SDK is",
    )
}
