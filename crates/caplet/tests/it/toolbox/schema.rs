//! The JSON Schema for editors is what the parser takes.

use std::fs;
use std::path::{Path, PathBuf};

use caplet::Toolbox;
use jsonschema::Validator;
use serde_json::Value;

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(name)
}

fn validator() -> Validator {
    jsonschema::validator_for(&Toolbox::schema()).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::to_value(toml::from_str::<toml::Value>(text).unwrap()).unwrap()
}

#[test]
fn the_schema_in_the_reference_is_up_to_date() {
    let schema = serde_json::to_string_pretty(&Toolbox::schema()).unwrap() + "\n";
    let path = reference("caplet.schema.json");
    if std::env::var_os("CAPLET_UPDATE").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == schema, "docs/reference/caplet.schema.json is out of date; run this test with CAPLET_UPDATE=1");
}

#[test]
fn the_documented_example_is_a_toolbox_and_fits_the_schema() {
    let page = fs::read_to_string(reference("toolbox.md")).unwrap();
    let examples: Vec<&str> = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        Toolbox::parse(example, "/box/caplet.toml").unwrap();
        let errors: Vec<String> = validator().iter_errors(&json(example)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

/// Faults that a schema can say.
const FAULTY: [&str; 35] = [
    "[tool.x]\n",
    "[tools.file-read]\nallows = []\n",
    "[tools.file-read]\nallow = \"read:/a\"\n",
    "[tools.file-read]\nallow = [1]\n",
    "[tools.file-read]\nallow = [\"raed:/b\"]\n",
    "[tools.file-read]\ndeny = [\"/b\"]\n",
    "[tools.File]\nsource = \"file-read\"\n",
    "[tools.\"a b\"]\nsource = \"file-read\"\n",
    "[tools.a--b]\nsource = \"file-read\"\n",
    "[tools.file-read]\nsource = \"\"\n",
    "[tools.file-read]\nmounts = { \"\" = \".\" }\n",
    "[tools.file-read]\nmounts = { \"/w\" = \"\" }\n",
    "[tools.file-read]\nmounts = [\"/w\"]\n",
    "[tools.file-read]\nlimits = { timout = \"5s\" }\n",
    "[tools.file-read]\nlimits = { timeout = \"5\" }\n",
    "[tools.file-read]\nlimits = { timeout = 5 }\n",
    "[tools.file-read]\nlimits = { memory = \"64 MiB\" }\n",
    "[tools.file-read]\nlimits = { memory = true }\n",
    "[tools.file-read]\nenv = { A = 1 }\n",
    "[tools.file-read]\nenv = { \"A=B\" = \"x\" }\n",
    "[tools.file-read]\nconfig = { k = { file = 3 } }\n",
    "[tools.file-read]\nconfig = { k = { file = \"f\", value = \"v\" } }\n",
    "[tools.file-read]\nconfig = { k = [] }\n",
    "[tools.file-read]\nceiling = \"none\"\n",
    "[tools.file-read]\nstrict-imports = \"yes\"\n",
    "[tools.file-read]\nstrict_imports = true\n",
    "[tools.file-read]\nsession = \"yes\"\n",
    "[tools.file-read.functions.read]\nname = \"a b\"\n",
    "[tools.file-read.functions.read]\nname = \"caplet_limits\"\n",
    "[tools.file-read.functions.read]\nlimits = {}\n",
    "[stores.w]\nquota = \"1MiB\"\n",
    "[stores.w]\nstore = \"@other\"\n",
    "[stores.w]\nstore = \"memory\"\nquota = 64\n",
    "[buckets.w]\nstore = \"memory\"\nttl = \"7w\"\n",
    "[profiles.p]\nallow = []\n",
];

#[test]
fn what_the_parser_refuses_the_schema_refuses_where_it_can() {
    let validator = validator();
    for text in FAULTY {
        assert!(Toolbox::parse(text, "/box/caplet.toml").is_err(), "{text} is no fault");
        assert!(!validator.is_valid(&json(text)), "{text} fits the schema");
    }
}

/// Spellings that are rare and right.
#[test]
fn what_the_parser_takes_the_schema_takes() {
    let validator = validator();
    for text in [
        "",
        "[defaults]\n",
        "[tools.file-read]\n",
        "[tools.a1-2b]\nsource = \"./x.wat\"\n",
        "[tools.file-read]\nallow = [\"random\", \"random:7\", \"clock:frozen\", \"fetch:POST,PUT https://x\", \"call:t\"]\n",
        "[tools.file-read]\nlimits = { memory = 1048576, fuel = 7, tables = 0, http-requests = \"5\", file-writes = \"1GB\" }\n",
        "[tools.file-read]\nconfig = { a = 1, b = 1.5, c = true, d = \"x\", e = { file = \"f\" } }\n",
        "[tools.file-read]\nmounts = { \"/w\" = \"memory\", rel = \"./x:ro\" }\n",
        "[tools.file-read]\nsession = true\nlimits = { calls = 0, calls-at-once = 1, call-depth = \"0\" }\n",
        "[tools.file-read]\nallow = [\"call:*\", \"call:file-*\"]\nask = [\"call:memory.get\"]\n",
        "[tools.memory.functions.put]\n[tools.memory.functions.\"any name\"]\nallow = []\n",
        "[profiles.p]\ntools = []\n",
    ] {
        Toolbox::parse(text, "/box/caplet.toml").unwrap();
        let errors: Vec<String> = validator.iter_errors(&json(text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
    }
}
