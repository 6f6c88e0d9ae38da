//! The side of the person who answers. It blocks, and never for long.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{LONGEST_RESPONSE, NAME, OpenQuestion, Request, Response, folder_of_ones_own};
use crate::approval::Answer;
use crate::error::{Error, brief};

/// How long a server may take for one response.
const PATIENCE: Duration = Duration::from_secs(5);

/// The open questions of all processes that have a socket in `folder`, by process and then the oldest first. What a process that has
/// ended left behind is passed over.
///
/// # Errors
///
/// When the folder is not this user's alone, or cannot be read, or a server says something that makes no sense.
pub fn open_questions(folder: &Path) -> Result<Vec<OpenQuestion>, Error> {
    let mut questions = Vec::new();
    for (_, socket) in sockets(folder)? {
        match ask(&socket, &Request::List {}) {
            Ok(Response::Questions(open)) => questions.extend(open),
            Ok(_) => return Err(nonsense(&socket)),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(failed(&socket, &error)),
        }
    }
    Ok(questions)
}

/// Answers the question that [`open_questions`] gave as `id`.
///
/// # Errors
///
/// When there is no such question any more.
pub fn answer_question(folder: &Path, id: &str, answer: Answer) -> Result<(), Error> {
    let unknown = |reason: &str| Error::Grant {
        asked: format!("the question {:?}", brief(id)),
        reason: reason.to_owned(),
        hint: Some("`caplet approvals` lists what is open".to_owned()),
    };
    let process = id.split_once('-').and_then(|(process, _)| process.parse().ok());
    let found = sockets(folder)?.into_iter().find(|(owner, _)| Some(*owner) == process);
    let Some((_, socket)) = found else { return Err(unknown("no process has asked it")) };
    match ask(&socket, &Request::Answer { id: id.to_owned(), answer }) {
        Ok(Response::Answered(_)) => Ok(()),
        Ok(Response::Error(reason)) => Err(unknown(&brief(&reason))),
        Ok(Response::Questions(_)) => Err(nonsense(&socket)),
        Err(error) if is_gone(&error) => Err(unknown("the process that asked it has ended")),
        Err(error) => Err(failed(&socket, &error)),
    }
}

/// The sockets in `folder`, with their processes, in the order of those.
fn sockets(folder: &Path) -> Result<Vec<(u32, PathBuf)>, Error> {
    let unreadable = |error: io::Error| Error::Host(format!("cannot look for questions: {error}"));
    match fs::symlink_metadata(folder) {
        // Nobody has asked anything yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        _ => folder_of_ones_own(folder).map_err(unreadable)?,
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let process = name.strip_prefix(NAME.0).and_then(|rest| rest.strip_suffix(NAME.1));
        if let Some(process) = process.and_then(|process| process.parse().ok()) {
            found.push((process, path));
        }
    }
    found.sort();
    Ok(found)
}

fn ask(socket: &Path, request: &Request) -> io::Result<Response> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    (&stream).write_all(&line)?;
    let mut answer = Vec::new();
    BufReader::new(&stream).take(LONGEST_RESPONSE).read_until(b'\n', &mut answer)?;
    Ok(serde_json::from_slice(&answer)?)
}

/// Whether nobody serves the socket any more.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound)
}

fn nonsense(socket: &Path) -> Error {
    Error::Host(format!("{} gave an answer that makes no sense", brief(&socket.to_string_lossy())))
}

fn failed(socket: &Path, error: &io::Error) -> Error {
    Error::Host(format!("{} does not answer: {error}", brief(&socket.to_string_lossy())))
}
