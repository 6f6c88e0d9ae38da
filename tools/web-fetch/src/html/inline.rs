//! Text within a block: white space collapsed, marks (emphasis, links, code) put around what they hold.
//!
//! A mark is written when it ends, around the text since it began; one that holds nothing is not written, and white space at its
//! ends stays outside. A block inside a mark ends it, and the mark begins again with the next text.

use super::escape::{self, Place};
use crate::clean::is_blank;

/// A mark around text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Strong,
    Emphasis,
    Strike,
    Code,
    Superscript,
    Subscript,
    Link {
        /// Absolute.
        url: String,
        /// What to show where the link holds nothing that is text.
        label: Option<String>,
        /// It leads to a place on this page.
        local: bool,
    },
}

impl Mark {
    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

#[derive(Debug)]
struct Frame {
    mark: Mark,
    start: Option<usize>,
    /// It held text already.
    used: bool,
    /// It is code that was begun inside a link, and goes on after it.
    implied: bool,
}

/// The text of a block as it grows.
#[derive(Debug)]
pub(crate) struct Inline {
    markdown: bool,
    text: String,
    frames: Vec<Frame>,
    space: bool,
    /// Inside a table.
    pub(crate) table: bool,
    /// Inside a heading, where emphasis says nothing.
    pub(crate) heading: bool,
}

impl Inline {
    pub(crate) fn new(markdown: bool) -> Self {
        Self { markdown, text: String::new(), frames: Vec::new(), space: false, table: false, heading: false }
    }

    fn holds(&self, wanted: impl Fn(&Mark) -> bool) -> bool {
        self.frames.iter().any(|frame| wanted(&frame.mark))
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// Adds text as it stands in the page.
    pub(crate) fn text(&mut self, text: &str) {
        let place = Place { link: self.holds(|mark| matches!(mark, Mark::Link { .. })), table: self.table };
        let verbatim = !self.markdown || self.holds(|mark| *mark == Mark::Code);
        if text.starts_with(char::is_whitespace) {
            self.space();
        }
        let mut words = text.split_whitespace().filter(|word| !is_blank(word)).peekable();
        while let Some(word) = words.next() {
            let after = (words.peek().is_some() || text.ends_with(char::is_whitespace)).then_some(' ');
            self.begin();
            if !verbatim {
                escape::word(word, after, place, &mut self.text);
            } else if self.table && self.markdown {
                // In a table a bar ends the cell even inside code.
                self.text.push_str(&word.replace('|', "\\|"));
            } else {
                self.text.push_str(word);
            }
            if after.is_some() {
                self.space();
            }
        }
    }

    /// Adds what is markup already.
    pub(crate) fn raw(&mut self, markup: &str) {
        self.begin();
        self.text.push_str(markup);
    }

    /// White space, which counts only between two words.
    pub(crate) fn space(&mut self) {
        self.space = !self.text.is_empty() && !self.text.ends_with('\n');
    }

    /// A line's end. False if there was one just before, so that a new paragraph is meant.
    pub(crate) fn line_break(&mut self) -> bool {
        if self.heading {
            self.space();
            return true;
        }
        self.space = false;
        if self.text.is_empty() {
            return true;
        }
        if self.text.ends_with('\n') {
            return false;
        }
        self.text.push('\n');
        true
    }

    fn begin(&mut self) {
        if std::mem::take(&mut self.space) {
            self.text.push(' ');
        }
        let start = self.text.len();
        for frame in self.frames.iter_mut().rev().take_while(|frame| frame.start.is_none()) {
            (frame.start, frame.used) = (Some(start), true);
        }
    }

    /// Begins a mark; false if it says nothing here, and is not to be ended either.
    pub(crate) fn open(&mut self, mark: Mark) -> bool {
        let weak = matches!(mark, Mark::Strong | Mark::Emphasis) && self.heading;
        if weak || self.holds(|open| open.is_like(&mark)) {
            return false;
        }
        let in_code = self.holds(|open| *open == Mark::Code);
        let link = matches!(mark, Mark::Link { .. });
        if in_code && !link {
            return false;
        }
        if in_code {
            // Nothing is marked inside code: the code ends, and goes on inside the link.
            self.finish_frames();
            self.frames.pop();
        }
        self.frames.push(Frame { mark, start: None, used: false, implied: false });
        if in_code {
            self.frames.push(Frame { mark: Mark::Code, start: None, used: false, implied: true });
        }
        true
    }

    /// Ends the mark that began last.
    pub(crate) fn close(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        if frame.implied {
            if let Some(start) = frame.start {
                self.finish(&frame.mark, start);
            }
            self.close();
            self.frames.push(Frame { mark: Mark::Code, start: None, used: true, implied: false });
            return;
        }
        if !frame.used
            && let Mark::Link { label: Some(label), .. } = &frame.mark
        {
            let label = label.clone();
            let start = self.text.len() + usize::from(self.space);
            self.frames.push(frame);
            self.text(&label);
            if let Some(frame) = self.frames.pop() {
                self.finish(&frame.mark, start);
            }
        } else if let Some(start) = frame.start {
            self.finish(&frame.mark, start);
        }
    }

    /// Puts the mark around what was written from `start` on.
    fn finish(&mut self, mark: &Mark, start: usize) {
        let end = self.text.trim_end().len().max(start);
        let Some(held) = self.text.get(start..end) else { return };
        if held.is_empty() {
            return;
        }
        // A place's own address, for those who want to link to it.
        if let Mark::Link { local: true, .. } = mark
            && matches!(held, "#" | "¶" | "§" | "🔗")
        {
            self.text.truncate(start);
            return;
        }
        let marked = if self.markdown { in_markdown(mark, held) } else { in_text(mark, held) };
        if let Some(marked) = marked {
            let tail = self.text.split_off(end);
            self.text.truncate(start);
            self.text.push_str(&marked);
            self.text.push_str(&tail);
        }
    }

    /// Ends the block and gives its text; marks that are open go on in the next.
    pub(crate) fn take(&mut self) -> String {
        self.finish_frames();
        self.space = false;
        let text = std::mem::take(&mut self.text);
        text.trim().to_owned()
    }

    /// Ends all marks, which go on with the next text.
    fn finish_frames(&mut self) {
        for index in (0..self.frames.len()).rev() {
            let open = self.frames.get_mut(index).and_then(|frame| Some((frame.mark.clone(), frame.start.take()?)));
            if let Some((mark, start)) = open {
                self.finish(&mark, start);
            }
        }
    }
}

fn in_markdown(mark: &Mark, held: &str) -> Option<String> {
    Some(match mark {
        Mark::Strong => format!("**{held}**"),
        Mark::Emphasis => format!("*{held}*"),
        Mark::Strike => format!("~~{held}~~"),
        Mark::Code => escape::code_span(held),
        // A reference such as `[1]` is raised by habit, not by meaning.
        Mark::Superscript | Mark::Subscript if held.starts_with('[') => return None,
        Mark::Superscript => format!("<sup>{held}</sup>"),
        Mark::Subscript => format!("<sub>{held}</sub>"),
        Mark::Link { url, .. } if held == url || held.replace('\\', "") == *url => format!("<{url}>"),
        Mark::Link { url, .. } => format!("[{held}]({})", escape::destination(url)),
    })
}

fn in_text(mark: &Mark, held: &str) -> Option<String> {
    match mark {
        Mark::Superscript if !held.starts_with('[') => Some(format!("^{held}")),
        Mark::Subscript if !held.starts_with('[') => Some(format!("_{held}")),
        _ => None,
    }
}
