//! proofs
use caplet_policy::proof::{effective, widenings};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
#[test]
fn gaveup_ratio() {
    let mut runner = TestRunner::deterministic();
    let (mut n, mut wide) = (0, 0);
    let mut gave: std::collections::BTreeMap<String, u32> = Default::default();
    for _ in 0..400 {
        let (old, new) = crate::generate::pair().new_tree(&mut runner).unwrap().current();
        n += 1;
        let start = std::time::Instant::now();
        match widenings(&old, &new) {
            Ok(found) => wide += usize::from(!found.is_empty()),
            Err(e) => {
                *gave.entry(e.to_string()).or_default() += 1;
                println!("{e} {old}{new}");
            }
        }
        if start.elapsed().as_millis() > 400 {
            println!("slow {:?} {old}{new}", start.elapsed());
        }
        let p = crate::generate::policy().new_tree(&mut runner).unwrap().current();
        let start = std::time::Instant::now();
        if let Err(e) = effective(&p) {
            *gave.entry(format!("eff {e}")).or_default() += 1;
        }
        if start.elapsed().as_millis() > 400 {
            println!("slow eff {:?} {p:?}", start.elapsed());
        }
    }
    println!("{n} {wide} {gave:?}");
}
