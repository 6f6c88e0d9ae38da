//! The toolbox: what a file means, what is wrong with one, and what tools never get of it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use caplet::audit::{MemorySink, Outcome};
use caplet::sandbox::Cache;
use caplet::{Caplet, Error, Grant, SessionData, Source, Toolbox};
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
    assert_eq!(toolbox.path(), world.path("box/caplet.toml"));
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

/// A bad file: its text, the place, the message, the line as it is shown, and the marked part of that.
type Bad<'t> = (&'t str, &'t str, &'t str, &'t str, &'t str);

const BAD: &[Bad<'_>] = &[
    (
        "[tools.file-read]\nmounts = { \"\" = \".\" }\n",
        "2:12",
        "the guest path is empty",
        "mounts = { \"\" = \".\" }",
        "\"\"",
    ),
    (
        "[tools.file-read]\nconfig = { a = 9223372036854775808 }\n",
        "2:16",
        "the number does not fit into 64 bits with a sign",
        "config = { a = … }",
        "…",
    ),
    ("[tool.x]\n", "1:2", "unknown field `tool`, expected one of `stores`, `buckets`, `tools`", "[tool.x]", "tool"),
    ("[tools.x]\nsource = \"file-read\"\nallows = []\n", "3:1", "unknown field `allows`", "allows = …", "allows"),
    (
        "[tools.file-read]\nallow = [\"read:/a\", \"raed:/b\"]\n",
        "2:22",
        "this is no kind of rule: `raed`",
        "allow = [\"read:/a\", \"raed:/b\"]",
        "raed",
    ),
    (
        "[tools.file-read]\ndeny = ['fetch:htp://x']\n",
        "2:16",
        "the URL does not start with",
        "deny = ['fetch:htp://x']",
        "htp",
    ),
    (
        "[tools.file-read]\nallow = \"read:/a\"\n",
        "2:9",
        "expected an array, found a text",
        "allow = \"read:/a\"",
        "\"read:/a\"",
    ),
    ("[tools.File]\nsource = \"file-read\"\n", "1:8", "\"File\" is not a name for a tool", "[tools.File]", "File"),
    ("[tools.\"a b\"]\n", "1:8", "\"a b\" is not a name for a tool", "[tools.\"a b\"]", "\"a b\""),
    ("[tools.nosuch]\n", "1:8", "there is no built-in tool called \"nosuch\"", "[tools.nosuch]", "nosuch"),
    (
        "[tools.x]\nsource = \"file-raed\"\n",
        "2:10",
        "there is no built-in tool called \"file-raed\"",
        "source = \"file-raed\"",
        "\"file-raed\"",
    ),
    (
        "[tools.x]\nsource = \"./notes.txt\"\n",
        "2:10",
        "ends in .wasm or .wat",
        "source = \"./notes.txt\"",
        "\"./notes.txt\"",
    ),
    (
        "[tools.file-read]\nmounts = { \"/w\" = \"@wrok\" }\n[stores.work]\nstore = \"memory\"\n",
        "2:19",
        "there is no [stores.wrok]",
        "mounts = { \"/w\" = \"@wrok\" }",
        "\"@wrok\"",
    ),
    (
        "[tools.file-read]\nmounts = { \"/w\" = \"memory\", \"/w/\" = \"memory\" }\n",
        "2:29",
        "\"/w\" and \"/w/\" are the same path",
        "mounts = { \"/w\" = \"memory\", \"/w/\" = \"memory\" }",
        "\"/w/\"",
    ),
    (
        "[tools.file-read]\nmounts = { \"/../..\" = \"memory\" }\n",
        "2:12",
        "it climbs above the root",
        "mounts = { \"/../..\" = \"memory\" }",
        "\"/../..\"",
    ),
    (
        "[tools.file-read]\nmounts.\"/w\" = \"overlay:\"\n",
        "2:15",
        "there is no directory after overlay:",
        "mounts.\"/w\" = \"overlay:\"",
        "\"overlay:\"",
    ),
    (
        "[tools.file-read]\nmounts.\"/w\" = \"redis://u:hunter2-canary@h\"\n",
        "2:15",
        "a server holds no files",
        "mounts.\"/w\" = …",
        "…",
    ),
    (
        "[tools.memory]\nbuckets = { memory = \"@notes\" }\n",
        "2:22",
        "there is no [buckets.notes]",
        "buckets = { memory = \"@notes\" }",
        "\"@notes\"",
    ),
    (
        "[tools.memory]\nbuckets = { memory = \"mysql://u:hunter2-canary@h\" }\n",
        "2:22",
        "none of memory, session",
        "buckets = { memory = … }",
        "…",
    ),
    (
        "[stores.w]\nstore = \"memory\"\nquota = \"64 MiB\"\n",
        "3:9",
        "the unit \" MiB\" is not known",
        "quota = \"64 MiB\"",
        "\"64 MiB\"",
    ),
    (
        "[stores.w]\nstore = \"memory\"\nquota = 64\n",
        "3:9",
        "expected a text in quotes, found a number",
        "quota = 64",
        "64",
    ),
    ("[stores.w]\nstore = \"memory\"\nquota = \"0\"\n", "3:9", "nothing fits", "quota = \"0\"", "\"0\""),
    (
        "[stores.w]\nstore = \"./repo\"\nquota = \"1MiB\"\n",
        "3:9",
        "a directory of the host has no quota",
        "quota = \"1MiB\"",
        "\"1MiB\"",
    ),
    ("[stores.w]\nquota = \"1MiB\"\n", "1:1", "missing field `store`", "[stores.w]", "[stores.w]"),
    ("[stores.a]\nstore = \"@a\"\n", "2:9", "a store cannot be another name for a store", "store = \"@a\"", "\"@a\""),
    (
        "[stores.a]\nstore = \"sqlite:./f\"\n[stores.b]\nstore = \"sqlite:f\"\n",
        "4:9",
        "the store \"a\" is the same",
        "store = \"sqlite:f\"",
        "\"sqlite:f\"",
    ),
    (
        "[buckets.a]\nstore = \"redis://h\"\nquota = \"1MiB\"\n",
        "3:9",
        "a server has its own quota",
        "quota = \"1MiB\"",
        "\"1MiB\"",
    ),
    ("[buckets.a]\nstore = \"memory\"\nttl = \"7w\"\n", "3:7", "the unit \"w\" is not known", "ttl = \"7w\"", "\"7w\""),
    ("[buckets.a]\nstore = \"memory\"\nttl = \"1us\"\n", "3:7", "at least 1ms", "ttl = \"1us\"", "\"1us\""),
    (
        "[tools.file-read]\nlimits = { timout = \"5s\" }\n",
        "2:12",
        "there is no limit \"timout\"",
        "limits = { timout = \"5s\" }",
        "timout",
    ),
    (
        "[tools.file-read]\nlimits = { timeout = \"5\" }\n",
        "2:22",
        "has no unit",
        "limits = { timeout = \"5\" }",
        "\"5\"",
    ),
    (
        "[tools.file-read]\nlimits = { timeout = true }\n",
        "2:22",
        "neither a text nor a number",
        "limits = { timeout = true }",
        "true",
    ),
    ("[tools.file-read]\nceiling = \"none\"\n", "2:11", "\"none\" is no ceiling", "ceiling = \"none\"", "\"none\""),
    ("[tools.file-read]\nallow = []\nallow = []\n", "3:1", "duplicate key", "allow = []", "allow"),
    ("[tools.file-read]\n[tools.file-read]\n", "2:8", "duplicate key", "[tools.file-read]", "file-read"),
    ("[tools.file-read]\nallow = [\"read:/a\" \"read:/b\"]\n", "2:20", "", "allow = [\"read:/a\" \"read:/b\"]", ""),
    ("\u{0}", "1:2", "key with no value", "…", ""),
    // Values are never shown, whatever is wrong around them.
    (
        "[tools.file-read]\nenv = { TOKEN = \"hunter2-canary\", \"A=B\" = \"hunter2-canary\" }\n",
        "2:35",
        "a variable cannot contain this character",
        "env = { TOKEN = …, \"A=B\" = … }",
        "\"A=B\"",
    ),
    (
        "[tools.file-read]\nenv = { TOKEN = 7774777 }\n",
        "2:17",
        "the value of a variable is a text",
        "env = { TOKEN = … }",
        "…",
    ),
    (
        "[tools.file-read]\nenv = { TOKEN = [\"hunter2-canary\"] }\n",
        "2:17",
        "found an array",
        "env = { TOKEN = … }",
        "…",
    ),
    ("[tools.file-read]\nenv = \"TOKEN=hunter2-canary\"\n", "2:7", "expected a table, found a text", "env = …", "…"),
    (
        "[tools.file-read]\nenvs = { TOKEN = \"hunter2-canary\" }\n",
        "2:1",
        "unknown field `envs`",
        "envs = { TOKEN = … }",
        "envs",
    ),
    (
        "[tools.file-read]\nconfig = { k = { file = 3, value = \"hunter2-canary\" } }\n",
        "2:25",
        "expected a text in quotes, found a number",
        "config = { k = { file = 3, value = … } }",
        "3",
    ),
    ("[tools.file-read]\nconfig = { k = 2026-11-21 }\n", "2:16", "found a date", "config = { k = … }", "…"),
    ("[tools.file-read]\nenv = { TOKEN = hunter2-canary }\n", "2:17", "", "env =…", "…"),
    ("[tools.file-read]\nenv.TOKEN = \"hunter2-canary\n", "2:28", "", "env.TOKEN =…", ""),
    ("[tools.file-read.env]\nTOKEN = 'hunter2-canary' x\n", "2:26", "", "TOKEN =…", "…"),
    ("[tools.file-read.env]\nTOKEN = \"\"\"\nhunter2-canary \\q\n\"\"\"\n", "3:17", "", "…", "…"),
    (
        "[tools.file-read.env]\nTOKEN = \"hunter2-canary\"\nTOKEN = \"hunter2-canary\"\n",
        "3:1",
        "duplicate key",
        "TOKEN =…",
        "TOKEN",
    ),
    ("[tools.file-read.env]\nTOKEN = \"a\\u0000hunter2-canary\"\n", "2:9", "NUL", "TOKEN = …", "…"),
    (
        "[tools]\nfile-read = { allow = [1], env = { TOKEN = \"hunter2-canary\" } }\n",
        "2:24",
        "expected a text in quotes, found a number",
        "file-read = { allow = [1], env = { TOKEN = … } }",
        "1",
    ),
    ("[buckets.a]\nstore = \"redis://u:hunter2-canary@h\" x\n", "2:38", "", "store =…", "…"),
];

