//! Standard input and output for a server: without a thread for each read and write, where the system allows it.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream as StdUnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::sync::oneshot;

/// Standard input. Must be called inside a runtime.
pub(crate) fn input() -> Box<dyn AsyncRead + Send + Unpin> {
    let stdin = io::stdin();
    let opened = match file_type(stdin.as_fd()) {
        FileType::Fifo => reopened("/proc/self/fd/0", true).and_then(pipe::Receiver::from_file).map(boxed_read),
        FileType::Socket => socket(stdin.as_fd()).map(boxed_read),
        _ => Err(io::ErrorKind::Unsupported.into()),
    };
    // A file or a terminal, or a system that lets nothing be opened twice.
    opened.unwrap_or_else(|_| Box::new(tokio::io::stdin()))
}

/// Standard output. Must be called inside a runtime.
pub(crate) fn output() -> Box<dyn AsyncWrite + Send + Unpin> {
    let stdout = io::stdout();
    let opened = match file_type(stdout.as_fd()) {
        FileType::Fifo => reopened("/proc/self/fd/1", false).and_then(pipe::Sender::from_file).map(boxed_write),
        FileType::Socket => socket(stdout.as_fd()).map(boxed_write),
        _ => Err(io::ErrorKind::Unsupported.into()),
    };
    opened.unwrap_or_else(|_| Box::new(tokio::io::stdout()))
}

/// Ends when nobody can read the standard output any more: the other end of a pipe or a socket is closed, a terminal is gone. What is
/// written would say so too, but a call may have nothing to write for a long time.
pub(crate) async fn unread() {
    let (gone, told) = oneshot::channel();
    if let Ok(stdout) = io::stdout().as_fd().try_clone_to_owned() {
        // A thread that only waits: no other way is the same for pipes, sockets and terminals. It ends with the process.
        let waiting = std::thread::Builder::new().name("output".to_owned()).spawn(move || {
            if is_gone(stdout.as_fd()) {
                let _heard = gone.send(());
            }
        });
        drop(waiting);
    }
    if told.await.is_err() {
        // That cannot be found out here, so it is seen when something is written.
        std::future::pending::<()>().await;
    }
}

/// Waits until the other end of `output` is closed. False if that cannot be waited for.
fn is_gone(output: BorrowedFd<'_>) -> bool {
    loop {
        // What is wrong is always told; it is not asked for anything else.
        let mut polled = [PollFd::from_borrowed_fd(output, PollFlags::empty())];
        match poll(&mut polled, None) {
            Ok(_) => return polled.iter().any(|polled| polled.revents().intersects(PollFlags::ERR | PollFlags::HUP)),
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

fn boxed_read(read: impl AsyncRead + Send + Unpin + 'static) -> Box<dyn AsyncRead + Send + Unpin> {
    Box::new(read)
}

fn boxed_write(write: impl AsyncWrite + Send + Unpin + 'static) -> Box<dyn AsyncWrite + Send + Unpin> {
    Box::new(write)
}

fn file_type(fd: BorrowedFd<'_>) -> FileType {
    rustix::fs::fstat(fd).map_or(FileType::Unknown, |facts| FileType::from_raw_mode(facts.st_mode))
}

/// The same pipe once more, so that only this opening of it does not block: others may share the first one.
fn reopened(name: &str, read: bool) -> io::Result<std::fs::File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
    OpenOptions::new().read(read).write(!read).custom_flags(flags).open(name)
}

/// A socket cannot be opened again. Its other end, which is the client's, is not affected.
fn socket(fd: BorrowedFd<'_>) -> io::Result<UnixStream> {
    let stream = StdUnixStream::from(fd.try_clone_to_owned()?);
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}
