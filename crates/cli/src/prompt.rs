//! Asks for a line on the terminal without showing what is typed.
//!
//! The terminal gives its bytes one by one meanwhile: a line that it edits itself ends at 4095 bytes, and a signal that it sends itself
//! would leave it silent. What always holds: the terminal is as it was when this is over.

use std::io::{self, Read, Write as _};

use caplet::secret::SecretValue;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::command::secret::failed;
use crate::failure::{Failure, Stop};
use caplet::audit::ErrorKind;

/// The terminal as it was, which it is again when this goes.
struct Silenced(Termios);

impl Silenced {
    fn new() -> rustix::io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        // What was typed ahead was shown, and is no part of the value.
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silenced {
    fn drop(&mut self) {
        // Nothing is left to try when the terminal is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
        let _ = io::stderr().write_all(b"\n");
    }
}

/// Asks for a value.
pub(crate) fn hidden(question: &str) -> Result<SecretValue, Stop> {
    let mut err = io::stderr();
    err.write_all(question.as_bytes()).and_then(|()| err.flush())?;
    let silenced = Silenced::new().map_err(io::Error::from)?;
    let line = line(io::stdin().lock());
    drop(silenced);
    let Some(line) = line? else {
        return Err(Failure::new(ErrorKind::InvalidArgs, "no value was given").into());
    };
    SecretValue::new(&line).map_err(|error| failed(error).into())
}

/// The line that is typed; nothing if whoever types gives up.
fn line(mut terminal: impl Read) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    const INTERRUPT: u8 = 0x03;
    const END: u8 = 0x04;
    const BACK: u8 = 0x08;
    const CLEAR: u8 = 0x15;
    const DELETE: u8 = 0x7f;
    // One more than fits, by which a longer one is known. A buffer that moves would leave a copy behind.
    const ROOM: usize = SecretValue::MAX_BYTES + 1;
    let mut line = Zeroizing::new(Vec::with_capacity(ROOM));
    let mut byte = Zeroizing::new([0]);
    loop {
        match terminal.read(&mut *byte) {
            Ok(0) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        match byte[0] {
            b'\n' | b'\r' => return Ok(Some(line)),
            INTERRUPT => return Ok(None),
            END if line.is_empty() => return Ok(None),
            END => return Ok(Some(line)),
            CLEAR => line.clear(),
            // A character of several bytes goes as a whole.
            BACK | DELETE => while line.pop().is_some_and(|last| last & 0xc0 == 0x80) {},
            typed if line.len() < ROOM => line.push(typed),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_edited_as_on_a_terminal() {
        let cases: [(&[u8], Option<&str>); 9] = [
            (b"value\n", Some("value")),
            (b"value\r", Some("value")),
            (b"valux\x7fe\n", Some("value")),
            ("valé\x7fue\n".as_bytes(), Some("value")),
            (b"other\x15value\n", Some("value")),
            (b"\x08\x7fvalue\x04", Some("value")),
            (b"val\x03ue\n", None),
            (b"\x04", None),
            (b"val", None),
        ];
        for (typed, expected) in cases {
            let line = line(typed).unwrap();
            assert_eq!(line.as_ref().map(|line| &line[..]), expected.map(str::as_bytes), "{typed:?}");
        }
    }
}
