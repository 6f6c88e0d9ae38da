//! `tool`: calls another tool that the caller's grant lists.

use bstr::ByteSlice;

use super::{Call, Reader};
use crate::host::CallFailure;
use crate::stop::{Flow, misused};

pub(super) async fn tool(call: Call<'_>) -> Flow<i32> {
    let mut out = call.writer();
    match call.arguments {
        [flag] if flag == b"--list" || flag == b"-l" => {
            for tool in call.shell.host.tools() {
                let first = tool.description.lines().next().unwrap_or_default().to_owned();
                out.line(format!("{}\t{first}", tool.name).as_bytes()).await?;
            }
            out.flush().await?;
            Ok(0)
        }
        [flag, name] if flag == b"--schema" => {
            let name = name.to_str_lossy();
            match call.shell.host.tools().into_iter().find(|tool| tool.name == name) {
                Some(tool) => {
                    out.line(tool.input_schema.as_bytes()).await?;
                    out.flush().await?;
                    Ok(0)
                }
                None => {
                    call.say(format!("{name}: no such tool, or it is not granted; `tool --list` shows those that are"))
                        .await;
                    Ok(1)
                }
            }
        }
        [name, rest @ ..] if rest.len() <= 1 && !name.starts_with(b"-") => {
            let arguments = match rest.first() {
                Some(text) if text.as_slice() != b"-" => text.clone(),
                Some(_) => Reader::new(call.shell.stdin()).all(4 << 20).await?,
                None => b"{}".to_vec(),
            };
            let name = name.to_str_lossy();
            let (message, status) = match call.shell.host.call(&name, &arguments.to_str_lossy()) {
                Ok(output) => {
                    out.line(output.as_bytes()).await?;
                    out.flush().await?;
                    return Ok(0);
                }
                Err(CallFailure::Denied(hint)) => (hint, 126),
                Err(CallFailure::Limit(reason)) => (reason, 125),
                Err(CallFailure::Failed(reason)) => (reason, 1),
            };
            call.say(format!("{name}: {message}")).await;
            Ok(status)
        }
        _ => misused("usage: tool NAME [JSON | -], tool --list, tool --schema NAME"),
    }
}