#[test]
fn a_bad_file_is_refused_at_its_place() {
    for (text, place, message, line, marked) in BAD {
        let error = Toolbox::parse(text, "/box/caplet.toml").unwrap_err();
        let (told, hint) = (error.to_string(), error.hint());
        let Error::Toolbox(error) = &error else { panic!("{text:?}: {error:?}") };
        let found = error.place.clone().unwrap_or_else(|| panic!("{text:?}: {told}"));
        assert_eq!(format!("{}:{}", found.line, found.column), *place, "{text:?}: {told}");
        assert!(told.starts_with(&format!("/box/caplet.toml:{place}: ")) && told.contains(message), "{text:?}: {told}");
        assert_eq!((found.text.as_str(), &found.text[found.marked.clone()]), (*line, *marked), "{text:?}: {told}");
        assert!(hint.is_some() || !message.is_empty(), "{text:?}: {told}");
        for shown in [told, format!("{error:?}"), hint.unwrap_or_default()] {
            assert!(!shown.contains("hunter2") && !shown.contains("7774777"), "{text:?}: {shown}");
        }
    }
}

#[test]
fn a_name_is_as_long_as_a_protocol_takes() {
    let table = |length: usize| format!("[tools.{}]\nsource = \"file-read\"\n", "n".repeat(length));
    assert!(Toolbox::parse(&table(64), "/caplet.toml").is_ok());
    assert!(Toolbox::parse(&table(65), "/caplet.toml").unwrap_err().to_string().contains("not a name for a tool"));
}

