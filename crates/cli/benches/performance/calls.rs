//! One call after another, in one process.

use caplet::Source;
use serde_json::json;
use tokio::runtime::Runtime;
use wasmtime::component::Val;

use crate::figures::{Bound, Report, in_turn};
use crate::{bare, guests, ours};

const ROUNDS: usize = 20_000;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// A trivial typed tool.
pub(crate) fn trivial(report: &mut Report) {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("add.wat");
    std::fs::write(&file, guests::ADD).unwrap();
    let caplet = ours::caplet();
    let granted = ours::granted(&caplet, &Source::Path(file), folder.path(), &["clock:1ms".to_owned()]);
    let engine = bare::engine();
    let pre = bare::prepare(&engine, &wat::parse_str(guests::ADD).unwrap());
    let index = pre.component().get_export_index(None, "add").unwrap();
    let bare_call = || {
        runtime.block_on(async {
            let mut store = bare::store(&engine, None);
            let instance = pre.instantiate_async(&mut store).await.unwrap();
            let add = instance.get_typed_func::<(u32, u32), (u32,)>(&mut store, &index).unwrap();
            assert_eq!(add.call_async(&mut store, (2, 40)).await.unwrap(), (42,));
        });
    };
    let our_call = || {
        let output = runtime.block_on(ours::call(&granted, json!({"a": 2, "b": 40})));
        assert_eq!(output, json!(42));
    };
    let (bare, ours) = in_turn(ROUNDS, bare_call, our_call);
    report.time("trivial tool, bare engine, fresh instance and call", &bare);
    report.time("trivial tool, Caplet: policy, JSON, decisions, record", &ours);
    report.figure("trivial tool: Caplet over bare", ours.p50() / bare.p50(), Bound::AtMost(3.0));
    report.figure("trivial tool: p99 over p50", ours.p99() / ours.p50(), Bound::AtMost(10.0));
}

/// The built-in `file-read` on a file of 4 KiB.
pub(crate) fn file_read(report: &mut Report) {
    let runtime = runtime();
    let folder = tempfile::tempdir().unwrap();
    let folder_name = folder.path().canonicalize().unwrap().to_str().unwrap().to_owned();
    std::fs::write(folder.path().join("text"), "0123456789abcde\n".repeat(256)).unwrap();
    let caplet = ours::caplet();
    let rules = [format!("read:{folder_name}/**"), "clock:1ms".to_owned()];
    let source = Source::parse("file-read").unwrap();
    let granted = ours::granted(&caplet, &source, folder.path(), &rules);
    let engine = bare::engine();
    let component = caplet.load(&source).unwrap();
    let pre = bare::prepare(&engine, &component.component().engine_bytes.get().unwrap());
    let tool = component.component().tools.first().unwrap().export.clone();
    let interface = tool.interface.as_deref().map(|name| pre.component().get_export_index(None, name).unwrap());
    let index = pre.component().get_export_index(interface.as_ref(), &tool.function).unwrap();
    let parameters = component.component().tools.first().unwrap().signature.parameters.len();
    let path = format!("{folder_name}/text");
    let bare_call = || {
        runtime.block_on(async {
            let mut store = bare::store(&engine, Some(&folder_name));
            let instance = pre.instantiate_async(&mut store).await.unwrap();
            let function = instance.get_func(&mut store, index).unwrap();
            let mut arguments = vec![Val::String(path.clone())];
            arguments.resize(parameters, Val::Option(None));
            let mut results = [Val::Bool(false)];
            function.call_async(&mut store, &arguments, &mut results).await.unwrap();
            assert!(matches!(&results[0], Val::Result(Ok(_))), "{results:?}");
        });
    };
    let our_call = || {
        let output = runtime.block_on(ours::call(&granted, json!({"path": path})));
        assert!(output.to_string().contains("0123456789abcde"));
    };
    let (bare, ours) = in_turn(ROUNDS / 10, bare_call, our_call);
    report.time("file-read of 4 KiB, bare engine with a preopened directory", &bare);
    report.time("file-read of 4 KiB, Caplet", &ours);
    report.figure("file-read: Caplet over bare", ours.p50() / bare.p50(), Bound::AtMost(3.0));
}
