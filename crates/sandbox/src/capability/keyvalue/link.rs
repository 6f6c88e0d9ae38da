//! Both drafts of the interface, function by function. Nothing is decided here.

use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{
    ComponentNamedList, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType,
};

use super::gate::KeyValueGate;
use super::listing::Shown;
use super::types::{Bucket, Cas, CasError, KeyResponse, StoreError};
use crate::state::CallState;

/// The first draft, as the engine's own crate has it.
const DRAFT: &str = "0.2.0-draft";
/// The second.
const DRAFT_2: &str = "0.2.0-draft2";

type Answer<T> = Result<T, StoreError>;
type Borrowed = Resource<Bucket>;
type Instance<'a> = LinkerInstance<'a, CallState>;

/// Links `store`, `atomics` and `batch` of both drafts.
pub(in crate::capability) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    store::<u64>(linker, DRAFT)?;
    store::<String>(linker, DRAFT_2)?;
    let mut atomics = linker.instance(&name("atomics", DRAFT))?;
    on_bucket::<(Borrowed, String, u64), _, _>(&mut atomics, "increment", |gate, bucket, (key, delta)| async move {
        let delta = i64::try_from(delta).map_err(|_| StoreError::other("the number is too large"))?;
        // It is done by now, so nothing may say that it failed and could be tried again.
        let below_zero = || StoreError::other("the sum was stored, but is below zero and cannot be told");
        u64::try_from(gate.increment(&bucket, &key, delta).await?).map_err(|_| below_zero())
    })?;
    atomics_2(linker)?;
    let mut batch = linker.instance(&name("batch", DRAFT))?;
    on_bucket::<(Borrowed, Vec<String>), _, _>(&mut batch, "get-many", |gate, bucket, keys| async move {
        let values = gate.get_many(&bucket, keys).await?;
        Ok(values.into_iter().map(|(key, value)| Some((key, value?))).collect::<Vec<_>>())
    })?;
    set_many(&mut batch)?;
    let mut batch = linker.instance(&name("batch", DRAFT_2))?;
    on_bucket::<(Borrowed, Vec<String>), _, _>(&mut batch, "get-many", |gate, bucket, keys| async move {
        gate.get_many(&bucket, keys).await
    })?;
    set_many(&mut batch)
}

fn name(interface: &str, version: &str) -> String {
    format!("wasi:keyvalue/{interface}@{version}")
}

fn store<C: GuestCursor>(linker: &mut Linker<CallState>, version: &str) -> wasmtime::Result<()> {
    let mut store = linker.instance(&name("store", version))?;
    store.resource("bucket", ResourceType::host::<Bucket>(), |mut store, rep| {
        store.data_mut().table.delete(Resource::<Bucket>::new_own(rep))?;
        Ok(())
    })?;
    store.func_wrap_async("open", |mut store: StoreContextMut<'_, CallState>, (identifier,): (String,)| {
        Box::new(async move {
            let gate = Arc::clone(&store.data().keyvalue);
            let opened = gate.open(&identifier).await;
            Ok((store.data_mut().hand_over(opened)?,))
        })
    })?;
    on_bucket::<(Borrowed, String), _, _>(&mut store, "[method]bucket.get", |gate, bucket, key| async move {
        gate.get(&bucket, &key).await
    })?;
    on_bucket::<(Borrowed, String, Vec<u8>), _, _>(
        &mut store,
        "[method]bucket.set",
        |gate, bucket, (key, value)| async move { gate.set(&bucket, &key, value).await },
    )?;
    on_bucket::<(Borrowed, String), _, _>(&mut store, "[method]bucket.delete", |gate, bucket, key| async move {
        gate.delete(&bucket, &key).await
    })?;
    on_bucket::<(Borrowed, String), _, _>(&mut store, "[method]bucket.exists", |gate, bucket, key| async move {
        gate.exists(&bucket, &key).await
    })?;
    on_bucket::<(Borrowed, Option<C>), _, _>(
        &mut store,
        "[method]bucket.list-keys",
        |gate, bucket, cursor| async move {
            let Shown { keys, next } = gate.keys(&bucket, cursor.map(C::into_number)).await?;
            Ok(KeyResponse { keys, cursor: next.map(C::of_number) })
        },
    )
}

fn set_many(batch: &mut Instance<'_>) -> wasmtime::Result<()> {
    on_bucket::<(Borrowed, Vec<(String, Vec<u8>)>), _, _>(batch, "set-many", |gate, bucket, values| async move {
        gate.set_many(&bucket, values).await
    })?;
    on_bucket::<(Borrowed, Vec<String>), _, _>(batch, "delete-many", |gate, bucket, keys| async move {
        gate.delete_many(&bucket, keys).await
    })
}

