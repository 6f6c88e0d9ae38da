//! What `caplet mcp` does to the files of clients: for each client, what comes of every kind of file is in a file of `tests/clients/`.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bin::{Ran, World, arg};

/// A client: its name, its files from the home and from a project, and where servers are in them.
struct Client {
    name: &'static str,
    user: &'static str,
    project: Option<&'static str>,
    key: &'static str,
}

const CLIENTS: [Client; 7] = [
    Client { name: "claude-code", user: ".claude.json", project: Some(".mcp.json"), key: "mcpServers" },
    Client {
        name: "claude-desktop",
        user: ".config/Claude/claude_desktop_config.json",
        project: None,
        key: "mcpServers",
    },
    Client { name: "cursor", user: ".cursor/mcp.json", project: Some(".cursor/mcp.json"), key: "mcpServers" },
    Client { name: "vscode", user: ".config/Code/User/mcp.json", project: Some(".vscode/mcp.json"), key: "servers" },
    Client { name: "codex", user: ".codex/config.toml", project: Some(".codex/config.toml"), key: "mcp_servers" },
    Client { name: "gemini", user: ".gemini/settings.json", project: Some(".gemini/settings.json"), key: "mcpServers" },
    Client {
        name: "zed",
        user: ".config/zed/settings.json",
        project: Some(".zed/settings.json"),
        key: "context_servers",
    },
];

/// Files by what is special about them. `KEY` is where the client has its servers, `ESCAPED` the same with an escape in it, `EXE` this
/// program.
const JSON: [(&str, &str); 18] = [
    ("empty", ""),
    ("an empty object", "{}"),
    ("an empty object and a line end", "{}\n"),
    ("no servers", "{\n  \"KEY\": {}\n}\n"),
    ("other keys", "{\n    \"theme\": \"dark\",\n    \"nested\": { \"a\": [1, 2.50, 1e400] }\n}\n"),
    (
        "another server",
        "{\n  \"KEY\": {\n    \"other\": {\n      \"command\": \"npx\",\n      \"env\": { \"TOKEN\": \"t\" }\n    }\n  },\n  \"z\": 1,\n  \"a\": 2\n}\n",
    ),
    (
        "comments",
        "// first\n{\n  // the servers\n  \"KEY\": {\n    /* other */ \"other\": { \"command\": \"x\" } // last\n    // nothing more\n  } // end\n}\n// after\n",
    ),
    ("line ends of another system", "{\r\n  \"KEY\": {\r\n    \"other\": {}\r\n  }\r\n}\r\n"),
    ("tabs", "{\n\t\"KEY\": {\n\t\t\"other\": {}\n\t}\n}"),
    ("a byte order mark", "\u{feff}{\n  \"a\": 1\n}\n"),
    ("trailing commas", "{\n  \"KEY\": {\n    \"other\": {},\n  },\n}\n"),
    ("one line", "{\"a\":1,\"KEY\":{\"other\":{\"command\":\"x\"}}}"),
    ("a name in escapes", "{ \"ESCAPED\": {\"c\\u0061plet-2\": {}} }\n"),
    (
        "ours with other options",
        "{\n  \"KEY\": {\n    // kept\n    \"caplet\": { \"command\": \"/old/caplet\", \"args\": [\"serve\", \"--profile\", \"x\"], \"env\": {\"A\": \"b\"} },\n    \"other\": {}\n  }\n}\n",
    ),
    ("ours already", "{ \"KEY\": { \"caplet\": { \"args\": [ \"serve\" ], \"command\": \"EXE\" } } }"),
    ("somebody else's", "{\n  \"KEY\": { \"caplet\": { \"command\": \"npx\", \"args\": [\"serve\"] } }\n}\n"),
    (
        "somebody else's, not a process",
        "{\n  \"KEY\": { \"caplet\": { \"type\": \"http\", \"url\": \"http://h/\" } }\n}\n",
    ),
    ("somebody else's, no object", "{\n  \"KEY\": { \"caplet\": null }\n}\n"),
];

