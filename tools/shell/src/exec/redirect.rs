//! Redirections.

use std::rc::Rc;

use bstr::ByteSlice;

use crate::fs;
use crate::shell::Shell;
use crate::stop::{Flow, Stop};
use crate::stream::Stream;
use crate::syntax::ast::{Redirect, RedirectKind, Target, Text};

impl Shell {
    /// Applies redirections, in order; false, with a message, if one cannot be made.
    pub(super) async fn redirect(&mut self, redirects: &[Redirect]) -> Flow<bool> {
        for redirect in redirects {
            match self.redirect_one(redirect).await {
                Ok(()) => {}
                Err(Stop::Failed(message, 1)) => {
                    self.complain(message).await;
                    return Ok(false);
                }
                Err(other) => return Err(other),
            }
        }
        Ok(true)
    }

    async fn redirect_one(&mut self, redirect: &Redirect) -> Flow<()> {
        let from = |default: u32| match &redirect.from {
            Target::Number(number) => *number,
            Target::Default | Target::Variable(_) => default,
        };
        let (default, stream) = match &redirect.kind {
            RedirectKind::Read(word) => {
                let name = self.expand_text(word).await?;
                (0, self.opened(&name, self.open_to_read(&name), false)?)
            }
            RedirectKind::Write { word, clobber } => {
                let name = self.expand_text(word).await?;
                if self.options.has("noclobber")
                    && !clobber
                    && fs::exists(&self.path(&name))
                    && !name.starts_with(b"/dev/")
                {
                    return Err(Stop::Failed(format!("{}: cannot overwrite existing file", name.to_str_lossy()), 1));
                }
                (1, self.opened(&name, self.open_to_write(&name, false), true)?)
            }
            RedirectKind::Append(word) => {
                let name = self.expand_text(word).await?;
                (1, self.opened(&name, self.open_to_write(&name, true), true)?)
            }
            RedirectKind::ReadWrite(word) => {
                let name = self.expand_text(word).await?;
                let file = std::fs::OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(self.path(&name));
                (0, self.opened(&name, file.map(Stream::file), true)?)
            }
            RedirectKind::Both { word, append } => {
                let name = self.expand_text(word).await?;
                let stream = self.opened(&name, self.open_to_write(&name, *append), true)?;
                self.set_stream(2, Rc::clone(&stream));
                (1, stream)
            }
            RedirectKind::Document(word) => {
                let word = word.borrow().clone();
                (0, Stream::bytes(self.expand_text(&word).await?))
            }
            RedirectKind::String(word) => {
                let mut text = self.expand_text(word).await?;
                text.push(b'\n');
                (0, Stream::bytes(text))
            }
            RedirectKind::Duplicate { word, output } => {
                let name = self.expand_text(word).await?;
                return self.duplicate(from(u32::from(*output)), &redirect.from, &name);
            }
        };
        let number = match &redirect.from {
            Target::Variable(name) => self.free_number(name)?,
            _ => from(default),
        };
        self.set_stream(number, stream);
        Ok(())
    }

    /// Finds a number from 10 on that is free, and puts it into the variable.
    fn free_number(&mut self, name: &[u8]) -> Flow<u32> {
        let number = (10..).find(|number| !self.streams.contains_key(number)).unwrap_or(10);
        self.assign(name, number.to_string().into_bytes(), false)?;
        Ok(number)
    }

    fn opened(&self, name: &[u8], result: std::io::Result<Rc<Stream>>, write: bool) -> Flow<Rc<Stream>> {
        result.map_err(|error| Stop::Failed(self.refusal(name, &error, write), 1))
    }

    fn duplicate(&mut self, number: u32, target: &Target, name: &Text) -> Flow<()> {
        let number = match target {
            Target::Variable(variable) if name == b"-" => {
                let text = self.value(variable).unwrap_or_default();
                let number = text.to_str_lossy().parse().map_err(|_| bad(&text))?;
                self.close_stream(number);
                return Ok(());
            }
            Target::Variable(variable) => self.free_number(variable)?,
            _ => number,
        };
        if name == b"-" {
            self.close_stream(number);
            return Ok(());
        }
        let (digits, moves) = match name.strip_suffix(b"-") {
            Some(digits) => (digits.to_vec(), true),
            None => (name.clone(), false),
        };
        let source: u32 = digits.to_str_lossy().parse().map_err(|_| bad(name))?;
        let stream = self.stream(source).ok_or_else(|| bad(name))?;
        self.set_stream(number, stream);
        if moves && source != number {
            self.close_stream(source);
        }
        Ok(())
    }
}

fn bad(name: &[u8]) -> Stop {
    Stop::Failed(format!("{}: Bad file descriptor", name.to_str_lossy()), 1)
}
