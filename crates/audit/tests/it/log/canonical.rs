//! The one text of a value.

use caplet_audit::json::strict;
use caplet_audit::log::canonical::{check, write};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn text(value: &Value) -> String {
    let mut text = Vec::new();
    write(&mut text, value).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn values_have_one_text() {
    for (value, expected) in [
        (json!({"b": 1, "a": [true, null, -5, {}], "ab": "x"}), r#"{"a":[true,null,-5,{}],"ab":"x","b":1}"#),
        (json!({"é": 1, "z": {"y": 1, "x": 2}}), "{\"z\":{\"x\":2,\"y\":1},\"é\":1}"),
        // RFC 8785 sorts by UTF-16 units: a surrogate comes before U+FB33.
        (json!({"\u{fb33}": 1, "\u{1f600}": 2}), "{\"\u{1f600}\":2,\"\u{fb33}\":1}"),
        (
            json!("\u{8}\t\n\u{c}\r\"\\/\u{1}\u{7f}\u{202e}é\u{e0001}"),
            "\"\\b\\t\\n\\f\\r\\\"\\\\/\\u0001\\u007f\\u202eé\\udb40\\udc01\"",
        ),
        (json!(u64::MAX), "18446744073709551615"),
    ] {
        assert_eq!(text(&value), expected);
        assert_eq!(check(expected.as_bytes()), Ok(()));
    }
    assert!(write(&mut Vec::new(), &1.5).is_err());
}

#[test]
fn every_other_text_is_refused() {
    for other in [
        "",
        " {}",
        "{} ",
        "{ }",
        "[1, 2]",
        "[1,]",
        "{\"a\":1,}",
        "{\"b\":1,\"a\":2}",
        "{\"a\":1,\"a\":1}",
        "{a:1}",
        "1.0",
        "1e3",
        "-0",
        "01",
        "-",
        "+1",
        "123456789012345678901",
        "tru",
        "nulll",
        "\"",
        "\"\\u0041\"",
        "\"\\/\"",
        "\"\\u000a\"",
        "\"\\u001F\"",
        "\"\n\"",
        "\"\u{202e}\"",
        "\"\\ud800\"",
        "\"\\u202E\"",
        "\"\\x\"",
        "\"a\"b",
        "\"\u{7f}\"",
        "[",
        "{",
        "{\"a\"}",
        "'a'",
        "NaN",
    ] {
        assert!(check(other.as_bytes()).is_err(), "{other:?}");
    }
    assert!(check(b"\"\xff\"").is_err());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(check(deep.as_bytes()).is_err());
}

fn values() -> impl Strategy<Value = Value> {
    let key = "[ab\"\\\\\u{1f}\u{e9}\u{202e}\u{fb33}\u{1f600}]{0,3}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        key.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn a_text_reads_back_as_the_value(value in values()) {
        let text = text(&value);
        prop_assert_eq!(check(text.as_bytes()), Ok(()));
        prop_assert_eq!(strict(text.as_bytes()).unwrap(), value);
    }

    /// Whatever is changed: it is canonical if and only if it is what would be written.
    #[test]
    fn only_what_would_be_written_is_canonical(value in values(), at in any::<prop::sample::Index>(), byte in "[ \n\",:{}0-9a-eu\\\\\\[\\]]") {
        let mut changed = text(&value);
        let at = changed.floor_char_boundary(at.index(changed.len() + 1));
        changed.insert_str(at, &byte);
        let again = strict(changed.as_bytes()).ok().filter(|value| {
            let mut text = Vec::new();
            write(&mut text, value).is_ok() && text == changed.as_bytes()
        });
        prop_assert_eq!(check(changed.as_bytes()).is_ok(), again.is_some(), "{}", changed);
    }
}
