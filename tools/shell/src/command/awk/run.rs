//! Running an awk program.

mod call;
mod input;
mod print;
mod quick;
mod variable;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::super::{Reader, Writer};
use super::parse::SPECIAL;
use super::tree::{Expr, Pattern, Program, Slot, Statement};
use super::value::{Array, Value};
use crate::regex::Regex;
use crate::shell::Shell;
use crate::stop::{Flow, Stop};
use crate::syntax::ast::Text;
use crate::task::{self, Task};

/// How deep functions may call each other.
const DEPTH_MAX: usize = 40;

const NR: usize = 0;
const NF: usize = 1;
const FNR: usize = 2;
const FS: usize = 3;
const OFS: usize = 4;
const ORS: usize = 5;
const RS: usize = 6;
const FILENAME: usize = 7;
const SUBSEP: usize = 8;
const RSTART: usize = 9;
const RLENGTH: usize = 10;
const ENVIRON: usize = 12;
const CONVFMT: usize = 11;
const ARGC: usize = 13;
const ARGV: usize = 14;
const OFMT: usize = 15;
const RT: usize = 16;

/// What a variable holds.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Value(Value),
    Array(Array),
}

/// Why a statement does not go on to the next.
enum Leave {
    Next,
    NextFile,
    Exit,
    Break,
    Continue,
    Return(Value),
}

pub(super) struct Machine<'a> {
    program: &'a Program,
    shell: &'a mut Shell,
    globals: Vec<Cell>,
    /// The parameters of the functions that run.
    frames: Vec<Vec<Cell>>,
    record: Text,
    fields: Vec<Value>,
    /// Where the fields are in the record, once it was looked for.
    places: Vec<(usize, usize)>,
    located: bool,
    /// The fields have been split off the record.
    split: bool,
    /// The record has to be put together again.
    stale: bool,
    out: Writer,
    files: BTreeMap<Text, Writer>,
    /// Commands that get output, run when they are closed.
    pipes: BTreeMap<Text, Vec<u8>>,
    readers: BTreeMap<Text, Reader>,
    ranges: Vec<bool>,
    regexes: HashMap<Text, Rc<Regex>>,
    operands: std::collections::VecDeque<Text>,
    main: Option<Reader>,
    read_stdin: bool,
    status: i32,
    /// `exit` was called in a function.
    leaving: bool,
    random: u64,
    seed: f64,
}

impl<'a> Machine<'a> {
    pub(super) fn new(program: &'a Program, shell: &'a mut Shell) -> Self {
        let count = program.globals.len().max(SPECIAL.len());
        let mut globals = vec![Cell::Value(Value::Unset); count];
        for (slot, text) in
            [(FS, " "), (OFS, " "), (ORS, "\n"), (RS, "\n"), (SUBSEP, "\x1c"), (CONVFMT, "%.6g"), (OFMT, "%.6g")]
        {
            if let Some(cell) = globals.get_mut(slot) {
                *cell = Cell::Value(Value::Text(text.as_bytes().to_vec()));
            }
        }
        let environment: HashMap<Text, Value> =
            shell.environment().into_iter().map(|(name, value)| (name, Value::input(&value))).collect();
        if let Some(cell) = globals.get_mut(ENVIRON) {
            *cell = Cell::Array(Rc::new(std::cell::RefCell::new(environment)));
        }
        let out = Writer::new(shell.stdout());
        let ranges = program.rules.iter().map(|_| false).collect();
        Self {
            program,
            shell,
            globals,
            frames: Vec::new(),
            record: Text::new(),
            fields: Vec::new(),
            places: Vec::new(),
            located: true,
            split: true,
            stale: false,
            out,
            files: BTreeMap::new(),
            pipes: BTreeMap::new(),
            readers: BTreeMap::new(),
            ranges,
            regexes: HashMap::new(),
            operands: std::collections::VecDeque::new(),
            main: None,
            read_stdin: true,
            status: 0,
            leaving: false,
            random: 0x2545_f491_4f6c_dd1d,
            seed: 0.0,
        }
    }

