//! The toolbox: what a file means, what is wrong with one, and what tools never get of it.

mod catalog;
mod faults;
mod hostile;
mod kept;
mod laws;
mod layers;
mod places;
mod profiles;
mod schema;
mod stores;
mod trust;

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use caplet::audit::{MemorySink, Outcome};
use caplet::sandbox::Cache;
use caplet::{Caplet, Grant, LayerFiles, Layers, ProjectFile, Source, Toolbox, Trust};
use serde_json::{Value, json};

const SECRET: &str = "hunter2-canary";

/// A folder with a toolbox.
struct World {
    root: tempfile::TempDir,
}

impl World {
    fn new(files: &[(&str, &str)]) -> Self {
        let world = Self { root: tempfile::tempdir().unwrap() };
        files.iter().for_each(|(name, text)| world.write(name, text));
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    fn folder(&self) -> PathBuf {
        self.root.path().canonicalize().unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn toolbox(&self) -> Toolbox {
        Toolbox::read(self.path("caplet.toml")).unwrap()
    }

    /// The user's file, and the project's.
    fn files(&self) -> LayerFiles {
        let path = |name| Some(self.path(name));
        LayerFiles { user: path("home/caplet.toml"), project: path("project/caplet.toml"), explicit: None }
    }

    /// The list of what is trusted.
    fn trust(&self) -> Trust {
        Trust::at(self.path("state"))
    }

    /// The user's file and the project's, over each other.
    fn layers(&self) -> Layers {
        Layers::load(&self.files(), &self.trust()).unwrap()
    }

    /// Trusts the project's file as it is.
    fn trust_project(&self) {
        let file = ProjectFile::read(self.path("project/caplet.toml")).unwrap().unwrap();
        self.trust().add(&file).unwrap();
    }
}

/// Calls a tool of the toolbox.
async fn call(caplet: &Caplet, toolbox: &Toolbox, name: &str, arguments: Value) -> Outcome {
    call_in(caplet, toolbox, name, None, arguments, |_| {}).await
}

async fn call_in(
    caplet: &Caplet,
    toolbox: &Toolbox,
    name: &str,
    function: Option<&str>,
    arguments: Value,
    more: impl FnOnce(&mut Grant),
) -> Outcome {
    let configured = toolbox.tool(name).unwrap();
    let tool = caplet.load(configured.source()).unwrap().named(name);
    let mut grant = configured.grant("/").unwrap();
    more(&mut grant);
    caplet.grant(&tool, grant).unwrap().call(function, arguments).await
}

/// What was compiled once, for all tests.
static CACHE: LazyLock<(tempfile::TempDir, Cache)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::open(&folder.path().join("cache"), 1 << 30).unwrap();
    (folder, cache)
});

fn caplet() -> Caplet {
    Caplet::builder().cache(CACHE.1.clone()).build().unwrap()
}

