//! Compiled code: out of the cache, or compiled under limits and put there.
//!
//! Code is known by what it was made from: the component's digest, the engine's version, the settings that code depends on, and the
//! processor's features. What always holds: nothing is run that was not compiled here or authenticated by the cache first; what is
//! wrong with an entry is told, and the component is compiled anew. A compile stays within its limit of time, and one at a time
//! runs on each processor at the most.

use std::sync::Arc;
use std::time::Duration;

use caplet_audit::ErrorKind;
use caplet_component::Component;
use tokio::sync::Semaphore;
use wasmtime::Engine;

use crate::cache::{Cache, Entry};
use crate::end::Stop;
use crate::engine::CodeSettings;
use crate::error::LimitHit;
use crate::worker::{CompilerProgram, compile_here};

/// What the engine's releases and ours change about code with the same settings.
const VERSION: &str = concat!("caplet-", env!("CARGO_PKG_VERSION"), "-wasmtime-48.0.8-1");

/// Tells what a person should know and nobody asked for, such as a cache entry that was not what it should be.
pub(crate) type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// Makes code.
pub(crate) struct Coder {
    pub(crate) cache: Option<Cache>,
    pub(crate) program: Option<CompilerProgram>,
    pub(crate) notice: Option<Notice>,
    pub(crate) at_once: Arc<Semaphore>,
}

/// Code that an engine can load.
#[derive(Debug)]
pub(crate) enum Code {
    /// An authenticated file.
    Cached(Entry),
    /// What was just compiled.
    Held(Vec<u8>),
}

impl Coder {
    /// The code of `component`: cached, or compiled within `budget` of wall time, and of processor time of one core.
    pub(crate) async fn code(
        &self,
        component: &Arc<Component>,
        settings: CodeSettings,
        budget: Duration,
    ) -> Result<Code, Stop> {
        let name = entry_name(component, settings);
        if let Some(entry) = self.cached(&name) {
            return Ok(Code::Cached(entry));
        }
        let Ok(_turn) = Arc::clone(&self.at_once).acquire_owned().await else {
            return Err(Stop::host("the sandbox is closed"));
        };
        // Another call, or another process, may have been faster.
        if let Some(entry) = self.cached(&name) {
            return Ok(Code::Cached(entry));
        }
        let code = self.compile(component, settings, budget).await?;
        let Some(cache) = &self.cache else { return Ok(Code::Held(code)) };
        match cache.put(&name, &code) {
            // Out of the file it takes no memory of its own, and what is not touched is never read.
            Ok(()) => Ok(self.cached(&name).map_or(Code::Held(code), Code::Cached)),
            Err(error) => {
                self.tell(&format!("cannot keep compiled code: {error}"));
                Ok(Code::Held(code))
            }
        }
    }

    /// Whether the code of `component` is kept, whole.
    pub(crate) fn has(&self, component: &Component, settings: CodeSettings) -> bool {
        let kept = self.cache.as_ref().map(|cache| cache.get(&entry_name(component, settings)));
        matches!(kept, Some(Ok(Some(_))))
    }

    /// Forgets a cached entry that the engine would not load.
    pub(crate) fn forget(&self, component: &Component, settings: CodeSettings, why: &str) {
        let name = entry_name(component, settings);
        self.tell(&format!("the cached code {name} does not load, and is compiled again: {why}"));
        if let Some(cache) = &self.cache {
            // An entry that cannot be removed is replaced when the new one is kept.
            let _ = cache.remove(&name);
        }
    }

    fn cached(&self, name: &str) -> Option<Entry> {
        match self.cache.as_ref()?.get(name) {
            Ok(entry) => entry,
            Err(bad) => {
                self.tell(&format!("the cached code {name} is not used, and compiled again: {bad}"));
                None
            }
        }
    }

