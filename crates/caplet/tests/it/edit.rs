//! A toolbox that is changed as its owner would.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use caplet::{Caplet, Lock, NewTool, Pin, Source, Toolbox, ToolboxEdit};

use crate::ADDS;
use crate::tools::Folder;

const COMMENTED: &str = r#"# My tools.

[stores.work]   # what they work on
store = "memory"

[tools.reader] # reads
source = "file-read"
# only the documents
allow = [ "read:/docs/**" ]

# The last one.
[tools.zeta]
source = "file-glob"
"#;

fn source(folder: &Folder) -> Source {
    folder.write("tools/sums.wat", ADDS);
    Source::Path(folder.path("tools/sums.wat"))
}

fn pin(source: &Source, name: &str) -> Pin {
    Pin::of(name, Caplet::builder().build().unwrap().load(source).unwrap().component())
}

#[test]
fn a_tool_is_added_and_everything_else_stays() {
    let folder = Folder::new();
    folder.write("caplet.toml", COMMENTED);
    let (path, source) = (folder.path("caplet.toml"), source(&folder));
    let mut tool = NewTool::new("sums", &source, &path, folder.root()).unwrap();
    tool.allow("read:data/**").unwrap().allow("env:LANG").unwrap().deny("read:data/.git/**").unwrap();
    tool.mount("/w=@work").unwrap().mount("/d=.:ro").unwrap().limit("timeout=5s").unwrap();
    let mut edit = ToolboxEdit::open(&path).unwrap();
    edit.add(&tool).unwrap();
    assert_eq!(folder.read("caplet.toml"), COMMENTED);
    edit.save("sums", Some(pin(&source, "sums"))).unwrap();
    let expected = r#"
[tools.sums]
source = "./tools/sums.wat"
allow = ["read:data/**", "env:LANG"]
deny = ["read:data/.git/**"]
mounts = { "/w" = "@work", "/d" = ".:ro" }
limits = { timeout = "5s" }
"#;
    assert_eq!(folder.read("caplet.toml"), format!("{COMMENTED}{expected}"));
    assert!(Lock::read(&Lock::beside(&path)).unwrap().pin("sums").is_some());
    assert!(Toolbox::read(&path).unwrap().tool("sums").unwrap().grant(folder.root()).is_ok());

    let mut edit = ToolboxEdit::open(&path).unwrap();
    edit.remove("sums").unwrap();
    edit.save("sums", None).unwrap();
    assert_eq!(folder.read("caplet.toml"), COMMENTED);
    assert_eq!(Lock::read(&Lock::beside(&path)).unwrap().tools().len(), 0);
}

#[test]
fn a_comment_that_is_not_right_above_a_tool_outlives_it() {
    let folder = Folder::new();
    let (path, source) = (folder.path("caplet.toml"), source(&folder));
    for (text, without) in [("# ours\n", "# ours\n"), ("# ours", "# ours\n"), ("# one\n\n# two\n", "# one\n\n# two\n")]
    {
        folder.write("caplet.toml", text);
        let mut edit = ToolboxEdit::open(&path).unwrap();
        edit.add(&NewTool::new("sums", &source, &path, folder.root()).unwrap()).unwrap();
        assert!(edit.text().starts_with(text) && edit.text().contains("\n\n[tools.sums]\n"), "{}", edit.text());
        edit.save("sums", None).unwrap();
        let mut edit = ToolboxEdit::open(&path).unwrap();
        edit.remove("sums").unwrap();
        assert_eq!(edit.text(), without);
    }
    folder.write("caplet.toml", COMMENTED);
    let mut edit = ToolboxEdit::open(&path).unwrap();
    edit.remove("reader").unwrap();
    let (start, end) = (COMMENTED.find("[tools.reader]").unwrap(), COMMENTED.find("# The last one.").unwrap());
    assert_eq!(
        edit.text(),
        format!("{}\n{}", COMMENTED[..start].trim_end_matches("\n\n").to_owned() + "\n", &COMMENTED[end..])
    );
    edit.remove("zeta").unwrap();
    assert_eq!(edit.text(), COMMENTED[..start].trim_end().to_owned() + "\n");
}

#[test]
fn from_elsewhere_paths_and_rules_mean_the_same() {
    let folder = Folder::new();
    let (path, source) = (folder.path("box/caplet.toml"), source(&folder));
    fs::create_dir(folder.path("box")).unwrap();
    let mut tool = NewTool::new("sums", &source, &path, folder.root()).unwrap();
    tool.allow("read:data/**").unwrap().allow("kv:notes").unwrap().mount("/w=data/..:ro").unwrap();
    let mut edit = ToolboxEdit::open(&path).unwrap();
    edit.add(&tool).unwrap();
    let root = folder.root().display().to_string();
    let text = edit.text();
    for line in [
        format!("source = \"{root}/tools/sums.wat\""),
        format!("allow = [\"read:{root}/data/**\", \"kv:notes\"]"),
        format!("mounts = {{ \"/w\" = \"host:{root}:ro\" }}"),
    ] {
        assert!(text.contains(&line), "{line}: {text}");
    }
    assert!(!path.exists(), "nothing is written before it is saved");
    edit.save("sums", Some(pin(&source, "sums"))).unwrap();
    let mode = |name: &str| fs::metadata(folder.path(name)).unwrap().permissions().mode() & 0o777;
    // It may hold values, which are nobody else's; a lock holds none.
    assert_eq!(mode("box/caplet.toml"), 0o600);
    assert_ne!(mode("box/caplet.lock") & 0o400, 0);
}