#[test]
fn no_slip_of_the_pen_shows_a_value() {
    let good = r#"
[tools.file-read]
allow = ["read:/w/**"] # why
mounts = { "/w" = "memory" }
env = { LANG = "hunter2-canary", TOKEN = 'hunter2-canary' }
config.motd = "hunter2-canary"
limits = { timeout = "5s" }
[tools.memory.env]
LONG = """
hunter2-canary
deny = "hunter2-canary"
"""
[tools]
other = { source = "file-read", env = { TOKEN = "hunter2-canary" }, deny = ["read:/x"] }
[buckets.cache]
store = "redis://user:hunter2-canary@host"
"#;
    assert!(Toolbox::parse(good, "/caplet.toml").is_ok());
    let slips = ["", "\"", "'", "=", "[", "}", "\n", "#", "\\", "é", "\0", "\"\"\"", ",", "."];
    let mut refused = 0;
    for at in 0..good.len() {
        let changed = slips.iter().flat_map(|slip| {
            let (before, after) = good.split_at(at);
            // In the place of a character, before it, and as the end.
            [format!("{before}{slip}{}", &after[1..]), format!("{before}{slip}{after}"), format!("{before}{slip}")]
        });
        for text in changed {
            let Err(error) = Toolbox::parse(&text, "/caplet.toml") else { continue };
            refused += 1;
            let shown = format!("{error} {error:?} {:?}", error.hint());
            let secrets = ["hunter2", "canary"];
            assert!(!secrets.iter().any(|secret| shown.contains(secret)), "{text}\n{shown}");
        }
    }
    assert!(refused > good.len(), "{refused}");
}

