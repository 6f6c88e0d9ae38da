//! A layer as text, and from that again.

use caplet_policy::{ConfigRule, EnvironmentRule, Layer, LayerKind, Policy};
use proptest::prelude::*;

use crate::generate;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_layer_is_the_same_after_it_was_written_and_read(layer in generate::layer(), ops in generate::ops()) {
        let text = layer.to_string();
        let again: Layer = text.parse().unwrap();
        prop_assert_eq!(again.to_string(), text);
        let (one, other) = (Policy::new(layer), Policy::new(again));
        for op in &ops {
            prop_assert_eq!(one.explain(op), other.explain(op));
        }
    }

    #[test]
    fn what_is_read_shows_itself_as_it_was_written(layer in generate::layer(), cut in 0..200usize, line in "[a-z :/*]{0,20}") {
        let text = layer.to_string();
        let end = text.floor_char_boundary(cut.min(text.len()));
        for changed in [text[..end].to_owned(), format!("{text}  {line}\n"), format!("{text}{line}"), text.replacen("allow", "deny", 1)] {
            if let Ok(read) = changed.parse::<Layer>() {
                prop_assert_eq!(read.to_string(), changed);
            }
        }
    }
}

#[test]
fn hidden_values_are_in_no_text_and_not_in_what_is_read() {
    let mut layer = Layer::new(LayerKind::Operator);
    layer.add_allow(EnvironmentRule::hidden("TOKEN", "canary-value").unwrap().into());
    layer.add_allow(ConfigRule::hidden("key", "canary-value").unwrap().into());
    let text = layer.to_string();
    assert!(!text.contains("canary"), "{text}");
    let again: Layer = text.parse().unwrap();
    assert_eq!(again.to_string(), text);
    assert!(Policy::new(again).config().iter().all(|(_, value)| !value.contains("canary")));
}
