//! Random operations: the stores must agree with each other, and with a simple model.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::world::{BOTH, CREATE, CREATE_NEW, CREATE_TRUNCATE, Code, Guest, OPEN, READ, TRUNCATE, World};

/// One operation on names from a small set, so that they meet.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Read(String),
    Write(String, u16, Vec<u8>),
    Append(String, Vec<u8>),
    Create(String),
    CreateNew(String),
    Truncate(String),
    SetSize(String, u16),
    Mkdir(String),
    Rmdir(String),
    Unlink(String),
    Rename(String, String),
    Link(String, String),
    Symlink(String, String),
    ReadLink(String),
    Stat(String, bool),
    List(String),
}

fn path() -> impl Strategy<Value = String> {
    let name =
        prop_oneof![8 => "[abcd]", 1 => Just("..".to_owned()), 1 => Just(".".to_owned()), 1 => Just(String::new())];
    (vec(name, 1..4), any::<bool>()).prop_map(|(names, slash)| {
        let path = names.join("/");
        if slash && path.len() > 2 { format!("{path}/") } else { path }
    })
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let bytes = || vec(any::<u8>(), 0..6);
    prop_oneof![
        path().prop_map(Op::Read),
        (path(), 0..300u16, bytes()).prop_map(|(path, at, bytes)| Op::Write(path, at, bytes)),
        (path(), bytes()).prop_map(|(path, bytes)| Op::Append(path, bytes)),
        path().prop_map(Op::Create),
        path().prop_map(Op::CreateNew),
        path().prop_map(Op::Truncate),
        (path(), 0..300u16).prop_map(|(path, size)| Op::SetSize(path, size)),
        path().prop_map(Op::Mkdir),
        path().prop_map(Op::Mkdir),
        path().prop_map(Op::Rmdir),
        path().prop_map(Op::Unlink),
        (path(), path()).prop_map(|(old, new)| Op::Rename(old, new)),
        (path(), path()).prop_map(|(old, new)| Op::Rename(old, new)),
        (path(), path()).prop_map(|(old, new)| Op::Link(old, new)),
        (path(), path()).prop_map(|(target, path)| Op::Symlink(target, path)),
        path().prop_map(Op::ReadLink),
        (path(), any::<bool>()).prop_map(|(path, follow)| Op::Stat(path, follow)),
        path().prop_map(Op::List),
    ]
}

/// Runs an operation; what it gave, as text.
pub(crate) fn run(guest: &Guest, op: &Op) -> Result<String, Code> {
    let ns = &guest.ns;
    let failed = |error: caplet_vfs::FsError| crate::world::code(&error);
    match op {
        Op::Read(path) => guest.read(path),
        Op::Write(path, at, bytes) => {
            let file = guest.open(path, CREATE, BOTH)?;
            ns.write_at(&file, u64::from(*at), bytes).map(|count| count.to_string()).map_err(failed)
        }
        Op::Append(path, bytes) => {
            let file = guest.open(path, OPEN, BOTH)?;
            ns.append(&file, bytes).map(|count| count.to_string()).map_err(failed)
        }
        Op::Create(path) => guest.open(path, CREATE, READ).map(|_| String::new()),
        Op::CreateNew(path) => guest.open(path, CREATE_NEW, BOTH).map(|_| String::new()),
        Op::Truncate(path) => guest.open(path, TRUNCATE, BOTH).map(|_| String::new()),
        Op::SetSize(path, size) => {
            let file = guest.open(path, CREATE_TRUNCATE, BOTH)?;
            ns.set_size(&file, u64::from(*size)).map(|()| String::new()).map_err(failed)
        }
        Op::Mkdir(path) => guest.mkdir(path).map(|()| String::new()),
        Op::Rmdir(path) => guest.rmdir(path).map(|()| String::new()),
        Op::Unlink(path) => guest.unlink(path).map(|()| String::new()),
        Op::Rename(old, new) => guest.rename(old, new).map(|()| String::new()),
        Op::Link(old, new) => guest.hard_link(old, new).map(|()| String::new()),
        Op::Symlink(target, path) => guest.symlink(target, path).map(|()| String::new()),
        Op::ReadLink(path) => ns.read_link_at(&guest.base, path).map_err(failed),
        Op::Stat(path, follow) => {
            let stat = ns.stat_at(&guest.base, path, *follow).map_err(failed)?;
            Ok(format!("{:?} {} {}", stat.kind, stat.size, stat.links))
        }
        Op::List(path) => guest.list(path).map(|entries| format!("{entries:?}")),
    }
}

