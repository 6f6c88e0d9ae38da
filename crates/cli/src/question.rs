//! Questions to the person at the terminal, a line each.

use std::io::{self, BufRead, IsTerminal as _, Read as _, Write as _};

/// The longest answer that is read, in bytes: longer than any rule.
const LONGEST: u64 = 16 << 10;

/// Whether there is somebody to ask.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a line; nothing if whoever is asked gives up. The question is ours: nothing of a stranger's is in it.
pub(crate) fn line(question: &str) -> io::Result<Option<String>> {
    let mut err = io::stderr();
    err.write_all(question.as_bytes())?;
    err.flush()?;
    answer(&mut io::stdin().lock())
}

/// Asks whether to do something. No is what is meant by anything that is not yes.
pub(crate) fn is_yes(question: &str) -> io::Result<bool> {
    Ok(line(question)?.is_some_and(|answer| means_yes(&answer)))
}

/// Whether an answer is yes.
pub(crate) fn means_yes(answer: &str) -> bool {
    matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes")
}

fn answer(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let read = input.take(LONGEST).read_until(b'\n', &mut bytes)?;
    Ok((read > 0).then(|| String::from_utf8_lossy(&bytes).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for (typed, yes) in
            [("y\n", true), ("YES\n", true), ("\n", false), ("n\n", false), ("yep\n", false), (" y \n", true)]
        {
            assert_eq!(means_yes(&answer(&mut typed.as_bytes()).unwrap().unwrap()), yes, "{typed:?}");
        }
        assert_eq!(answer(&mut &b""[..]).unwrap(), None);
    }
}
