//! `caplet warm`: what it compiles is not compiled again, and what it cannot compile it says.

use std::fs;

use serde_json::{Value, json};

use crate::bin::World;
use crate::guests;

/// The entries of compiled code, and when each was written.
fn code(world: &World) -> Vec<(String, std::time::SystemTime)> {
    let Ok(folder) = fs::read_dir(world.cache()) else { return Vec::new() };
    let entries = folder.map(|entry| entry.unwrap());
    let entries = entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap()));
    let mut entries: Vec<_> = entries.filter(|(name, _)| name.ends_with(".code")).collect();
    entries.sort_by(|one, other| one.0.cmp(&other.0));
    entries.into_iter().map(|(name, found)| (name, found.modified().unwrap())).collect()
}

/// What became of each tool.
fn states(world: &World, args: &[&str]) -> Vec<(String, String)> {
    let listing = world.run(&[&["warm", "--json"], args].concat()).json();
    let text = |tool: &Value, key: &str| tool[key].as_str().unwrap().to_owned();
    listing["tools"].as_array().unwrap().iter().map(|tool| (text(tool, "tool"), text(tool, "state"))).collect()
}

#[test]
fn a_warm_tool_is_not_compiled_again() {
    let world = World::new();
    let tool = world.write("add.wat", guests::ADDS);
    let first = world.run(&["warm", &tool]);
    first.assert(0, &[]);
    assert!(first.stdout.starts_with("./add.wat  compiled in ") && first.stdout.ends_with(" ms\n"), "{first:?}");
    let [warmed] = code(&world).try_into().unwrap();
    assert_eq!(world.run(&["warm", &tool]).stdout, "./add.wat  was warm\n");
    let ran = world.run(&["run", &tool, "--args", r#"{"a":1,"b":2}"#]);
    assert_eq!((ran.code, ran.stdout.trim(), &*ran.stderr), (0, "3", ""));
    assert_eq!(code(&world), [warmed], "the call used what was there");
    assert!(world.records().iter().all(|record| record["tool"] == "add"), "only the call is a call");
    assert_eq!(world.records().len(), 1);
}

#[test]
fn a_toolbox_is_warmed_as_its_calls_will_be() {
    let world = World::new();
    world.write("add.wat", guests::ADDS);
    let toolbox = "[tools.counted]\nsource = \"./add.wat\"\nlimits = { fuel = 1000000 }\n\
                   [tools.plain]\nsource = \"./add.wat\"\n[profiles.small]\ntools = [\"plain\"]\n";
    let toolbox = world.write("caplet.toml", toolbox);
    let compiled = |tool: &str| (tool.to_owned(), "compiled".to_owned());
    let small = ["--config", &*toolbox, "--profile", "small"];
    assert_eq!(states(&world, &[&["--all"], &small[..]].concat()), [compiled("plain")]);
    // The same component, but code that counts is other code.
    assert_eq!(
        states(&world, &["counted", "plain", "--config", &toolbox]),
        [compiled("counted"), ("plain".to_owned(), "warm".to_owned())]
    );
    let before = code(&world);
    for tool in ["counted", "plain"] {
        world.run(&["run", tool, "--config", &toolbox, "--args", r#"{"a":1,"b":2}"#]).assert(0, &[]);
    }
    assert_eq!(code(&world), before);
}

#[test]
fn one_that_cannot_be_compiled_does_not_hold_up_the_others() {
    let world = World::new();
    let tool = world.write("add.wat", guests::ADDS);
    let broken = world.write("broken.wasm", "not WebAssembly");
    let ran = world.run(&["warm", &broken, "nosuch", &tool]);
    ran.assert(2, &["broken", "nosuch"]);
    assert!(ran.stdout.contains("./broken.wasm  failed\n"), "{ran:?}");
    assert!(ran.stdout.contains("./add.wat      compiled in "), "{ran:?}");
    let listing = world.run(&["warm", "--json", &broken]).json();
    assert_eq!((&listing["tools"][0]["state"], &listing["tools"][0]["digest"]), (&json!("failed"), &Value::Null));
    assert_eq!(listing["tools"][0]["error"]["kind"], "invalid-component");
    let slow = world.run(&["warm", "file-grep", "--limit", "compile=1ms"]);
    slow.assert(5, &["compil"]);
    for args in [&["warm"][..], &["warm", "--all", "file-read"]] {
        world.run(args).assert(2, &["Usage"]);
    }
}

#[test]
fn without_a_cache_there_is_nothing_to_warm() {
    let world = World::new();
    let tool = world.write("add.wat", guests::ADDS);
    fs::create_dir_all(world.cache().parent().unwrap()).unwrap();
    fs::write(world.cache(), "in the way").unwrap();
    world.run(&["warm", &tool]).assert(6, &["cannot be cached"]);
}
