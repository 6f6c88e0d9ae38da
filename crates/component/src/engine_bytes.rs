//! The binary that an engine takes, at once or only when an engine asks for it.

use std::fmt;
use std::sync::{Arc, OnceLock};

/// A component in the binary format. Cheap to clone; clones share what one of them loaded.
///
/// ```
/// use caplet_component::EngineBytes;
///
/// let bytes = EngineBytes::on_demand(|| Err("the file is gone".to_owned()));
/// assert_eq!(bytes.get().unwrap_err(), "the file is gone");
/// ```
#[derive(Clone)]
pub struct EngineBytes(Arc<Inner>);

struct Inner {
    bytes: OnceLock<Result<Arc<[u8]>, String>>,
    load: Box<dyn Fn() -> Result<Arc<[u8]>, String> + Send + Sync>,
}

impl EngineBytes {
    /// Bytes that are there already.
    #[must_use]
    pub fn held(bytes: Arc<[u8]>) -> Self {
        let load = Box::new(|| Err("the component's bytes are not there".to_owned()));
        Self(Arc::new(Inner { bytes: OnceLock::from(Ok(bytes)), load }))
    }

    /// Bytes that `load` gets when the first one asks. It is called at most once; that it failed is remembered as well.
    ///
    /// Whoever writes `load` answers for the bytes: they are the ones that [`inspect`](crate::inspect) made of the
    /// file, and the file is still the one with the [`Component`](crate::Component)'s digest.
    #[must_use]
    pub fn on_demand(load: impl Fn() -> Result<Arc<[u8]>, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { bytes: OnceLock::new(), load: Box::new(load) }))
    }

    /// The bytes. Loads them if nobody did before, and waits for whoever is just doing it.
    ///
    /// # Errors
    ///
    /// What the loader says, if the bytes cannot be loaded.
    pub fn get(&self) -> Result<Arc<[u8]>, String> {
        self.0.bytes.get_or_init(|| (self.0.load)()).clone()
    }
}

impl fmt::Debug for EngineBytes {
    /// Shows how many bytes there are, not megabytes of them, and loads nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.bytes.get() {
            Some(Ok(bytes)) => write!(f, "EngineBytes({} bytes)", bytes.len()),
            Some(Err(error)) => write!(f, "EngineBytes(failed: {error:?})"),
            None => f.write_str("EngineBytes(not loaded)"),
        }
    }
}
