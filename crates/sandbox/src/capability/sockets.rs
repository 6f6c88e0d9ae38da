//! `wasi:sockets`: linked, so that programs built against all of WASI load; it never connects and never resolves a name.
//!
//! A guest can make no socket, so no other function of these interfaces can be reached with one.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::ResolveAddressStream;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::{Network, TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};

use crate::state::CallState;

/// The version of the interfaces that the engine's crates define; the linker also answers for earlier 0.2 releases.
const VERSION: &str = "0.2.12";

/// Links the interfaces, then puts a refusal in the place of each function that would open a way out.
pub(super) fn link(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<_, WasiSockets>(linker, &options, CallState::sockets)?;
    sockets::instance_network::add_to_linker::<_, WasiSockets>(linker, CallState::sockets)?;
    sockets::tcp::add_to_linker::<_, WasiSockets>(linker, CallState::sockets)?;
    sockets::udp::add_to_linker::<_, WasiSockets>(linker, CallState::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<_, WasiSockets>(linker, CallState::sockets)?;
    sockets::udp_create_socket::add_to_linker::<_, WasiSockets>(linker, CallState::sockets)?;
    sockets::ip_name_lookup::add_to_linker::<_, WasiSockets>(linker, CallState::sockets)?;

    linker.allow_shadowing(true);
    let linked = refuse(linker);
    linker.allow_shadowing(false);
    linked
}

fn refuse(linker: &mut Linker<CallState>) -> wasmtime::Result<()> {
    linker.instance(&format!("wasi:sockets/tcp-create-socket@{VERSION}"))?.func_wrap(
        "create-tcp-socket",
        |mut store: StoreContextMut<'_, CallState>, (_family,): (IpAddressFamily,)| {
            store.data_mut().refuse_socket("create a TCP socket");
            Ok((Err::<Resource<TcpSocket>, _>(ErrorCode::AccessDenied),))
        },
    )?;
    linker.instance(&format!("wasi:sockets/udp-create-socket@{VERSION}"))?.func_wrap(
        "create-udp-socket",
        |mut store: StoreContextMut<'_, CallState>, (_family,): (IpAddressFamily,)| {
            store.data_mut().refuse_socket("create a UDP socket");
            Ok((Err::<Resource<UdpSocket>, _>(ErrorCode::AccessDenied),))
        },
    )?;
    linker.instance(&format!("wasi:sockets/ip-name-lookup@{VERSION}"))?.func_wrap(
        "resolve-addresses",
        |mut store: StoreContextMut<'_, CallState>, (_network, name): (Resource<Network>, String)| {
            store.data_mut().refuse_socket(&format!("resolve the name {name:?}"));
            Ok((Err::<Resource<ResolveAddressStream>, _>(ErrorCode::PermanentResolverFailure),))
        },
    )
}
