//! What is said about commands that are not there.

use bstr::ByteSlice;

/// Commands that people expect, why they are not here, and what does their work.
const KNOWN: [(&[&str], &str); 10] = [
    (&["git", "hg", "svn"], "version control needs a process"),
    (&["python", "python3", "pip", "pip3"], "to run Python code use the tool `python`"),
    (&["node", "deno", "bun", "npm", "npx", "yarn", "pnpm"], "to run JavaScript use the tool `javascript`"),
    (
        &["make", "cmake", "gcc", "g++", "cc", "clang", "cargo", "rustc", "go", "java", "javac", "mvn", "gradle"],
        "no program can be built or started",
    ),
    (&["ssh", "scp", "sftp", "nc", "telnet", "ping", "rsync", "ftp"], "the only network is HTTP: use `curl`"),
    (&["wget"], "use `curl -O URL`"),
    (&["sudo", "su", "doas", "chown", "chgrp", "mount"], "there are no users in the sandbox"),
    (&["apt", "apt-get", "yum", "dnf", "apk", "brew", "pacman", "dpkg"], "nothing can be installed"),
    (
        &[
            "docker",
            "podman",
            "kubectl",
            "systemctl",
            "service",
            "ps",
            "top",
            "htop",
            "pgrep",
            "pkill",
            "killall",
            "nohup",
        ],
        "there are no processes",
    ),
    (
        &["vi", "vim", "nano", "emacs", "less", "more", "man"],
        "there is no terminal: use `cat`, `sed` or the tool `file-edit`",
    ),
];

/// The message for a command that is not there, and its status.
pub(crate) fn missing(name: &[u8]) -> (String, i32) {
    let shown = name.to_str_lossy();
    let reason = KNOWN.iter().find(|(names, _)| names.contains(&shown.as_ref())).map(|(_, reason)| *reason);
    let reason = match (reason, shown.as_ref()) {
        (Some(reason), _) => format!("not available in the sandbox: {reason}"),
        (None, "rg" | "ag" | "ack") => "not available in the sandbox: use `grep -rn`".to_owned(),
        (None, "perl" | "ruby" | "php" | "lua") => {
            "not available in the sandbox: use `awk`, or the tools `python` and `javascript`".to_owned()
        }
        (None, _) => "not available in the sandbox".to_owned(),
    };
    (format!("{shown}: command not found ({reason})"), 127)
}
