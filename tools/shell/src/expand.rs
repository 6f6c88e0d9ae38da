//! From words to texts: braces, tildes, parameters, commands, arithmetic, splitting, file names, quotes.
//!
//! In: words of the tree. Out: byte strings. While a word is built, what was quoted is escaped in it; only then is what stays
//! active known when names are matched.

mod braces;
mod change;
mod names;
mod operate;
mod parameter;
mod sink;

use std::rc::Rc;

use sink::Mode;
pub(crate) use sink::Sink;

use crate::pattern;
use crate::shell::Shell;
use crate::stop::{Flow, Stop};
use crate::stream::{Kept, Stream};
use crate::syntax::ast::{Part, Script, Text, Word};
use crate::task::Task;

/// How many texts one command may expand to.
const WORDS_MAX: usize = 2_000_000;

impl Shell {
    /// The arguments that words stand for.
    pub(crate) async fn expand_words(&mut self, words: impl Iterator<Item = &Word>) -> Flow<Vec<Text>> {
        let mut out = Vec::new();
        for word in words {
            self.expand_fields(word, &mut out).await?;
            if out.len() > WORDS_MAX {
                return Err(Stop::Limit(format!("more than {WORDS_MAX} arguments")));
            }
        }
        Ok(out)
    }

    /// Appends the arguments that one word stands for.
    pub(crate) async fn expand_fields(&mut self, word: &Word, out: &mut Vec<Text>) -> Flow<()> {
        if let [Part::Bare(text)] = word.parts.as_slice()
            && !word.braces
            && !pattern::is_active(text)
        {
            out.push(text.clone());
            return Ok(());
        }
        if word.braces {
            for one in braces::expand(word)? {
                match one.parts.as_slice() {
                    [Part::Bare(text)] if !pattern::is_active(text) => out.push(text.clone()),
                    parts => self.fields_of(parts, out).await?,
                }
            }
            return Ok(());
        }
        self.fields_of(&word.parts, out).await
    }

    async fn fields_of(&mut self, parts: &[Part], out: &mut Vec<Text>) -> Flow<()> {
        let separators = self.separators();
        let mut sink = Sink::new(Mode::Fields, separators);
        self.expand_parts(parts, &mut sink, false).await?;
        for (field, active) in sink.finish() {
            if active && !self.options.has("noglob") {
                self.file_names(field, out)?;
            } else {
                out.push(pattern::unescape(&field));
            }
        }
        Ok(())
    }

    /// The text of a word that is not split: an assignment, a redirection, a here-document.
    pub(crate) async fn expand_text(&mut self, word: &Word) -> Flow<Text> {
        match word.parts.as_slice() {
            [] => return Ok(Text::new()),
            [Part::Bare(text) | Part::Quoted(text)] => return Ok(text.clone()),
            _ => {}
        }
        let mut sink = Sink::new(Mode::Text, Text::new());
        self.expand_parts(&word.parts, &mut sink, false).await?;
        Ok(sink.into_text())
    }

    /// A word as a pattern: what is quoted in it is escaped.
    pub(crate) async fn expand_pattern(&mut self, word: &Word) -> Flow<Text> {
        let mut sink = Sink::new(Mode::Pattern, Text::new());
        self.expand_parts(&word.parts, &mut sink, false).await?;
        Ok(sink.into_text())
    }

    /// A word as a regular expression: what is quoted in it is escaped.
    pub(crate) async fn expand_regex(&mut self, word: &Word) -> Flow<Text> {
        let mut sink = Sink::new(Mode::Regex, Text::new());
        self.expand_parts(&word.parts, &mut sink, false).await?;
        Ok(sink.into_text())
    }

    /// What comes in the place of a match: what is quoted in it is escaped.
    pub(crate) async fn expand_replacement(&mut self, word: &Word) -> Flow<Text> {
        let mut sink = Sink::new(Mode::Replacement, Text::new());
        self.expand_parts(&word.parts, &mut sink, false).await?;
        Ok(sink.into_text())
    }

    /// The value of an arithmetic word.
    pub(crate) async fn expand_number(&mut self, word: &Word) -> Flow<i64> {
        if let [Part::Quoted(text) | Part::Bare(text)] = word.parts.as_slice() {
            return self.arithmetic(text);
        }
        let text = self.expand_text(word).await?;
        self.arithmetic(&text)
    }

    pub(crate) fn separators(&self) -> Text {
        match self.variable(b"IFS") {
            Some(variable) => variable.scalar().cloned().unwrap_or_default(),
            None => b" \t\n".to_vec(),
        }
    }

