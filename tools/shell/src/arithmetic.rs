//! Arithmetic of 64 bits, as in `$((…))`: computed while it is read.
//!
//! Expansions have been made before. A variable's value is an expression again.

mod place;

use crate::shell::Shell;
use crate::stop::{Flow, Stop};

/// How deep expressions and the variables in them may lead to one another.
const DEPTH_MAX: usize = 64;

impl Shell {
    /// The value of an expression; an empty one is 0.
    pub(crate) fn arithmetic(&mut self, text: &[u8]) -> Flow<i64> {
        evaluate(self, text, self.reckoned)
    }
}

fn evaluate(shell: &mut Shell, text: &[u8], depth: usize) -> Flow<i64> {
    if let Some(number) = plain(text) {
        return Ok(number);
    }
    if depth >= DEPTH_MAX {
        let shown = String::from_utf8_lossy(text);
        let message = format!("{shown}: expression recursion level exceeded (error token is \"{shown}\")");
        return Err(Stop::Failed(message, 1));
    }
    let mut reader = Reader { shell, text, at: 0, skip: 0, depth };
    reader.blanks();
    if reader.peek().is_none() {
        return Ok(0);
    }
    let value = reader.comma()?;
    reader.blanks();
    match reader.peek() {
        None => Ok(value),
        Some(_) => reader.error("syntax error in expression"),
    }
}

/// A decimal number and nothing else: the usual case.
fn plain(text: &[u8]) -> Option<i64> {
    let simple = matches!(text.first(), Some(b'1'..=b'9')) || text == b"0";
    if simple && text.len() < 19 && text.iter().all(u8::is_ascii_digit) {
        std::str::from_utf8(text).ok()?.parse().ok()
    } else {
        None
    }
}

struct Reader<'a> {
    shell: &'a mut Shell,
    text: &'a [u8],
    at: usize,
    /// Above 0 in a branch that is not taken: nothing is assigned there.
    skip: usize,
    depth: usize,
}

/// Binary operators by how tightly they bind, loosest first; longer ones before their beginnings.
const LEVELS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

