//! What may be held, alone and together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use caplet_policy::Allowance;

#[test]
fn no_more_is_taken_than_there_is_here_and_in_the_whole() {
    let whole = Arc::new(Allowance::new(100));
    let part = |bytes| Allowance::new(bytes).part_of(Some(Arc::clone(&whole)));
    let (one, other) = (part(70), part(u64::MAX));
    assert!(!one.take(71), "it is more than its own");
    assert!(one.take(70) && !one.take(1));
    assert!(!other.take(31), "the whole has no more");
    assert!(!other.take(u64::MAX));
    assert!(other.take(30) && !other.take(1) && other.take(0));
    assert_eq!((one.taken(), other.taken(), whole.taken()), (70, 30, 100));
    one.give_back(20);
    assert!(other.take(20));
    drop(other);
    assert_eq!(whole.taken(), 50, "who is gone holds nothing");
    assert!(one.take(20) && !part(10).take(11));
    drop(one);
    assert_eq!((whole.taken(), whole.bytes()), (0, 100));
}

#[test]
fn many_at_once_take_no_more_than_the_whole() {
    let whole = Arc::new(Allowance::new(1_000));
    let most = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for size in (1..=7).cycle().take(20_000) {
                    let part = Allowance::new(300).part_of(Some(Arc::clone(&whole)));
                    while part.take(size) {}
                    most.fetch_max(whole.taken(), Ordering::Relaxed);
                }
            });
        }
    });
    assert!((1..=1_000).contains(&most.into_inner()));
    assert_eq!(whole.taken(), 0);
}
