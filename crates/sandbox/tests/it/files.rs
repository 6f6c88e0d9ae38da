//! Preview1 guests that try to get at files which they were not given, on a host directory and in memory, each with its
//! positive twin.

use std::fs;

use caplet_audit::{Outcome, OutcomeKind};

use crate::harness::{Call, READ, WRITE, call, preview1};

/// Errno values of preview1.
const PERM: u32 = 63;

/// A guest that opens `path` under its first directory and prints what it reads; exits with the errno when it is refused.
fn cat(path: &str) -> String {
    preview1(
        path,
        &format!(
            "(call $must (call $open (i32.const 3) (i32.const 1024) (i32.const {}) (i32.const 0) {READ})) (call $cat)",
            path.len()
        ),
    )
}

/// A directory with a public and a secret part, and a file outside of it.
struct World {
    root: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().join("w");
        for folder in ["pub", "secret"] {
            fs::create_dir_all(base.join(folder)).unwrap();
        }
        fs::write(base.join("pub/file"), "public").unwrap();
        fs::write(base.join("secret/file"), "secret").unwrap();
        fs::write(root.path().join("outside"), "outside").unwrap();
        Self { root }
    }

    fn base(&self) -> std::path::PathBuf {
        self.root.path().join("w")
    }

    fn mount(&self, call: Call) -> Call {
        call.mount_host("/w", &self.base())
    }

    /// Nothing that a guest was denied has changed.
    fn unharmed(&self) {
        assert_eq!(fs::read_to_string(self.base().join("secret/file")).unwrap(), "secret");
        assert_eq!(fs::read_to_string(self.root.path().join("outside")).unwrap(), "outside");
        assert_eq!(fs::read_dir(self.base().join("secret")).unwrap().count(), 1);
    }
}

fn refused_with_a_decision(outcome: &Outcome, op: &str) {
    assert_eq!(outcome.outcome, OutcomeKind::Denied, "{outcome:?}");
    assert_eq!(outcome.exit_code, Some(PERM), "{outcome:?}");
    assert!(outcome.decisions.denied.iter().any(|denied| denied.op == op), "{op}: {:?}", outcome.decisions.denied);
}

#[tokio::test]
async fn a_granted_file_is_read_and_its_neighbour_is_not() {
    let world = World::new();
    let read = world.mount(call(&cat("pub/file"))).allow("read:/w/pub/**").run().await;
    assert_eq!((read.outcome, read.output.as_str()), (OutcomeKind::Ok, Some("public")), "{read:?}");
    assert!(read.decisions.permitted > 0);
    let refused = world.mount(call(&cat("secret/file"))).allow("read:/w/pub/**").run().await;
    assert!(refused.decisions.denied.iter().any(|denied| denied.op.contains("/w/secret")), "{refused:?}");
    assert_eq!(refused.exit_code, Some(PERM));
    let twin = world.mount(call(&cat("secret/file"))).allow("read:/w/**").run().await;
    assert_eq!(twin.output.as_str(), Some("secret"));
}