/// Files that are refused, and where.
const BAD_JSON: [(&str, &str, &str); 12] = [
    ("not an object", "[1]", ":1:1: the file is not an object"),
    ("servers that are no object", "{\n  \"KEY\": [] }", ": KEY is not an object"),
    ("servers twice", "{ \"KEY\": {},\n  \"KEY\": {} }", ":2:3: KEY is there a second time"),
    ("servers twice, in escapes", "{ \"ESCAPED\": {},\n  \"KEY\": {} }", ":2:3: KEY is there a second time"),
    ("our name twice", "{ \"KEY\": { \"caplet\": {}, \"caplet\": {} } }", "caplet is there a second time"),
    (
        "a command twice",
        "{ \"KEY\": { \"caplet\": { \"command\": \"a\", \"command\": \"b\" } } }",
        "command is there a second",
    ),
    ("no end", "{\n  \"KEY\": {\n", ":2:"),
    ("two objects", "{}\n{}", ":2:1: "),
    ("no quotes", "{ KEY: {} }", ":1:3: "),
    ("other quotes", "{ 'KEY': {} }", ":1:3: "),
    ("no comma", "{ \"a\": 1 \"b\": 2 }", ":1:"),
    ("no JSON", "mcp_servers = 1", ":1:1: "),
];

const TOML: [(&str, &str); 15] = [
    ("empty", ""),
    ("a comment", "# mine\n"),
    ("other keys", "model = \"o\" # best\n\n[tui]\nnotifications = true"),
    ("another server", "[mcp_servers.other]\ncommand = \"npx\"\nenv = { TOKEN = \"t\" }\n\n[zz]\na = 1\n"),
    ("another server in dotted keys", "[mcp_servers]\nother.command = \"x\"\n"),
    ("comments", "# first\n[mcp_servers.other] # other\ncommand = \"x\" # last\n# nothing more\n"),
    ("line ends of another system", "# c\r\n[mcp_servers.other]\r\ncommand = \"x\"\r\n"),
    ("tabs", "[mcp_servers]\n\t[mcp_servers.other]\n\tcommand\t=\t'x'\n"),
    ("a byte order mark", "\u{feff}model = \"o\"\n"),
    ("a name in quotes", "[\"mcp_servers\".'caplet-2']\ncommand = \"x\"\n"),
    (
        "ours with other options",
        "[mcp_servers.caplet] # kept\ncommand = '/old/caplet'\nargs = [\n  \"serve\", # so\n  \"--profile\", \"x\",\n]\nstartup_timeout_sec = 20\n\n[mcp_servers.caplet.env]\nA = \"b\"\n\n[mcp_servers.other]\ncommand = \"x\"\n",
    ),
    ("ours in one line", "[mcp_servers]\ncaplet = { command = \"/old/caplet\", args = [\"serve\"], enabled = true }\n"),
    ("ours already", "[mcp_servers.\"caplet\"]\nargs = ['serve']\ncommand = 'EXE'\n"),
    (
        "somebody else's",
        "model = \"o\"\n\n[mcp_servers.caplet]\ncommand = \"npx\"\n\n[mcp_servers.caplet.env]\nA = \"b\"\n\n[zz]\na = 1\n",
    ),
    (
        "somebody else's, in dotted keys",
        "mcp_servers.caplet.url = \"http://h/\"\nmcp_servers.other.command = \"x\"\nmodel = \"o\"\n",
    ),
];

const BAD_TOML: [(&str, &str, &str); 7] = [
    ("servers that are no table", "\nmcp_servers = 1\n", ":2:15: mcp_servers is not written as"),
    ("servers in one line", "mcp_servers = {}\n", ":1:15: mcp_servers is not written as"),
    ("servers in an array", "[[mcp_servers]]\n", ":1:1: mcp_servers is not written as"),
    ("a key twice", "a = 1\na = 2\n", ":2:1: duplicate key"),
    ("a table twice", "[mcp_servers.caplet]\n[mcp_servers.caplet]\n", "duplicate key"),
    ("no end", "[mcp_servers.other\n", ":1:"),
    ("no TOML", "{}", ":1:"),
];

