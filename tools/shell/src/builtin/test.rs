//! `test` and `[`

use bstr::ByteSlice;

use crate::shell::Shell;
use crate::stop::{Flow, misused};
use crate::syntax::ast::Text;

pub(super) fn bracket(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    match arguments.split_last() {
        Some((last, rest)) if last == b"]" => test(shell, rest),
        _ => misused("missing `]'"),
    }
}

pub(super) fn test(shell: &mut Shell, arguments: &[Text]) -> Flow<i32> {
    let value = match arguments {
        [] => false,
        [one] => !one.is_empty(),
        [not, one] if not == b"!" => one.is_empty(),
        [flag, operand] => shell.unary_test(flag, operand)?,
        [left, operator, right] if is_binary(operator) => shell.binary_test(left, operator, right)?,
        [not, flag, operand] if not == b"!" => !shell.unary_test(flag, operand)?,
        [not, left, operator, right] if not == b"!" && is_binary(operator) => {
            !shell.binary_test(left, operator, right)?
        }
        all => {
            let mut reader = Reader { shell, all, at: 0, depth: 0 };
            let value = reader.any()?;
            if reader.at < all.len() {
                return misused("too many arguments");
            }
            value
        }
    };
    Ok(i32::from(!value))
}

fn is_binary(operator: &[u8]) -> bool {
    matches!(
        operator,
        b"=" | b"=="
            | b"!="
            | b"<"
            | b">"
            | b"-eq"
            | b"-ne"
            | b"-lt"
            | b"-le"
            | b"-gt"
            | b"-ge"
            | b"-nt"
            | b"-ot"
            | b"-ef"
    )
}

/// Reads an expression with `-a`, `-o`, `!` and parentheses.
struct Reader<'a> {
    shell: &'a mut Shell,
    all: &'a [Text],
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a [u8]> {
        self.all.get(self.at).map(Vec::as_slice)
    }

    fn any(&mut self) -> Flow<bool> {
        let mut value = self.every()?;
        while self.peek() == Some(b"-o") {
            self.at += 1;
            value |= self.every()?;
        }
        Ok(value)
    }

    fn every(&mut self) -> Flow<bool> {
        let mut value = self.one()?;
        while self.peek() == Some(b"-a") {
            self.at += 1;
            value &= self.one()?;
        }
        Ok(value)
    }

    fn one(&mut self) -> Flow<bool> {
        let Some(first) = self.peek() else { return misused("argument expected") };
        let (second, third) = (self.all.get(self.at + 1), self.all.get(self.at + 2));
        if let (Some(operator), Some(right)) = (second, third)
            && is_binary(operator)
        {
            self.at += 3;
            return self.shell.binary_test(first, operator, right);
        }
        self.at += 1;
        self.depth += 1;
        if self.depth > 100 {
            return misused("too many levels of nesting");
        }
        let value = match first {
            b"!" => !self.one()?,
            b"(" => {
                let value = self.any()?;
                if self.peek() != Some(b")") {
                    return misused("`)' expected");
                }
                self.at += 1;
                value
            }
            [b'-', letter] if letter.is_ascii_alphabetic() && second.is_some() => {
                let operand = second.cloned().unwrap_or_default();
                self.at += 1;
                self.shell.unary_test(first, &operand)?
            }
            other => !other.as_bytes().is_empty(),
        };
        self.depth -= 1;
        Ok(value)
    }
}