    /// Sets a variable before the program runs.
    pub(super) fn preset(&mut self, name: &[u8], value: &[u8]) {
        if let Some(cell) = self.program.globals.get(name).and_then(|slot| self.globals.get_mut(*slot)) {
            *cell = Cell::Value(Value::input(value));
        }
    }

    pub(super) async fn main(mut self, operands: &[Text]) -> Flow<i32> {
        self.operands = operands.iter().cloned().collect();
        self.set_global(ARGC, Value::Number(f64::from(u32::try_from(operands.len() + 1).unwrap_or(u32::MAX))));
        let program = self.program;
        let words = std::iter::once(b"awk".to_vec()).chain(operands.iter().cloned());
        let words: HashMap<Text, Value> =
            (0_usize..).zip(words).map(|(at, word)| (at.to_string().into_bytes(), Value::input(&word))).collect();
        if let Some(cell) = self.globals.get_mut(ARGV) {
            *cell = Cell::Array(Rc::new(std::cell::RefCell::new(words)));
        }
        let begun = self.block(&program.begin).await;
        let mut exited = matches!(self.left(begun)?, Some(Leave::Exit));
        if !exited && program.reads {
            let read = self.records().await.map(|exited| exited.then_some(Leave::Exit));
            exited = self.left(read)?.is_some();
        }
        if !exited || !program.end.is_empty() && program.reads {
            // `exit` in a rule still runs the `END` parts; in `BEGIN` too.
            let ended = self.block(&program.end).await;
            self.left(ended)?;
        }
        self.out.flush().await?;
        for writer in self.files.values_mut() {
            writer.flush().await?;
        }
        for (command, input) in std::mem::take(&mut self.pipes) {
            self.pipe_to(&command, input).await?;
        }
        Ok(self.status)
    }

    /// `exit` in a function leaves everything as an error does; here it is what it is.
    fn left(&mut self, outcome: Flow<Option<Leave>>) -> Flow<Option<Leave>> {
        match outcome {
            Err(Stop::Discard) if std::mem::take(&mut self.leaving) => Ok(Some(Leave::Exit)),
            other => other,
        }
    }

    /// Runs the rules over all records; true if the program has ended itself.
    async fn records(&mut self) -> Flow<bool> {
        let program = self.program;
        while let Some(record) = self.next_record().await? {
            task::breathe().await;
            self.count();
            self.set_record(record);
            for (at, rule) in program.rules.iter().enumerate() {
                if !self.applies(at, &rule.pattern).await? {
                    continue;
                }
                let leave = match &rule.body {
                    Some(body) => self.body(body).await?,
                    None => {
                        self.print_record().await?;
                        None
                    }
                };
                match leave {
                    None => {}
                    Some(Leave::Next) => break,
                    Some(Leave::NextFile) => {
                        self.main = None;
                        break;
                    }
                    Some(Leave::Exit) => return Ok(true),
                    Some(_) => return Err(bad("break, continue or return outside of what it leaves")),
                }
            }
        }
        Ok(false)
    }

    /// As [`block`](Self::block), without a box: once for each record, and not in itself.
    async fn body(&mut self, statements: &[Statement]) -> Flow<Option<Leave>> {
        for statement in statements {
            if let Some(leave) = self.statement(statement).await? {
                return Ok(Some(leave));
            }
        }
        Ok(None)
    }

    async fn applies(&mut self, at: usize, pattern: &Pattern) -> Flow<bool> {
        match pattern {
            Pattern::Always => Ok(true),
            Pattern::When(Expr::Regex(regex)) => {
                self.join();
                Ok(regex.is_match(&self.record))
            }
            Pattern::When(expr) => Ok(self.value(expr).await?.truth()),
            Pattern::Range(from, to) => {
                let inside = self.ranges.get(at).copied().unwrap_or(false);
                if !inside && !self.value(from).await?.truth() {
                    return Ok(false);
                }
                let ends = self.value(to).await?.truth();
                if let Some(slot) = self.ranges.get_mut(at) {
                    *slot = !ends;
                }
                Ok(true)
            }
        }
    }

    fn block<'b>(&'b mut self, statements: &'b [Statement]) -> Task<'b, Flow<Option<Leave>>> {
        Box::pin(async move {
            for statement in statements {
                if let Some(leave) = self.statement(statement).await? {
                    return Ok(Some(leave));
                }
            }
            Ok(None)
        })
    }

