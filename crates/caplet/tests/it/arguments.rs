//! Arguments as text: strict, and otherwise the same as any JSON parser's.

use caplet::parse_arguments;
use proptest::prelude::*;
use serde_json::Value;

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]{0,2}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back(value in json()) {
        prop_assert_eq!(parse_arguments(&value.to_string()).unwrap(), value.clone());
        prop_assert_eq!(parse_arguments(&serde_json::to_string_pretty(&value).unwrap()).unwrap(), value);
    }

    #[test]
    fn any_text_gets_an_answer(text in ".{0,64}") {
        let strict = parse_arguments(&text);
        let lenient = serde_json::from_str::<Value>(&text);
        // What is refused by a common parser is refused here too, and nothing is read differently.
        if let Ok(value) = strict {
            prop_assert_eq!(value, lenient.unwrap());
        }
    }
}

#[test]
fn what_parsers_disagree_on_is_refused() {
    for text in [
        "",
        " ",
        "\u{feff}{}",
        r#"{"a":1,"a":1}"#,
        r#"[{"x":{"y":1,"y":2}}]"#,
        "{} {}",
        "1e999",
        "NaN",
        "{\"a\":1,}",
        "\0",
    ] {
        assert!(parse_arguments(text).is_err(), "{text:?}");
    }
    for text in ["[".repeat(100_000), "{\"a\":".repeat(100_000)] {
        assert!(parse_arguments(&text).unwrap_err().to_string().contains("recursion limit"));
    }
}
