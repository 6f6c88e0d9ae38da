//! What reaches the person: results on standard output, everything else on standard error.
//!
//! Colours only where they are wanted, and every message says the same without them. Text that is not ours is escaped here: a
//! second line of it is indented, so that it cannot pass for a message of Caplet's.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use caplet::audit::text::{visible, visible_line};
use clap::ColorChoice;

use crate::failure::{Excerpt, Failure};

/// How the words that open a line are styled.
pub(crate) mod style {
    use super::{AnsiColor, Style};

    pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
    pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
    pub(crate) const HELP: Style = AnsiColor::Cyan.on_default().bold();
    pub(crate) const NOTE: Style = Style::new().bold();
    pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
    pub(crate) const QUIET: Style = Style::new().dimmed();
}

/// The two streams.
#[derive(Debug)]
pub(crate) struct Ui {
    verbose: bool,
    terminal: bool,
    out: AutoStream<io::Stdout>,
    err: AutoStream<io::Stderr>,
}

impl Ui {
    pub(crate) fn new(color: ColorChoice, verbose: bool) -> Self {
        let choice = match color {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
        };
        // The stream decides for each side by itself, by whether it is a terminal and by NO_COLOR and its like.
        choice.write_global();
        Self {
            verbose,
            terminal: io::stdout().is_terminal(),
            out: AutoStream::auto(io::stdout()),
            err: AutoStream::auto(io::stderr()),
        }
    }

    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// A line of ours on standard output. What it holds of others' text must have been escaped.
    pub(crate) fn line(&mut self, line: impl Display) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// A tool's text: escaped on a terminal, byte for byte anywhere else.
    pub(crate) fn tool_text(&mut self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if !self.terminal {
            return out.write_all(text.as_bytes());
        }
        out.write_all(visible(text).as_bytes())?;
        if text.is_empty() || text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") }
    }

    /// JSON whose strings are escaped already.
    pub(crate) fn json(&mut self, json: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(json.as_bytes())?;
        out.write_all(b"\n")
    }

    /// Bytes that no one reads on a terminal, such as a component.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        io::stdout().lock().write_all(bytes)
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// `error: …` on standard error.
    pub(crate) fn error(&mut self, message: &str) -> io::Result<()> {
        self.message(style::ERROR, "error", message)
    }

    /// `warning: …` on standard error.
    pub(crate) fn warning(&mut self, message: &str) -> io::Result<()> {
        self.message(style::WARNING, "warning", message)
    }

    /// `help: …` on standard error.
    pub(crate) fn help(&mut self, message: &str) -> io::Result<()> {
        self.message(style::HELP, "help", message)
    }

    /// `note: …` on standard error.
    pub(crate) fn note(&mut self, message: &str) -> io::Result<()> {
        self.message(style::NOTE, "note", message)
    }

    /// An indented line below a message on standard error.
    pub(crate) fn detail(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.err, "  {}", indented(text))
    }

    fn message(&mut self, style: Style, word: &str, message: &str) -> io::Result<()> {
        writeln!(self.err, "{style}{word}:{style:#} {}", indented(message))
    }

    /// A failure: what is wrong, where, and how to put it right.
    pub(crate) fn failure(&mut self, failure: &Failure) -> io::Result<()> {
        self.error(&failure.info.message)?;
        if let Some(excerpt) = &failure.excerpt {
            self.excerpt(excerpt)?;
        }
        match &failure.info.hint {
            Some(hint) => self.help(hint),
            None => Ok(()),
        }
    }

    /// The line of a text that a message is about, with the place marked.
    pub(crate) fn excerpt(&mut self, excerpt: &Excerpt) -> io::Result<()> {
        let Place { line, column, before, marked, after } = Place::find(&excerpt.text, &excerpt.span);
        let (line, column) = excerpt.at.unwrap_or((line, column));
        let (quiet, error) = (style::QUIET, style::ERROR);
        let margin = " ".repeat(line.to_string().len());
        let lead = " ".repeat(before.chars().count());
        let marks = "^".repeat(marked.chars().count().max(1));
        writeln!(self.err, "{margin}{quiet}-->{quiet:#} {}:{line}:{column}", visible_line(&excerpt.name))?;
        writeln!(self.err, "{margin} {quiet}|{quiet:#}")?;
        writeln!(self.err, "{line} {quiet}|{quiet:#} {before}{marked}{after}")?;
        writeln!(self.err, "{margin} {quiet}|{quiet:#} {lead}{error}{marks}{error:#}")
    }
}

/// Text that may be a guest's, in one block below the line that it starts on.
fn indented(text: &str) -> String {
    visible(text.trim_end()).replace('\n', "\n  ")
}

/// A span as a line and its parts, escaped.
struct Place {
    line: usize,
    column: usize,
    before: String,
    marked: String,
    after: String,
}

impl Place {
    /// How much of a line is shown on each side of the marked part, in characters.
    const CONTEXT: usize = 60;

    fn find(text: &str, span: &std::ops::Range<usize>) -> Self {
        let start = text.floor_char_boundary(span.start);
        let end = text.floor_char_boundary(span.end).max(start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let before = &text[line_start..start];
        let shown_from = before.char_indices().rev().nth(Self::CONTEXT).map_or(0, |(at, _)| at);
        let cut = |text: &str| text.chars().take(Self::CONTEXT).collect::<String>();
        let shown = |text: &str| visible_line(&text.replace('\t', " ")).into_owned();
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: before.chars().count() + 1,
            before: shown(&before[shown_from..]),
            marked: shown(&cut(&text[start..end.min(line_end)])),
            after: shown(&cut(&text[end.min(line_end)..line_end])),
        }
    }
}
