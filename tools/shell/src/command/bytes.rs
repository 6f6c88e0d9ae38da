//! `base64` and digests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bstr::ByteSlice;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::{Call, Flags, Reader, or_stdin};
use crate::stop::{Flow, failed};

/// What `base64` holds in memory.
const ALL_MAX: usize = 64 << 20;

pub(super) async fn base64(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "dDw:i", &[("decode", b'd'), ("wrap", b'w'), ("ignore-garbage", b'i')])?;
    let source = flags.operands.first().cloned().unwrap_or_else(|| b"-".to_vec());
    let Some(mut reader) = call.open(&source).await else { return Ok(1) };
    let mut input = reader.all(ALL_MAX).await?;
    let mut out = call.writer();
    if flags.has(b'd') || flags.has(b'D') {
        input.retain(|byte| !byte.is_ascii_whitespace());
        match STANDARD.decode(&input) {
            Ok(bytes) => out.put(&bytes),
            Err(_) => return failed("invalid input"),
        }
    } else {
        let text = STANDARD.encode(&input);
        let width = flags.number(b'w')?.unwrap_or(76);
        if width == 0 {
            out.put(text.as_bytes());
        } else {
            for row in text.as_bytes().chunks(width) {
                out.line(row).await?;
            }
        }
    }
    out.flush().await?;
    Ok(0)
}

pub(super) async fn digest(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(call.arguments, "bctq", &[("check", b'c'), ("quiet", b'q'), ("status", b'q')])?;
    let mut status = 0;
    let mut out = call.writer();
    for name in or_stdin(&flags.operands) {
        let Some(mut reader) = call.open(&name).await else {
            status = 1;
            continue;
        };
        if flags.has(b'c') {
            while let Some(line) = reader.line(b'\n').await? {
                let Some((wanted, file)) = line.split_once_str("  ").or_else(|| line.split_once_str(" *")) else {
                    continue;
                };
                let (wanted, file) = (wanted.to_str_lossy().into_owned(), file.to_vec());
                let Some(mut other) = call.open(&file).await else {
                    status = 1;
                    continue;
                };
                let same = hash(call.name, &mut other).await?.eq_ignore_ascii_case(&wanted);
                status |= i32::from(!same);
                if !(same && flags.has(b'q')) {
                    out.line(format!("{}: {}", file.to_str_lossy(), if same { "OK" } else { "FAILED" }).as_bytes())
                        .await?;
                }
            }
            continue;
        }
        let text = hash(call.name, &mut reader).await?;
        out.put(text.as_bytes());
        out.put(b"  ");
        out.line(&name).await?;
    }
    out.flush().await?;
    Ok(status)
}

async fn hash(name: &str, reader: &mut Reader) -> Flow<String> {
    match name {
        "md5sum" => with::<Md5>(reader).await,
        "sha1sum" => with::<Sha1>(reader).await,
        "sha512sum" => with::<Sha512>(reader).await,
        _ => with::<Sha256>(reader).await,
    }
}

async fn with<D: Digest>(reader: &mut Reader) -> Flow<String> {
    let mut state = D::new();
    loop {
        let piece = reader.piece().await?;
        if piece.is_empty() {
            return Ok(state.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        state.update(&piece);
    }
}
