//! Options that several verbs share. Here they are only text: what a rule or a mount means is settled by the library, so that a
//! bad one is reported like every other refusal.

use caplet::{Ceiling, Grant};
use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::toolbox::Found;

/// The operator's part of the policy, and what stands behind it. For a tool of the toolbox it is added to what the file gives.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Authority")]
pub(crate) struct GrantOptions {
    /// Grant authority, up to the tool's ceiling; may be given more than once
    ///
    /// read:GLOB and write:GLOB (implies read) for files · fetch:URL, or "fetch:POST,PUT URL" · kv:BUCKET or kv:BUCKET/KEYS, with
    /// :ro after it to read only · env:NAME or env:NAME=VALUE · config:KEY=VALUE · clock:RESOLUTION · random or random:SEED ·
    /// secret:NAME@URL · call:TOOL or call:TOOL.FUNCTION, where TOOL may be a glob; the tool that is called has what your toolbox grants
    /// it, and nothing of this. In a glob, * and ? stay within one name, ** crosses directories, and /d/** is /d and all
    /// below it. A relative path is taken from the current directory.
    #[arg(long, value_name = "RULE")]
    pub(crate) allow: Vec<String>,

    /// Take authority away, whatever else is allowed; may be given more than once
    #[arg(long, value_name = "RULE")]
    pub(crate) deny: Vec<String>,

    /// Be asked before the tool may do what this rule says, where it is neither allowed nor denied; may be given more than once
    ///
    /// For files, requests, keys of buckets, secrets and other tools. A yes is for exactly what was asked: that path, that method and
    /// URL, that key.
    /// Without a terminal, and with no answer within a minute, it is denied.
    #[arg(long, value_name = "RULE")]
    pub(crate) ask: Vec<String>,

    /// Put a directory of the host, or another store of files, at a path that the tool sees
    ///
    /// STORE is a directory (DIR or host:DIR); overlay:DIR, whose changes are kept aside until `caplet commit` or `caplet drop`;
    /// sqlite:FILE, a file system in one file; `memory` or `session`, gone after the call or the session. With :ro behind it nothing
    /// in it can be changed. A rule that lies under no mount and whose directory exists here mounts that directory at the same
    /// path by itself.
    #[arg(long, value_name = "GUEST=STORE")]
    pub(crate) mount: Vec<String>,

    /// Say what stands behind a key-value bucket
    ///
    /// STORE is sqlite:FILE, redis://HOST, rediss://HOST, nats://HOST, `memory` or `session`. A bucket without this option is in a file
    /// of its user's own.
    #[arg(long, value_name = "NAME=STORE")]
    pub(crate) bucket: Vec<String>,

    /// Set a limit, such as timeout=5s, memory=64MiB or fuel=1000000, in place of the toolbox's
    ///
    /// Keys: timeout, fuel, memory, stack, tables, output, arguments, handles, file-writes, http-requests, http-concurrency,
    /// http-response, http-connect, kv-ops, kv-value, calls, calls-at-once, call-depth, component, compile. The tool's manifest may set
    /// lower ones.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) limit: Vec<String>,

    /// What bounds the grant: the tool's manifest, or nothing [default: what the toolbox says, else manifest]
    #[arg(long, value_name = "CEILING", value_enum)]
    pub(crate) ceiling: Option<CeilingChoice>,

    /// Refuse a tool that imports something no rule covers, instead of denying it op by op
    #[arg(long)]
    pub(crate) strict_imports: bool,

    /// Make the call deterministic: the same tool, arguments and files give the same output and usage, each time and on every machine
    ///
    /// Time is virtual: it starts at 2000-01-01, each look at a clock moves it by 1 ms, and sleeping takes no time. SEED [default: 0] determines
    /// what is random. Fuel stands for time: without --limit fuel, 1,000,000,000 for each second of the timeout. The times of files are
    /// those of the call, and directories are listed in the order of names. Requests and buckets that outlive the call are refused.
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    pub(crate) deterministic: Option<u64>,
}

/// What bounds a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CeilingChoice {
    /// What the tool's author declared; nothing, if nothing was declared
    Manifest,
    /// No bound: for a tool that you would trust with all that you grant. The record shows it
    Open,
}

impl GrantOptions {
    /// What the toolbox grants to the tool, if it has it, and what these options add to that.
    pub(crate) fn resolve(&self, tool: &Found) -> Result<Grant, Failure> {
        let Self { allow, deny, ask, mount, bucket, limit, ceiling, strict_imports, deterministic } = self;
        let mut grant = tool.grant()?;
        for rule in allow {
            grant.allow(rule)?;
        }
        for rule in deny {
            grant.deny(rule)?;
        }
        for rule in ask {
            grant.ask(rule)?;
        }
        for text in mount {
            grant.mount(text)?;
        }
        for text in bucket {
            grant.bucket(text)?;
        }
        for text in limit {
            grant.limit(text)?;
        }
        if let Some(ceiling) = ceiling {
            grant.ceiling(match ceiling {
                CeilingChoice::Manifest => Ceiling::Manifest,
                CeilingChoice::Open => Ceiling::Open,
            });
        }
        if *strict_imports {
            grant.strict_imports(true);
        }
        grant.environment(|name| std::env::var(name).ok());
        if let Some(seed) = deterministic {
            grant.deterministic(*seed);
        }
        Ok(grant)
    }
}
