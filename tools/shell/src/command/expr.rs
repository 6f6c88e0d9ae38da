//! `expr`

use bstr::ByteSlice;

use super::Call;
use crate::regex::{Flags, Regex};
use crate::stop::{Flow, Stop, misused};
use crate::syntax::ast::Text;

struct Reader<'a> {
    words: &'a [Text],
    at: usize,
    depth: usize,
}

const LEVELS: [&[&str]; 5] = [&["|"], &["&"], &["<", "<=", "=", "==", "!=", ">=", ">"], &["+", "-"], &["*", "/", "%"]];

pub(super) async fn expr(call: Call<'_>) -> Flow<i32> {
    if call.arguments.is_empty() {
        return misused("missing operand");
    }
    let mut reader = Reader { words: call.arguments, at: 0, depth: 0 };
    let value = reader.level(0)?;
    if reader.at < call.arguments.len() {
        return misused("syntax error: unexpected argument");
    }
    let null = is_null(&value);
    let mut line = value;
    line.push(b'\n');
    call.shell.stdout().write(&line).await?;
    Ok(i32::from(null))
}

fn number(text: &Text) -> Option<i64> {
    text.to_str().ok()?.parse().ok()
}

fn is_null(text: &Text) -> bool {
    text.is_empty() || number(text) == Some(0)
}

impl Reader<'_> {
    fn level(&mut self, level: usize) -> Flow<Text> {
        let Some(operators) = LEVELS.get(level) else { return self.colon() };
        let mut left = self.level(level + 1)?;
        while let Some(operator) =
            self.words.get(self.at).and_then(|word| operators.iter().find(|known| known.as_bytes() == word.as_slice()))
        {
            self.at += 1;
            let right = self.level(level + 1)?;
            left = apply(operator, left, right)?;
        }
        Ok(left)
    }

    fn colon(&mut self) -> Flow<Text> {
        let mut left = self.primary()?;
        while self.words.get(self.at).is_some_and(|word| word == b":") {
            self.at += 1;
            let pattern = self.primary()?;
            left = matched(&left, &pattern)?;
        }
        Ok(left)
    }

    fn next(&mut self) -> Flow<Text> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word.ok_or_else(|| Stop::Failed("syntax error: missing argument".to_owned(), 2))
    }

    fn primary(&mut self) -> Flow<Text> {
        let word = self.next()?;
        self.depth += 1;
        if self.depth > 500 {
            return misused("too many levels of nesting");
        }
        match word.as_slice() {
            b"(" => {
                let value = self.level(0)?;
                if self.next()? == b")" { Ok(value) } else { misused("syntax error: expecting ')'") }
            }
            b"length" if self.at < self.words.len() => {
                let text = self.next()?;
                Ok(crate::text::length(&text).to_string().into_bytes())
            }
            b"match" if self.at + 1 < self.words.len() => {
                let (text, pattern) = (self.next()?, self.next()?);
                matched(&text, &pattern)
            }
            b"substr" if self.at + 2 < self.words.len() => {
                let (text, from, count) = (self.next()?, self.next()?, self.next()?);
                let place = |text: &Text| number(text).and_then(|value| usize::try_from(value).ok()).unwrap_or(0);
                let (from, count) = (place(&from), place(&count));
                if from == 0 {
                    return Ok(Text::new());
                }
                Ok(crate::text::characters(&text).skip(from - 1).take(count).flatten().copied().collect())
            }
            b"index" if self.at + 1 < self.words.len() => {
                let (text, set) = (self.next()?, self.next()?);
                let found = text.iter().position(|byte| set.contains(byte)).map_or(0, |at| at + 1);
                Ok(found.to_string().into_bytes())
            }
            _ => Ok(word),
        }
    }
}

fn matched(text: &[u8], pattern: &[u8]) -> Flow<Text> {
    let anchored = [b"^", pattern].concat();
    let regex = Regex::posix(&anchored, false, Flags::default()).map_err(|error| Stop::Failed(error, 2))?;
    let groups = regex.captures(text, 0);
    let has_group = pattern.contains_str(r"\(");
    Ok(match (groups, has_group) {
        (Some(groups), true) => {
            groups.get(1).cloned().flatten().and_then(|range| text.get(range)).unwrap_or_default().to_vec()
        }
        (None, true) => Text::new(),
        (Some(groups), false) => {
            let range = groups.first().cloned().flatten().unwrap_or_default();
            crate::text::length(text.get(range).unwrap_or_default()).to_string().into_bytes()
        }
        (None, false) => b"0".to_vec(),
    })
}

fn apply(operator: &str, left: Text, right: Text) -> Flow<Text> {
    let truth = |value: bool| Ok(i64::from(value).to_string().into_bytes());
    match operator {
        "|" => return Ok(if is_null(&left) { right } else { left }),
        "&" => return Ok(if is_null(&left) || is_null(&right) { b"0".to_vec() } else { left }),
        _ => {}
    }
    let numbers = number(&left).zip(number(&right));
    if let "<" | "<=" | "=" | "==" | "!=" | ">=" | ">" = operator {
        let order = match numbers {
            Some((left, right)) => left.cmp(&right),
            None => left.cmp(&right),
        };
        return truth(match operator {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            "=" | "==" => order.is_eq(),
            "!=" => order.is_ne(),
            ">=" => order.is_ge(),
            _ => order.is_gt(),
        });
    }
    let Some((left, right)) = numbers else { return misused("non-integer argument") };
    let value = match operator {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        _ if right == 0 => return misused("division by zero"),
        "/" => left.checked_div(right),
        _ => left.checked_rem(right),
    };
    value
        .map(|value| value.to_string().into_bytes())
        .ok_or_else(|| Stop::Failed("Numerical result out of range".to_owned(), 2))
}
