//! What it costs a guest that it can be interrupted.

use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store};

use crate::figures::{Bound, Report, in_turn};
use crate::guests;

/// A loop of nothing, and calls and branches, each with and without looking at the epoch.
pub(crate) fn epochs(report: &mut Report) {
    for (name, text, function, argument, bound) in [
        ("a loop of nothing, the worst there is", guests::COUNT, "count", 10_000_000, 3.2),
        ("calls and branches", guests::FIB, "fib", 27, 1.1),
    ] {
        let (with, without) = (Kernel::new(text, function, true), Kernel::new(text, function, false));
        let (with, without) = in_turn(60, || with.run(argument), || without.run(argument));
        report.figure(&format!("epoch cost: {name}"), with.p50() / without.p50(), Bound::AtMost(bound));
    }
}

struct Kernel {
    engine: Engine,
    component: Component,
    function: &'static str,
}

impl Kernel {
    fn new(text: &str, function: &'static str, epochs: bool) -> Self {
        let mut config = Config::new();
        config.epoch_interruption(epochs).concurrency_support(false).native_unwind_info(false);
        let engine = Engine::new(&config).unwrap();
        let component = Component::new(&engine, wat::parse_str(text).unwrap()).unwrap();
        Self { engine, component, function }
    }

    fn run(&self, argument: u32) {
        let mut store = Store::new(&self.engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = Linker::new(&self.engine).instantiate(&mut store, &self.component).unwrap();
        let function = instance.get_typed_func::<(u32,), (u32,)>(&mut store, self.function).unwrap();
        function.call(&mut store, (argument,)).unwrap();
    }
}
