//! What a guest may hold of memory and tables, counted over everything that one call creates.
//!
//! The engine asks before any memory, table or instance comes into being or grows. All of them count against one sum, so that a
//! guest gains nothing by spreading over many small ones. A request that would pass the limit ends the call: the guest cannot
//! go on in a state where its allocator has failed, and the person reads which limit it was.

use caplet_audit::ErrorKind;
use wasmtime::ResourceLimiter;

use crate::admission::{MemoryShare, Short};
use crate::engine::{SLOT_MEMORY_BYTES, SLOT_TABLE_ELEMENTS};
use crate::error::LimitHit;

/// Core instances, memories and tables that one call may create. A component compiled from an interpreted language needs tens.
const MAX_PARTS: usize = 10_000;

/// Counts what one call holds, and refuses beyond its limits.
#[derive(Debug)]
pub(crate) struct MemoryMeter {
    memory_limit: u64,
    memory_bytes: u64,
    memory_peak_bytes: u64,
    /// What this call takes of the memory that it and others may hold together.
    share: MemoryShare,
    table_limit: u64,
    table_elements: u64,
    refused: Option<LimitHit>,
}

impl MemoryMeter {
    pub(crate) fn new(memory_limit: u64, table_limit: u64, share: MemoryShare) -> Self {
        let (memory_bytes, memory_peak_bytes, table_elements) = (0, 0, 0);
        Self { memory_limit, memory_bytes, memory_peak_bytes, share, table_limit, table_elements, refused: None }
    }

    /// The limit that was hit, if one was. The engine turns a refusal to grow a garbage-collected heap into a trap of its own.
    pub(crate) fn refused(&self) -> Option<&LimitHit> {
        self.refused.as_ref()
    }

    fn refuse(&mut self, hit: LimitHit) -> wasmtime::Error {
        self.refused = Some(hit.clone());
        hit.into()
    }

    /// The most that all memories together held at one time, in bytes.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.memory_peak_bytes
    }
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if is_own_bound(desired, maximum, SLOT_MEMORY_BYTES) {
            return Ok(false);
        }
        let grown = self.memory_bytes.saturating_add(widen(desired.saturating_sub(current)));
        if grown > self.memory_limit {
            let limit = self.memory_limit;
            return Err(self.refuse(LimitHit::new(
                ErrorKind::Memory,
                format!("the tool asked for {grown} bytes of memory in all; its limit is {limit} bytes"),
                "memory",
            )));
        }
        if let Err(short) = self.share.take(grown - self.memory_bytes) {
            let limit = self.memory_limit;
            let message = match short {
                Short::Call => format!(
                    "the tool asked for {grown} bytes of memory, and the calls that it made hold some too; together their limit is \
                     {limit} bytes"
                ),
                Short::Others => format!(
                    "all tools together, or those that called this one, hold the most memory that they may; {grown} bytes for this \
                     one are too many now"
                ),
            };
            return Err(self.refuse(LimitHit::new(ErrorKind::Memory, message, "memory")));
        }
        self.memory_bytes = grown;
        self.memory_peak_bytes = self.memory_peak_bytes.max(grown);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if is_own_bound(desired, maximum, SLOT_TABLE_ELEMENTS) {
            return Ok(false);
        }
        let grown = self.table_elements.saturating_add(widen(desired.saturating_sub(current)));
        if grown > self.table_limit {
            let limit = self.table_limit;
            return Err(self.refuse(LimitHit::new(
                ErrorKind::Tables,
                format!("the tool asked for {grown} table elements in all; its limit is {limit}"),
                "tables",
            )));
        }
        self.table_elements = grown;
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_PARTS
    }

    fn tables(&self) -> usize {
        MAX_PARTS
    }

    fn memories(&self) -> usize {
        MAX_PARTS
    }
}

/// Whether growth fails at the module's own bound, which it knows: an ordinary failure to grow. What a slot of the pool holds is
/// a bound as well, but not the module's.
fn is_own_bound(desired: usize, maximum: Option<usize>, slot: u64) -> bool {
    maximum.is_some_and(|maximum| desired > maximum && widen(maximum) < slot)
}

fn widen(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
