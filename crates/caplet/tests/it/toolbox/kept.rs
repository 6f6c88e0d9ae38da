//! The toolbox and its values are kept from tools.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use caplet::{Caplet, Grant, Source, Toolbox};
use serde_json::json;

use super::{SECRET, World, call, caplet};

/// A folder with a toolbox whose tools have all of it mounted, to write.
fn exposed() -> World {
    let world =
        World::new(&[("secret/token.txt", SECRET), ("secret/x.env", "A=hunter2-canary\n"), ("s.toml", "k = 1\n")]);
    world.write("plain.txt", "plain");
    world.write("other.wat", crate::ADDS);
    let tool = |name: &str, source: &str| {
        format!(
            "[tools.{name}]\nsource = \"{source}\"\nallow = [\"write:/w/**\"]\nmounts = {{ \"/w\" = \".\" }}\n\
             env = {{ TOKEN = {{ file = \"secret/token.txt\" }} }}\n"
        )
    };
    let other = "[tools.other]\nsource = \"other.wat\"\nenv-file = \"secret/x.env\"\nconfig-file = \"s.toml\"\n";
    let tools = ["read", "write", "glob", "edit"].map(|name| tool(name, &format!("file-{name}")));
    world.write("caplet.toml", &(tools.concat() + other));
    world
}

const HIDDEN: [&str; 4] = ["caplet.toml", "secret/token.txt", "secret/x.env", "s.toml"];

#[tokio::test]
async fn a_tool_cannot_read_or_write_the_toolbox_or_its_values() {
    let world = exposed();
    let (toolbox, caplet) = (world.toolbox(), caplet());
    let before = HIDDEN.map(|name| fs::read(world.path(name)).unwrap());
    let at = |name: &str| format!("/w/{name}");
    for name in HIDDEN {
        for path in [at(name), format!("/w/secret/../{name}"), format!("/w/./{name}")] {
            let read = call(&caplet, &toolbox, "read", json!({ "path": path })).await;
            assert!(!read.is_ok() && !format!("{read:?}").contains("hunter2"), "{path}: {read:?}");
            for if_exists in ["overwrite", "append"] {
                let write = json!({"path": path, "content": "[tools.write]\n", "if_exists": if_exists});
                let write = call(&caplet, &toolbox, "write", write).await;
                assert!(!write.is_ok(), "{path}: {write:?}");
            }
        }
    }
    assert_eq!(before, HIDDEN.map(|name| fs::read(world.path(name)).unwrap()));
    let glob = call(&caplet, &toolbox, "glob", json!({"pattern": "**", "path": "/w"})).await;
    let listed = glob.output.to_string();
    assert!(listed.contains("plain.txt") && listed.contains("other.wat"), "{listed}");
    assert!(HIDDEN.iter().all(|name| !listed.contains(name)), "{listed}");
    // The same guest may do with other files what it is granted.
    let read = call(&caplet, &toolbox, "read", json!({"path": "/w/plain.txt"})).await;
    assert!(read.is_ok() && read.output.to_string().contains("plain"), "{read:?}");
    assert!(call(&caplet, &toolbox, "write", json!({"path": "/w/new.txt", "content": "n"})).await.is_ok());
    // A tool that the file names by path can be read, and not replaced.
    assert!(call(&caplet, &toolbox, "read", json!({"path": "/w/other.wat"})).await.is_ok());
    let replace = call(&caplet, &toolbox, "write", json!({"path": "/w/other.wat", "content": "(module)"})).await;
    assert!(!replace.is_ok() && fs::read_to_string(world.path("other.wat")).unwrap() == crate::ADDS, "{replace:?}");
}