#[test]
fn a_name_that_is_nearly_right_is_suggested() {
    let table = [
        ("[tools.file-read]\nmounts = { \"/w\" = \"@wrok\" }\n[stores.work]\nstore = \"memory\"\n", "\"@work\""),
        ("[tools.memory]\nbuckets = { m = \"@note\" }\n[buckets.notes]\nstore = \"memory\"\n", "\"@notes\""),
        ("[tools.x]\nsource = \"file-raed\"\n", "file-read"),
        ("[tools.file-read]\nallow = [\"raed:/x\"]\n", "`read:`"),
        ("[tools.file-read]\nlimits = { timout = \"5s\" }\n", "`timeout`"),
    ];
    for (text, near) in table {
        let hint = Toolbox::parse(text, "/caplet.toml").unwrap_err().hint().unwrap();
        assert!(hint.contains(near), "{text:?}: {hint}");
    }
}

#[test]
fn what_is_no_toolbox_is_refused_quickly() {
    let world = World::new(&[("folder/x", "")]);
    let large = |length: usize| "#".repeat(length);
    let limit = usize::try_from(Toolbox::LARGEST).unwrap();
    let files: [(&str, Vec<u8>, &str); 8] = [
        ("bom", b"\xef\xbb\xbf[tools.file-read]\n".to_vec(), "byte order mark"),
        ("latin", b"[tools.file-read]\n# caf\xe9\n".to_vec(), "it is not UTF-8, on line 2"),
        ("large", large(limit + 1).into(), "larger than the limit of 1048576 bytes"),
        ("binary", vec![0; 100], "caplet.toml"),
        ("deep", format!("a = {}{}", "[".repeat(200_000), "]".repeat(200_000)).into(), "recursion"),
        ("tables", format!("a = {}", "{a=".repeat(200_000)).into(), "recursion"),
        ("dots", format!("{}a = 1", "a.".repeat(400_000)).into(), "recursion"),
        ("values", format!("[tools]\nx = {{ env = {{ {} }} }}", "a=1,".repeat(200_000)).into(), "duplicate key"),
    ];
    for (name, content, expected) in files {
        let path = world.path(&format!("{name}/caplet.toml"));
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let error = Toolbox::read(&path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(path.to_str().unwrap()), "{name}: {error}");
    }
    fs::write(world.path("largest.toml"), large(limit)).unwrap();
    assert_eq!(Toolbox::read(world.path("largest.toml")).unwrap().names().len(), 0);
    rustix::fs::mknodat(rustix::fs::CWD, world.path("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for (path, expected) in [("folder", "it is a directory"), ("pipe", "it is a pipe"), ("none", "no such file")] {
        let error = Toolbox::read(world.path(path)).unwrap_err();
        assert!(error.to_string().contains(expected), "{path}: {error}");
        assert_eq!(error.kind(), caplet::audit::ErrorKind::InvalidConfig);
    }
}

#[test]
fn bad_values_and_places_are_told_where_they_are_named() {
    let world = World::new(&[("latin.txt", ""), ("folder/x", ""), ("good.txt", SECRET)]);
    fs::write(world.path("latin.txt"), b"hunter2-canary \xff").unwrap();
    world.write("large.txt", &"x".repeat(70_000));
    for (name, text) in [
        ("plain.env", "A=1\nhunter2-canary\n"),
        ("export.env", "export A=hunter2-canary\n"),
        ("twice.env", "A=1\n\n# c\nA=hunter2-canary\n"),
        ("quoted.env", "A=\"hunter2-canary\"\n"),
        ("space.env", "A = hunter2-canary\n"),
        ("nested.toml", "a = 1\n[b]\nc = \"hunter2-canary\"\n"),
        ("inline.toml", "a = 1\nb = { file = \"hunter2-canary\" }\n"),
        ("large-number.toml", "a = 9223372036854775808\n"),
        ("date.toml", "a = 2026-11-21\n"),
        ("list.toml", "a = [\"hunter2-canary\"]\n"),
        ("infinite.toml", "a = inf\n"),
        ("broken.toml", "a = \"hunter2-canary\n"),
    ] {
        world.write(name, text);
    }
    let table = [
        ("env = { A = { file = \"none.txt\" } }", "2:22", "none.txt cannot be read: there is no such file"),
        ("env = { A = { file = \"large.txt\" } }", "2:22", "larger than the limit of 65536 bytes"),
        ("env = { A = { file = \"latin.txt\" } }", "2:22", "latin.txt is not UTF-8"),
        ("env = { A = { file = \"folder\" } }", "2:22", "it is a directory"),
        ("env-file = \"none.env\"", "2:12", "there is no such file"),
        ("env-file = \"plain.env\"", "2:12", "plain.env, line 2: the line is not KEY=VALUE"),
        ("env-file = \"export.env\"", "2:12", "export.env, line 1: write KEY=VALUE alone"),
        ("env-file = \"twice.env\"", "2:12", "twice.env, line 4: the variable A is there twice"),
        ("env-file = \"quoted.env\"", "2:12", "quoted.env, line 1: the quotes would be part of the value"),
        ("env-file = \"space.env\"", "2:12", "space.env, line 1: a variable cannot contain this character"),
        ("env = { A = \"1\" }\nenv-file = \"twice.env\"", "3:12", "twice.env, line 4"),
        ("config-file = \"nested.toml\"", "2:15", "true or false, found a table"),
        ("config-file = \"inline.toml\"", "2:15", "inline.toml, line 2: expected a text in quotes, a number, true or"),
        ("config-file = \"large-number.toml\"", "2:15", "line 1: the number does not fit into 64 bits"),
        ("config-file = \"date.toml\"", "2:15", "date.toml, line 1: expected a text in quotes, found a date"),
        ("config-file = \"list.toml\"", "2:15", "list.toml, line 1: expected a text in quotes, a number"),
        ("config-file = \"infinite.toml\"", "2:15", "infinite.toml, line 1: expected a number that is finite"),
        ("config-file = \"broken.toml\"", "2:15", "broken.toml, line 1"),
        ("mounts = { \"/w\" = \"overlay:./nowhere\" }", "2:19", "there is no directory"),
        ("mounts = { \"/w\" = \"good.txt\" }", "2:19", "good.txt is not a directory"),
        ("mounts = { \"/w\" = \"sqlite:./nowhere/f.db\" }", "2:19", "there is no directory"),
        ("mounts = { \"/w\" = \"@far\" }\n[stores.far]\nstore = \"./nowhere\"", "4:9", "there is no directory"),
        ("buckets = { b = \"sqlite:./nowhere/f.db\" }", "2:17", "there is no directory"),
    ];
    for (lines, place, expected) in table {
        world.write("caplet.toml", &format!("[tools.file-read]\n{lines}\n"));
        let toolbox = world.toolbox();
        let error = toolbox.tool("file-read").unwrap().grant("/").unwrap_err();
        let told = format!("{error} {error:?} {:?}", error.hint());
        let at = format!("caplet.toml:{place}: ");
        assert!(told.contains(&at) && told.contains(expected) && !told.contains("hunter2"), "{lines}: {told}");
    }
    // A value that is there twice, in the toolbox and in a file.
    world.write("one.env", "A=hunter2-canary\n");
    world.write("caplet.toml", "[tools.file-read]\nenv = { A = \"1\" }\nenv-file = \"one.env\"\n");
    let error = world.toolbox().tool("file-read").unwrap().grant("/").unwrap_err().to_string();
    assert!(error.contains("3:12") && error.contains("the variable A has a value in the toolbox already"), "{error}");
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

#[tokio::test]
async fn one_name_is_one_store() {
    let world = World::new(&[("repo/a.txt", "a")]);
    let table = [("sqlite:./files.db", true), ("overlay:./repo", true), ("session", true), ("memory", false)];
    for (store, is_kept) in table {
        world.write(
            "caplet.toml",
            &format!(
                "[stores.work]\nstore = \"{store}\"\n[stores.other]\nstore = \"session\"\n\
                 [tools.one]\nsource = \"file-write\"\nallow = [\"write:/**\"]\nmounts = {{ \"/one\" = \"@work\" }}\n\
                 [tools.two]\nsource = \"file-read\"\nallow = [\"read:/**\"]\nmounts = {{ \"/two\" = \"@work:ro\", \"/other\" = \"@other\" }}\n"
            ),
        );
        let (toolbox, caplet) = (world.toolbox(), caplet());
        let session = Arc::new(SessionData::new(1 << 20));
        let share = |grant: &mut Grant| {
            grant.session(Arc::clone(&session));
        };
        let write = json!({"path": "/one/note.txt", "content": "shared"});
        // Kept until the other has read it: without a state folder, an overlay ends with its last grant.
        let configured = toolbox.tool("one").unwrap();
        let mut grant = configured.grant("/").unwrap();
        share(&mut grant);
        let writer = caplet.grant(&caplet.load(configured.source()).unwrap(), grant).unwrap();
        assert!(writer.call(None, write).await.is_ok(), "{store}");
        let path = |at: &str| json!({ "path": format!("{at}/note.txt") });
        let read = call_in(&caplet, &toolbox, "two", None, path("/two"), share).await;
        assert_eq!(read.output.to_string().contains("shared"), is_kept, "{store}: {read:?}");
        let other = call_in(&caplet, &toolbox, "two", None, path("/other"), share).await;
        assert!(!other.is_ok(), "another name is another store: {other:?}");
        let elsewhere = call(&caplet, &toolbox, "two", path("/two")).await;
        assert_eq!(elsewhere.is_ok(), is_kept && store != "session", "{store}: another session: {elsewhere:?}");
    }
}

#[tokio::test]
async fn quotas_of_stores_hold() {
    let world = World::new(&[("repo/a.txt", "a")]);
    for store in ["memory", "session", "sqlite:./files.db", "overlay:./repo"] {
        world.write(
            "caplet.toml",
            &format!(
                "[stores.small]\nstore = \"{store}\"\nquota = \"16KiB\"\n\
                 [tools.file-write]\nallow = [\"write:/w/**\"]\nmounts = {{ \"/w\" = \"@small\" }}\n"
            ),
        );
        let (toolbox, caplet) = (world.toolbox(), caplet());
        let content = |length: usize| json!({"path": "/w/f", "content": "x".repeat(length)});
        let fits = call(&caplet, &toolbox, "file-write", content(4 << 10)).await;
        assert!(fits.is_ok(), "{store}: {fits:?}");
        let full = call(&caplet, &toolbox, "file-write", content(20 << 10)).await;
        assert!(!full.is_ok(), "{store}: {full:?}");
    }
}

#[tokio::test]
async fn an_overlay_is_not_open_with_two_quotas() {
    let world = World::new(&[("repo/a.txt", "a")]);
    world.write(
        "caplet.toml",
        "[stores.small]\nstore = \"overlay:./repo\"\nquota = \"16KiB\"\n[tools.file-read]\nmounts = { \"/w\" = \"@small\" }\n\
         [tools.file-glob]\nmounts = { \"/w\" = \"overlay:./repo\" }\n",
    );
    let (toolbox, caplet) = (world.toolbox(), caplet());
    let grant = |name: &str| {
        let tool = toolbox.tool(name).unwrap();
        caplet.grant(&caplet.load(tool.source()).unwrap(), tool.grant("/").unwrap())
    };
    let _open = grant("file-read").unwrap();
    let error = grant("file-glob").unwrap_err().to_string();
    assert!(error.contains("in use with another quota"), "{error}");
}

#[tokio::test]
async fn buckets_have_their_time_and_their_quota() {
    let world = World::new(&[]);
    for store in ["memory", "session", "sqlite:./notes.db"] {
        world.write(
            "caplet.toml",
            &format!(
                "[buckets.short]\nstore = \"{store}\"\nttl = \"1ms\"\nquota = \"4KiB\"\n\
                 [tools.memory]\nallow = [\"kv:memory\"]\nbuckets = {{ memory = \"@short\" }}\n"
            ),
        );
        let (toolbox, caplet) = (world.toolbox(), caplet());
        let session = Arc::new(SessionData::new(1 << 20));
        let share = |grant: &mut Grant| {
            grant.session(Arc::clone(&session));
        };
        let put = |length: usize| json!({"name": "n", "text": "x".repeat(length)});
        let call = async |function: &str, arguments: Value| {
            call_in(&caplet, &toolbox, "memory", Some(function), arguments, share).await
        };
        let fits = call("put", put(100)).await;
        assert!(fits.is_ok(), "{store}: {fits:?}");
        let full = call("put", put(8 << 10)).await;
        assert!(!full.is_ok(), "{store}: {full:?}");
        // A call takes longer than a millisecond from put to get, and if it does not, the next one does.
        let mut left = call("get", json!({"name": "n"})).await;
        for _ in 0..1_000 {
            if !left.is_ok() {
                break;
            }
            left = call("get", json!({"name": "n"})).await;
        }
        assert!(!left.is_ok(), "{store}: {left:?}");
    }
}

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
