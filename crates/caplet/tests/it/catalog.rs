//! What agents are offered: names, what a client is told, what an agent is told of itself.

use caplet::authority::{GuestPath, Layer, LayerKind, Rule};
use caplet::{CallContext, Caplet, Catalog, Toolbox};
use serde_json::json;

use crate::ADDS;
use crate::tools::{Folder, TWO};

fn caplet() -> Caplet {
    Caplet::builder().build().unwrap()
}

/// The names that are offered, and the tools that are hidden.
fn seen(catalog: &Catalog) -> (Vec<String>, Vec<String>) {
    let hidden = catalog.hidden().iter().map(|hidden| hidden.tool.clone());
    (catalog.offers().map(|offer| offer.name().to_owned()).collect(), hidden.collect())
}

/// A tool's name and its file.
type Pair = (&'static str, &'static str);

#[test]
fn names_that_are_alike_are_nobodys_whatever_the_order() {
    let folder = Folder::new();
    folder.write("one.wat", ADDS);
    folder.write("two.wat", TWO);
    let table = |name: &str, file: &str| format!("[tools.{name}]\nsource = \"./{file}.wat\"\n");
    let cases: [(&[Pair], &[&str], &[&str]); 5] = [
        (&[("a", "one"), ("b", "two")], &["a", "b_one", "b_two"], &[]),
        // `a_one` and `a-one`.
        (&[("a", "two"), ("a-one", "one"), ("c", "one")], &["c"], &["a", "a-one"]),
        (&[("caplet", "two"), ("d", "one")], &["d"], &["caplet"]),
        (&[("caplet-limits", "one")], &[], &["caplet-limits"]),
        (&[("capletx", "one")], &["capletx"], &[]),
    ];
    for (tools, offered, hidden) in cases {
        let tables: Vec<String> = tools.iter().map(|(name, file)| table(name, file)).collect();
        let reversed: Vec<String> = tables.iter().rev().cloned().collect();
        for tables in [tables, reversed] {
            let toolbox = Toolbox::parse(&tables.concat(), folder.path("caplet.toml")).unwrap();
            let catalog = Catalog::new(&caplet(), &toolbox, folder.root());
            let (names, mut gone) = seen(&catalog);
            gone.sort();
            assert_eq!((names, gone), (owned(offered), owned(hidden)), "{tables:?}");
            for hidden in catalog.hidden() {
                assert!(hidden.error.hint.as_ref().unwrap().contains("another name"), "{hidden:?}");
                assert!(!hidden.needs_approval(), "{hidden:?}");
            }
        }
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_name_that_is_too_long_is_refused_and_tells_why() {
    let folder = Folder::new();
    folder.write("two.wat", TWO);
    let name = "x".repeat(62);
    let text = format!("[tools.{name}]\nsource = \"./two.wat\"\n");
    let toolbox = Toolbox::parse(&text, folder.path("caplet.toml")).unwrap();
    let catalog = Catalog::new(&caplet(), &toolbox, folder.root());
    assert_eq!(catalog.offers().len(), 0);
    assert!(catalog.hidden()[0].error.message.contains("1 to 64"), "{:?}", catalog.hidden());
}

/// A toolbox of one tool without a ceiling, so that its grant is what it may do.
fn one(folder: &Folder, keys: &str) -> Catalog {
    folder.write("one.wat", ADDS);
    let text = format!("[tools.one]\nsource = \"./one.wat\"\nceiling = \"open\"\n{keys}\n");
    Catalog::new(&caplet(), &Toolbox::parse(&text, folder.path("caplet.toml")).unwrap(), folder.root())
}

#[test]
fn a_client_is_told_what_follows_from_the_policy() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("d/e")).unwrap();
    // What is written, and whether it only reads and reaches the network.
    let cases = [
        ("", true, false),
        ("allow = [\"read:/w/**\"]\nmounts = { \"/w\" = \"./d\" }", true, false),
        ("allow = [\"write:/w/**\"]\nmounts = { \"/w\" = \"./d\" }", false, false),
        ("allow = [\"write:/w/**\"]\nmounts = { \"/w\" = \"./d:ro\" }", true, false),
        ("allow = [\"write:/w/**\"]\nmounts = { \"/w\" = \"./d:ro\", \"/w/x\" = \"memory\" }", false, false),
        ("allow = [\"write:/w/**\"]\nmounts = { \"/w\" = \"./d\", \"/w/x\" = \"memory:ro\" }", false, false),
        ("allow = [\"write:/w/x/**\"]\nmounts = { \"/w\" = \"./d\", \"/w/x\" = \"memory:ro\" }", true, false),
        ("allow = [\"write:/w/**\"]\ndeny = [\"write:/w/**\"]\nmounts = { \"/w\" = \"./d\" }", true, false),
        ("allow = [\"write:/w/**\"]\ndeny = [\"write:/w/*\"]\nmounts = { \"/w\" = \"./d\" }", false, false),
        ("allow = [\"write:/w/[ab].{x,y}\"]\nmounts = { \"/w\" = \"./d\" }", false, false),
        (
            "allow = [\"write:/w/[ab]\"]\ndeny = [\"write:/w/a\", \"read:/w/b\"]\nmounts = { \"/w\" = \"./d\" }",
            true,
            false,
        ),
        ("allow = [\"write:d/e/**\"]", false, false),
        ("allow = [\"write:/w/**\"]\nmounts = { \"/other\" = \"./d\" }", false, false),
        ("allow = [\"fetch:https://x.org/**\"]", true, true),
        ("allow = [\"fetch:OPTIONS,HEAD https://x.org/**\"]", true, true),
        ("allow = [\"fetch:POST https://x.org/**\"]", false, true),
        ("allow = [\"fetch:10/s GET,PURGE https://*.x.org:*/[ab]\"]", false, true),
        ("allow = [\"fetch:ANY http://10.0.0.0/8\"]", false, true),
        ("allow = [\"fetch:GET http://10.0.0.0/8\"]", true, true),
        ("allow = [\"fetch:ANY https://x.org/a\"]\ndeny = [\"fetch:https://x.org\"]", true, false),
        ("allow = [\"fetch:GET,POST https://x.org/a\"]\ndeny = [\"fetch:POST https://*\"]", true, true),
        ("allow = [\"kv:notes\"]\nbuckets = { notes = \"memory\" }", false, false),
        ("allow = [\"kv:notes:ro\"]\nbuckets = { notes = \"memory\" }", true, false),
        ("allow = [\"kv:notes/a*\", \"kv:notes:ro\"]", false, false),
        ("allow = [\"kv:notes/a*\"]\ndeny = [\"kv:notes\"]", true, false),
        // The answer may be yes.
        ("ask = [\"write:/w/**\"]\nmounts = { \"/w\" = \"./d\" }", false, false),
        ("ask = [\"write:/w/[ab].{x,y}\"]\nmounts = { \"/w\" = \"./d\" }", false, false),
        ("allow = [\"read:/w/**\"]\nask = [\"write:/w/x\"]\nmounts = { \"/w\" = \"./d\" }", false, false),
        ("ask = [\"read:/w/**\"]\nmounts = { \"/w\" = \"./d\" }", true, false),
        ("ask = [\"write:/w/**\"]\nmounts = { \"/w\" = \"./d:ro\" }", true, false),
        ("ask = [\"write:/w/**\"]\ndeny = [\"write:/w/**\"]\nmounts = { \"/w\" = \"./d\" }", true, false),
        ("ask = [\"fetch:POST https://x.org/**\"]", false, true),
        ("allow = [\"fetch:https://x.org/**\"]\nask = [\"fetch:PURGE https://*.x.org:*/[ab]\"]", false, true),
        ("ask = [\"fetch:https://x.org/**\"]", true, true),
        ("ask = [\"kv:notes\"]\nbuckets = { notes = \"memory\" }", false, false),
        (
            "allow = [\"kv:other:ro\"]\nask = [\"kv:notes\"]\nbuckets = { notes = \"memory\", other = \"memory\" }",
            false,
            false,
        ),
        ("ask = [\"kv:notes:ro\"]\nbuckets = { notes = \"memory\" }", true, false),
        ("env = { A = \"1\" }\nallow = [\"clock:1us\", \"random\"]", true, false),
    ];
    for (keys, read_only, open_world) in cases {
        let catalog = one(&folder, keys);
        let found = catalog.offer("one").unwrap_or_else(|| panic!("{keys}: {catalog:?}")).annotations();
        assert_eq!((found.read_only, found.open_world), (read_only, open_world), "{keys}");
        assert_eq!((found.destructive, found.idempotent), (!read_only, read_only), "{keys}");
    }
}