#[tokio::test]
async fn a_rule_or_an_overlay_shows_the_toolbox_no_more_than_a_mount() {
    let world = exposed();
    // Without the cache, which is beside the world, where no mount to write may show it.
    let (toolbox, caplet) = (world.toolbox(), Caplet::builder().build().unwrap());
    let folder = world.folder().display().to_string();
    let tool = caplet.load(&Source::parse("file-read").unwrap()).unwrap();
    let verdicts = |grant: &Grant, at: &str| {
        let verdict = |op: &str| caplet.explain(&tool, None, grant, op).unwrap().is_permitted();
        let plain = verdict(&format!("read {at}/plain.txt"));
        (plain, HIDDEN.map(|name| verdict(&format!("read {at}/{name}")) || verdict(&format!("write {at}/{name}"))))
    };
    let base = folder.trim_end_matches('/');
    let mut by_rule = Grant::new(world.folder()).unwrap();
    by_rule.keep_out(&toolbox).allow("write:**").unwrap();
    assert_eq!(verdicts(&by_rule, base), (true, [false; 4]));
    for (mount, at) in [("/o=overlay:.", "/o"), ("/o=host:secret/..", "/o"), ("/up=..", "/up")] {
        let mut grant = Grant::new(world.folder()).unwrap();
        grant.keep_out(&toolbox).mount(mount).unwrap().allow("write:/**").unwrap();
        let name = Path::new(base).file_name().unwrap().to_str().unwrap();
        let at = if at == "/up" { format!("/up/{name}") } else { at.to_owned() };
        assert_eq!(verdicts(&grant, &at), (true, [false; 4]), "{mount}");
    }
    // Without the toolbox they are files like others.
    let mut without = Grant::new(world.folder()).unwrap();
    without.mount("/o=.").unwrap().allow("read:/o/**").unwrap();
    assert_eq!(verdicts(&without, "/o"), (true, [true; 4]));
}

#[tokio::test]
async fn a_link_to_the_toolbox_is_kept_from_tools_like_the_toolbox() {
    let world = World::new(&[("real/dots/caplet.toml", ""), ("work/plain.txt", "plain")]);
    world.write(
        "real/dots/caplet.toml",
        "[tools.write]\nsource = \"file-write\"\nallow = [\"write:/w/**\"]\nmounts = { \"/w\" = \"..\" }\n",
    );
    symlink("dots", world.path("real/by-link")).unwrap();
    symlink("../real/by-link/caplet.toml", world.path("work/caplet.toml")).unwrap();
    // By this name, the mount is the folder above: all of the world.
    let toolbox = Toolbox::read(world.path("work/caplet.toml")).unwrap();
    let caplet = caplet();
    let write = async |path: &str| call(&caplet, &toolbox, "write", json!({"path": path, "content": "[tools]"})).await;
    for path in ["/w/work/caplet.toml", "/w/real/by-link/caplet.toml", "/w/real/dots/caplet.toml", "/w/real/by-link"] {
        let outcome = write(path).await;
        assert!(!outcome.is_ok(), "{path}: {outcome:?}");
    }
    assert!(write("/w/work/other.toml").await.is_ok());
    assert!(fs::symlink_metadata(world.path("work/caplet.toml")).unwrap().is_symlink());
    assert!(fs::read_to_string(world.path("real/dots/caplet.toml")).unwrap().contains("file-write"));
    let tool = caplet.load(&Source::parse("file-write").unwrap()).unwrap();
    let grant = toolbox.tool("write").unwrap().grant("/").unwrap();
    for (path, permitted) in [("/w/real/by-link", false), ("/w/work/caplet.toml", false), ("/w/work/x", true)] {
        let explained = caplet.explain(&tool, None, &grant, &format!("write {path}")).unwrap();
        assert_eq!(explained.is_permitted(), permitted, "{path}: {explained:?}");
    }
    // To move the folder that it is in would be to take it away.
    for path in ["/w/real", "/w/real/dots", "/w/work"] {
        let explained = caplet.explain(&tool, None, &grant, &format!("write-tree {path}")).unwrap();
        assert!(!explained.is_permitted(), "{path}: {explained:?}");
    }
}
