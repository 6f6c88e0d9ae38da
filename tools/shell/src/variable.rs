//! Variables: their values and attributes.

use std::collections::BTreeMap;

use crate::syntax::ast::Text;

/// A variable.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variable {
    pub(crate) value: Value,
    pub(crate) exported: bool,
    pub(crate) readonly: bool,
    pub(crate) integer: bool,
    pub(crate) lower: bool,
    pub(crate) upper: bool,
    /// `declare -n`: the value is the name of the variable that is meant.
    pub(crate) reference: bool,
}

/// What a variable holds.
#[derive(Clone, Debug, Default)]
pub(crate) enum Value {
    #[default]
    Unset,
    Text(Text),
    Indexed(BTreeMap<i64, Text>),
    /// By the place in bash's table, so that the order is bash's too.
    Associative(BTreeMap<(u32, Text), Text>),
}

/// The place of a key in an associative array's table of 1,024 rows (FNV-1, as bash computes it).
pub(crate) fn associative_key(key: Text) -> (u32, Text) {
    let hash = key.iter().fold(2_166_136_261_u32, |hash, byte| hash.wrapping_mul(16_777_619) ^ u32::from(*byte));
    (hash & 1023, key)
}

impl Variable {
    pub(crate) fn text(text: impl Into<Text>) -> Self {
        Self { value: Value::Text(text.into()), ..Self::default() }
    }

    /// What `$name` gives: the text, or the element 0.
    pub(crate) fn scalar(&self) -> Option<&Text> {
        match &self.value {
            Value::Unset => None,
            Value::Text(text) => Some(text),
            Value::Indexed(list) => list.get(&0),
            Value::Associative(map) => map.get(&associative_key(b"0".to_vec())),
        }
    }

    /// All values, in order.
    pub(crate) fn values(&self) -> Vec<Text> {
        match &self.value {
            Value::Unset => Vec::new(),
            Value::Text(text) => vec![text.clone()],
            Value::Indexed(list) => list.values().cloned().collect(),
            Value::Associative(map) => map.values().cloned().collect(),
        }
    }

    /// All keys, in order.
    pub(crate) fn keys(&self) -> Vec<Text> {
        match &self.value {
            Value::Unset => Vec::new(),
            Value::Text(_) => vec![b"0".to_vec()],
            Value::Indexed(list) => list.keys().map(|key| key.to_string().into_bytes()).collect(),
            Value::Associative(map) => map.keys().map(|(_, key)| key.clone()).collect(),
        }
    }

    /// The letters of its attributes, as `declare -p` writes them.
    pub(crate) fn flags(&self) -> String {
        let all = [
            (matches!(self.value, Value::Indexed(_)), 'a'),
            (matches!(self.value, Value::Associative(_)), 'A'),
            (self.integer, 'i'),
            (self.lower, 'l'),
            (self.reference, 'n'),
            (self.readonly, 'r'),
            (self.upper, 'u'),
            (self.exported, 'x'),
        ];
        all.iter().filter(|(set, _)| *set).map(|(_, letter)| *letter).collect()
    }
}