impl Client {
    fn is_toml(&self) -> bool {
        self.user.ends_with(".toml")
    }

    fn cases(&self) -> Vec<(&'static str, String)> {
        let cases: &[_] = if self.is_toml() { &TOML } else { &JSON };
        cases.iter().map(|(what, text)| (*what, self.filled(text))).collect()
    }

    fn bad_cases(&self) -> Vec<(&'static str, String, String)> {
        let cases: &[_] = if self.is_toml() { &BAD_TOML } else { &BAD_JSON };
        cases.iter().map(|(what, text, told)| (*what, self.filled(text), self.filled(told))).collect()
    }

    fn filled(&self, text: &str) -> String {
        let (first, rest) = self.key.split_at(1);
        let escaped = format!("\\u{:04x}{rest}", u32::from(first.as_bytes()[0]));
        text.replace("ESCAPED", &escaped).replace("KEY", self.key).replace("EXE", EXE)
    }
}

const EXE: &str = env!("CARGO_BIN_EXE_caplet");

/// The client's file in a world, which has `text` if there is any.
fn file(world: &World, client: &Client, text: Option<&str>) -> PathBuf {
    let file = world.home().join(client.user);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    if let Some(text) = text {
        fs::write(&file, text).unwrap();
    }
    file
}

fn mcp(world: &World, verb: &str, client: &Client, more: &[&str]) -> Ran {
    world.run(&[&["mcp", verb, "--client", client.name], more].concat())
}

fn backup(file: &Path) -> PathBuf {
    PathBuf::from(format!("{}.caplet-backup", file.display()))
}

/// A text with what cannot be seen made visible.
fn visible(text: &str) -> String {
    let text = text.replace(EXE, "EXE").replace('\u{feff}', "<BOM>").replace('\r', "<CR>").replace('\t', "<TAB>");
    if text.ends_with('\n') || text.is_empty() { text } else { text + "<no line end>\n" }
}

/// Every kind of file: what it is after an installation is in the golden file; a second one changes no byte; and after the removal it is
/// what it was, byte for byte, with nothing left beside it.
fn each_kind_of_file_becomes_what_its_golden_file_says_and_then_what_it_was(client: &Client) {
    let mut page = String::new();
    let cases = client.cases().into_iter().map(|(what, text)| (what, Some(text)));
    for (what, text) in [("no file", None)].into_iter().chain(cases) {
        let world = World::new();
        let file = file(&world, client, text.as_deref());
        let first = mcp(&world, "install", client, &[]);
        let force = if first.code == 0 { "" } else { " with --force" };
        if first.code != 0 {
            first.assert(2, &["something else under \"caplet\"", "--force"]);
            assert_eq!(fs::read_to_string(&file).ok(), text, "{what}");
            mcp(&world, "install", client, &["--force"]).assert(0, &[]);
        }
        let after = fs::read_to_string(&file).unwrap();
        writeln!(page, "==== {what}{force}\n{}", visible(&after)).unwrap();
        let entry = installed(&world, client);
        assert_eq!((&entry["state"], &entry["launch"]["args"][0]), (&"installed".into(), &"serve".into()), "{entry}");
        mcp(&world, "install", client, &[]).assert(0, &["nothing to do"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), after, "{what}: twice is once");
        assert_eq!(fs::read_to_string(backup(&file)).ok(), text.clone().filter(|text| *text != after));
        if !what.starts_with("ours") {
            changes_and_goes(&world, client, what, text.as_deref());
        }
    }
    golden(&format!("{}.txt", client.name), &page);
}

