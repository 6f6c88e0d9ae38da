//! `wasi:random`: the system's randomness, or a generator that a seed determines.
//!
//! From one seed the three sources of the interface are derived apart, so that what a guest reads from the insecure one tells
//! it nothing of the secure one.

use caplet_policy::RandomSetting;
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::{Digest, Sha256};
use wasmtime_wasi::WasiCtxBuilder;

/// The most random bytes that one request may ask for: far above any key, far below what would burden the host.
const MAX_REQUEST_BYTES: u64 = 1 << 20;

/// Gives `wasi` the randomness that `setting` allows: what `seed` determines, in a call that has one and where the policy names no other.
pub(crate) fn configure(wasi: &mut WasiCtxBuilder, setting: RandomSetting, seed: Option<u64>) {
    wasi.max_random_size(MAX_REQUEST_BYTES);
    let seed = match setting {
        RandomSetting::Seeded(seed) => Some(seed),
        RandomSetting::Real => seed,
    };
    if let Some(seed) = seed {
        wasi.secure_random(StdRng::from_seed(derive(seed, "secure")));
        wasi.insecure_random(StdRng::from_seed(derive(seed, "insecure")));
        let [half @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = derive(seed, "insecure-seed");
        wasi.insecure_random_seed(u128::from_le_bytes(half));
    }
}

fn derive(seed: u64, purpose: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"caplet random ");
    hash.update(purpose.as_bytes());
    hash.update(seed.to_le_bytes());
    hash.finalize().into()
}
