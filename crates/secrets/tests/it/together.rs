//! Several threads and processes at once, and processes that are stopped.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::home::{CANARY, Home, at, named, unfinished, value};

#[test]
fn threads_that_set_at_once_lose_nothing() {
    let home = Home::new();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let home = &home;
            scope.spawn(move || (0..5).for_each(|n| assert!(home.set(&format!("T{thread}.{n}"), "v").unwrap())));
        }
    });
    assert_eq!(home.names().len(), 40);
}

/// The same test program as another process, which sets secrets until it is done or killed.
fn child(home: &Home, prefix: &str, count: u32) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "together::as_a_child", "--ignored"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("CHILD_CONFIG", &home.config).env("CHILD_STATE", &home.state);
    command.env("CHILD_PREFIX", prefix).env("CHILD_COUNT", count.to_string());
    command
}

#[test]
#[ignore = "runs in the processes that other tests start"]
fn as_a_child() {
    let env = |name: &str| std::env::var(name).unwrap();
    let vault = at(Path::new(&env("CHILD_CONFIG")), Path::new(&env("CHILD_STATE")));
    for number in 0..env("CHILD_COUNT").parse().unwrap() {
        vault.set(&named(&format!("{}{number}", env("CHILD_PREFIX"))), &value(CANARY)).unwrap();
    }
}

#[test]
fn processes_that_set_at_once_lose_nothing() {
    let home = Home::new();
    let children = ["a", "b", "c", "d"].map(|prefix| child(&home, prefix, 8).spawn().unwrap());
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(home.names().len(), 32);
    assert_eq!(unfinished(&home.state) + unfinished(&home.config), 0);
}

#[test]
fn processes_that_are_killed_leave_whole_files() {
    let home = Home::begun();
    for round in 0..12_u64 {
        let mut child = child(&home, &format!("r{round}."), 100_000).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + 7 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(home.get("TOKEN").unwrap(), CANARY);
        for name in home.names() {
            assert_eq!(home.get(&name).unwrap(), CANARY);
        }
    }
}

#[test]
fn what_was_left_unfinished_is_ignored_and_cleaned() {
    let home = Home::begun();
    let left = home.state.join(".secrets-new-0123456789abcdef");
    fs::write(&left, "torn").unwrap();
    assert_eq!(home.get("TOKEN").unwrap(), CANARY);
    home.set("OTHER", "v").unwrap();
    assert!(!left.exists());
    assert_eq!(home.names(), ["OTHER", "TOKEN"]);
}

#[test]
fn a_full_disk_loses_nothing() {
    let home = Home::begun();
    // A limit on the size of files stands for a disk that is full.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" --exact together::as_a_child --ignored"]);
    command.arg(std::env::current_exe().unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("CHILD_CONFIG", &home.config).env("CHILD_STATE", &home.state);
    let status = command.env("CHILD_PREFIX", "x").env("CHILD_COUNT", "1").status().unwrap();
    assert!(!status.success());
    assert_eq!(home.names(), ["TOKEN"]);
    assert_eq!(unfinished(&home.state), 0);
}