const ASSIGNING: [&str; 11] = ["=", "+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "^=", "|="];

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn error<T>(&self, what: &str) -> Flow<T> {
        let (all, rest) = (String::from_utf8_lossy(self.text), String::from_utf8_lossy(self.rest()));
        Err(Stop::Failed(format!("{all}: {what} (error token is \"{rest}\")"), 1))
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Flow<T>) -> Flow<T> {
        if self.depth >= DEPTH_MAX {
            return self.error("expression recursion level exceeded");
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn take(&mut self, operator: &str) -> bool {
        self.blanks();
        let found = self.rest().starts_with(operator.as_bytes());
        if found {
            self.at += operator.len();
        }
        found
    }

    fn comma(&mut self) -> Flow<i64> {
        let mut value = self.assignment()?;
        while self.take(",") {
            value = self.assignment()?;
        }
        Ok(value)
    }

    fn assignment(&mut self) -> Flow<i64> {
        self.deeper(|reader| {
            let start = reader.at;
            if let Some(place) = reader.place()? {
                reader.blanks();
                let operator = ASSIGNING.iter().rev().find(|operator| {
                    let rest = reader.rest();
                    rest.starts_with(operator.as_bytes()) && !(**operator == "=" && rest.starts_with(b"=="))
                });
                if let Some(operator) = operator {
                    reader.at += operator.len();
                    let right = reader.assignment()?;
                    let value = if *operator == "=" {
                        right
                    } else {
                        let left = reader.load(&place)?;
                        reader.binary(operator.trim_end_matches('='), left, right)?
                    };
                    return reader.store(&place, value);
                }
            }
            reader.at = start;
            reader.conditional()
        })
    }

    fn conditional(&mut self) -> Flow<i64> {
        let condition = self.level(0)?;
        if !self.take("?") {
            return Ok(condition);
        }
        let yes = self.skipping(condition == 0, Self::comma)?;
        if !self.take(":") {
            return self.error("`:' expected for conditional expression");
        }
        let no = self.skipping(condition != 0, Self::assignment)?;
        Ok(if condition != 0 { yes } else { no })
    }

    fn skipping(&mut self, skip: bool, inner: impl FnOnce(&mut Self) -> Flow<i64>) -> Flow<i64> {
        self.skip += usize::from(skip);
        let result = inner(self);
        self.skip -= usize::from(skip);
        result
    }

    fn level(&mut self, level: usize) -> Flow<i64> {
        let Some(operators) = LEVELS.get(level) else { return self.power() };
        let mut left = self.level(level + 1)?;
        loop {
            self.blanks();
            let rest = self.rest();
            let found = operators.iter().find(|operator| {
                let after = rest.get(operator.len()).copied().unwrap_or(0);
                let single = operator.len() == 1 || matches!(**operator, "<<" | ">>");
                rest.starts_with(operator.as_bytes())
                    && !(single && after == b'=' && !matches!(**operator, "<" | ">"))
                    && !(operator.len() == 1
                        && after == operator.bytes().next().unwrap_or(0)
                        && b"|&<>*".contains(&after))
            });
            let Some(operator) = found else { return Ok(left) };
            self.at += operator.len();
            left = match *operator {
                "||" => {
                    let right = self.skipping(left != 0, |reader| reader.level(level + 1))?;
                    i64::from(left != 0 || right != 0)
                }
                "&&" => {
                    let right = self.skipping(left == 0, |reader| reader.level(level + 1))?;
                    i64::from(left != 0 && right != 0)
                }
                operator => {
                    let right = self.level(level + 1)?;
                    self.binary(operator, left, right)?
                }
            };
        }
    }

    fn binary(&mut self, operator: &str, left: i64, right: i64) -> Flow<i64> {
        let shift = u32::try_from(right & 63).unwrap_or(0);
        Ok(match operator {
            "|" => left | right,
            "^" => left ^ right,
            "&" => left & right,
            "==" => i64::from(left == right),
            "!=" => i64::from(left != right),
            "<=" => i64::from(left <= right),
            ">=" => i64::from(left >= right),
            "<" => i64::from(left < right),
            ">" => i64::from(left > right),
            "<<" => left.wrapping_shl(shift),
            ">>" => left.wrapping_shr(shift),
            "+" => left.wrapping_add(right),
            "-" => left.wrapping_sub(right),
            "*" => left.wrapping_mul(right),
            _ if right == 0 && self.skip > 0 => 0,
            _ if right == 0 => return self.error("division by 0"),
            "/" => left.wrapping_div(right),
            _ => left.wrapping_rem(right),
        })
    }

    fn power(&mut self) -> Flow<i64> {
        let base = self.unary()?;
        if !self.take("**") {
            return Ok(base);
        }
        let exponent = self.deeper(Self::power)?;
        let Ok(mut left) = u64::try_from(exponent) else { return self.error("exponent less than 0") };
        let (mut result, mut square) = (1_i64, base);
        while left > 0 {
            if left & 1 == 1 {
                result = result.wrapping_mul(square);
            }
            square = square.wrapping_mul(square);
            left >>= 1;
        }
        Ok(result)
    }

    fn unary(&mut self) -> Flow<i64> {
        self.blanks();
        let rest = self.rest();
        for (operator, step) in [("++", 1), ("--", -1)] {
            if rest.starts_with(operator.as_bytes()) {
                let before = self.at;
                self.at += 2;
                self.blanks();
                if let Some(place) = self.place()? {
                    let value = self.load(&place)?.wrapping_add(step);
                    return self.store(&place, value);
                }
                self.at = before;
            }
        }
        if rest.first() == Some(&b'!') && rest.get(1) != Some(&b'=') {
            self.at += 1;
            return Ok(i64::from(self.deeper(Self::unary)? == 0));
        }
        match rest.first() {
            Some(b'-') => {
                self.at += 1;
                Ok(self.deeper(Self::unary)?.wrapping_neg())
            }
            Some(b'+') => {
                self.at += 1;
                self.deeper(Self::unary)
            }
            Some(b'~') => {
                self.at += 1;
                Ok(!self.deeper(Self::unary)?)
            }
            _ => self.primary(),
        }
    }

    fn primary(&mut self) -> Flow<i64> {
        self.blanks();
        if self.take("(") {
            let value = self.deeper(Self::comma)?;
            return if self.take(")") { Ok(value) } else { self.error("missing `)'") };
        }
        if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return self.number();
        }
        let Some(place) = self.place()? else { return self.error("syntax error: operand expected") };
        let value = self.load(&place)?;
        self.blanks();
        for (operator, step) in [("++", 1), ("--", -1)] {
            if self.rest().starts_with(operator.as_bytes()) {
                self.at += 2;
                self.store(&place, value.wrapping_add(step))?;
                return Ok(value);
            }
        }
        Ok(value)
    }
}
