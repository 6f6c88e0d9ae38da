//! Brings `lo` up and gives it addresses, over rtnetlink: the few messages of `ip link set lo up` and `ip address add`.
//!
//! By hand, since the command `ip` is not on every machine. Layouts are those of rtnetlink(7), in the machine's byte order.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

const NEW_LINK: u16 = 16;
const NEW_ADDRESS: u16 = 20;
const ERROR: u16 = 2;

const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const CREATE: u16 = 0x400;

const UP: u32 = 1;
const ATTRIBUTE_ADDRESS: u16 = 1;
const ATTRIBUTE_LOCAL: u16 = 2;
/// No check that the address is unused elsewhere, which would delay its use: there is no elsewhere.
const NO_DUPLICATE_DETECTION: u8 = 2;

/// Brings `lo` up, with `addresses` on it.
pub(super) fn bring_up_loopback(addresses: &[IpAddr]) -> io::Result<()> {
    let socket = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    let index = rustix::net::netdevice::name_to_index(&socket, "lo")?;
    // Some systems turn IPv6 off for new interfaces. Where this file cannot be written, adding an address says what is wrong.
    let _ = std::fs::write("/proc/sys/net/ipv6/conf/lo/disable_ipv6", "0");
    let mut up = vec![0; 4];
    up.extend(index.to_ne_bytes());
    up.extend(UP.to_ne_bytes());
    up.extend(UP.to_ne_bytes());
    ask(&socket, NEW_LINK, 0, &up)?;
    for address in addresses {
        match ask(&socket, NEW_ADDRESS, CREATE, &new_address(*address, index)) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(io::Error::new(error.kind(), format!("cannot add {address} to lo: {error}")));
            }
            _ => {}
        }
    }
    Ok(())
}

fn new_address(address: IpAddr, index: u32) -> Vec<u8> {
    let (family, octets) = match address {
        IpAddr::V4(address) => (AddressFamily::INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AddressFamily::INET6, address.octets().to_vec()),
    };
    let bits: u8 = if octets.len() == 4 { 32 } else { 128 };
    let family = family.as_raw().to_ne_bytes()[usize::from(cfg!(target_endian = "big"))];
    let mut message = vec![family, bits, NO_DUPLICATE_DETECTION, 0];
    message.extend(index.to_ne_bytes());
    for kind in [ATTRIBUTE_LOCAL, ATTRIBUTE_ADDRESS] {
        // A head of four bytes, and a length that is a multiple of four already.
        let length: u16 = if octets.len() == 4 { 8 } else { 20 };
        message.extend(length.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(&octets);
    }
    message
}

/// Sends one message, and waits for the kernel's word on it.
fn ask(socket: &OwnedFd, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(16 + body.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((REQUEST | ACKNOWLEDGE | flags).to_ne_bytes());
    // Sequence and port: one question at a time needs neither.
    message.extend([0; 8]);
    message.extend(body);
    rustix::net::sendto(socket, &message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut reply = [0; 4096];
    let (_, length) = rustix::net::recv(socket, &mut reply, RecvFlags::empty())?;
    let reply = reply.get(..length).unwrap_or_default();
    let kind = reply.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    let code = reply.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match (kind, code) {
        (Some(ERROR), Some(0)) => Ok(()),
        (Some(ERROR), Some(code)) => Err(Errno::from_raw_os_error(-code).into()),
        _ => Err(io::Error::other("the kernel's answer is none of rtnetlink's")),
    }
}