#[test]
fn an_agent_is_told_its_authority_and_no_value_or_place_of_the_host() {
    const SECRET: &str = "hunter2-canary";
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("work")).unwrap();
    folder.write("token.txt", SECRET);
    let catalog = one(
        &folder,
        r#"
allow = ["write:/w/**", "env:PLAIN=hunter2-canary", "config:key=hunter2-canary", "random:424242", "secret:KEY@https://x.org/**"]
deny = ["read:/w/.git/**"]
mounts = { "/w" = "./work" }
limits = { timeout = "5s" }
env = { TOKEN = { file = "./token.txt" } }
config = { other = "hunter2-canary" }
"#,
    );
    let authority = catalog.offer("one").unwrap().authority().unwrap();
    let text = serde_json::to_string_pretty(&authority).unwrap();
    for hidden in [SECRET, "424242", folder.root().to_str().unwrap()] {
        assert!(!text.contains(hidden), "{text}");
    }
    for shown in [
        "write:/w/**",
        "env:PLAIN",
        "env:TOKEN",
        "config:key",
        "config:other",
        "secret:KEY@https://x.org/**",
        "read:/w/.git/**",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    let value = serde_json::to_value(&authority).unwrap();
    assert_eq!(value["name"], "one");
    assert_eq!(value["limits"]["timeout"], "5s");
    assert_eq!(value["mounts"], json!([{"path": "/w", "store": "a directory of the host", "read_only": false}]));
    assert_eq!(value["annotations"]["read_only"], false);
    assert!(text.contains("read, change and remove the files /w/**"), "{text}");
    assert!(!text.contains("wasi:http\""), "{text}");
}