/// With other options, what was before is still what was before.
fn changes_and_goes(world: &World, client: &Client, what: &str, text: Option<&str>) {
    let file = file(world, client, None);
    let config = world.write("a b.toml", "");
    mcp(world, "install", client, &["--config", &config]).assert(0, &["is changed in", "a b.toml'"]);
    assert_eq!(installed(world, client)["launch"]["args"][2], arg(&world.path("a b.toml")));
    assert_eq!(fs::read_to_string(backup(&file)).ok().as_deref(), text);
    mcp(world, "uninstall", client, &[]).assert(0, &[]);
    assert_eq!(fs::read_to_string(&file).ok().as_deref(), text, "{what}");
    let left = fs::read_dir(file.parent().unwrap()).unwrap().flatten();
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().contains("caplet")).collect();
    assert!(left.is_empty(), "{what}: {left:?}");
    let again = mcp(world, "uninstall", client, &[]);
    assert_eq!(again.code, if what.starts_with("somebody") { 2 } else { 0 }, "{what}: {again:?}");
    assert_eq!(fs::read_to_string(&file).ok().as_deref(), text, "{what}");
}

/// One test for each client.
macro_rules! golden_files {
    ($($test:ident: $client:literal;)*) => {
        $(#[test]
        fn $test() {
            let client = CLIENTS.iter().find(|client| client.name == $client).unwrap();
            each_kind_of_file_becomes_what_its_golden_file_says_and_then_what_it_was(client);
        })*

        #[test]
        fn every_client_has_a_golden_file() {
            assert_eq!([$($client),*], CLIENTS.map(|client| client.name));
        }
    };
}

golden_files! {
    golden_claude_code: "claude-code";
    golden_claude_desktop: "claude-desktop";
    golden_cursor: "cursor";
    golden_vscode: "vscode";
    golden_codex: "codex";
    golden_gemini: "gemini";
    golden_zed: "zed";
}

fn installed(world: &World, client: &Client) -> Value {
    let listing = mcp(world, "status", client, &["--scope", "user", "--json"]).json();
    listing["clients"][0].clone()
}

#[track_caller]
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name);
    if std::env::var_os("CAPLET_UPDATE").is_some() {
        fs::write(&path, text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "{name} is out of date; run this test with CAPLET_UPDATE=1 and look at the difference:\n{text}"
    );
}

#[test]
fn a_file_that_is_not_understood_is_told_with_its_place_and_left_alone() {
    for client in &CLIENTS {
        let world = World::new();
        for (what, text, told) in client.bad_cases() {
            let file = file(&world, client, Some(&text));
            for verb in ["install", "uninstall"] {
                let ran = mcp(&world, verb, client, &["--force"]);
                assert_eq!(ran.code, 2, "{} {what}: {ran:?}", client.name);
                ran.assert(2, &[client.user, &told, "left as it is"]);
            }
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert_eq!(installed(&world, client)["state"], "unreadable");
        }
        let file = file(&world, client, None);
        fs::write(&file, b"{\xff}").unwrap();
        mcp(&world, "install", client, &[]).assert(2, &["not text in UTF-8"]);
        fs::remove_file(&file).unwrap();
        fs::create_dir(&file).unwrap();
        mcp(&world, "install", client, &[]).assert(2, &["not a file"]);
        fs::remove_dir(&file).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        mcp(&world, "install", client, &[]).assert(2, &["not a file"]);
        assert!(!backup(&file).exists());
    }
}

#[test]
fn what_others_changed_since_stays_when_the_entry_goes() {
    for client in &CLIENTS {
        let world = World::new();
        let (text, line) = match client.is_toml() {
            true => ("model = \"o\"\n\n[mcp_servers.other]\ncommand = \"x\"\n", ("model = \"o\"", "model = \"p\"")),
            false => ("{\n  \"a\": 1,\n  \"b\": {}\n}\n", ("\"a\": 1", "\"a\": 2")),
        };
        let file = file(&world, client, Some(text));
        mcp(&world, "install", client, &[]).assert(0, &["is added to"]);
        let edited = fs::read_to_string(&file).unwrap().replace(line.0, line.1);
        fs::write(&file, &edited).unwrap();
        // A change of ours on top of theirs keeps what they made of it.
        world.write("p.toml", "");
        mcp(&world, "install", client, &["--config", "./p.toml"]).assert(0, &["is changed in"]);
        assert_eq!(fs::read_to_string(backup(&file)).unwrap(), edited);
        let last = fs::read_to_string(&file).unwrap();
        mcp(&world, "uninstall", client, &[]).assert(0, &["is removed from"]);
        let without = fs::read_to_string(&file).unwrap();
        assert!(without.contains(line.1) && !without.contains("caplet"), "{without}");
        assert_eq!(fs::read_to_string(backup(&file)).unwrap(), last, "what was before the removal is kept");
        mcp(&world, "uninstall", client, &[]).assert(0, &["nothing to do"]);
    }
}

