//! `wasi:keyvalue`: linked; this version has no store behind it, so every bucket is refused, with a decision.
//!
//! A guest can open no bucket, so the functions that take one can only be reached with a handle that does not exist; they
//! answer `access-denied` all the same.
#![expect(unreachable_pub, reason = "the generated bindings re-export these types")]

use caplet_policy::KeyValueOp;
use wasmtime::component::Resource;

use crate::bindings::keyvalue::{atomics, batch, store};
use crate::state::CallState;

/// Why every bucket is refused.
pub(super) const NOT_OFFERED: &str = "this version of caplet has no key-value store";

/// No bucket and no compare-and-swap exists in this version.
#[derive(Debug)]
pub enum NoBucket {}

impl store::Host for CallState {
    fn open(&mut self, identifier: String) -> wasmtime::Result<Result<Resource<NoBucket>, store::Error>> {
        if let Ok(op) = KeyValueOp::open(&identifier)
            && let Ok(permitted) = self.guards.keyvalue.check(op)
        {
            self.guards.keyvalue.refuse(permitted.into_op(), NOT_OFFERED);
        }
        Ok(Err(store::Error::AccessDenied))
    }
}

impl store::HostBucket for CallState {
    fn get(&mut self, _: Resource<NoBucket>, _: String) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        Ok(Err(store::Error::AccessDenied))
    }

    fn set(&mut self, _: Resource<NoBucket>, _: String, _: Vec<u8>) -> wasmtime::Result<Result<(), store::Error>> {
        Ok(Err(store::Error::AccessDenied))
    }

    fn delete(&mut self, _: Resource<NoBucket>, _: String) -> wasmtime::Result<Result<(), store::Error>> {
        Ok(Err(store::Error::AccessDenied))
    }

    fn exists(&mut self, _: Resource<NoBucket>, _: String) -> wasmtime::Result<Result<bool, store::Error>> {
        Ok(Err(store::Error::AccessDenied))
    }

    fn list_keys(
        &mut self,
        _: Resource<NoBucket>,
        _: Option<u64>,
    ) -> wasmtime::Result<Result<store::KeyResponse, store::Error>> {
        Ok(Err(store::Error::AccessDenied))
    }

    fn drop(&mut self, _: Resource<NoBucket>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl atomics::Host for CallState {
    fn increment(&mut self, _: Resource<NoBucket>, _: String, _: i64) -> wasmtime::Result<Result<i64, store::Error>> {
        Ok(Err(store::Error::AccessDenied))
    }

    fn swap(&mut self, _: Resource<NoBucket>, _: Vec<u8>) -> wasmtime::Result<Result<(), atomics::CasError>> {
        Ok(Err(atomics::CasError::StoreError(store::Error::AccessDenied)))
    }
}

impl atomics::HostCas for CallState {
    fn new(&mut self, _: Resource<NoBucket>, _: String) -> wasmtime::Result<Result<Resource<NoBucket>, store::Error>> {
        Ok(Err(store::Error::AccessDenied))
    }

    fn current(&mut self, _: Resource<NoBucket>) -> wasmtime::Result<Result<Option<Vec<u8>>, store::Error>> {
        Ok(Err(store::Error::AccessDenied))
    }

    fn drop(&mut self, _: Resource<NoBucket>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl batch::Host for CallState {
    fn get_many(
        &mut self,
        _: Resource<NoBucket>,
        _: Vec<String>,
    ) -> wasmtime::Result<Result<Vec<Option<(String, Vec<u8>)>>, store::Error>> {
        Ok(Err(store::Error::AccessDenied))
    }

    fn set_many(
        &mut self,
        _: Resource<NoBucket>,
        _: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<(), store::Error>> {
        Ok(Err(store::Error::AccessDenied))
    }

    fn delete_many(&mut self, _: Resource<NoBucket>, _: Vec<String>) -> wasmtime::Result<Result<(), store::Error>> {
        Ok(Err(store::Error::AccessDenied))
    }
}
