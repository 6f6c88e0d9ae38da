//! One connection of HTTP/2 that is as it should be, from the server's side.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _, Write as _};

use super::super::server::Wire;
use super::frame::{self, Frame, frame};
use super::hpack::Decoder;
use super::{Body, Request, Response};

/// Windows before anyone said anything (RFC 9113, section 6.9.2).
const WINDOW: i64 = 65_535;

/// More of one request's body is not kept; the client's windows go on growing, so that it does not stall.
const MAX_BODY: usize = 64 * 1024 * 1024;

pub(super) struct Session<'a> {
    wire: &'a mut Wire,
    decoder: Decoder,
    /// Requests whose end has not come.
    begun: BTreeMap<u32, Request>,
    whole: VecDeque<Request>,
    /// How much more may be sent, on the connection and on each stream.
    window: i64,
    windows: BTreeMap<u32, i64>,
    initial_window: i64,
}

impl<'a> Session<'a> {
    /// Takes the client's first bytes, and says these settings.
    pub(super) fn open(wire: &'a mut Wire, settings: &[(u16, u32)]) -> io::Result<Self> {
        let mut preface = [0; 24];
        wire.read_exact(&mut preface)?;
        if &preface != frame::PREFACE {
            return Err(malformed("the client does not speak HTTP/2"));
        }
        wire.write_all(&frame::settings(settings))?;
        wire.flush()?;
        Ok(Self {
            wire,
            decoder: Decoder::new(),
            begun: BTreeMap::new(),
            whole: VecDeque::new(),
            window: WINDOW,
            windows: BTreeMap::new(),
            initial_window: WINDOW,
        })
    }

    /// The next request that is whole; `None` when the client goes.
    pub(super) fn next_request(&mut self) -> io::Result<Option<Request>> {
        loop {
            if let Some(request) = self.whole.pop_front() {
                return Ok(Some(request));
            }
            if !self.step()? {
                return Ok(None);
            }
        }
    }

    /// The first request as soon as its headers are there.
    pub(super) fn first_request(&mut self) -> io::Result<Option<Request>> {
        loop {
            if let Some(request) = self.whole.front().or_else(|| self.begun.values().next()) {
                return Ok(Some(request.clone()));
            }
            if !self.step()? {
                return Ok(None);
            }
        }
    }