#[tokio::test]
async fn climbing_out_is_refused_whether_or_not_the_target_exists() {
    for path in ["..", "../outside", "../missing", "pub/../../outside", "pub/s/../../../x", "/etc/passwd", "/missing"] {
        let world = World::new();
        let outcome = world.mount(call(&cat(path))).allow("read:/w/**").run().await;
        assert_eq!((outcome.outcome, outcome.exit_code), (OutcomeKind::Denied, Some(PERM)), "{path}: {outcome:?}");
        assert!(!outcome.decisions.denied.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_denied_name_and_a_missing_one_get_the_same_answer() {
    let world = World::new();
    let mut answers = Vec::new();
    for path in ["secret/file", "secret/missing", "secret/file/x", "secret/missing/../../pub/file"] {
        let outcome = world.mount(call(&cat(path))).allow("read:/w/pub/**").run().await;
        answers.push((outcome.outcome, outcome.exit_code));
    }
    assert!(answers.iter().all(|answer| *answer == (OutcomeKind::Denied, Some(PERM))), "{answers:?}");
}

#[tokio::test]
async fn links_are_followed_only_to_where_the_rules_allow() {
    for (target, allowed, content) in [
        ("pub/file", true, "public"),
        ("./pub/../pub/file", true, "public"),
        ("secret/file", false, ""),
        ("../outside", false, ""),
        ("/etc/passwd", false, ""),
        ("../w/pub/file", false, ""),
    ] {
        let world = World::new();
        std::os::unix::fs::symlink(target, world.base().join("link")).unwrap();
        let outcome = world.mount(call(&cat("link"))).allow("read:/w/**").deny("read:/w/secret/**").run().await;
        if allowed {
            assert_eq!(outcome.output.as_str(), Some(content), "{target}: {outcome:?}");
        } else {
            assert_eq!(
                (outcome.outcome, outcome.exit_code),
                (OutcomeKind::Denied, Some(PERM)),
                "{target}: {outcome:?}"
            );
        }
    }
}

#[tokio::test]
async fn links_that_a_guest_plants_lead_nowhere_it_may_not_go() {
    // Strings: "pub/l" at 1024 (5), then the target.
    for target in ["/etc/passwd", "../../outside", "../secret/file"] {
        let world = World::new();
        let text = preview1(
            &format!("pub/l{target}"),
            &format!(
                "(drop (call $path_symlink (i32.const 1029) (i32.const {len}) (i32.const 3) (i32.const 1024) (i32.const 5)))
                 (call $must (call $open (i32.const 3) (i32.const 1024) (i32.const 5) (i32.const 0) {READ})) (call $cat)",
                len = target.len()
            ),
        );
        let outcome = world.mount(call(&text)).allow("write:/w/**").deny("read:/w/secret/**").run().await;
        assert_ne!(outcome.outcome, OutcomeKind::Ok, "{target}: {outcome:?}");
        assert_ne!(outcome.output.as_str(), Some("secret"));
        world.unharmed();
    }
}

#[tokio::test]
async fn creating_through_a_dangling_link_leaves_nothing_outside() {
    let world = World::new();
    std::os::unix::fs::symlink("../../created", world.base().join("pub/l")).unwrap();
    let text = preview1(
        "pub/l",
        &format!("(call $must (call $open (i32.const 3) (i32.const 1024) (i32.const 5) (i32.const 9) {WRITE}))"),
    );
    let outcome = world.mount(call(&text)).allow("write:/w/**").run().await;
    assert_ne!(outcome.outcome, OutcomeKind::Ok, "{outcome:?}");
    assert!(!world.root.path().join("created").exists());
}

#[tokio::test]
async fn a_hard_link_or_a_rename_does_not_bring_a_denied_file_into_reach() {
    for verb in [
        "(call $path_link (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 11) (i32.const 3) (i32.const 1035) (i32.const 5))",
        "(call $path_rename (i32.const 3) (i32.const 1024) (i32.const 11) (i32.const 3) (i32.const 1035) (i32.const 5))",
    ] {
        let world = World::new();
        let text = preview1("secret/filepub/x", &format!("(call $must {verb})"));
        let outcome = world.mount(call(&text)).allow("write:/w/**").deny("read:/w/secret/**").run().await;
        assert_eq!((outcome.outcome, outcome.exit_code), (OutcomeKind::Denied, Some(PERM)), "{verb}: {outcome:?}");
        world.unharmed();
        let twin = world.mount(call(&text)).allow("write:/w/**").run().await;
        assert_eq!(twin.outcome, OutcomeKind::Ok, "{verb}: {twin:?}");
    }
}

#[tokio::test]
async fn a_directory_above_a_denied_one_cannot_be_moved() {
    let world = World::new();
    // Through the parent: the mount is /r, the denied part is /r/w/secret.
    let rename = preview1(
        "wmoved",
        "(call $must (call $path_rename (i32.const 3) (i32.const 1024) (i32.const 1) (i32.const 3) (i32.const 1025) (i32.const 5)))",
    );
    let refused =
        call(&rename).mount_host("/r", world.root.path()).allow("write:/r/**").deny("read:/r/w/secret/**").run().await;
    assert_eq!((refused.outcome, refused.exit_code), (OutcomeKind::Denied, Some(PERM)), "{refused:?}");
    refused_with_a_decision(&refused, "write-tree /r/w");
    world.unharmed();
    let twin = call(&rename).mount_host("/r", world.root.path()).allow("write:/r/**").run().await;
    assert_eq!(twin.outcome, OutcomeKind::Ok, "{twin:?}");
    assert!(world.root.path().join("moved/secret/file").exists());
}

#[tokio::test]
async fn a_read_only_grant_refuses_every_change() {
    let open_for = |oflags: u32, rights: &str| {
        format!("(call $must (call $open (i32.const 3) (i32.const 1024) (i32.const 8) (i32.const {oflags}) {rights}))")
    };
    for (what, body) in [
        ("write", open_for(0, WRITE)),
        ("truncate", open_for(8, READ)),
        ("create", open_for(1, WRITE)),
        ("unlink", "(call $must (call $path_unlink (i32.const 3) (i32.const 1024) (i32.const 8)))".to_owned()),
        ("mkdir", "(call $must (call $path_mkdir (i32.const 3) (i32.const 1032) (i32.const 5)))".to_owned()),
    ] {
        let world = World::new();
        let before = fs::metadata(world.base().join("pub/file")).unwrap().modified().unwrap();
        let text = preview1("pub/filepub/d", &body);
        let outcome = world.mount(call(&text)).allow("read:/w/**").run().await;
        assert_eq!((outcome.outcome, outcome.exit_code), (OutcomeKind::Denied, Some(PERM)), "{what}: {outcome:?}");
        assert_eq!(fs::read_to_string(world.base().join("pub/file")).unwrap(), "public", "{what}");
        assert_eq!(fs::metadata(world.base().join("pub/file")).unwrap().modified().unwrap(), before, "{what}");
        assert!(!world.base().join("pub/d").exists(), "{what}");
    }
}

#[tokio::test]
async fn memory_behaves_as_a_disk_does() {
    // Creates /m/f, writes "hi" to it, opens it again and prints it.
    let text = preview1(
        "fhi",
        &format!(
            "(call $must (call $open (i32.const 3) (i32.const 1024) (i32.const 1) (i32.const 1) {WRITE}))
             (i32.store (i32.const 8) (i32.const 1025)) (i32.store (i32.const 12) (i32.const 2))
             (call $must (call $fd_write (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 16)))
             (call $must (call $fd_close (i32.load (i32.const 0))))
             (call $must (call $open (i32.const 3) (i32.const 1024) (i32.const 1) (i32.const 0) {READ})) (call $cat)"
        ),
    );
    let outcome = call(&text).mount_memory("/m").allow("write:/m/**").run().await;
    assert_eq!((outcome.outcome, outcome.output.as_str()), (OutcomeKind::Ok, Some("hi")), "{outcome:?}");
    let refused = call(&text).mount_memory("/m").allow("read:/m/**").run().await;
    assert_eq!((refused.outcome, refused.exit_code), (OutcomeKind::Denied, Some(PERM)), "{refused:?}");
}

#[tokio::test]
async fn devices_and_pipes_are_refused_at_once() {
    let world = World::new();
    let fifo = world.base().join("pub/fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    let outcome = world.mount(call(&cat("pub/fifo"))).allow("read:/w/**").limit("timeout=5s").run().await;
    assert_eq!(outcome.exit_code, Some(PERM), "{outcome:?}");
    assert!(outcome.usage.wall_us < 4_000_000, "it did not block");
}

#[tokio::test]
async fn file_writes_have_a_quota_that_sparse_writes_do_not_escape() {
    let text = preview1(
        "f",
        &format!(
            "(local $e i32)
             (call $must (call $open (i32.const 3) (i32.const 1024) (i32.const 1) (i32.const 1) {WRITE}))
             (i32.store (i32.const 8) (i32.const 1024)) (i32.store (i32.const 12) (i32.const 60000))
             (loop $l
               (local.set $e (call $fd_write (i32.load (i32.const 0)) (i32.const 8) (i32.const 1) (i32.const 16)))
               (br_if $l (i32.eqz (local.get $e))))
             (call $exit (local.get $e))"
        ),
    );
    let world = World::new();
    let outcome =
        call(&text).mount_host("/w", &world.base()).allow("write:/w/**").limit("file-writes=1MiB").run().await;
    assert_eq!(outcome.outcome, OutcomeKind::Limit, "{outcome:?}");
    assert_eq!(outcome.error.unwrap().kind, caplet_audit::ErrorKind::Quota);
    assert!(fs::metadata(world.base().join("f")).unwrap().len() <= 1 << 20);
}