fn rules() -> impl Strategy<Value = Vec<&'static str>> {
    prop_oneof![
        Just(vec!["write:/w/**"]),
        Just(vec!["write:/w/**", "!read:/w/a/**"]),
        Just(vec!["write:/w/**", "!read:/w/**/b"]),
        Just(vec!["write:/w/*/**", "!write:/w/c/**"]),
        Just(vec!["write:/w/[ab]/**", "read:/w/c/**"]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// A directory of the host, a tree in memory and a database cannot be told apart.
    #[test]
    fn stores_agree(ops in vec(op(), 1..40), rules in rules()) {
        let (host, memory, sqlite) = (World::host(), World::memory(), World::sqlite());
        let (on_host, in_memory, in_sqlite) = (host.guest(&rules), memory.guest(&rules), sqlite.guest(&rules));
        for op in &ops {
            let answer = run(&on_host, op);
            prop_assert_eq!(&answer, &run(&in_memory, op), "{:?}", op);
            prop_assert_eq!(&answer, &run(&in_sqlite, op), "{:?}", op);
        }
        prop_assert_eq!(host.snapshot(), memory.snapshot());
        prop_assert_eq!(host.snapshot(), sqlite.snapshot());
        host.outside_is_unharmed();
    }

    /// Under a denied name nothing ever changes, is read, or goes away, whatever is done.
    #[test]
    fn what_is_denied_stays(ops in vec(op(), 1..40)) {
        for world in World::all() {
            world.add(&[("a/b/c", "secret"), ("a/d", "public"), ("b/a", "public")]);
            let guest = world.guest(&["write:/w/**", "!read:/w/a/b/**"]);
            for op in &ops {
                if let Ok(given) = run(&guest, op) {
                    prop_assert!(!given.contains("secret"), "{:?}", op);
                }
            }
            prop_assert_eq!(world.admin().read("a/b/c"), Ok("secret".to_owned()));
            prop_assert_eq!(world.admin().names("a/b"), ["c"]);
            prop_assert_eq!(world.admin().stat("a/b/c").unwrap().links, 1);
            world.outside_is_unharmed();
        }
    }

    /// Content is what a plain list of bytes would be.
    #[test]
    fn content_agrees_with_a_list_of_bytes(ops in vec((0..4u8, 0..200_000u64, vec(any::<u8>(), 0..40)), 1..40)) {
        for world in World::all() {
            let guest = world.admin();
            let file = guest.open("f", CREATE, BOTH).unwrap();
            let mut model: Vec<u8> = Vec::new();
            for (what, number, bytes) in &ops {
                let at = usize::try_from(*number).unwrap();
                match what {
                    0 => {
                        guest.ns.write_at(&file, *number, bytes).unwrap();
                        if !bytes.is_empty() {
                            let end = at + bytes.len();
                            model.resize(model.len().max(end), 0);
                            model[at..end].copy_from_slice(bytes);
                        }
                    }
                    1 => {
                        guest.ns.append(&file, bytes).unwrap();
                        model.extend(bytes);
                    }
                    2 => {
                        guest.ns.set_size(&file, *number).unwrap();
                        model.resize(at, 0);
                    }
                    _ => {
                        let read = guest.ns.read_at(&file, *number, 1000).unwrap();
                        let from = at.min(model.len());
                        prop_assert_eq!(&read, &model[from..(from + 1000).min(model.len())]);
                    }
                }
                prop_assert_eq!(guest.ns.stat(&file).unwrap().size, u64::try_from(model.len()).unwrap());
            }
            let mut all = Vec::new();
            while all.len() < model.len() {
                all.extend(guest.ns.read_at(&file, u64::try_from(all.len()).unwrap(), 1 << 20).unwrap());
            }
            prop_assert_eq!(all, model);
        }
    }

    /// No path at all makes anything panic, or reach outside.
    #[test]
    fn any_text_is_a_path(path in ".{0,40}", other in "[a./]{0,20}") {
        for world in World::all() {
            world.add(&[("a/a", "x")]);
            let guest = world.guest(&["write:/w/**"]);
            for path in [&path, &other] {
                for op in [Op::Read(path.clone()), Op::Mkdir(path.clone()), Op::Symlink(path.clone(), "l".to_owned()), Op::Read("l".to_owned()),
                    Op::Rename("a".to_owned(), path.clone()), Op::Stat(path.clone(), true), Op::Unlink(path.clone()), Op::Rmdir(path.clone())] {
                    drop(run(&guest, &op));
                }
            }
            world.outside_is_unharmed();
        }
    }
}
