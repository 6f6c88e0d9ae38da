//! What the command line takes from the host, in one place: the current directory, the state folder, the library built on it.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use caplet::Caplet;
use caplet::audit::log::{Log, LogConfig};
use caplet::audit::{ErrorKind, Sink};
use caplet::sandbox::{Cache, CompilerProgram, SandboxConfig};
use caplet::secret::{Backend, Vault, VaultConfig};

use crate::audit_options::AuditOptions;
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

/// The audit log.
pub(crate) fn audit_dir() -> Result<PathBuf, Failure> {
    Ok(state_dir()?.join("audit"))
}

/// The key and the checkpoints that show whether the audit log is whole: apart from it, so that who can change one folder cannot yet
/// change both.
pub(crate) fn audit_keys_dir() -> Result<PathBuf, Failure> {
    Ok(state_dir()?.join("audit-keys"))
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

/// Where servers put questions: in the user's runtime folder, which is gone when the user leaves, or else with the state.
pub(crate) fn approvals_dir() -> Result<PathBuf, Failure> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    match runtime {
        Some(runtime) => Ok(runtime.join("caplet")),
        None => Ok(state_dir()?.join("approvals")),
    }
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
    caplet_with(&AuditOptions::default())
}

/// The same with records as `audit` says.
pub(crate) fn caplet_with(audit: &AuditOptions) -> Result<(Caplet, Notices), Failure> {
    let notices = Notices::default();
    let told = notices.clone();
    let log = audit_log(audit_config()?.one_shot());
    let caplet = caplet_recording((log, audit), [], SandboxConfig::one_shot(), move |text| told.add(text))?;
    Ok((caplet, notices))
}

/// The log of this process, for its end.
static LOG: OnceLock<Arc<Log>> = OnceLock::new();

/// The settings of the audit log in the user's state folder.
pub(crate) fn audit_config() -> Result<LogConfig, Failure> {
    Ok(LogConfig::new(audit_dir()?, audit_keys_dir()?))
}

/// The audit log that `config` says, the only one of this process. It is not touched before something is to be recorded.
pub(crate) fn audit_log(config: LogConfig) -> Arc<dyn Sink> {
    Arc::clone(LOG.get_or_init(|| Arc::new(Log::new(config)))) as _
}

/// Makes durable what was recorded, and vouches for it. For the end of the process: what still holds the log then does not matter.
pub(crate) fn settle_log(ui: &mut Ui) {
    if let Some(Err(error)) = LOG.get().map(|log| log.settle()) {
        // Not worth failing for: the record is there, and the next call is refused if its own cannot be kept.
        let _ = ui.warning(&format!("no checkpoint could be made of the audit log: {error}"));
    }
}

/// The library for calls as `config` says, with records in the sink as the options say, and with `kept` files that no tool may reach. What a
/// person should know goes to `tell`.
pub(crate) fn caplet_recording(
    (sink, audit): (Arc<dyn Sink>, &AuditOptions),
    kept: impl IntoIterator<Item = PathBuf>,
    config: SandboxConfig,
    tell: impl Fn(&str) + Clone + Send + Sync + 'static,
) -> Result<Caplet, Failure> {
    let config = config.compiler(compiler()).notice(tell.clone());
    let mut builder = Caplet::builder().sink(audit.applied(sink)).keep_arguments(audit.audit_arguments).sandbox(config);
    let vault = vault(Backend::Auto)?;
    let kept = [config_dir()?, state_dir()?].into_iter().chain(kept);
    builder = builder.secrets(Arc::new(vault), kept).state(state_dir()?).approvals(approvals_dir()?);
    match cache() {
        Ok(cache) => builder = builder.cache(cache),
        Err(failure) => tell(&failure.info.message),
    }
    Ok(builder.build()?)
}