#[test]
fn a_whole_file_is_understood() {
    let world = World::new(&[("repo/a.txt", "a"), ("docs/b.txt", "b"), ("token.txt", "t\n"), ("tool.env", "A=1\n")]);
    world.write("settings.toml", "level = 3\nratio = 1.0\non = true\nname = \"n\"\n");
    world.write("motd.txt", "hello\n\n");
    world.write(
        "caplet.toml",
        r#"
[tools.zeta]
source = "file-edit"
allow = ["write:/w/**", "kv:memory"]
deny = ["write:/w/.git/**"]
mounts = { "/w" = "@work", "/docs" = "./docs:ro", "/tmp" = "@scratch:ro" }
buckets = { memory = "@notes", cache = "redis://localhost" }
limits = { timeout = "5s", memory = "64MiB", http-requests = 7 }
env = { LANG = "C.UTF-8", TOKEN = { file = "./token.txt" } }
env-file = "./tool.env"
config = { region = "eu", tries = 3, ok = false, motd = { file = "./motd.txt" } }
config-file = "./settings.toml"
ceiling = "open"
strict-imports = true

[tools.file-read]

[tools.alpha]
source = "./alpha.wasm"

[stores.work]
store = "overlay:./repo"
quota = "64MiB"

[stores.scratch]
store = "memory"

[buckets.notes]
store = "sqlite:./notes.db"
ttl = "7d"
quota = "10MiB"
"#,
    );
    let toolbox = world.toolbox();
    assert_eq!(toolbox.names().collect::<Vec<_>>(), ["zeta", "file-read", "alpha"]);
    assert!(
        matches!(toolbox.tool("alpha").unwrap().source(), Source::Path(path) if *path == world.path("./alpha.wasm"))
    );
    assert!(matches!(toolbox.tool("file-read").unwrap().source(), Source::BuiltIn(tool) if tool.name == "file-read"));
    assert!(toolbox.tool("beta").is_none());
    assert_eq!((toolbox.nearest("zetta"), toolbox.nearest("nothing")), (Some("zeta"), None));
    let grant = toolbox.tool("zeta").unwrap().grant("/").unwrap();
    let limits = grant.limits();
    assert_eq!((limits.timeout.as_secs(), limits.memory, limits.http_requests), (5, 64 << 20, 7));
    let caplet = caplet();
    let tool = caplet.load(toolbox.tool("zeta").unwrap().source()).unwrap();
    let policy = caplet.policy(&tool, None, &grant);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment: Vec<_> = policy.environment().into_iter().map(|(name, value)| (name, value.unwrap())).collect();
    assert_eq!(environment, [pair("LANG", "C.UTF-8"), pair("TOKEN", "t"), pair("A", "1")]);
    let mut config = policy.config();
    config.sort();
    let expected = [("level", "3"), ("motd", "hello\n"), ("name", "n"), ("ok", "false"), ("on", "true")];
    let expected = expected.into_iter().chain([("ratio", "1.0"), ("region", "eu"), ("tries", "3")]);
    assert_eq!(config, expected.map(|(name, value)| pair(name, value)).collect::<Vec<_>>());
    let verdict = |op: &str| caplet.explain(&tool, None, &grant, op).unwrap().is_permitted();
    for (op, permitted) in
        [("write /w/x", true), ("write /w/.git/x", false), ("kv-write memory/k", true), ("read /docs/b", false)]
    {
        assert_eq!(verdict(op), permitted, "{op}");
    }
}

#[tokio::test]
async fn relative_rules_and_paths_are_those_of_the_file_and_not_of_the_caller() {
    let world = World::new(&[("box/docs/a.txt", "in the box"), ("elsewhere/docs/a.txt", "elsewhere")]);
    world.write(
        "box/caplet.toml",
        "[tools.reader]\nsource = \"file-read\"\nallow = [\"read:docs/**\"]\n[tools.mounted]\nsource = \"file-read\"\n\
         allow = [\"read:/d/**\"]\nmounts = { \"/d\" = \"docs\" }\n",
    );
    let toolbox = Toolbox::read(world.path("elsewhere/../box/./caplet.toml")).unwrap();
    assert_eq!(toolbox.files().collect::<Vec<_>>(), [world.path("box/caplet.toml")]);
    let tool = |name: &str| toolbox.tool(name).unwrap();
    let caplet = caplet();
    let run = async |name: &str, path: &str| {
        let loaded = caplet.load(tool(name).source()).unwrap();
        let grant = tool(name).grant(world.path("elsewhere")).unwrap();
        caplet.grant(&loaded, grant).unwrap().call(None, json!({ "path": path })).await
    };
    let absolute = world.path("box/docs/a.txt").display().to_string();
    assert!(run("reader", &absolute).await.output.to_string().contains("in the box"));
    assert!(run("mounted", "/d/a.txt").await.output.to_string().contains("in the box"));
    // The guest is where the caller is, and the file grants nothing there.
    assert!(!run("reader", "docs/a.txt").await.is_ok());
}

