//! From POSIX's basic and extended syntax to the automaton's.

/// Translates a basic expression (BRE), with GNU's `\+`, `\?` and `\|`.
pub(super) fn basic(pattern: &[u8]) -> Result<String, String> {
    Translator::new(pattern, false).run()
}

/// Translates an extended expression (ERE).
pub(super) fn extended(pattern: &[u8]) -> Result<String, String> {
    Translator::new(pattern, true).run()
}

struct Translator {
    letters: Vec<char>,
    at: usize,
    extended: bool,
    out: String,
    open: usize,
    /// Something stands here that can be repeated.
    atom: bool,
    /// Where it begins in `out`.
    atom_start: usize,
    /// It is repeated already.
    repeats: bool,
    /// Where the open groups begin in `out`.
    groups: Vec<usize>,
}

impl Translator {
    fn new(pattern: &[u8], extended: bool) -> Self {
        let letters = String::from_utf8_lossy(pattern).chars().collect();
        Self {
            letters,
            at: 0,
            extended,
            out: String::new(),
            open: 0,
            atom: false,
            atom_start: 0,
            repeats: false,
            groups: Vec::new(),
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.letters.get(self.at + ahead).copied()
    }

    fn run(mut self) -> Result<String, String> {
        while let Some(letter) = self.peek(0) {
            self.at += 1;
            match letter {
                '\\' => self.escape()?,
                '[' => self.bracket()?,
                '.' => self.put("."),
                '*' if self.atom => self.repeat("*"),
                '*' => self.literal('*'),
                '^' => self.start(),
                '$' => self.end(),
                '(' | ')' | '{' | '|' | '+' | '?' if self.extended => self.operator(letter)?,
                other => self.literal(other),
            }
        }
        if self.open > 0 {
            return Err("Unmatched ( or \\(".to_owned());
        }
        Ok(self.out)
    }

    fn put(&mut self, text: &str) {
        self.atom_start = self.out.len();
        self.out.push_str(text);
        self.atom = true;
        self.repeats = false;
    }

    /// Repeats the last atom. A repetition of a repetition is put around the whole, whose meaning is then the same.
    fn repeat(&mut self, text: &str) {
        if self.repeats && text == "*" && self.out.ends_with('*') {
            return;
        }
        if self.repeats {
            self.out.insert_str(self.atom_start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(text);
        self.repeats = true;
    }

    fn literal(&mut self, letter: char) {
        self.atom_start = self.out.len();
        self.repeats = false;
        if r"\.+*?()|[]{}^$#&-~".contains(letter) {
            self.out.push('\\');
        }
        self.out.push(letter);
        self.atom = true;
    }

    fn start(&mut self) {
        let anchors = self.extended || self.out.is_empty() || self.out.ends_with('(') || self.out.ends_with('|');
        if anchors {
            self.out.push('^');
            self.atom = false;
        } else {
            self.literal('^');
        }
    }

    fn end(&mut self) {
        let last = self.peek(0).is_none() || self.peek(0) == Some('\\') && matches!(self.peek(1), Some(')' | '|'));
        if self.extended || last {
            self.out.push('$');
        } else {
            self.literal('$');
        }
    }

    fn operator(&mut self, letter: char) -> Result<(), String> {
        match letter {
            '(' => {
                self.open += 1;
                self.groups.push(self.out.len());
                self.out.push('(');
                self.atom = false;
            }
            ')' if self.open > 0 => {
                self.open -= 1;
                self.out.push(')');
                self.atom_start = self.groups.pop().unwrap_or(0);
                self.atom = true;
                self.repeats = false;
            }
            ')' if self.extended => self.literal(')'),
            ')' => return Err("Unmatched ) or \\)".to_owned()),
            '|' => {
                self.out.push('|');
                self.atom = false;
            }
            '{' => return self.interval(),
            '+' | '?' if self.atom => self.repeat(letter.to_string().as_str()),
            other => self.literal(other),
        }
        Ok(())
    }

    /// `{1,3}`, its first brace taken. In an extended expression what is no interval is text.
    fn interval(&mut self) -> Result<(), String> {
        let rest: String = self.letters.get(self.at..).unwrap_or_default().iter().collect();
        let close = if self.extended { "}" } else { "\\}" };
        let inside = rest.find(close).map(|end| rest.get(..end).unwrap_or_default());
        let valid = inside.filter(|inside| {
            let (low, high) = inside.split_once(',').unwrap_or((inside, "0"));
            let digits = |text: &str| text.len() < 6 && text.bytes().all(|byte| byte.is_ascii_digit());
            digits(low) && digits(high) && !inside.is_empty() && *inside != ","
        });
        match valid {
            Some(inside) if self.atom => {
                let zero = if inside.starts_with(',') { "0" } else { "" };
                let text = format!("{{{zero}{inside}}}");
                self.at += inside.chars().count() + close.len();
                self.repeat(&text);
                Ok(())
            }
            _ if self.extended => {
                self.literal('{');
                Ok(())
            }
            _ => Err("Invalid content of \\{\\}".to_owned()),
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(letter) = self.peek(0) else { return Err("Trailing backslash".to_owned()) };
        self.at += 1;
        match letter {
            '(' | ')' | '{' | '|' if !self.extended => return self.operator(letter),
            '+' | '?' if !self.extended => return self.operator(letter),
            '<' => self.out.push_str(r"(?-u:\b{start})"),
            '>' => self.out.push_str(r"(?-u:\b{end})"),
            'b' => self.out.push_str(r"(?-u:\b)"),
            'B' => self.out.push_str(r"(?-u:\B)"),
            'w' => self.put("[A-Za-z0-9_]"),
            'W' => self.put("[^A-Za-z0-9_]"),
            's' => self.put(r"[\t\n\v\f\r ]"),
            'S' => self.put(r"[^\t\n\v\f\r ]"),
            '`' => self.out.push_str(r"\A"),
            '\'' => self.out.push_str(r"\z"),
            'n' => self.literal('\n'),
            't' => self.literal('\t'),
            'r' => self.literal('\r'),
            'f' => self.literal('\u{c}'),
            'v' => self.literal('\u{b}'),
            '1'..='9' => {
                return Err("back-references are not available in the sandbox: expressions are matched in linear time"
                    .to_owned());
            }
            other => self.literal(other),
        }
        Ok(())
    }

    /// A bracket expression, its first bracket taken.
    fn bracket(&mut self) -> Result<(), String> {
        let mut class = String::from("[");
        if self.peek(0) == Some('^') {
            self.at += 1;
            class.push('^');
        }
        let mut first = true;
        loop {
            let Some(letter) = self.peek(0) else { return Err("Unmatched [, [^, [:, [., or [=".to_owned()) };
            self.at += 1;
            match letter {
                ']' if !first => break,
                '[' if matches!(self.peek(0), Some(':' | '.' | '=')) => self.named(&mut class)?,
                '-' if !first && self.peek(0) != Some(']') => class.push('-'),
                '\\' if matches!(self.peek(0), Some('n' | 't' | ']' | '\\')) => self.bracket_escape(&mut class),
                other => class_letter(&mut class, other),
            }
            first = false;
        }
        class.push(']');
        self.put(&class);
        Ok(())
    }

    /// In brackets a backslash is a letter, but GNU's tools know `\n` and `\t` there.
    fn bracket_escape(&mut self, class: &mut String) {
        match self.peek(0) {
            Some(letter @ ('n' | 't')) => {
                self.at += 1;
                class.push('\\');
                class.push(letter);
            }
            Some('\\') => {
                self.at += 1;
                class.push_str("\\\\");
            }
            _ => class.push_str("\\\\"),
        }
    }

    fn named(&mut self, class: &mut String) -> Result<(), String> {
        let kind = self.peek(0).unwrap_or(':');
        self.at += 1;
        let mut name = String::new();
        while let Some(letter) = self.peek(0) {
            if letter == kind && self.peek(1) == Some(']') {
                self.at += 2;
                if kind == ':' {
                    if !crate::pattern::CLASS_NAMES.contains(&name.as_str()) {
                        return Err("Invalid character class name".to_owned());
                    }
                    class.push_str(&format!("[:{name}:]"));
                } else {
                    name.chars().for_each(|letter| class_letter(class, letter));
                }
                return Ok(());
            }
            name.push(letter);
            self.at += 1;
        }
        Err("Unmatched [, [^, [:, [., or [=".to_owned())
    }
}

fn class_letter(class: &mut String, letter: char) {
    if r"\[]^&~-".contains(letter) {
        class.push('\\');
    }
    class.push(letter);
}
