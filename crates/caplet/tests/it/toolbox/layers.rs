//! Toolboxes over each other: what a name means, and what holds for it.

use std::fs;

use caplet::{Grant, LayerFiles, Layers, Standing, Toolbox, Trust};

use super::{World, caplet};

/// What is permitted to `tool`, of `ops`.
fn permitted(toolbox: &Toolbox, tool: &str, ops: &[&str]) -> Vec<bool> {
    let configured = toolbox.tool(tool).unwrap();
    verdicts(configured.grant("/").unwrap(), configured.source(), ops)
}

fn verdicts(grant: Grant, source: &caplet::Source, ops: &[&str]) -> Vec<bool> {
    let caplet = caplet();
    let tool = caplet.load(source).unwrap();
    ops.iter().map(|op| caplet.explain(&tool, None, &grant, op).unwrap().is_permitted()).collect()
}

const USERS: &str = r#"
[tools.editor]
source = "file-edit"
allow = ["write:/w/**"]
mounts = { "/w" = "memory" }
limits = { timeout = "5s" }
[tools.file-read]
allow = ["read:/w/**"]
deny = ["read:/w/private/**"]
mounts = { "/w" = "memory" }
"#;

#[test]
fn a_project_that_is_not_trusted_narrows_and_does_nothing_else() {
    let world = World::new(&[("home/caplet.toml", USERS)]);
    world.write(
        "project/caplet.toml",
        r#"
[defaults]
deny = ["read:/w/.env"]
limits = { memory = "8MiB" }
[tools.editor]
allow = ["write:/w/src/**", "write:/etc/**"]
deny = ["write:/w/src/gen/**"]
limits = { timeout = "2s", memory = "16MiB" }
strict-imports = true
[tools.file-read]
allow = ["read:/w/**"]
hidden = true
"#,
    );
    let layers = world.layers();
    let toolbox = layers.toolbox();
    assert_eq!(toolbox.names().collect::<Vec<_>>(), ["editor", "file-read"]);
    assert_eq!(
        toolbox.files().collect::<Vec<_>>(),
        [world.path("project/caplet.toml"), world.path("home/caplet.toml")]
    );
    let ops = ["write /w/src/a", "write /w/a", "write /w/src/gen/a", "write /etc/a", "read /w/src/a", "read /w/.env"];
    assert_eq!(permitted(toolbox, "editor", &ops), [true, false, false, false, true, false]);
    assert_eq!(permitted(toolbox, "file-read", &["read /w/a", "read /w/.env"]), [true, false]);
    let limits = toolbox.tool("editor").unwrap().grant("/").unwrap().limits();
    assert_eq!((limits.timeout.as_secs(), limits.memory), (2, 8 << 20));
    let hidden: Vec<bool> = toolbox.tools().map(|tool| tool.is_hidden()).collect();
    assert_eq!(hidden, [false, true]);
    assert_eq!(toolbox.path(), Some(&*world.path("home/caplet.toml")), "a file that only narrows owns nothing");
    let narrowed: Vec<bool> = toolbox.tools().map(|tool| tool.narrowed_by().is_some()).collect();
    assert_eq!(narrowed, [true, true]);
    // What is more than the user granted is told, and nothing else.
    assert!(layers.notices().is_empty(), "{:?}", layers.notices());
    let told: Vec<String> = layers.wider(Some("editor")).iter().map(ToString::to_string).collect();
    assert!(layers.wider(Some("file-read")).is_empty() && layers.wider(None).len() == told.len());
    let [wider] = told.as_slice() else { panic!("{told:?}") };
    let place = format!("{}:6:29: tools.editor.allow is not applied: ", world.path("project/caplet.toml").display());
    assert!(wider.starts_with(&place) && wider.contains("`write /etc"), "{wider}");
    assert!(layers.project().is_some_and(|project| project.standing == Standing::Unknown));
}

#[test]
fn a_bound_on_what_the_user_is_asked_about_is_no_more_than_the_user_gave() {
    let users = "[tools.editor]\nsource = \"file-edit\"\nask = [\"write:/w/**\"]\nmounts = { \"/w\" = \"memory\" }\n";
    let world = World::new(&[("home/caplet.toml", users)]);
    for (rule, is_wider) in [("write:/w/src/**", false), ("write:/v/**", true)] {
        world.write("project/caplet.toml", &format!("[tools.editor]\nallow = [\"{rule}\"]\n"));
        let told: Vec<String> = world.layers().wider(Some("editor")).iter().map(ToString::to_string).collect();
        assert_eq!(!told.is_empty(), is_wider, "{rule}: {told:?}");
    }
}

#[test]
fn what_a_project_takes_away_the_command_line_does_not_give_back() {
    let world = World::new(&[("home/caplet.toml", USERS)]);
    world.write("project/caplet.toml", "[tools.editor]\nallow = []\nlimits = { timeout = \"1s\" }\n");
    let layers = world.layers();
    let tool = layers.toolbox().tool("editor").unwrap();
    let mut grant = tool.grant("/").unwrap();
    grant.allow("write:/w/**").unwrap().limit("timeout=60s").unwrap();
    assert_eq!(grant.limits().timeout.as_secs(), 1);
    assert_eq!(verdicts(grant, tool.source(), &["write /w/a"]), [false]);
    // The same for a built-in tool that is in no toolbox.
    world.write(
        "project/caplet.toml",
        "[defaults]\ndeny = [\"read:/a/x\"]\n[tools.file-glob]\nallow = [\"read:/a/**\"]\n",
    );
    let layers = world.layers();
    let source = caplet::Source::parse("file-glob").unwrap();
    for (name, expected) in [(Some("file-glob"), [true, false, false]), (None, [true, false, true])] {
        let mut grant = layers.toolbox().unlisted(name, "/").unwrap();
        grant.allow("read:/a/**").unwrap().allow("read:/b/**").unwrap();
        assert_eq!(verdicts(grant, &source, &["read /a/y", "read /a/x", "read /b/y"]), expected);
    }
    assert!(layers.toolbox().tool("file-glob").is_none(), "an agent is not offered it");
}

