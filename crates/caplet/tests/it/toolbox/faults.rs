//! What is wrong with a file, told at its place and without a value.

use caplet::{Error, Toolbox};

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
    (
        "[tool.x]\n",
        "1:2",
        "unknown field `tool`, expected one of `defaults`, `stores`, `buckets`, `tools`, `profiles`",
        "[tool.x]",
        "tool",
    ),
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
    ("[defaults]\nallow = []\n", "2:1", "unknown field `allow`", "allow = …", "allow"),
    ("[defaults]\ndeny = [\"raed:/b\"]\n", "2:10", "no kind of rule", "deny = [\"raed:/b\"]", "raed"),
    ("[defaults.limits]\ntimout = \"5s\"\n", "2:1", "there is no limit \"timout\"", "timout = \"5s\"", "timout"),
    (
        "[tools.file-read]\n[profiles.p]\ntools = [\"file-raed\"]\n",
        "3:10",
        "this file has no tool called \"file-raed\"",
        "tools = [\"file-raed\"]",
        "\"file-raed\"",
    ),
    ("[profiles.\"P p\"]\n", "1:11", "is not a name for a profile", "[profiles.\"P p\"]", "\"P p\""),
    ("[profiles.p]\nallow = []\n", "2:1", "unknown field `allow`", "allow = …", "allow"),
    ("[tools.file-read]\nhidden = \"yes\"\n", "2:10", "found a text", "hidden = \"yes\"", "\"yes\""),
    ("[tools.file-read]\ntitle = \"a\\nb\"\n", "2:9", "a title is one line", "title = \"a\\nb\"", "\"a\\nb\""),
    ("[tools.file-read]\ntitle = \" \"\n", "2:9", "the text is empty", "title = \" \"", "\" \""),
    (
        "[tools.file-read]\ndescription = \"a\\u202eb\"\n",
        "2:15",
        "a character that cannot be seen",
        "description = \"a\\u202eb\"",
        "\"a\\u202eb\"",
    ),
    (
        "[tools.file-read.functions.read]\nname = \"read file\"\n",
        "2:8",
        "\"read file\" is no name that clients take",
        "name = \"read file\"",
        "\"read file\"",
    ),
    (
        "[tools.file-read.functions.read]\nname = \"caplet_limits\"\n",
        "2:8",
        "kept for Caplet's own",
        "name = \"caplet_limits\"",
        "\"caplet_limits\"",
    ),
    ("[tools.file-read.functions.read]\nmounts = {}\n", "2:1", "unknown field `mounts`", "mounts = …", "mounts"),
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
fn words_for_people_and_agents_are_as_long_as_they_read() {
    let table = |key: &str, length: usize| {
        let table = if key == "name" { "tools.file-read.functions.read" } else { "tools.file-read" };
        Toolbox::parse(&format!("[{table}]\n{key} = \"{}\"\n", "n".repeat(length)), "/caplet.toml")
    };
    for (key, longest) in [("title", 120), ("description", 4096), ("name", 64)] {
        assert!(table(key, longest).is_ok(), "{key}");
        let error = table(key, longest + 1).unwrap_err().to_string();
        assert!(error.contains("longer than") || error.contains("no name that clients take"), "{key}: {error}");
    }
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
