//! Globs: the dialect against another implementation where both mean the same, and what is refused.

use caplet_policy::{Glob, GuestPath, escape_glob};
use proptest::prelude::*;

use crate::generate;

fn parse(text: &str) -> Result<Glob, caplet_policy::RuleError> {
    Glob::parse(text, &GuestPath::parse("/base/[x]").expect("a path"))
}

fn matches(glob: &str, path: &str) -> bool {
    crate::policy(&[&format!("read:{glob}")], &[]).permits(&crate::op(&format!("read {path}")))
}

#[test]
fn the_dialect() {
    for (glob, path, expected) in [
        ("/**", "/", true),
        ("/**", "/a/b", true),
        ("/*", "/a", true),
        ("/*", "/a/b", false),
        ("/a/**/b", "/a/b", true),
        ("/a/**/b", "/a/x/y/b", true),
        ("/a/**/b", "/a/xb", false),
        ("/a/**/*", "/a", false),
        ("/a/**/*", "/a/x/y", true),
        ("/?", "/é", true),
        ("/?", "/ab", false),
        ("/[!a-c]", "/d", true),
        ("/[^a-c]", "/b", false),
        ("/[]a]", "/]", true),
        ("/[+-9]", "/+", true),
        ("/{a,b{c,d}}", "/bd", true),
        ("/{a,b{c,d}}", "/b", false),
        ("/{a/x,b}/c", "/a/x/c", true),
        ("/\\*", "/*", true),
        ("/\\*", "/a", false),
        ("/a,b", "/a,b", true),
        ("/a\u{301}", "/\u{e1}", false),
    ] {
        assert_eq!(matches(glob, path), expected, "{glob} on {path}");
    }
}

#[test]
fn relative_globs_are_taken_from_the_base() {
    for (text, expected) in [
        ("docs/**", r"/base/\[x\]/docs/**"),
        ("./docs/*.md", r"/base/\[x\]/docs/*.md"),
        ("../y", "/base/y"),
        (".", r"/base/\[x\]"),
        ("./~", r"/base/\[x\]/~"),
        ("**", r"/base/\[x\]/**"),
        ("/a/./b/../c", "/a/c"),
        ("/a/**/**/b", "/a/**/b"),
        ("/", "/"),
    ] {
        assert_eq!(parse(text).expect(text).as_str(), expected);
    }
}

#[test]
fn what_is_refused_says_where() {
    for (text, offset, part) in [
        ("", 0, "empty"),
        ("/a//b", 3, "empty segment"),
        ("/a/", 3, "empty segment"),
        ("/a**", 2, "`**`"),
        ("/**b", 1, "`**`"),
        ("/***", 1, "`**`"),
        ("/{a,**}", 4, "`**`"),
        ("/[a", 1, "not closed"),
        ("/[]", 1, "not closed"),
        ("/[z-a]", 1, "backwards"),
        ("/[/]", 1, "slash"),
        ("/{a", 1, "not closed"),
        ("/a}", 2, "closing brace"),
        ("/{}", 1, "empty"),
        ("/{a/,b}", 2, "slash"),
        ("/a\\", 2, "backslash"),
        ("/a\\/b", 2, "slash"),
        ("/../x", 1, "above the root"),
        ("/*/../x", 3, "wildcard"),
        ("~/x", 0, "tilde"),
        ("/{{{{{{{{{a}}}}}}}}}", 9, "nested"),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.offset(), offset, "{text}: {error}");
        assert!(error.to_string().contains(part), "{text}: {error}");
        assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{text}");
    }
}

/// Patterns whose automata explode are refused at once, alone; together they are never a hang.
#[test]
fn bombs_end_in_an_error() {
    let started = std::time::Instant::now();
    for bomb in [
        format!("/*a{}", "?".repeat(15)),
        format!("/*a{}", "[ab]".repeat(40)),
        format!("/{}", "*a".repeat(2000)),
        format!("/{}", "{a,b}*".repeat(400)),
        format!("/{}", "?".repeat(4000)),
        "{".repeat(4000),
        "/a".repeat(5000),
    ] {
        let parsed = parse(&bomb);
        if let Ok(glob) = &parsed {
            assert!(glob.as_str().len() <= bomb.len() + 20);
        }
    }
    assert!(parse(&format!("/*a{}", "?".repeat(15))).is_err());
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Our globs and those of `globset` mean the same, but for what only ours say: a trailing `/**` matches the directory itself,
    /// and a set never matches a slash.
    #[test]
    fn globs_agree_with_globset(glob in generate::path_glob(), path in generate::path()) {
        // Theirs read a character beyond ASCII as several.
        prop_assume!(path.is_ascii());
        let theirs = globset::GlobBuilder::new(&glob).literal_separator(true).backslash_escape(true).empty_alternates(true).build();
        let Ok(theirs) = theirs else { return Ok(()) };
        let theirs = theirs.compile_matcher();
        let mut expected = theirs.is_match(&path);
        if let Some(directory) = glob.strip_suffix("/**") {
            // `**` may stand several times at the end.
            let directory = directory.trim_end_matches("/**");
            expected |= directory.is_empty() || matches(directory, &path);
        }
        prop_assert_eq!(matches(&glob, &path), expected, "{} on {}", glob, path);
    }

    /// A name, escaped, matches itself and nothing else.
    #[test]
    fn escaped_names_are_literal(path in generate::path(), other in generate::path()) {
        let glob = escape_glob(&path);
        prop_assert!(matches(&glob, &path));
        prop_assert_eq!(matches(&glob, &other), path == other);
    }

    /// No text makes the parser panic, and what parses reads the same again.
    #[test]
    fn any_text_is_read_or_refused(text in "[-a*?/\\[\\]{}!,.\\\\~é]{0,24}") {
        if let Ok(glob) = parse(&text) {
            prop_assert_eq!(parse(glob.as_str()).map(|again| again.as_str().to_owned()), Ok(glob.as_str().to_owned()));
        }
    }
}
