//! Values: text, numbers, and text from outside that looks like a number.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;

use crate::number;
use crate::syntax::ast::Text;

#[derive(Clone, Debug, Default)]
pub(super) enum Value {
    #[default]
    Unset,
    Number(f64),
    Text(Text),
    /// Text from input, and what it is as a number if it looks like one.
    Input(Text, Option<f64>),
}

/// An array, shared where a function gets it.
pub(super) type Array = Rc<RefCell<HashMap<Text, Value>>>;

impl Value {
    /// Text from input.
    pub(super) fn input(text: &[u8]) -> Self {
        let (value, used) = number::leading(text);
        let rest = text.get(used..).unwrap_or_default();
        let looks = used > 0 && rest.iter().all(u8::is_ascii_whitespace);
        Self::Input(text.to_vec(), looks.then_some(value))
    }

    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Unset => 0.0,
            Self::Number(value) | Self::Input(_, Some(value)) => *value,
            Self::Text(text) | Self::Input(text, None) => number::leading(text).0,
        }
    }

    pub(super) fn text(&self) -> Text {
        match self {
            Self::Unset => Text::new(),
            Self::Number(value) => number_text(*value),
            Self::Text(text) | Self::Input(text, _) => text.clone(),
        }
    }

    pub(super) fn truth(&self) -> bool {
        match self {
            Self::Unset => false,
            Self::Number(value) | Self::Input(_, Some(value)) => *value != 0.0,
            Self::Text(text) | Self::Input(text, None) => !text.is_empty(),
        }
    }

    pub(super) fn is_numeric(&self) -> bool {
        matches!(self, Self::Unset | Self::Number(_) | Self::Input(_, Some(_)))
    }

    /// As numbers where both are, else as texts.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        if self.is_numeric() && other.is_numeric() {
            self.number().partial_cmp(&other.number())
        } else {
            Some(self.text().cmp(&other.text()))
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Number(if value { 1.0 } else { 0.0 })
    }
}

/// A whole number as such, others with six digits.
pub(super) fn number_text(value: f64) -> Text {
    if value.fract() == 0.0 && value.abs() < 1e16 {
        return number::truncate(value).to_string().into_bytes();
    }
    number::short(value).into_bytes()
}
