//! How agents see the tools of a toolbox, and what single functions may do.

use caplet::{CallContext, Catalog, Toolbox};
use serde_json::json;

use super::{World, caplet};

const NOTES: &str = r#"
[tools.notes]
source = "memory"
title = "Notes"
description = "Of the tool as a whole."
allow = ["kv:memory"]
buckets = { memory = "@notes" }
[buckets.notes]
store = "sqlite:./notes.db"
[tools.notes.functions.put]
name = "take_a_note"
title = "Take a note"
description = "Keeps a note."
[tools.notes.functions.forget]
hidden = true
[tools.notes.functions.list]
deny = ["kv:memory"]
[tools.notes.functions.get]
allow = ["kv:memory:ro"]
[tools.file-read]
title = "Read"
description = "Reads files of this project."
[tools.file-glob]
hidden = true
"#;

fn catalog(toolbox: &Toolbox) -> Catalog {
    Catalog::new(&caplet(), toolbox, "/")
}

#[tokio::test]
async fn functions_are_shown_as_the_toolbox_says_and_narrowed_one_by_one() {
    let world = World::new(&[("caplet.toml", NOTES)]);
    let catalog = catalog(&world.toolbox());
    assert_eq!(catalog.hidden(), []);
    let names: Vec<&str> = catalog.offers().map(|offer| offer.name()).collect();
    assert_eq!(names, ["file-read", "notes_get", "notes_list", "notes_search", "take_a_note"]);
    let put = catalog.offer("take_a_note").unwrap();
    assert_eq!((put.tool(), put.function()), ("notes", "put"));
    assert_eq!((put.title(), put.description()), (Some("Take a note"), "Keeps a note."));
    let read = catalog.offer("file-read").unwrap();
    assert_eq!((read.title(), read.description()), (Some("Read"), "Reads files of this project."));
    // The words of the tool as a whole are no words for one function of several.
    let get = catalog.offer("notes_get").unwrap();
    assert!(get.title().is_none() && get.description() != "Of the tool as a whole." && !get.description().is_empty());
    let call = async |name: &str, arguments| {
        let offer = catalog.offer(name).unwrap();
        offer.call(arguments, &CallContext::new(), std::future::pending()).await
    };
    assert!(call("take_a_note", json!({"name": "n", "text": "t"})).await.is_ok());
    assert!(call("notes_get", json!({"name": "n"})).await.is_ok());
    let list = call("notes_list", json!({})).await;
    assert!(!list.is_ok(), "{list:?}");
    let denied = &list.decisions.denied[0];
    assert!(denied.layer == *"function" && denied.hint.contains("your toolbox"), "{denied:?}");
}

#[test]
fn what_a_project_hides_is_not_offered() {
    let world = World::new(&[("home/caplet.toml", NOTES)]);
    world.write(
        "project/caplet.toml",
        "[tools.file-read]\nhidden = true\n[tools.notes.functions.get]\nhidden = true\n\
         [tools.notes.functions.search]\ndeny = [\"kv:memory\"]\n",
    );
    let layers = world.layers();
    let catalog = catalog(layers.toolbox());
    let names: Vec<&str> = catalog.offers().map(|offer| offer.name()).collect();
    assert_eq!(names, ["notes_list", "notes_search", "take_a_note"]);
    let policy = catalog.offer("notes_search").unwrap().policy().unwrap();
    assert!(!policy.permits(&"kv-read memory/k".parse().unwrap()));
    assert!(layers.notices().is_empty(), "{:?}", layers.notices());
}

#[tokio::test]
async fn a_function_that_is_not_there_and_a_name_that_is_taken_are_refused() {
    let table = [
        ("[tools.memory.functions.putt]\nhidden = true\n", "the tool has no such function", "its functions are: "),
        (
            "[tools.memory.functions.put]\nname = \"note\"\n[tools.memory.functions.get]\nname = \"note\"\n",
            "two of its functions would be called \"note\"",
            "[tools.memory.functions]",
        ),
        (
            "[tools.memory.functions.put]\nname = \"memory_get\"\n",
            "two of its functions would be called \"memory_get\"",
            "another name",
        ),
    ];
    for (text, told, hint) in table {
        let toolbox = Toolbox::parse(text, "/box/caplet.toml").unwrap();
        let catalog = catalog(&toolbox);
        assert_eq!(catalog.offers().len(), 0, "{text}");
        let error = &catalog.hidden()[0].error;
        assert!(error.message.contains(told) && error.hint.as_ref().unwrap().contains(hint), "{error:?}");
    }
    // For a person who calls it as well.
    let toolbox = Toolbox::parse(table[0].0, "/box/caplet.toml").unwrap();
    let (caplet, configured) = (caplet(), toolbox.tool("memory").unwrap());
    let tool = caplet.load(configured.source()).unwrap();
    let grant = configured.grant("/").unwrap();
    let told = caplet.explain(&tool, Some("put"), &grant, "kv-read memory/k").unwrap_err().to_string();
    assert!(told.contains("[tools.memory.functions.putt] in /box/caplet.toml"), "{told}");
    assert_eq!(caplet.grant(&tool, grant).unwrap_err().to_string(), told);
}

#[test]
fn a_function_that_only_a_project_speaks_of_hides_the_tool_before_it_is_called() {
    let world = World::new(&[("home/caplet.toml", "[tools.reader]\nsource = \"file-read\"\n[tools.file-glob]\n")]);
    let functions = "[tools.reader.functions.nope]\n";
    for (text, hides) in [
        (functions.to_owned(), true),
        (format!("{functions}deny = [\"read:/**\"]\n"), true),
        (functions.replace("nope", "read"), false),
        // What is hidden by the project is gone already.
        (format!("[tools.reader]\nhidden = true\n{functions}"), false),
    ] {
        world.write("project/caplet.toml", &text);
        let catalog = catalog(world.layers().toolbox());
        assert!(catalog.offer("file-glob").is_some(), "{catalog:?}");
        let told: Vec<_> = catalog.hidden().iter().map(|hidden| (hidden.tool.as_str(), &hidden.error)).collect();
        let [("reader", error)] = told.as_slice() else {
            assert!(!hides && told.is_empty(), "{text}: {catalog:?}");
            continue;
        };
        assert!(hides && catalog.offer("reader").is_none(), "{text}: {catalog:?}");
        assert!(error.message.contains("[tools.reader.functions.nope]"), "{error:?}");
        assert!(error.message.contains("no such function"), "{error:?}");
        assert_eq!(error.hint.as_deref(), Some("its functions are: read"));
    }
}
