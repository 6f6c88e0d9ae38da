//! Hostile text: escaped where it is shown, never lost where it is JSON.

use caplet_audit::text::{is_hidden, json_line, json_pretty, shortened, visible, visible_line};
use proptest::prelude::*;

#[test]
fn what_steers_a_terminal_is_shown() {
    let table = [
        ("plain ünï 日本", "plain ünï 日本"),
        ("a\nb\tc", "a\nb\tc"),
        ("\u{1b}[2J", "\\u{1b}[2J"),
        ("\r", "\\r"),
        ("a\u{202e}b\u{2066}", "a\\u{202e}b\\u{2066}"),
        ("\u{9b}31m", "\\u{9b}31m"),
        ("\u{200b}\u{feff}\u{e0041}", "\\u{200b}\\u{feff}\\u{e0041}"),
        ("\u{7f}\u{0}", "\\u{7f}\\u{0}"),
    ];
    for (text, shown) in table {
        assert_eq!(visible(text), shown);
    }
    assert_eq!(visible_line("a\nb\t"), "a\\nb\\t");
}

#[test]
fn a_cut_is_marked_and_falls_between_characters() {
    assert_eq!(shortened("short", 5), "short");
    assert_eq!(shortened("éééé", 6), "é…");
    assert!(shortened(&"x".repeat(100), 10).len() <= 10);
}

fn hostile() -> impl Strategy<Value = String> {
    let awkward = prop::sample::select(vec![
        '\n',
        '\r',
        '\u{1b}',
        '\u{202e}',
        '\u{2028}',
        '\u{feff}',
        '"',
        '\\',
        '\u{e0001}',
        'a',
    ]);
    prop::collection::vec(prop_oneof![awkward, any::<char>()], 0..40).prop_map(String::from_iter)
}

proptest! {
    #[test]
    fn json_survives_and_is_printable(text in hostile()) {
        let line = json_line(&text).unwrap();
        prop_assert!(!line.chars().any(is_hidden));
        prop_assert_eq!(&serde_json::from_str::<String>(&line).unwrap(), &text);
        let object = serde_json::json!({ text.as_str(): [text.as_str(), 1] });
        let pretty = json_pretty(&object).unwrap();
        prop_assert!(!pretty.chars().any(|c| is_hidden(c) && c != '\n'));
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&pretty).unwrap(), object);
    }

    #[test]
    fn shown_text_steers_nothing(text in hostile()) {
        prop_assert!(!visible_line(&text).chars().any(is_hidden));
    }
}