#[test]
fn a_project_that_is_trusted_is_the_users_own_word() {
    let world = World::new(&[("home/caplet.toml", USERS), ("project/src/a", "")]);
    world.write(
        "project/caplet.toml",
        "[tools.editor]\nsource = \"file-write\"\nallow = [\"write:src/**\"]\n[tools.theirs]\nsource = \"file-read\"\n\
         [defaults]\nlimits = { memory = \"32MiB\" }\n",
    );
    world.trust_project();
    let layers = world.layers();
    let toolbox = layers.toolbox();
    assert!(
        layers.notices().is_empty() && layers.project().is_some_and(|project| project.standing == Standing::Trusted)
    );
    assert_eq!(toolbox.names().collect::<Vec<_>>(), ["editor", "theirs", "file-read"]);
    let tool = toolbox.tool("editor").unwrap();
    assert_eq!((tool.source().name().as_str(), tool.file()), ("file-write", &*world.path("project/caplet.toml")));
    let inside = format!("write {}/src/new", world.path("project").display());
    assert_eq!(permitted(toolbox, "editor", &[&inside, "write /w/a"]), [true, false]);
    // Defaults are for tools that set none, whoever has them.
    let memory = |name: &str| toolbox.tool(name).unwrap().grant("/").unwrap().limits().memory;
    assert_eq!((memory("editor"), memory("file-read")), (32 << 20, 32 << 20));
}

#[test]
fn defaults_of_the_user_hold_for_every_tool() {
    let world = World::new(&[]);
    world.write(
        "home/caplet.toml",
        "[defaults]\ndeny = [\"read:/w/key\"]\nlimits = { timeout = \"7s\", memory = \"9MiB\" }\nstrict-imports = true\n\
         [tools.file-read]\nallow = [\"read:/w/**\"]\nlimits = { timeout = \"9s\" }\n",
    );
    let layers = world.layers();
    let tool = layers.toolbox().tool("file-read").unwrap();
    let limits = tool.grant("/").unwrap().limits();
    assert_eq!((limits.timeout.as_secs(), limits.memory), (9, 9 << 20));
    assert_eq!(permitted(layers.toolbox(), "file-read", &["read /w/a", "read /w/key"]), [true, false]);
    let mut unlisted = layers.toolbox().unlisted(Some("file-glob"), "/").unwrap();
    unlisted.allow("read:/w/**").unwrap();
    assert_eq!((unlisted.limits().timeout.as_secs(), unlisted.limits().memory), (7, 9 << 20));
    assert!(format!("{unlisted:?}").contains("strict_imports: true"), "{unlisted:?}");
    assert_eq!(verdicts(unlisted, tool.source(), &["read /w/a", "read /w/key"]), [true, false]);
}

#[test]
fn a_file_that_is_named_is_the_only_one() {
    let world = World::new(&[("home/caplet.toml", USERS), ("project/caplet.toml", "[tools.x\n")]);
    world.write("other.toml", "[tools.file-write]\n");
    let files = LayerFiles { explicit: Some(world.path("other.toml")), ..world.files() };
    let layers = Layers::load(&files, &Trust::nothing()).unwrap();
    assert_eq!(layers.toolbox().names().collect::<Vec<_>>(), ["file-write"]);
    assert_eq!(files.places().collect::<Vec<_>>(), [world.path("other.toml")]);
    fs::remove_file(world.path("other.toml")).unwrap();
    assert!(Layers::load(&files, &Trust::nothing()).unwrap_err().to_string().contains("no such file"));
}

#[test]
fn without_files_there_is_nothing_and_a_broken_one_is_not_passed_over() {
    let world = World::new(&[]);
    assert_eq!((world.layers().toolbox().tools().len(), world.layers().toolbox().path()), (0, None));
    assert_eq!(world.files().places().count(), 2);
    for broken in ["home/caplet.toml", "project/caplet.toml"] {
        for (text, told) in [("[tools.x\n", ":1:9: "), ("[tools.file-read]\nalow = []\n", "unknown field `alow`")] {
            world.write(broken, text);
            let error = Layers::load(&world.files(), &world.trust()).unwrap_err().to_string();
            assert!(error.contains(told) && error.contains(broken), "{error}");
        }
        fs::remove_file(world.path(broken)).unwrap();
    }
    // A rule of a project that makes no sense would have taken something away.
    world.write("home/caplet.toml", USERS);
    world.write("project/caplet.toml", "[tools.editor]\ndeny = [\"wirte:/w/**\"]\n");
    let error = Layers::load(&world.files(), &world.trust()).unwrap_err().to_string();
    assert!(error.contains("no kind of rule"), "{error}");
}

#[test]
fn a_users_file_that_is_found_as_a_projects_is_the_users() {
    let world = World::new(&[("home/caplet.toml", USERS)]);
    let files = LayerFiles { project: Some(world.path("home/caplet.toml")), ..world.files() };
    let layers = Layers::load(&files, &world.trust()).unwrap();
    assert_eq!(layers.toolbox().path(), Some(&*world.path("home/caplet.toml")));
    assert_eq!(permitted(layers.toolbox(), "editor", &["write /w/a"]), [true]);
    assert!(layers.project().is_none() && layers.notices().is_empty());
}
