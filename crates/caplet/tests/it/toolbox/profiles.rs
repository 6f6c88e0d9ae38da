//! Profiles: smaller toolboxes out of one.

use caplet::Toolbox;
use caplet::authority::AnyOp;

use super::{World, caplet};

const TEXT: &str = r#"
[tools.reader]
source = "file-read"
allow = ["read:/w/**"]
mounts = { "/w" = "memory" }
[tools.writer]
source = "file-write"
allow = ["write:/w/**"]
mounts = { "/w" = "memory" }
limits = { timeout = "9s" }
[profiles.look]
tools = ["reader"]
deny = ["read:/w/private/**"]
limits = { timeout = "2s" }
[profiles.none]
tools = []
[profiles.slow]
limits = { timeout = "60s" }
"#;

fn permits(toolbox: &Toolbox, tool: &str, op: &str) -> bool {
    let (caplet, configured) = (caplet(), toolbox.tool(tool).unwrap());
    let tool = caplet.load(configured.source()).unwrap();
    caplet.policy(&tool, None, &configured.grant("/").unwrap()).permits(&op.parse::<AnyOp>().unwrap())
}

fn names(toolbox: &Toolbox) -> Vec<&str> {
    toolbox.names().collect()
}

#[test]
fn a_profile_has_fewer_tools_and_each_can_do_less() {
    let toolbox = Toolbox::parse(TEXT, "/box/caplet.toml").unwrap();
    let look = toolbox.profile("look").unwrap();
    assert_eq!((names(&look), look.profile_name()), (vec!["reader"], Some("look")));
    assert!(permits(&look, "reader", "read /w/a") && !permits(&look, "reader", "read /w/private/a"));
    assert!(permits(&toolbox, "reader", "read /w/private/a"));
    assert_eq!(look.tool("reader").unwrap().grant("/").unwrap().limits().timeout.as_secs(), 2);
    assert!(look.tool("writer").is_none());
    assert_eq!(names(&toolbox.profile("none").unwrap()), Vec::<&str>::new());
    // A limit of a profile raises none.
    let slow = toolbox.profile("slow").unwrap();
    assert_eq!(names(&slow), ["reader", "writer"]);
    assert_eq!(slow.tool("writer").unwrap().grant("/").unwrap().limits().timeout.as_secs(), 9);
    let error = toolbox.profile("loook").unwrap_err();
    assert!(
        error.to_string().contains("there is no such profile") && error.hint().unwrap().contains("look"),
        "{error}"
    );
}

#[test]
fn a_project_narrows_a_profile_and_makes_none() {
    let world = World::new(&[("home/caplet.toml", TEXT)]);
    world.write(
        "project/caplet.toml",
        "[profiles.look]\ntools = [\"reader\", \"writer\"]\ndeny = [\"read:/w/b\"]\nlimits = { timeout = \"1s\" }\n\
         [profiles.slow]\ntools = [\"writer\"]\n[profiles.theirs]\n",
    );
    let layers = world.layers();
    let look = layers.toolbox().profile("look").unwrap();
    assert_eq!(names(&look), ["reader"]);
    assert!(permits(&look, "reader", "read /w/a") && !permits(&look, "reader", "read /w/b"));
    assert!(permits(layers.toolbox(), "reader", "read /w/b"), "without the profile nothing is taken");
    assert_eq!(look.tool("reader").unwrap().grant("/").unwrap().limits().timeout.as_secs(), 1);
    assert_eq!(names(&layers.toolbox().profile("slow").unwrap()), ["writer"]);
    assert!(layers.toolbox().profile("theirs").is_err());
    assert!(layers.notices().iter().any(|notice| notice.key == "profiles.theirs"), "{:?}", layers.notices());
}

#[test]
fn a_profile_is_about_the_tools_of_its_own_file() {
    let world = World::new(&[("home/caplet.toml", TEXT)]);
    world.write(
        "project/caplet.toml",
        "[tools.file-glob]\n[tools.file-grep]\n[profiles.look]\ntools = [\"file-grep\"]\n",
    );
    world.trust_project();
    let layers = world.layers();
    assert_eq!(names(&layers.toolbox().profile("look").unwrap()), ["file-grep", "reader"]);
    assert_eq!(names(&layers.toolbox().profile("slow").unwrap()), ["reader", "writer"]);
}
