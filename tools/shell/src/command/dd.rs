//! `dd`

use bstr::ByteSlice;

use super::Call;
use crate::stop::{Flow, Stop, failed, misused};
use crate::stream::Stream;
use crate::syntax::ast::Text;

/// The largest block.
const BLOCK_MAX: u64 = 16 << 20;

struct Plan {
    input: Text,
    output: Option<Text>,
    block: usize,
    count: u64,
    skip: u64,
    seek: u64,
    keep: bool,
    append: bool,
    quiet: bool,
}

fn plan(arguments: &[Text]) -> Flow<Plan> {
    let mut plan = Plan {
        input: b"-".to_vec(),
        output: None,
        block: 512,
        count: u64::MAX,
        skip: 0,
        seek: 0,
        keep: false,
        append: false,
        quiet: false,
    };
    for word in arguments {
        let Some((name, value)) = word.split_once_str("=") else {
            return failed(format!("unrecognized operand '{}'", word.to_str_lossy()));
        };
        let number = || {
            super::make::size(value)
                .ok_or_else(|| Stop::Failed(format!("invalid number: '{}'", value.to_str_lossy()), 1))
        };
        match name {
            b"if" => plan.input = value.to_vec(),
            b"of" => plan.output = Some(value.to_vec()),
            b"bs" | b"ibs" | b"obs" => match number()? {
                0 => return failed("invalid number: '0'"),
                size if size > BLOCK_MAX => {
                    return failed(format!("blocks have at most {BLOCK_MAX} bytes in the sandbox"));
                }
                size => plan.block = usize::try_from(size).unwrap_or(512),
            },
            b"count" => plan.count = number()?,
            b"skip" | b"iseek" => plan.skip = number()?,
            b"seek" | b"oseek" => plan.seek = number()?,
            b"status" => plan.quiet = value == b"none",
            b"conv" | b"iflag" | b"oflag" => {
                for flag in value.split(|byte| *byte == b',') {
                    match flag {
                        b"notrunc" => plan.keep = true,
                        b"append" => plan.append = true,
                        b"fsync" | b"fdatasync" | b"fullblock" | b"sync" | b"noerror" => {}
                        other => {
                            return misused(format!("'{}' is not available in the sandbox", other.to_str_lossy()));
                        }
                    }
                }
            }
            other => return failed(format!("unrecognized operand '{}'", other.to_str_lossy())),
        }
    }
    Ok(plan)
}

pub(super) async fn dd(call: Call<'_>) -> Flow<i32> {
    let plan = plan(call.arguments)?;
    let Some(mut reader) = call.open(&plan.input).await else { return Ok(1) };
    let output = match &plan.output {
        None => call.shell.stdout(),
        Some(name) => {
            let keep = plan.keep || plan.seek > 0;
            let opened = if keep && !name.starts_with(b"/dev/") {
                std::fs::OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(call.shell.path(name))
                    .and_then(|file| {
                        if !plan.keep {
                            file.set_len(plan.seek * plan.block as u64)?;
                        }
                        Ok(Stream::file(file))
                    })
            } else {
                call.shell.open_to_write(name, plan.append)
            };
            let stream = opened.map_err(|error| {
                Stop::Failed(format!("failed to open {}", call.shell.refusal(name, &error, true)), 1)
            })?;
            if plan.seek > 0 {
                stream.seek(plan.seek * plan.block as u64).map_err(|error| Stop::Io(crate::fs::message(&error)))?;
            }
            stream
        }
    };
    let mut skip = plan.skip.saturating_mul(plan.block as u64);
    let mut left = plan.count.saturating_mul(plan.block as u64);
    let mut copied = 0_u64;
    while left > 0 {
        let mut piece = reader.piece().await?;
        if piece.is_empty() {
            break;
        }
        if skip > 0 {
            let gone = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
            piece.drain(..gone);
            skip -= gone as u64;
        }
        let keep = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        reader.give_back(piece.split_off(keep));
        output.write(&piece).await?;
        copied += piece.len() as u64;
        left -= piece.len() as u64;
    }
    if !plan.quiet {
        let block = plan.block as u64;
        let (full, part) = (copied / block, u64::from(!copied.is_multiple_of(block)));
        let text = format!("{full}+{part} records in\n{full}+{part} records out\n{copied} bytes copied\n");
        if let Some(stream) = call.shell.stream(2) {
            stream.write(text.as_bytes()).await?;
        }
    }
    Ok(0)
}