    /// Expands parts into a sink. `quoted`: they stand in double quotes.
    pub(crate) fn expand_parts<'a>(
        &'a mut self,
        parts: &'a [Part],
        sink: &'a mut Sink,
        quoted: bool,
    ) -> Task<'a, Flow<()>> {
        Box::pin(async move {
            for part in parts {
                match part {
                    Part::Bare(text) if !quoted => sink.bare(text),
                    Part::Bare(text) | Part::Quoted(text) => sink.quoted(text),
                    Part::Double(inner) => {
                        if inner.is_empty() {
                            sink.quoted(b"");
                        }
                        self.expand_parts(inner, sink, true).await?;
                    }
                    Part::Parameter(parameter) => self.expand_parameter(parameter, sink, quoted).await?,
                    Part::Command(script) => {
                        let text = self.substitute(script).await?;
                        sink.expanded(&text, quoted);
                    }
                    Part::Arithmetic(word) => {
                        let depth = self.deeper()?;
                        let number = self.expand_number(word).await;
                        self.depth = depth;
                        let number = number?;
                        sink.expanded(number.to_string().as_bytes(), quoted);
                    }
                    Part::Process(script, output) => {
                        let path = self.process(script, *output).await?;
                        sink.quoted(&path);
                    }
                    Part::Tilde(name) => self.tilde(name, sink),
                }
            }
            Ok(())
        })
    }

    fn tilde(&mut self, name: &[u8], sink: &mut Sink) {
        let home = match name {
            b"" => self.value(b"HOME"),
            b"+" => Some(self.directory.clone()),
            b"-" => self.value(b"OLDPWD"),
            b"root" => Some(b"/root".to_vec()),
            _ => None,
        };
        match home {
            Some(path) => sink.quoted(&path),
            None => {
                sink.bare(b"~");
                sink.bare(name);
            }
        }
    }

    /// Runs a script in a subshell; gives what it writes, without the line ends at its end.
    pub(crate) async fn substitute(&mut self, script: &Rc<Script>) -> Flow<Text> {
        let kept = Kept::all();
        let mut inner = self.inner()?;
        if let Some(text) = inner.file_shortcut(script).await? {
            self.status = inner.status;
            self.substituted = Some(inner.status);
            return Ok(trimmed(text));
        }
        inner.set_stream(1, Stream::kept(&kept));
        if !self.options.has("errexit") {
            inner.tested = 0;
        }
        // `set -e` is not inherited by a command substitution.
        inner.options.put("errexit", false);
        self.status = inner.run_subshell(script).await?;
        self.substituted = Some(self.status);
        drop(inner);
        Ok(trimmed(kept.take().0))
    }

    /// `$(< file)`
    async fn file_shortcut(&mut self, script: &Script) -> Flow<Option<Text>> {
        use crate::syntax::ast::{Kind, RedirectKind};
        let [item] = script.items.as_slice() else { return Ok(None) };
        let [stage] = item.first.stages.as_slice() else { return Ok(None) };
        let (Kind::Simple { assigns, words }, [redirect]) = (&stage.kind, stage.redirects.as_slice()) else {
            return Ok(None);
        };
        let RedirectKind::Read(word) = &redirect.kind else { return Ok(None) };
        if !assigns.is_empty() || !words.is_empty() || !item.rest.is_empty() {
            return Ok(None);
        }
        let name = self.expand_text(word).await?;
        match self.open_to_read(&name) {
            Ok(stream) => {
                let mut text = Text::new();
                loop {
                    let piece = stream.read().await?;
                    if piece.is_empty() {
                        break;
                    }
                    text.extend_from_slice(&piece);
                }
                self.status = 0;
                Ok(Some(text))
            }
            Err(error) => {
                self.complain(self.refusal(&name, &error, false)).await;
                self.status = 1;
                Ok(Some(Text::new()))
            }
        }
    }

    /// A subshell one level deeper, if that is not too deep.
    pub(crate) fn inner(&self) -> Flow<Self> {
        let mut inner = self.fork();
        inner.deeper()?;
        Ok(inner)
    }

    /// `<(…)` runs to its end at once, and what it wrote can be read at the path that is given.
    async fn process(&mut self, script: &Rc<Script>, output: bool) -> Flow<Text> {
        let number = (60..).find(|number| !self.streams.contains_key(number)).unwrap_or(60);
        if output {
            return Err(Stop::Failed("process substitution with `>(' is not available in the sandbox".to_owned(), 1));
        }
        let kept = Kept::all();
        let mut inner = self.inner()?;
        inner.set_stream(1, Stream::kept(&kept));
        inner.run_subshell(script).await?;
        drop(inner);
        self.set_stream(number, Stream::bytes(kept.take().0));
        Ok(format!("/dev/fd/{number}").into_bytes())
    }
}

fn trimmed(mut text: Text) -> Text {
    while text.last() == Some(&b'\n') {
        text.pop();
    }
    // A shell cannot hold them in a variable.
    text.retain(|byte| *byte != 0);
    text
}