#[test]
fn tables_are_taken_as_they_are_written() {
    let folder = Folder::new();
    let source = source(&folder);
    for (text, expected) in [
        (
            "tools = { a = { source = \"file-read\" } }\n",
            "tools = { a = { source = \"file-read\" } , b = { source = \"./tools/sums.wat\" } }\n",
        ),
        (
            "[tools]\na = { source = \"file-read\" }\n",
            "[tools]\na = { source = \"file-read\" }\n\n[tools.b]\nsource = \"./tools/sums.wat\"\n",
        ),
        ("tools.a.source = \"file-read\"\n", "b.source"),
        ("", "[tools.b]\nsource = \"./tools/sums.wat\"\n"),
    ] {
        folder.write("caplet.toml", text);
        let mut edit = ToolboxEdit::open(folder.path("caplet.toml")).unwrap();
        let tool = NewTool::new("b", &source, &folder.path("caplet.toml"), folder.root()).unwrap();
        let toolbox = edit.add(&tool).unwrap();
        assert!(toolbox.tool("b").is_some(), "{text}");
        if expected != "b.source" {
            let squeezed = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeezed(&edit.text()), squeezed(expected), "{text}");
        }
        edit.remove("b").unwrap();
        assert!(edit.remove("b").is_err());
    }
}

#[test]
fn what_makes_no_sense_changes_nothing() {
    let folder = Folder::new();
    folder.write("caplet.toml", COMMENTED);
    let (path, source) = (folder.path("caplet.toml"), source(&folder));
    let mut tool = NewTool::new("reader", &source, &path, folder.root()).unwrap();
    for (what, refused) in [
        ("a rule", tool.allow("raed:/x").err()),
        ("a denial", tool.deny("read").err()),
        ("a mount", tool.mount("/x").err()),
        ("a limit", tool.limit("tiemout=5s").err()),
    ] {
        assert!(refused.is_some(), "{what}");
    }
    tool.mount("/x=memory").unwrap();
    assert!(tool.mount("/x=.").is_err());
    let mut edit = ToolboxEdit::open(&path).unwrap();
    let taken = edit.add(&tool).unwrap_err();
    assert!(taken.hint().unwrap().contains("--as"), "{taken:?}");
    for name in ["Upper", "a_b", "", "x y"] {
        assert!(edit.add(&NewTool::new(name, &source, &path, folder.root()).unwrap()).is_err(), "{name}");
    }
    let mut dangling = NewTool::new("b", &source, &path, folder.root()).unwrap();
    dangling.mount("/w=@nosuch").unwrap();
    assert!(edit.add(&dangling).unwrap_err().to_string().contains("nosuch"));
    assert_eq!(edit.text(), COMMENTED);
    let missing = edit.remove("raeder").unwrap_err();
    assert!(missing.hint().unwrap().contains("reader"), "{missing:?}");
}

#[test]
fn a_file_that_was_changed_meanwhile_is_left_alone() {
    let folder = Folder::new();
    folder.write("caplet.toml", COMMENTED);
    let (path, source) = (folder.path("caplet.toml"), source(&folder));
    let mut edit = ToolboxEdit::open(&path).unwrap();
    edit.add(&NewTool::new("sums", &source, &path, folder.root()).unwrap()).unwrap();
    let other = COMMENTED.replace("docs", "other");
    folder.write("caplet.toml", &other);
    assert!(edit.save("sums", Some(pin(&source, "sums"))).unwrap_err().to_string().contains("meanwhile"));
    assert_eq!(folder.read("caplet.toml"), other);
    assert!(!folder.path("caplet.lock").exists());
}

#[test]
fn a_lock_that_cannot_be_read_stops_a_change() {
    let folder = Folder::new();
    folder.write("caplet.toml", COMMENTED);
    folder.write("caplet.lock", "version = 9\n");
    let (path, source) = (folder.path("caplet.toml"), source(&folder));
    let mut edit = ToolboxEdit::open(&path).unwrap();
    edit.add(&NewTool::new("sums", &source, &path, folder.root()).unwrap()).unwrap();
    assert!(edit.save("sums", Some(pin(&source, "sums"))).is_err());
    assert_eq!(
        (folder.read("caplet.toml"), folder.read("caplet.lock")),
        (COMMENTED.to_owned(), "version = 9\n".to_owned())
    );
}

#[test]
fn what_a_link_leads_to_is_replaced_and_only_if_it_is_a_toolbox() {
    let folder = Folder::new();
    folder.write("dotfiles/mine.toml", COMMENTED);
    fs::set_permissions(folder.path("dotfiles/mine.toml"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("dotfiles/mine.toml", folder.path("caplet.toml")).unwrap();
    let (path, source) = (folder.path("caplet.toml"), source(&folder));
    let mut edit = ToolboxEdit::open(&path).unwrap();
    edit.add(&NewTool::new("sums", &source, &path, folder.root()).unwrap()).unwrap();
    edit.save("sums", None).unwrap();
    assert!(folder.path("caplet.toml").is_symlink());
    assert!(folder.read("dotfiles/mine.toml").contains("[tools.sums]"));
    let mode = fs::metadata(folder.path("dotfiles/mine.toml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    // A stranger's link to something else of the user's.
    folder.write("profile", "export A=1\n");
    fs::remove_file(folder.path("caplet.toml")).unwrap();
    symlink("profile", folder.path("caplet.toml")).unwrap();
    assert!(ToolboxEdit::open(&path).is_err());
    symlink("profile", folder.path("caplet.lock")).unwrap();
    assert!(Lock::update(&folder.path("caplet.lock"), |lock| lock.set("x", pin(&source, "x"))).is_err());
    assert_eq!(folder.read("profile"), "export A=1\n");
}
