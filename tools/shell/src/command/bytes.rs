//! `base64`, `base32` and digests.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use bstr::ByteSlice;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::{Call, Flags, Reader, or_stdin};
use crate::stop::{Flow, failed};

/// As the standard, with what stands after the last whole byte left out.
const STANDARD_NO_PAD_LAX: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);
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
            Err(_) => {
                // What could be decoded is written all the same.
                let good = input.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(byte)).count();
                let start = input.get(..good).unwrap_or_default();
                out.put(
                    &STANDARD_NO_PAD_LAX
                        .decode(start.get(..good - usize::from(good % 4 == 1)).unwrap_or_default())
                        .unwrap_or_default(),
                );
                out.flush().await?;
                return failed("invalid input");
            }
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

pub(super) async fn base32(call: Call<'_>) -> Flow<i32> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let flags = Flags::parse(call.arguments, "dw:i", &[("decode", b'd'), ("wrap", b'w')])?;
    let source = flags.operands.first().cloned().unwrap_or_else(|| b"-".to_vec());
    let Some(mut reader) = call.open(&source).await else { return Ok(1) };
    let input = reader.all(ALL_MAX).await?;
    let mut out = call.writer();
    if flags.has(b'd') {
        let (mut bits, mut count) = (0_u32, 0);
        for byte in input.iter().filter(|byte| !byte.is_ascii_whitespace() && **byte != b'=') {
            let Some(digit) = LETTERS.iter().position(|letter| letter == byte) else { return failed("invalid input") };
            bits = bits << 5 | u32::try_from(digit).unwrap_or(0);
            count += 5;
            if count >= 8 {
                count -= 8;
                out.put(&[u8::try_from(bits >> count & 255).unwrap_or(0)]);
                bits &= (1 << count) - 1;
            }
        }
        out.flush().await?;
        return Ok(0);
    }
    let mut text = Vec::new();
    for group in input.chunks(5) {
        let mut bits = group.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        bits <<= 8 * (5 - group.len());
        let used = (group.len() * 8).div_ceil(5);
        for at in 0..8 {
            let digit = usize::try_from(bits >> (35 - 5 * at) & 31).unwrap_or(0);
            text.push(if at < used { LETTERS.get(digit).copied().unwrap_or(b'=') } else { b'=' });
        }
    }
    match flags.number(b'w')?.unwrap_or(76) {
        0 => out.put(&text),
        width => {
            for row in text.chunks(width) {
                out.line(row).await?;
            }
        }
    }
    out.flush().await?;
    Ok(0)
}

pub(super) async fn digest(call: Call<'_>) -> Flow<i32> {
    let flags = Flags::parse(
        call.arguments,
        "bctqz",
        &[("check", b'c'), ("quiet", b'q'), ("status", 1), ("tag", 2), ("binary", b'b'), ("text", b't')],
    )?;
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
                    if !flags.has(1) {
                        out.line(&[file.as_slice(), b": FAILED open or read"].concat()).await?;
                    }
                    continue;
                };
                let same = hash(call.name, &mut other).await?.eq_ignore_ascii_case(&wanted);
                status |= i32::from(!same);
                if !(flags.has(1) || same && flags.has(b'q')) {
                    out.line(format!("{}: {}", file.to_str_lossy(), if same { "OK" } else { "FAILED" }).as_bytes())
                        .await?;
                }
            }
            continue;
        }
        let text = hash(call.name, &mut reader).await?;
        if flags.has(2) {
            let kind = call.name.trim_end_matches("sum").to_uppercase();
            out.line(format!("{kind} ({}) = {text}", name.to_str_lossy()).as_bytes()).await?;
            continue;
        }
        out.put(text.as_bytes());
        out.put(if flags.has(b'b') { b" *" } else { b"  " });
        out.line(&name).await?;
    }
    out.flush().await?;
    Ok(status)
}

async fn hash(name: &str, reader: &mut Reader) -> Flow<String> {
    match name {
        "md5sum" => with::<Md5>(reader).await,
        "sha1sum" => with::<Sha1>(reader).await,
        "sha224sum" => with::<Sha224>(reader).await,
        "sha384sum" => with::<Sha384>(reader).await,
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