#[test]
fn a_read_only_file_stays_as_it_is() {
    for client in &CLIENTS {
        let world = World::new();
        let file = file(&world, client, Some(""));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        for more in [&[][..], &["--force"], &["--dry-run"]] {
            mcp(&world, "install", client, more).assert(2, &["is read-only"]);
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "");
        assert_eq!(
            fs::read_dir(file.parent().unwrap()).unwrap().count(),
            if client.name == "claude-code" { 2 } else { 1 }
        );
    }
}

#[test]
fn a_link_stays_a_link_and_nobody_gets_to_see_more() {
    for client in &CLIENTS {
        let world = World::new();
        let text = if client.is_toml() { "a = 1\n" } else { "{\"a\": 1}" };
        world.write("dots/settings", text);
        world.write("dots/secret/other", "");
        let real = world.path("dots/settings");
        let link = file(&world, client, None);
        symlink(world.path("dots/first"), &link).unwrap();
        symlink("settings", world.path("dots/first")).unwrap();
        for mode in [0o600, 0o640, 0o664, 0o700] {
            fs::set_permissions(&real, fs::Permissions::from_mode(mode)).unwrap();
            mcp(&world, "install", client, &[]).assert(0, &[]);
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            for file in [&real, &backup(&real)] {
                assert_eq!(fs::metadata(file).unwrap().mode() & 0o7777, mode, "{}", file.display());
            }
            mcp(&world, "uninstall", client, &[]).assert(0, &["is what it was"]);
            assert_eq!(fs::read_to_string(&real).unwrap(), text);
            assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, mode);
        }
        // To nothing yet: what is made is where the link leads, and for its user alone.
        fs::remove_file(&real).unwrap();
        mcp(&world, "install", client, &[]).assert(0, &["is new"]);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::symlink_metadata(&real).unwrap().mode() & 0o7777, 0o600);
        mcp(&world, "uninstall", client, &[]).assert(0, &["had nothing but"]);
        assert!(!real.exists() && fs::symlink_metadata(&link).unwrap().is_symlink());
        // In a circle.
        symlink("first", &real).unwrap();
        mcp(&world, "install", client, &[]).assert(6, &["too many symbolic links"]);
        fs::remove_file(&real).unwrap();
        // By another name besides.
        fs::write(&real, text).unwrap();
        fs::hard_link(&real, world.path("dots/second")).unwrap();
        mcp(&world, "install", client, &[]).assert(2, &["hard links"]);
        assert_eq!(fs::read_to_string(&real).unwrap(), text);
    }
}