fn atomics_2(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    let mut atomics = linker.instance(&name("atomics", DRAFT_2))?;
    on_bucket::<(Borrowed, String, i64), _, _>(&mut atomics, "increment", |gate, bucket, (key, delta)| async move {
        gate.increment(&bucket, &key, delta).await
    })?;
    atomics.resource("cas", ResourceType::host::<Cas>(), |mut store, rep| {
        store.data_mut().table.delete(Resource::<Cas>::new_own(rep))?;
        Ok(())
    })?;
    atomics.func_wrap_async(
        "[static]cas.new",
        |mut store: StoreContextMut<'_, CallState>, (bucket, key): (Borrowed, String)| {
            Box::new(async move {
                let (gate, bucket) = store.data().opened(&bucket)?;
                let seen = gate.look(&bucket, &key).await;
                Ok((store.data_mut().hand_over(seen)?,))
            })
        },
    )?;
    atomics.func_wrap("[method]cas.current", |store, (cas,): (Resource<Cas>,)| {
        let value = store.data().table.get(&cas)?.seen.value.clone();
        Ok((Answer::Ok(value),))
    })?;
    atomics.func_wrap_async(
        "swap",
        |mut store: StoreContextMut<'_, CallState>, (cas, value): (Resource<Cas>, Vec<u8>)| {
            Box::new(async move { Ok((swap(&mut store, cas, value).await?,)) })
        },
    )
}

/// Swaps; where something happened to the key meanwhile, the guest gets what it is now, to try again.
async fn swap(
    store: &mut StoreContextMut<'_, CallState>,
    cas: Resource<Cas>,
    value: Vec<u8>,
) -> wasmtime::Result<Result<(), CasError>> {
    let cas = store.data_mut().table.delete(cas)?;
    let gate = Arc::clone(&store.data().keyvalue);
    let failed = match gate.swap(&cas, value).await {
        Ok(true) => return Ok(Ok(())),
        Ok(false) => {
            let (bucket, key) = cas.into_place();
            gate.look(&bucket, &key).await
        }
        Err(error) => Err(error),
    };
    Ok(Err(match failed {
        Ok(now) => CasError::CasFailed(store.data_mut().table.push(now)?),
        Err(error) => CasError::StoreError(error),
    }))
}

/// The parameters of a function that is about a bucket: the bucket, and others.
trait OnBucket: ComponentNamedList + Lift + Send + 'static {
    type Rest: Send;

    fn split(self) -> (Borrowed, Self::Rest);
}

impl<A: ComponentType + Lift + Send + 'static> OnBucket for (Borrowed, A) {
    type Rest = A;

    fn split(self) -> (Borrowed, A) {
        self
    }
}

impl<A: ComponentType + Lift + Send + 'static, B: ComponentType + Lift + Send + 'static> OnBucket for (Borrowed, A, B) {
    type Rest = (A, B);

    fn split(self) -> (Borrowed, (A, B)) {
        (self.0, (self.1, self.2))
    }
}

/// Links a function that is about a bucket.
fn on_bucket<P: OnBucket, T: ComponentType + Lower + 'static, F: Future<Output = Answer<T>> + Send>(
    instance: &mut Instance<'_>,
    name: &str,
    act: impl Fn(Arc<KeyValueGate>, Bucket, P::Rest) -> F + Send + Sync + Copy + 'static,
) -> wasmtime::Result<()> {
    instance.func_wrap_async(name, move |store: StoreContextMut<'_, CallState>, parameters: P| {
        Box::new(async move {
            let (bucket, rest) = parameters.split();
            let (gate, bucket) = store.data().opened(&bucket)?;
            Ok((act(gate, bucket, rest).await,))
        })
    })
}

impl CallState {
    fn opened(&self, bucket: &Borrowed) -> wasmtime::Result<(Arc<KeyValueGate>, Bucket)> {
        Ok((Arc::clone(&self.keyvalue), self.table.get(bucket)?.clone()))
    }

    /// Gives the guest a handle of what it asked for.
    fn hand_over<T: Send + 'static>(&mut self, made: Answer<T>) -> wasmtime::Result<Answer<Resource<T>>> {
        Ok(match made {
            Ok(made) => Ok(self.table.push(made)?),
            Err(error) => Err(error),
        })
    }
}

/// Where a listing goes on, as one of the drafts has it: a number, or its text.
trait GuestCursor: ComponentType + Lift + Lower + Send + 'static {
    fn into_number(self) -> u64;
    fn of_number(number: u64) -> Self;
}

impl GuestCursor for u64 {
    fn into_number(self) -> u64 {
        self
    }

    fn of_number(number: u64) -> Self {
        number
    }
}

impl GuestCursor for String {
    fn into_number(self) -> u64 {
        // A number that is never given out, for a text that was not.
        self.parse().unwrap_or(u64::MAX)
    }

    fn of_number(number: u64) -> Self {
        number.to_string()
    }
}