    async fn compile(
        &self,
        component: &Arc<Component>,
        settings: CodeSettings,
        budget: Duration,
    ) -> Result<Vec<u8>, Stop> {
        let too_long = || {
            Stop::Limit(LimitHit::new(
                ErrorKind::Timeout,
                format!("compiling the component took longer than its limit of {budget:?}"),
                "compile",
            ))
        };
        let bytes = component.engine_bytes.get().map_err(Stop::host)?;
        let compiling = async {
            match &self.program {
                Some(program) => program.compile(bytes, settings, budget).await,
                None => on_a_thread(move || compile_here(&bytes, settings).map_err(Stop::invalid_component)).await,
            }
        };
        tokio::time::timeout(budget, compiling).await.unwrap_or_else(|_elapsed| Err(too_long()))
    }

    fn tell(&self, text: &str) {
        if let Some(notice) = &self.notice {
            notice(text);
        }
    }
}

/// Runs `work` on a thread of its own, not one that a runtime waits for: what overruns must not hold up anything else.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Stop> + Send + 'static,
) -> Result<T, Stop> {
    let (done, answer) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("caplet-compile".to_owned())
        .spawn(move || done.send(work()))
        .map_err(|error| Stop::host(format!("cannot start a thread to compile on: {error}")))?;
    answer.await.unwrap_or_else(|_gone| Err(Stop::host("the compiler stopped without an answer")))
}

impl Code {
    /// The component in a form that `engine` runs.
    #[expect(unsafe_code, reason = "the engine cannot check code that it is given; see the comment")]
    pub(crate) fn load(&self, engine: &Engine) -> wasmtime::Result<wasmtime::component::Component> {
        use wasmtime::component::Component;
        match self {
            // SAFETY: loading runs what the bytes say, so they must be what the engine's own compiler made. An entry's bytes are:
            // the cache authenticated them, in this very file, with a key that only this user's processes can read, and only
            // `Coder::code` puts entries there. The path names the open file itself, whatever became of its name. The file belongs
            // to this user and nobody else may write it (the cache checks both), and no tool can be given the folder.
            Self::Cached(entry) if entry.path().exists() => unsafe {
                Component::deserialize_file(engine, entry.path())
            },
            // SAFETY: as above; where `/proc` is not mounted, the same file is read instead of mapped.
            Self::Cached(entry) => unsafe { Component::deserialize(engine, entry.read()?) },
            // SAFETY: the bytes are what the compiler of this program just gave, in this process or over a pipe from a process
            // that this one started.
            Self::Held(bytes) => unsafe { Component::deserialize(engine, bytes) },
        }
    }
}

/// The name under which code is kept: everything that it depends on.
fn entry_name(component: &Component, settings: CodeSettings) -> String {
    let digest = component.digest.to_string();
    let digest = digest.rsplit(':').next().unwrap_or_default();
    let depends = format!("{VERSION} {} {} {}", settings.to_byte(), std::env::consts::ARCH, processor());
    let depends = blake3::hash(depends.as_bytes()).to_hex();
    format!("{digest}-{}.code", depends.get(..16).unwrap_or_default())
}

/// The processor's features that the compiler makes use of. The engine checks for itself that code fits the processor; this only
/// keeps the entries of different machines with one home folder apart.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        let features = [
            ("sse3", has!("sse3")),
            ("ssse3", has!("ssse3")),
            ("sse4.1", has!("sse4.1")),
            ("sse4.2", has!("sse4.2")),
            ("popcnt", has!("popcnt")),
            ("avx", has!("avx")),
            ("avx2", has!("avx2")),
            ("fma", has!("fma")),
            ("bmi1", has!("bmi1")),
            ("bmi2", has!("bmi2")),
            ("lzcnt", has!("lzcnt")),
            ("avx512f", has!("avx512f")),
            ("avx512vl", has!("avx512vl")),
            ("avx512dq", has!("avx512dq")),
            ("avx512bitalg", has!("avx512bitalg")),
            ("avx512vbmi", has!("avx512vbmi")),
        ];
        features.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect::<Vec<_>>().join(",")
    }
    #[cfg(not(target_arch = "x86_64"))]
    String::new()
}