/// A project's files may be a stranger's. They do not choose what is written outside of it.
#[test]
fn a_project_has_a_file_of_its_own_that_leads_nowhere_else() {
    for client in &CLIENTS {
        let world = World::new();
        let Some(project) = client.project else {
            mcp(&world, "install", client, &["--scope", "project"]).assert(2, &["has no file in a project"]);
            continue;
        };
        let file = world.path(project);
        mcp(&world, "install", client, &["--scope", "project"]).assert(0, &["is new"]);
        assert!(fs::read_to_string(&file).unwrap().contains(EXE));
        assert!(!world.home().join(client.user).exists());
        let listing = mcp(&world, "status", client, &["--json"]).json();
        let states: Vec<_> =
            listing["clients"].as_array().unwrap().iter().map(|entry| (&entry["scope"], &entry["state"])).collect();
        assert_eq!(
            states,
            [(&"user".into(), &"not-found".into()), (&"project".into(), &"installed".into())],
            "{listing}"
        );
        mcp(&world, "uninstall", client, &["--scope", "project"]).assert(0, &[]);
        assert!(!file.exists());
        let outside = self::file(&world, client, Some("")).canonicalize().unwrap();
        symlink(&outside, &file).unwrap();
        for verb in ["install", "uninstall"] {
            mcp(&world, verb, client, &["--scope", "project"]).assert(2, &["leads out of the project"]);
        }
        fs::remove_file(&file).unwrap();
        if let Some(folder) = file.parent().filter(|folder| *folder != world.path("").as_path()) {
            fs::remove_dir(folder).unwrap();
            symlink(outside.parent().unwrap(), folder).unwrap();
            mcp(&world, "install", client, &["--scope", "project"]).assert(2, &["leads out of the project"]);
        }
        assert_eq!(fs::read_to_string(&outside).unwrap(), "");
    }
}

#[test]
fn a_trial_says_what_would_be_and_writes_nothing() {
    for client in &CLIENTS {
        let world = World::new();
        mcp(&world, "install", client, &["--dry-run"])
            .assert(0, &["it would be so", "is new", "seems not to be installed"]);
        assert!(!world.home().join(client.user).exists() && !world.state().exists());
        let file = file(&world, client, Some(""));
        mcp(&world, "install", client, &["--dry-run"]).assert(0, &["it would be so", "is added to"]);
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), backup(&file).exists()), ("", false));
        mcp(&world, "install", client, &[]).assert(0, &[]);
        mcp(&world, "uninstall", client, &["--dry-run"]).assert(0, &["it would be so", "is what it was"]);
        assert!(fs::read_to_string(&file).unwrap().contains("caplet"));
    }
}

