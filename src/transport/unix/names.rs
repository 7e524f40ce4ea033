//! Turns names of the kernel into addresses, and remembers the last ones.

use std::{ffi::OsStr, io, os::unix::ffi::OsStrExt, sync::Arc};

use socket2::SockAddr;

use crate::addr::{Addr, Rare, Repr, UnixName, bytes_of_name};
use crate::transport::kernel::unix::PATH;
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
use crate::transport::kernel::{Aligned, unix::NAME};

/// The names of the peers that have sent last, so that their datagrams share one allocation. Its size is
/// fixed: a peer whose place another peer has taken costs one allocation.
#[derive(Debug)]
pub(super) struct Names([Option<Arc<[u8]>>; PLACES]);

const PLACES: usize = 64;

impl Names {
    pub(super) const fn new() -> Self {
        Self([const { None }; PLACES])
    }

    /// The address of a `sockaddr_un`, of which the kernel has written `len` bytes.
    pub(super) fn addr(&mut self, name: &[u8], len: usize) -> Addr {
        let bytes = bytes_of_name(name.get(PATH..len).unwrap_or_default());
        if bytes.is_empty() {
            return Addr(Repr::Rare(Rare::Unix(UnixName::unnamed())));
        }
        let place = &mut self.0[hash(bytes) % PLACES];
        let known = match place {
            Some(known) if **known == *bytes => Arc::clone(known),
            _ => Arc::clone(place.insert(bytes.into())),
        };
        Addr(Repr::Rare(Rare::Unix(UnixName::Named(known))))
    }
}

/// A hash of the last bytes, in which the names of clients usually differ. A peer that chooses its name to
/// collide only costs allocations.
#[inline]
fn hash(bytes: &[u8]) -> usize {
    let bits = match bytes.last_chunk() {
        Some(last) => u64::from_ne_bytes(*last),
        None => bytes.iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte)),
    };
    (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize
}

/// The address of a peer in the format of the kernel.
pub(super) fn target(peer: &Addr) -> io::Result<SockAddr> {
    match &peer.0 {
        Repr::Rare(Rare::Unix(UnixName::Named(name))) => SockAddr::unix(OsStr::from_bytes(name)),
        Repr::Rare(Rare::Unix(UnixName::Unnamed(_))) => {
            let text = "the peer has no name, so nothing can be sent to it";
            Err(io::Error::new(io::ErrorKind::InvalidInput, text))
        }
        Repr::Ip(_) | Repr::Rare(Rare::Proxied(_)) => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// The longest name of a Unix socket, in bytes. A path must be shorter, because a zero byte ends it.
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
const LONGEST: usize = size_of::<libc::sockaddr_un>() - PATH;

/// Whether [`write()`] can write the name of `peer`.
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
pub(super) fn can_write(peer: &Addr) -> bool {
    match &peer.0 {
        Repr::Rare(Rare::Unix(UnixName::Named(name))) => name.len() < LONGEST,
        _ => false,
    }
}

/// Writes the address of a peer in the format of the kernel. Returns how many bytes it wrote.
#[cfg(all(target_os = "linux", not(datagrammar_portable)))]
pub(super) fn write(peer: &Addr, room: &mut Aligned<NAME>) -> libc::socklen_t {
    let Repr::Rare(Rare::Unix(UnixName::Named(name))) = &peer.0 else { return 0 };
    let end = PATH + name.len();
    room.0[..PATH].copy_from_slice(&(libc::AF_UNIX as libc::sa_family_t).to_ne_bytes());
    room.0[PATH..end].copy_from_slice(name);
    // A path ends with a zero byte, and an abstract name does not.
    room.0[end] = 0;
    (end + usize::from(name[0] != 0)) as libc::socklen_t
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name as the kernel writes it.
    fn kernel(path: &[u8]) -> Vec<u8> {
        [&[0; PATH], path].concat()
    }

    // D-10
    #[test]
    fn one_peer_keeps_its_address_among_more_peers_than_there_are_places() {
        let mut names = Names::new();
        for round in 0..3 {
            for n in 0..3 * PLACES {
                let path = format!("/tmp/{n}");
                let name = kernel(path.as_bytes());
                assert_eq!(names.addr(&name, name.len()).to_string(), path, "{round}");
            }
        }
    }

    #[test]
    fn datagrams_of_one_peer_share_its_name() {
        let mut names = Names::new();
        let name = kernel(b"\0abstract");

        let (first, second) = (names.addr(&name, name.len()), names.addr(&name, name.len()));

        let Repr::Rare(Rare::Unix(UnixName::Named(first))) = first.0 else {
            panic!("it has a name")
        };
        let Repr::Rare(Rare::Unix(UnixName::Named(second))) = second.0 else {
            panic!("it has a name")
        };
        assert!(Arc::ptr_eq(&first, &second));
    }

    // U-3
    #[cfg(all(target_os = "linux", not(datagrammar_portable)))]
    #[test]
    fn names_are_written_as_the_kernel_reads_them() {
        for name in ["/tmp/a", "\0abstract", &"x".repeat(LONGEST - 1)] {
            let (mut room, mut names) = (Aligned([0xff; NAME]), Names::new());
            let peer = names.addr(&kernel(name.as_bytes()), PATH + name.len());

            assert!(can_write(&peer));
            let len = write(&peer, &mut room) as usize;

            let expected = target(&peer).unwrap();
            assert_eq!(len, expected.len() as usize, "{name:?}");
            assert_eq!(names.addr(&room.0, len), peer);
        }
        let long = "x".repeat(LONGEST);
        let mut names = Names::new();
        assert!(!can_write(&names.addr(&kernel(long.as_bytes()), PATH + LONGEST)));
        assert!(!can_write(&names.addr(&kernel(b""), PATH)));
    }

    // U-6, U-7
    #[test]
    fn unnamed_peers_are_never_the_same_peer() {
        let mut names = Names::new();

        let (first, second) = (names.addr(&kernel(b""), PATH), names.addr(&kernel(b""), 0));

        assert!(first.is_unnamed() && second.is_unnamed());
        assert_ne!(first, second);
        assert_eq!(target(&first).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
