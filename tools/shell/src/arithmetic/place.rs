//! Numbers and variables in an expression.

use super::{Reader, evaluate};
use crate::shell::Shell;
use crate::stop::{Flow, Stop};
use crate::syntax::ast::Text;

/// A variable, or an element of one, that can be assigned to.
pub(super) struct Place {
    name: Text,
    subscript: Option<Text>,
}

impl Reader<'_> {
    /// A number, with its base.
    pub(super) fn number(&mut self) -> Flow<i64> {
        let rest = self.rest();
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"#@_".contains(byte)).count();
        let digits = String::from_utf8_lossy(rest.get(..length).unwrap_or_default()).into_owned();
        let parsed = if let Some((base, digits)) = digits.split_once('#') {
            base.parse().ok().filter(|base| (2..=64).contains(base)).and_then(|base| in_base(digits, base))
        } else if let Some(hexadecimal) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
            in_base(hexadecimal, 16)
        } else if digits.len() > 1 && digits.starts_with('0') {
            in_base(&digits, 8)
        } else {
            in_base(&digits, 10)
        };
        let Some(value) = parsed else { return self.error("value too great for base") };
        self.at += length;
        Ok(value)
    }

    /// What can be assigned to, if such a thing begins here.
    pub(super) fn place(&mut self) -> Flow<Option<Place>> {
        self.blanks();
        let rest = self.rest();
        let length = rest
            .iter()
            .enumerate()
            .position(|(at, byte)| !(byte.is_ascii_alphabetic() || *byte == b'_' || at > 0 && byte.is_ascii_digit()))
            .unwrap_or(rest.len());
        if length == 0 {
            return Ok(None);
        }
        self.at += length;
        let name = rest.get(..length).unwrap_or_default().to_vec();
        if self.peek() != Some(b'[') {
            return Ok(Some(Place { name, subscript: None }));
        }
        let inside = self.rest().get(1..).unwrap_or_default();
        let mut deep = 0_usize;
        let end = inside.iter().position(|byte| {
            match byte {
                b'[' => deep += 1,
                b']' if deep == 0 => return true,
                b']' => deep -= 1,
                _ => {}
            }
            false
        });
        let Some(end) = end else { return self.error("bad array subscript") };
        self.at += end + 2;
        let subscript = Some(inside.get(..end).unwrap_or_default().to_vec());
        Ok(Some(Place { name, subscript }))
    }

    /// The value of a variable: an expression again.
    pub(super) fn load(&mut self, place: &Place) -> Flow<i64> {
        if self.skip > 0 {
            return Ok(0);
        }
        let value = self.inside(|shell| match &place.subscript {
            Some(subscript) => shell.element(&place.name, subscript),
            None => Ok(shell.value(&place.name)),
        })?;
        match value {
            None if self.shell.options.nounset() => {
                Err(Stop::Failed(format!("{}: unbound variable", String::from_utf8_lossy(&place.name)), 1))
            }
            None => Ok(0),
            Some(text) => evaluate(self.shell, &text, self.depth + 1),
        }
    }

    /// Assigns a value, and gives it.
    pub(super) fn store(&mut self, place: &Place, value: i64) -> Flow<i64> {
        if self.skip == 0 {
            let text = value.to_string().into_bytes();
            self.inside(|shell| match &place.subscript {
                Some(subscript) => shell.assign_element(&place.name, subscript, text, false),
                None => shell.assign(&place.name, text, false),
            })?;
        }
        Ok(value)
    }

    /// Does what may evaluate expressions again: subscripts, and values of integer variables.
    fn inside<T>(&mut self, work: impl FnOnce(&mut Shell) -> Flow<T>) -> Flow<T> {
        let before = std::mem::replace(&mut self.shell.reckoned, self.depth + 1);
        let result = work(self.shell);
        self.shell.reckoned = before;
        result
    }
}

/// Digits `0-9a-zA-Z@_`; up to base 36 the case does not matter.
fn in_base(digits: &str, base: i64) -> Option<i64> {
    digits.bytes().try_fold(0_i64, |sum, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' => byte - b'a' + 10,
            b'A'..=b'Z' if base <= 36 => byte - b'A' + 10,
            b'A'..=b'Z' => byte - b'A' + 36,
            b'@' => 62,
            b'_' => 63,
            _ => return None,
        };
        let digit = i64::from(digit);
        (digit < base).then(|| sum.wrapping_mul(base).wrapping_add(digit))
    })
}