#[test]
fn many_at_once_are_as_one_after_the_other() {
    for client in &CLIENTS {
        let world = World::new();
        let file = file(&world, client, Some(""));
        let started: Vec<_> = (0..8)
            .map(|number| {
                let name = format!("c{}", number % 4);
                let mut command = world.command(&["mcp", "install", "--client", client.name, "--name", &name]);
                command.stderr(std::process::Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut child in started {
            assert_eq!(child.wait().unwrap().code(), Some(0));
        }
        for name in ["c0", "c1", "c2", "c3"] {
            let listed = mcp(&world, "status", client, &["--name", name, "--json"]).json();
            assert_eq!(listed["clients"][0]["state"], "installed", "{listed}");
        }
        let left: Vec<_> = fs::read_dir(file.parent().unwrap()).unwrap().flatten().collect();
        assert!(!left.iter().any(|entry| entry.file_name().to_string_lossy().contains(".caplet-1")), "{left:?}");
    }
}

#[test]
fn the_status_tells_each_client_apart() {
    let world = World::new();
    let place = |name: &str, text: &str| {
        let client = CLIENTS.iter().find(|client| client.name == name).unwrap();
        file(&world, client, Some(&client.filled(text)));
    };
    place("claude-code", "{}");
    place("cursor", r#"{"KEY": {"caplet": {"command": "EXE", "args": ["serve"]}}}"#);
    place("vscode", r#"{"KEY": {"caplet": {"command": "/old/caplet", "args": ["serve"]}}}"#);
    place("codex", "[mcp_servers.caplet]\ncommand = \"EXE\"\nargs = [\"serve\", \"--profile\", \"x y\"]\n");
    place("gemini", r#"{"KEY": {"caplet": {"httpUrl": "http://h/?key=hunter2"}}}"#);
    place("zed", r#"{"KEY": "hunter2" 1}"#);
    let expected = [
        ("claude-code", "not-installed"),
        ("claude-desktop", "not-found"),
        ("cursor", "installed"),
        ("vscode", "differs"),
        ("codex", "differs"),
        ("gemini", "other"),
        ("zed", "unreadable"),
    ];
    let listing = world.run(&["mcp", "status", "--json"]).json();
    let states: Vec<_> = listing["clients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["client"].as_str().unwrap(), entry["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, expected);
    let shown = world.run(&["mcp", "status"]);
    shown.assert(0, &[]);
    for text in [
        "Claude Code        not installed",
        "Zed                unreadable",
        "it starts: /old/caplet serve",
        "serve --profile 'x y'",
    ] {
        assert!(shown.stdout.contains(text), "{text}: {}", shown.stdout);
    }
    assert!(!shown.stdout.contains("hunter2"), "no line of a client's file is shown: {}", shown.stdout);
    let with = world.run(&["mcp", "status", "--client", "codex", "--profile", "x y", "--json"]).json();
    assert_eq!(with["clients"][0]["state"], "installed", "{with}");
}

#[test]
fn clients_are_looked_for_where_their_variables_say() {
    let world = World::new();
    for (client, variable, file) in [
        ("claude-code", "CLAUDE_CONFIG_DIR", ".claude.json"),
        ("claude-desktop", "XDG_CONFIG_HOME", "Claude/claude_desktop_config.json"),
        ("vscode", "XDG_CONFIG_HOME", "Code/User/mcp.json"),
        ("codex", "CODEX_HOME", "config.toml"),
        ("gemini", "GEMINI_CLI_HOME", ".gemini/settings.json"),
        ("zed", "XDG_CONFIG_HOME", "zed/settings.json"),
    ] {
        let folder = world.path(client);
        let status = world.command(&["mcp", "install", "--client", client]).env(variable, &folder).status().unwrap();
        assert!(status.success());
        assert!(fs::read_to_string(folder.join(file)).unwrap().contains(EXE), "{client}");
        assert_eq!(fs::metadata(folder.join(file)).unwrap().mode() & 0o777, 0o600);
    }
}

#[test]
fn what_a_client_would_not_start_as_written_is_refused() {
    let world = World::new();
    let cursor = &CLIENTS[2];
    world.write("${HOME}.toml", "");
    for (args, told) in [
        (&["--config", "./none.toml"][..], "no such file"),
        (&["--config", "./${HOME}.toml"], "for a variable"),
        (&["--config", "./a\nb.toml"], "not one line of text"),
        (&["--profile=--http"], "`caplet serve` does not take that"),
        (&["--name", "a b"], "letters, digits"),
        (&["--name", "a\"b"], "letters, digits"),
    ] {
        mcp(&world, "install", cursor, args).assert(2, &[told]);
    }
    world.write("caplet.toml", "[tools.x\n");
    mcp(&world, "install", cursor, &["--config", "./caplet.toml"]).assert(2, &["caplet.toml:1:"]);
    assert!(!world.home().join(cursor.user).exists());
    world.write("caplet.toml", "");
    mcp(&world, "install", cursor, &["--config", "./caplet.toml"]).assert(0, &[]);
    let config = world.path("caplet.toml").display().to_string();
    assert_eq!(installed(&world, cursor)["launch"]["args"], serde_json::json!(["serve", "--config", config]));
    world.run(&["mcp", "install"]).assert(2, &["--client"]);
    world.run(&["mcp", "install", "--client", "emacs"]).assert(2, &["claude-code"]);
}

/// Such as a client's own file of some years.
#[test]
fn a_large_file_takes_no_long_time() {
    let world = World::new();
    let client = &CLIENTS[0];
    let projects: Vec<String> = (0..20_000)
        .map(|number| {
            format!(
                "    \"/home/u/p{number}\": {{\n      \"allowedTools\": [],\n      \"history\": [\"{}\"]\n    }}",
                "x".repeat(100)
            )
        })
        .collect();
    let text = format!("{{\n  \"projects\": {{\n{}\n  }}\n}}\n", projects.join(",\n"));
    let file = file(&world, client, Some(&text));
    let started = std::time::Instant::now();
    mcp(&world, "install", client, &[]).assert(0, &[]);
    mcp(&world, "uninstall", client, &[]).assert(0, &["is what it was"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}