    async fn statement(&mut self, statement: &Statement) -> Flow<Option<Leave>> {
        match statement {
            Statement::Expr(expr) => {
                self.value(expr).await?;
            }
            Statement::Print { values, format, to } => self.print(values, *format, to.as_ref()).await?,
            Statement::Block(all) => return self.block(all).await,
            Statement::If(condition, yes, no) => {
                if self.value(condition).await?.truth() {
                    return self.block(std::slice::from_ref(yes)).await;
                }
                if let Some(no) = no {
                    return self.block(std::slice::from_ref(no)).await;
                }
            }
            Statement::While(condition, body) => return self.repeat(None, Some(condition), None, body).await,
            Statement::For(start, condition, step, body) => {
                return self.repeat(start.as_deref(), condition.as_ref(), step.as_deref(), body).await;
            }
            Statement::Do(body, condition) => {
                let leave = self.block(std::slice::from_ref(body)).await?;
                match leave {
                    None | Some(Leave::Continue) => return self.repeat(None, Some(condition), None, body).await,
                    Some(Leave::Break) => {}
                    other => return Ok(other),
                }
            }
            Statement::Each(name, array, body) => return self.each(*name, *array, body).await,
            Statement::Next => return Ok(Some(Leave::Next)),
            Statement::NextFile => return Ok(Some(Leave::NextFile)),
            Statement::Break => return Ok(Some(Leave::Break)),
            Statement::Continue => return Ok(Some(Leave::Continue)),
            Statement::Exit(value) => {
                if let Some(value) = value {
                    let code = self.value(value).await?.number();
                    self.status = i32::try_from(crate::number::truncate(code).rem_euclid(256)).unwrap_or(1);
                }
                return Ok(Some(Leave::Exit));
            }
            Statement::Return(value) => {
                let value = match value {
                    Some(value) => self.value(value).await?,
                    None => Value::Unset,
                };
                return Ok(Some(Leave::Return(value)));
            }
            Statement::Delete(slot, None) => self.array(*slot)?.borrow_mut().clear(),
            Statement::Delete(slot, Some(index)) => {
                let key = self.key(index).await?;
                self.array(*slot)?.borrow_mut().remove(&key);
            }
        }
        Ok(None)
    }

    fn repeat<'b>(
        &'b mut self,
        start: Option<&'b Statement>,
        condition: Option<&'b Expr>,
        step: Option<&'b Statement>,
        body: &'b Statement,
    ) -> Task<'b, Flow<Option<Leave>>> {
        Box::pin(async move {
            if let Some(start) = start {
                self.block(std::slice::from_ref(start)).await?;
            }
            loop {
                task::breathe().await;
                if let Some(condition) = condition
                    && !self.value(condition).await?.truth()
                {
                    return Ok(None);
                }
                match self.block(std::slice::from_ref(body)).await? {
                    None | Some(Leave::Continue) => {}
                    Some(Leave::Break) => return Ok(None),
                    other => return Ok(other),
                }
                if let Some(step) = step {
                    self.block(std::slice::from_ref(step)).await?;
                }
            }
        })
    }

    async fn each(&mut self, name: Slot, array: Slot, body: &Statement) -> Flow<Option<Leave>> {
        let mut keys: Vec<Text> = self.array(array)?.borrow().keys().cloned().collect();
        // POSIX leaves the order open; numbers in theirs, then texts, is one that can be told.
        keys.sort_by(|left, right| {
            let number = |text: &Text| std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
            match (number(left), number(right)) {
                (Some(left), Some(right)) => left.cmp(&right),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (None, None) => left.cmp(right),
            }
        });
        for key in keys {
            if !self.array(array)?.borrow().contains_key(&key) {
                continue;
            }
            self.set_slot(name, Value::input(&key))?;
            match self.block(std::slice::from_ref(body)).await? {
                None | Some(Leave::Continue) => {}
                Some(Leave::Break) => return Ok(None),
                other => return Ok(other),
            }
        }
        Ok(None)
    }
}

fn bad(message: impl Into<String>) -> Stop {
    Stop::Failed(message.into(), 2)
}