#[test]
fn an_agent_is_told_what_a_person_is_asked_about() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("d")).unwrap();
    let catalog = one(&folder, "allow = [\"read:/w/**\"]\nask = [\"write:/w/x/**\"]\nmounts = { \"/w\" = \"./d\" }");
    let authority = serde_json::to_value(catalog.offer("one").unwrap().authority().unwrap()).unwrap();
    let may = authority["may"].as_array().unwrap();
    let files = may.iter().find(|may| may["capability"].as_str().unwrap().contains("filesystem")).unwrap();
    assert_eq!(files["allow"], json!(["ask write:/w/x/**", "read:/w/**"]), "{files}");
    let asked = "read, change and remove the files /w/x/**, if a person who is asked says yes";
    assert_eq!(files["words"], json!([asked, "read the files /w/**"]), "{files}");
    assert_eq!(authority["annotations"]["read_only"], false);
}

#[tokio::test]
async fn a_catalog_is_narrowed_to_some_tools_with_less() {
    let folder = Folder::new();
    folder.write("one.wat", ADDS);
    std::fs::create_dir_all(folder.path("d")).unwrap();
    let table = |name: &str| {
        format!(
            "[tools.{name}]\nsource = \"./one.wat\"\nceiling = \"open\"\nallow = [\"write:/w/**\"]\nmounts = {{ \"/w\" = \"./d\" }}\n"
        )
    };
    let text = ["a", "b", "c"].map(table).concat() + "[tools.gone]\nsource = \"./gone.wasm\"\n";
    let toolbox = Toolbox::parse(&text, folder.path("caplet.toml")).unwrap();
    let whole = Catalog::new(&caplet(), &toolbox, folder.root());
    let mut less = Layer::open(LayerKind::Session);
    less.add_deny(Rule::parse_grant("write:/**", &GuestPath::root()).unwrap());
    let narrow = whole.narrowed(|tool| match tool {
        "a" => Some(Vec::new()),
        "b" => Some(vec![less.clone()]),
        _ => None,
    });
    assert_eq!(seen(&narrow), (owned(&["a", "b"]), Vec::new()));
    assert_eq!(seen(&whole), (owned(&["a", "b", "c"]), owned(&["gone"])));
    let reads = |catalog: &Catalog, name: &str| catalog.offer(name).unwrap().annotations().read_only;
    assert_eq!((reads(&narrow, "a"), reads(&narrow, "b"), reads(&whole, "b")), (false, true, false));
    // What was taken away stays so.
    let again = narrow.narrowed(|_| Some(Vec::new()));
    assert!(reads(&again, "b"));
    assert!(narrow.looks_like(&again) && !narrow.looks_like(&whole));
    let answer =
        again.offer("b").unwrap().call(json!({"a": 1, "b": 2}), &CallContext::new(), std::future::pending()).await;
    assert_eq!(answer.output, json!(3), "{answer:?}");
}
