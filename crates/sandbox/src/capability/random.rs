//! `wasi:random`: the system's randomness, or a generator that a seed determines.
//!
//! From one seed the three sources of the interface are derived apart, so that what a guest reads from the insecure one tells
//! it nothing of the secure one.

use caplet_policy::RandomSetting;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::{Digest, Sha256};
use wasmtime_wasi::WasiCtxBuilder;

use crate::recording::Tape;

/// The most random bytes that one request may ask for: far above any key, far below what would burden the host.
const MAX_REQUEST_BYTES: u64 = 1 << 20;

/// Gives `wasi` the randomness that `setting` allows: what `seed` determines, in a call that has one and where the policy names no other.
pub(crate) fn configure(wasi: &mut WasiCtxBuilder, setting: RandomSetting, seed: Option<u64>, tape: Option<&Tape>) {
    wasi.max_random_size(MAX_REQUEST_BYTES);
    match (setting, seed, tape) {
        (RandomSetting::Seeded(seed), _, _) | (_, Some(seed), _) => seeded(wasi, &seed.to_le_bytes()),
        // The system's own, by way of a seed that is as good, and that can be kept.
        (_, None, Some(tape)) => seeded(wasi, &tape.seed()),
        (_, None, None) => {}
    }
}

fn seeded(wasi: &mut WasiCtxBuilder, seed: &[u8]) {
    wasi.secure_random(StdRng::from_seed(derive(seed, "secure")));
    wasi.insecure_random(StdRng::from_seed(derive(seed, "insecure")));
    let [half @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = derive(seed, "insecure-seed");
    wasi.insecure_random_seed(u128::from_le_bytes(half));
}

fn derive(seed: &[u8], purpose: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"caplet random ");
    hash.update(purpose.as_bytes());
    hash.update(seed);
    hash.finalize().into()
}
