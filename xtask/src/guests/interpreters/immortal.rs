//! Makes the objects immortal that an interpreter of Python has when it is kept.
//!
//! CPython counts in each object how many refer to it, so to look at an object is to write to its page, and a call copies each page
//! that it writes to. It leaves the count of an immortal object alone. A program in Python cannot make one; what it can is to say
//! where its objects are. `stay` in `tools/python/src/_sandbox/prepare.py` does: a mark, the number of words that follow, and for each
//! object its address and that of its type. Both sides are checked: an object that is not what was said of it is left as it is.

use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use wasmparser::{DataKind, Operator, Parser, Payload};

/// How the list begins.
const MARK: [u32; 4] = [0x7961_7473, 0x9E37_79B9, 0x7F4A_7C15, 0x6874_796D];

const WORD: usize = size_of::<u32>();

/// What CPython 3.14 gives an immortal object where pointers have 32 bits (`_Py_IMMORTAL_INITIAL_REFCNT`), and what it takes for one.
const IMMORTAL: u32 = 5 << 28;
const IS_IMMORTAL: u32 = 1 << 30;

/// No object has more references than this; what has is no object.
const MOST_REFERENCES: u32 = 1 << 20;

/// A start-up has some eighty thousand. With fewer, the two sides do not understand each other.
const FEWEST: usize = 10_000;

/// Changes the memory in `component`, and takes the list out of it.
pub(super) fn make_immortal(component: &mut [u8]) -> Result<()> {
    let mark = MARK.map(u32::to_le_bytes).concat();
    let mut found = component.windows(mark.len()).enumerate().filter(|(_, bytes)| *bytes == mark);
    let (Some((begins, _)), None) = (found.next(), found.next()) else {
        bail!("the interpreter does not say once which objects stay");
    };
    let mut memory = Memory::around(component, begins)?;
    let list = memory.address(begins)?;
    let entries = list + mark.len() + WORD;
    let ends = entries + WORD * usize::try_from(memory.word(entries - WORD))?;
    let mut made = 0;
    for entry in (entries..ends).step_by(2 * WORD) {
        let (object, kind) = (usize::try_from(memory.word(entry))?, memory.word(entry + WORD));
        let references = memory.word(object);
        if references >= IS_IMMORTAL {
            made += 1;
        } else if (1..MOST_REFERENCES).contains(&references) && memory.word(object + WORD) == kind && memory.has(object)
        {
            memory.set(object..object + WORD, &IMMORTAL.to_le_bytes());
            made += 1;
        }
    }
    ensure!(made >= FEWEST, "only {made} of the objects that stay are where the interpreter says");
    memory.set(list..ends, &vec![0; ends - list]);
    Ok(())
}

/// The interpreter's memory in a component: the parts that are not zero, by address.
#[derive(Debug)]
struct Memory<'a> {
    component: &'a mut [u8],
    parts: Vec<Part>,
}

/// Bytes of the memory, and their place in the component.
#[derive(Clone, Copy, Debug)]
struct Part {
    address: usize,
    at: usize,
    length: usize,
}

impl<'a> Memory<'a> {
    /// The one that has the byte at `place` of the component.
    fn around(component: &'a mut [u8], place: usize) -> Result<Self> {
        let parts = parts(component, place)?;
        Ok(Self { component, parts })
    }

    /// The address of the byte at `place` of the component.
    fn address(&self, place: usize) -> Result<usize> {
        let part = self.parts.iter().find(|part| (part.at..part.at + part.length).contains(&place));
        part.map(|part| part.address + (place - part.at)).context("the list of objects is in no memory")
    }

    /// The word at an address; zero where nothing is.
    fn word(&self, address: usize) -> u32 {
        let mut word = [0; WORD];
        for (place, byte) in (address..).zip(&mut word) {
            *byte = self.at(place).and_then(|at| self.component.get(at)).copied().unwrap_or(0);
        }
        u32::from_le_bytes(word)
    }

    /// Whether the word at an address can be written.
    fn has(&self, address: usize) -> bool {
        (address..address + WORD).all(|address| self.at(address).is_some())
    }

    /// Writes bytes at addresses, where something is.
    fn set(&mut self, addresses: Range<usize>, bytes: &[u8]) {
        for (address, byte) in addresses.zip(bytes) {
            if let Some(old) = self.at(address).and_then(|at| self.component.get_mut(at)) {
                *old = *byte;
            }
        }
    }

    /// The place in the component of the byte at an address, if it is not one of those that are zero.
    fn at(&self, address: usize) -> Option<usize> {
        let after = self.parts.partition_point(|part| part.address <= address);
        let part = self.parts.get(after.checked_sub(1)?)?;
        let inside = address - part.address;
        (inside < part.length).then_some(part.at + inside)
    }
}

/// The parts of the memory that has the byte at `place` of the component.
fn parts(component: &[u8], place: usize) -> Result<Vec<Part>> {
    for payload in Parser::new(0).parse_all(component) {
        let Payload::DataSection(section) = payload? else { continue };
        if !section.range().contains(&place) {
            continue;
        }
        let mut parts = Vec::new();
        for data in section {
            let data = data?;
            let DataKind::Active { memory_index: 0, offset_expr } = data.kind else { continue };
            let Operator::I32Const { value } = offset_expr.get_operators_reader().read()? else { continue };
            let length = data.data.len();
            let address = usize::try_from(value.cast_unsigned())?;
            parts.push(Part { address, at: data.range.end - length, length });
        }
        parts.sort_unstable_by_key(|part| part.address);
        return Ok(parts);
    }
    bail!("the list of objects is in no memory")
}
