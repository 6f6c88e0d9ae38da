//! What the command line takes from the host, in one place: the current directory, the state folder, the library built on it.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use caplet::Caplet;
use caplet::audit::{ErrorKind, JsonlSink, Sink};
use caplet::sandbox::{Cache, CompilerProgram, SandboxConfig};
use caplet::secret::{Backend, Vault, VaultConfig};

use crate::command::compile_worker::COMPILE_WORKER;
use crate::failure::Failure;
use crate::ui::Ui;

/// The current directory by the name that the user knows: `$PWD` where it leads here, else what the system says.
pub(crate) fn current_dir() -> Result<PathBuf, Failure> {
    let physical = env::current_dir().map_err(|error| {
        Failure::new(ErrorKind::InvalidConfig, format!("cannot tell the current directory: {error}"))
    })?;
    let logical =
        env::var_os("PWD").map(PathBuf::from).filter(|logical| logical.is_absolute() && is_same(logical, &physical));
    Ok(logical.unwrap_or(physical))
}

fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    identity(one).is_some_and(|one| Some(one) == identity(other))
}

/// The most that is kept of compiled code and of facts about tools: some twenty of the largest tools, or thousands of small ones.
const CACHE_BYTES: u64 = 1 << 30;

/// `$XDG_STATE_HOME/caplet`.
pub(crate) fn state_dir() -> Result<PathBuf, Failure> {
    own_dir("XDG_STATE_HOME", ".local/state", "the audit log")
}

/// `$XDG_CACHE_HOME/caplet/code`.
fn cache_dir() -> Result<PathBuf, Failure> {
    Ok(own_dir("XDG_CACHE_HOME", ".cache", "compiled code")?.join("code"))
}

/// Caplet's folder below the one that `variable` names, or below `usual` in the home. The standard says that a relative folder is to be
/// ignored.
fn own_dir(variable: &str, usual: &str, what: &str) -> Result<PathBuf, Failure> {
    let named = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = named.or_else(|| env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(usual)));
    folder.map(|folder| folder.join("caplet")).ok_or_else(|| {
        Failure::new(ErrorKind::Host, format!("cannot tell where to keep {what}"))
            .with_hint(format!("set {variable} or HOME to a folder of yours"))
    })
}

/// `$XDG_CONFIG_HOME/caplet`: the key of secrets, and the user's toolbox.
pub(crate) fn config_dir() -> Result<PathBuf, Failure> {
    own_dir("XDG_CONFIG_HOME", ".config", "the key of secrets")
}

/// The user's secrets.
pub(crate) fn vault(backend: Backend) -> Result<Vault, Failure> {
    Ok(Vault::open(&VaultConfig { config_dir: config_dir()?, state_dir: state_dir()?, backend }))
}

/// The user's cache of compiled code.
pub(crate) fn cache() -> Result<Cache, Failure> {
    Cache::open(&cache_dir()?, CACHE_BYTES).map_err(|error| {
        let failure = Failure::new(ErrorKind::Host, format!("compiled code cannot be cached: {error}"));
        match error.hint() {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })
}

/// This program again, as a compiler that can be stopped.
pub(crate) fn compiler() -> CompilerProgram {
    CompilerProgram::new("/proc/self/exe", [COMPILE_WORKER])
}

/// What the libraries have to tell a person while they work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices(Arc<Mutex<Vec<String>>>);

impl Notices {
    fn add(&self, text: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
    }

    /// Shows what there is, as warnings.
    pub(crate) fn show(&self, ui: &mut Ui) {
        for notice in std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            // Not worth failing for when standard error is gone.
            let _ = ui.warning(&notice);
        }
    }
}

/// The library for one call, with the audit log in the user's state folder and compiled code in the cache folder. The log is not touched
/// before something is to be recorded. Where nothing can be cached, calls are slower, and told so.
pub(crate) fn caplet() -> Result<(Caplet, Notices), Failure> {
    let notices = Notices::default();
    let told = notices.clone();
    Ok((caplet_for(SandboxConfig::one_shot(), move |text| told.add(text))?, notices))
}

/// The same for calls as `config` says. What a person should know goes to `tell`.
pub(crate) fn caplet_for(
    config: SandboxConfig,
    tell: impl Fn(&str) + Clone + Send + Sync + 'static,
) -> Result<Caplet, Failure> {
    caplet_recording(audit_log()?, config, tell)
}

/// The audit log in the user's state folder. It is not touched before something is to be recorded.
pub(crate) fn audit_log() -> Result<Arc<dyn Sink>, Failure> {
    Ok(Arc::new(JsonlSink::new(state_dir()?)))
}

/// The same with records in `sink`.
pub(crate) fn caplet_recording(
    sink: Arc<dyn Sink>,
    config: SandboxConfig,
    tell: impl Fn(&str) + Clone + Send + Sync + 'static,
) -> Result<Caplet, Failure> {
    let config = config.compiler(compiler()).notice(tell.clone());
    let mut builder = Caplet::builder().sink(sink).sandbox(config);
    let vault = vault(Backend::Auto)?;
    builder = builder.secrets(Arc::new(vault), [config_dir()?, state_dir()?]).state(state_dir()?);
    match cache() {
        Ok(cache) => builder = builder.cache(cache),
        Err(failure) => tell(&failure.info.message),
    }
    Ok(builder.build()?)
}