    /// Answers, as far as the client's windows and its patience go.
    pub(super) fn respond(&mut self, stream: u32, response: &Response) -> io::Result<()> {
        let status = response.status.to_string();
        let mut headers: Vec<(&[u8], &[u8])> = vec![(b":status", status.as_bytes())];
        headers.extend(response.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())));
        self.send(&frame(frame::HEADERS, frame::END_HEADERS, stream, &frame::block(&headers)))?;
        match &response.body {
            Body::Whole(bytes) => {
                if self.send_data(stream, bytes)? {
                    self.send(&frame(frame::DATA, frame::END_STREAM, stream, &[]))?;
                }
            }
            Body::Endless(bytes) => {
                let bytes = bytes.repeat(frame::MAX_PAYLOAD / bytes.len().max(1) + 1);
                while self.send_data(stream, &bytes)? {}
            }
        }
        self.windows.remove(&stream);
        Ok(())
    }

    /// Sends DATA. Returns whether the stream is still there.
    fn send_data(&mut self, stream: u32, mut bytes: &[u8]) -> io::Result<bool> {
        while !bytes.is_empty() {
            let Some(window) = self.windows.get(&stream) else { return Ok(false) };
            let room = usize::try_from(self.window.min(*window)).unwrap_or(0).min(frame::MAX_PAYLOAD);
            if room == 0 {
                if !self.step()? {
                    return Ok(false);
                }
                continue;
            }
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.send(&frame(frame::DATA, 0, stream, now))?;
            let sent = i64::try_from(now.len()).unwrap_or(i64::MAX);
            self.window -= sent;
            self.windows.entry(stream).and_modify(|window| *window -= sent);
            bytes = later;
        }
        Ok(true)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes)?;
        self.wire.flush()
    }

    /// Takes one frame. Returns whether the client goes on.
    fn step(&mut self) -> io::Result<bool> {
        let frame = match Frame::read(self.wire) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            frame => frame?,
        };
        match frame.kind {
            frame::HEADERS => self.begin(&frame)?,
            frame::DATA => self.take_data(&frame)?,
            frame::SETTINGS if !frame.has(frame::ACK) => self.take_settings(&frame.payload)?,
            frame::PING if !frame.has(frame::ACK) => {
                self.send(&self::frame(frame::PING, frame::ACK, 0, &frame.payload))?;
            }
            frame::WINDOW => {
                let more = frame.payload.first_chunk().map_or(0, |bytes| i64::from(u32::from_be_bytes(*bytes)));
                if frame.stream == 0 {
                    self.window += more;
                } else {
                    self.windows.entry(frame.stream).and_modify(|window| *window += more);
                }
            }
            frame::RESET => {
                self.begun.remove(&frame.stream);
                self.windows.remove(&frame.stream);
            }
            frame::GOAWAY => return Ok(!self.whole.is_empty()),
            _ => {}
        }
        Ok(true)
    }

    fn begin(&mut self, first: &Frame) -> io::Result<()> {
        let mut block = first.content().ok_or_else(|| malformed("padding"))?.to_vec();
        let mut ended = first.has(frame::END_HEADERS);
        while !ended {
            let next = Frame::read(self.wire)?;
            if next.kind != frame::CONTINUATION || next.stream != first.stream {
                return Err(malformed("a frame between those of a header block"));
            }
            block.extend(&next.payload);
            ended = next.has(frame::END_HEADERS);
        }
        let headers = self.decoder.decode(&block).ok_or_else(|| malformed("a header block"))?;
        let request = Request {
            headers,
            body: Vec::new(),
            stream: first.stream,
            connection: self.wire.number(),
            server_name: self.wire.server_name().map(str::to_owned),
        };
        match self.begun.get_mut(&first.stream) {
            // Trailers: kept with the headers, so that nothing that left is missing.
            Some(begun) => begun.headers.extend(request.headers),
            None => {
                self.windows.insert(first.stream, self.initial_window);
                self.begun.insert(first.stream, request);
            }
        }
        self.end(first);
        Ok(())
    }

    fn take_data(&mut self, frame: &Frame) -> io::Result<()> {
        if let Some(request) = self.begun.get_mut(&frame.stream) {
            let content = frame.content().ok_or_else(|| malformed("padding"))?;
            let room = MAX_BODY.saturating_sub(request.body.len()).min(content.len());
            request.body.extend(content.get(..room).unwrap_or_default());
        }
        if !frame.payload.is_empty() {
            let used = u32::try_from(frame.payload.len()).unwrap_or(u32::MAX).to_be_bytes();
            for stream in [0, frame.stream] {
                self.send(&self::frame(frame::WINDOW, 0, stream, &used))?;
            }
        }
        self.end(frame);
        Ok(())
    }

    /// Moves a request on, if this frame is its last.
    fn end(&mut self, frame: &Frame) {
        if frame.has(frame::END_STREAM) {
            self.whole.extend(self.begun.remove(&frame.stream));
        }
    }

    fn take_settings(&mut self, payload: &[u8]) -> io::Result<()> {
        for setting in payload.chunks_exact(6) {
            let [name_high, name_low, value @ ..] = setting else { continue };
            let Some(value) = value.first_chunk().map(|bytes| i64::from(u32::from_be_bytes(*bytes))) else { continue };
            if u16::from_be_bytes([*name_high, *name_low]) == frame::INITIAL_WINDOW {
                let change = value - self.initial_window;
                self.windows.values_mut().for_each(|window| *window += change);
                self.initial_window = value;
            }
        }
        self.send(&frame(frame::SETTINGS, frame::ACK, 0, &[]))
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed: {what}"))
}
