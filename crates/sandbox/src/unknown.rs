//! Imports that nobody provides.
//!
//! A component may import an interface that this host has never heard of, and still do its work without calling it. Each function of
//! such an interface traps when it is called, and only then: never a success that did nothing.

use caplet_component::{Component as Facts, ImportKind};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};

use crate::state::CallState;

/// Puts a trap in the place of every function that `compiled` imports from an interface that is not known.
pub(crate) fn trap_unknown(
    linker: &mut Linker<CallState>,
    facts: &Facts,
    compiled: &Component,
) -> wasmtime::Result<()> {
    let engine = linker.engine().clone();
    let unknown =
        |name: &str| facts.imports.iter().any(|import| import.name == name && import.kind == ImportKind::Unknown);
    for (name, item) in compiled.component_type().imports(&engine) {
        if unknown(name) {
            stub(&mut linker.root(), name, name, &item.ty, &engine)?;
        }
    }
    Ok(())
}

fn stub(
    linker: &mut LinkerInstance<'_, CallState>,
    within: &str,
    name: &str,
    item: &ComponentItem,
    engine: &wasmtime::Engine,
) -> wasmtime::Result<()> {
    match item {
        ComponentItem::ComponentFunc(function) => {
            let asked = if within == name { name.to_owned() } else { format!("{within}#{name}") };
            let trap =
                move || Err(wasmtime::format_err!("the tool called `{asked}`, which this host does not provide"));
            if function.async_() {
                linker.func_new_concurrent(name, move |_, _, _, _| Box::pin(std::future::ready(trap())))
            } else {
                linker.func_new(name, move |_, _, _, _| trap())
            }
        }
        ComponentItem::Resource(_) => linker.resource(name, ResourceType::host::<Nothing>(), |_, _| Ok(())),
        ComponentItem::ComponentInstance(instance) => {
            let mut inner = linker.instance(name)?;
            for (export, item) in instance.exports(engine) {
                stub(&mut inner, within, export, &item.ty, engine)?;
            }
            Ok(())
        }
        ComponentItem::Type(_) => Ok(()),
        ComponentItem::CoreFunc(_) | ComponentItem::Module(_) | ComponentItem::Component(_) => {
            wasmtime::bail!("it imports `{name}`, which is neither a function nor an interface")
        }
    }
}

/// Stands for a resource that can never exist.
enum Nothing {}
