//! Manifests that parse, and manifests that are refused with a place and a help.

use std::fmt::Write as _;
use std::path::Path;

use caplet_component::{CommandInput, Manifest};

/// The files in a folder of `tests/manifests`, by name.
fn manifests(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests").join(folder);
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn valid_manifests_parse_and_keep_their_rules() {
    let mut shown = String::new();
    for (file, text) in manifests("valid") {
        let manifest = Manifest::parse(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        writeln!(shown, "# {file}: {} {:?} {:?}", manifest.name(), manifest.version(), manifest.description()).unwrap();
        for section in manifest.sections() {
            writeln!(shown, "{} {:?}", section.class.as_str(), section.description).unwrap();
            section.grants.iter().for_each(|declared| writeln!(shown, "  + {}", declared.rule).unwrap());
            section.denies.iter().for_each(|declared| writeln!(shown, "  - {}", declared.rule).unwrap());
        }
        assert_eq!(manifest.source(), text);
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn refused_manifests_name_the_place_and_help() {
    let mut shown = String::new();
    for (file, text) in manifests("invalid") {
        let error = Manifest::parse(&text).expect_err(&file);
        assert!(!error.message.contains('\n'), "{file}");
        let place = error.line.map(|line| format!("{line}:{}", error.column.unwrap()));
        writeln!(shown, "{file} {}: {}", place.as_deref().unwrap_or("-"), error.message).unwrap();
        writeln!(shown, "    help: {}", error.help.as_deref().unwrap_or("-")).unwrap();
    }
    insta::assert_snapshot!(shown);
}

/// What the policy refuses is refused in the policy's own words, so only the place is looked at here.
#[test]
fn rules_and_limits_that_the_policy_refuses_name_the_place() {
    let places: Vec<String> = manifests("invalid-rules")
        .into_iter()
        .map(|(file, text)| {
            let error = Manifest::parse(&text).expect_err(&file);
            format!("{file} {}:{}", error.line.unwrap(), error.column.unwrap())
        })
        .collect();
    let expected = [
        "bad-glob.toml 4:8",
        "cidr.toml 5:8",
        "clock.toml 4:14",
        "limit-unknown.toml 4:11",
        "limit-value.toml 4:11",
        "limit-zero.toml 4:10",
        "method-connect.toml 7:11",
    ];
    assert_eq!(places, expected);
}

#[test]
fn functions_and_commands_are_described_by_the_manifest() {
    let (_, text) = manifests("valid").into_iter().find(|(file, _)| file == "full.toml").unwrap();
    let manifest = Manifest::parse(&text).unwrap();
    assert_eq!(manifest.command(), CommandInput::Stdin);
    assert_eq!(manifest.function_description("clean"), Some("Cleans one file."));
    assert!(manifest.narrowing("clean").is_some());
    assert!(manifest.narrowing("other").is_none());
}

#[test]
fn redirects_are_the_functions_own_or_those_of_the_component() {
    let (_, text) = manifests("valid").into_iter().find(|(file, _)| file == "network.toml").unwrap();
    let manifest = Manifest::parse(&text).unwrap();
    let of = |function: &str| manifest.redirects_of(function);
    assert_eq!((manifest.redirects(), of("once"), of("other"), of("unknown")), (Some(5), Some(0), Some(5), Some(5)));
    let manifest = Manifest::parse("[tool.metadata]\nname = \"x\"").unwrap();
    assert_eq!((manifest.redirects(), manifest.redirects_of("a")), (None, None));
}

#[test]
fn too_many_rules_are_refused_at_the_first_that_is_too_many() {
    let rule = "[[tool.capabilities.\"wasi:random\".grants]]\n";
    let text = format!("[tool.metadata]\nname = \"x\"\n{}", rule.repeat(1_001));
    let error = Manifest::parse(&text).unwrap_err();
    assert_eq!(error.line, Some(2 + 1_001), "{error}");
    let text = format!("[tool.metadata]\nname = \"x\"\n{}", rule.repeat(100_000));
    assert!(Manifest::parse(&text).is_err());
}

#[test]
fn hostile_text_neither_panics_nor_hangs() {
    let cases = [
        "[".repeat(100_000),
        format!("a = {}", "[".repeat(100_000)),
        format!("a{} = 1", ".a".repeat(100_000)),
        format!("[tool.metadata]\nname = \"{}\"", "x".repeat(200_000)),
        "\u{feff}[tool.metadata]\nname = \"x\"\u{0}".to_owned(),
        format!("[tool.metadata]\nname = \"x\"\ndescription = \"{}\"", "x".repeat(10_000)),
    ];
    for text in cases {
        assert!(Manifest::parse(&text).is_err());
    }
}