#[test]
fn lines_of_variables_are_taken_as_they_stand() {
    let world = World::new(&[("caplet.toml", "[tools.file-read]\nceiling = \"open\"\nenv-file = \"x.env\"\n")]);
    world.write("x.env", "# comment\n\n  # another\nA=$HOME ${B} \\n\nB=\nC= x=y \r\nD='half\n");
    let grant = world.toolbox().tool("file-read").unwrap().grant("/").unwrap();
    let caplet = caplet();
    let tool = caplet.load(&Source::parse("file-read").unwrap()).unwrap();
    let values: Vec<_> = caplet.policy(&tool, None, &grant).environment();
    let expected = [("A", "$HOME ${B} \\n"), ("B", ""), ("C", " x=y "), ("D", "'half")];
    assert_eq!(values, expected.map(|(name, value)| (name.to_owned(), Some(value.to_owned()))));
}

#[test]
fn what_is_added_comes_before_what_the_file_says() {
    let world = World::new(&[(
        "caplet.toml",
        "[tools.file-read]\nceiling = \"open\"\nenv = { A = \"of the file\", B = \"of the file\" }\nlimits = { timeout = \"5s\", fuel = 7 }\n\
         mounts = { \"/w\" = \"memory\" }\nbuckets = { b = \"memory\" }\n",
    )]);
    let toolbox = world.toolbox();
    let mut grant = toolbox.tool("file-read").unwrap().grant(world.folder()).unwrap();
    grant.allow("env:A=added").unwrap().limit("timeout=9s").unwrap();
    assert_eq!((grant.limits().timeout.as_secs(), grant.limits().fuel), (9, Some(7)));
    let caplet = caplet();
    let tool = caplet.load(&Source::parse("file-read").unwrap()).unwrap();
    let environment = caplet.policy(&tool, None, &grant).environment();
    let pair = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
    assert_eq!(environment, [pair("A", "added"), pair("B", "of the file")]);
    let error = grant.mount("/w/=session").unwrap_err().to_string();
    assert!(error.contains("--mount '/w/=session'") && error.contains("the mount at /w in /"), "{error}");
    let error = grant.bucket("b=session").unwrap_err().to_string();
    assert!(error.contains("--bucket 'b'") && error.contains("the bucket \"b\" in /"), "{error}");
}

#[tokio::test]
async fn values_are_in_no_record_and_no_debug_output() {
    let world = World::new(&[
        ("token.txt", SECRET),
        ("x.env", "FILED=hunter2-canary\n"),
        ("s.toml", "k = \"hunter2-canary\"\n"),
    ]);
    world.write("probe.wat", &caplet_testkit::config_probe("0.2.0-rc.1"));
    world.write(
        "caplet.toml",
        "[tools.probe]\nsource = \"./probe.wat\"\nceiling = \"open\"\nenv = { A = \"hunter2-canary\", T = { file = \"token.txt\" } }\n\
         env-file = \"x.env\"\nconfig = { motd = { file = \"token.txt\" }, plain = \"hunter2-canary\" }\nconfig-file = \"s.toml\"\n",
    );
    let toolbox = world.toolbox();
    let sink = Arc::new(MemorySink::new());
    let caplet = Caplet::builder().cache(CACHE.1.clone()).sink(sink.clone()).build().unwrap();
    let configured = toolbox.tool("probe").unwrap();
    let tool = caplet.load(configured.source()).unwrap().named("probe");
    let grant = configured.grant("/").unwrap();
    let explained = caplet.explain(&tool, None, &grant, "config motd").unwrap();
    assert!(explained.is_permitted() && explained.layers[1].rule == "config:motd=…", "{explained:?}");
    let mut shown = format!("{toolbox:?} {configured:?} {grant:?} {explained:?}");
    let granted = caplet.grant(&tool, grant).unwrap();
    let outcome = granted.call(None, json!({ "key": "motd" })).await;
    assert!(outcome.output.to_string().contains(SECRET), "the guest has it: {outcome:?}");
    let refused = granted.call(None, json!({ "key": "nothing" })).await;
    assert_eq!(refused.decisions.denied.len(), 1);
    let records = sink.take();
    assert_eq!((records.len(), records[0].tool.as_str()), (2, "probe"));
    shown.push_str(&format!("{granted:?} {records:?} {:?} {:?}", outcome.decisions, refused.decisions));
    assert!(shown.contains("motd") && !shown.contains(SECRET), "{shown}");
}
