//! Asks Linux which Unix sockets have something unread (`sock_diag(7)`, `unix_diag`).

use std::{collections::HashSet, io, io::Read};

use socket2::{Domain, Protocol, Socket, Type};

use crate::addr::bytes_of_name;

/// A connection to the part of the kernel that describes sockets.
#[derive(Debug)]
pub(super) struct Diag(Socket);

/// The names of sockets.
pub(super) type Names = HashSet<Box<[u8]>>;

/// The kinds of netlink messages.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const ERROR: u16 = libc::NLMSG_ERROR as u16;
const DONE: u16 = libc::NLMSG_DONE as u16;

/// The sizes of the parts of a message: the head, a description of a socket, and the head of an attribute.
const HEAD: usize = 16;
const DESCRIPTION: usize = 16;
const ATTRIBUTE: usize = 4;

/// The kinds of attributes.
const NAME: u16 = 0;
const QUEUE: u16 = 4;

/// Datagram sockets are in one of these states.
const STATES: u32 = 1 << ESTABLISHED | 1 << CLOSE;
const ESTABLISHED: u32 = 1;
const CLOSE: u32 = 7;

/// What the kernel is to show: the name of each socket, and the length of its queue.
const SHOW: u32 = 1 << NAME | 1 << QUEUE;

impl Diag {
    pub(super) fn new() -> io::Result<Self> {
        let protocol = Protocol::from(libc::NETLINK_SOCK_DIAG);
        let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, Some(protocol))?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// The names of the datagram sockets with something unread, in this network namespace. A socket is not among
    /// them while the first datagram in its queue is empty.
    pub(super) fn unread(&mut self) -> io::Result<Names> {
        /// The kernel sends pieces of up to 32 KiB if there is room.
        const ROOM: usize = 32 * 1024;

        self.0.send(&request())?;
        let (mut names, mut piece) = (Names::new(), vec![0; ROOM]);
        loop {
            let len = self.0.read(&mut piece)?;
            if add_names(&piece[..len], &mut names)? {
                return Ok(names);
            }
        }
    }
}

/// A request for all Unix sockets.
fn request() -> Vec<u8> {
    const LEN: u32 = 40;
    const FLAGS: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    const ANY: u32 = u32::MAX;

    let family = libc::AF_UNIX as u32; // one byte; the protocol and the padding are zero
    let mut request = LEN.to_ne_bytes().to_vec();
    request.extend([SOCK_DIAG_BY_FAMILY, FLAGS].map(u16::to_ne_bytes).as_flattened());
    request.extend([0; 8]);
    request
        .extend([family.to_le(), STATES, 0, SHOW, ANY, ANY].map(u32::to_ne_bytes).as_flattened());
    request
}

/// Adds the names in one piece of the answer. Returns whether it was the last one.
fn add_names(mut piece: &[u8], names: &mut Names) -> io::Result<bool> {
    let incomplete = || io::Error::new(io::ErrorKind::InvalidData, "an answer of sock_diag is cut");
    while !piece.is_empty() {
        let len = number32(piece, 0).ok_or_else(incomplete)? as usize;
        let message = piece.get(HEAD..len).ok_or_else(incomplete)?;
        match number16(piece, 4) {
            Some(DONE) => return Ok(true),
            Some(ERROR) => {
                let error = number32(message, 0).ok_or_else(incomplete)?;
                return Err(io::Error::from_raw_os_error(error.wrapping_neg() as i32));
            }
            Some(SOCK_DIAG_BY_FAMILY) => {
                if let Some(name) = unread_name(message) {
                    names.insert(name.into());
                }
            }
            _ => {}
        }
        piece = piece.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

/// The name of the socket that `message` describes, if it is a datagram socket with something unread.
fn unread_name(message: &[u8]) -> Option<&[u8]> {
    let (description, mut attributes) = message.split_at_checked(DESCRIPTION)?;
    if i32::from(description[1]) != libc::SOCK_DGRAM {
        return None;
    }
    let (mut name, mut unread) = (None, 0);
    while let (Some(len), Some(kind)) = (number16(attributes, 0), number16(attributes, 2)) {
        let len = usize::from(len);
        let data = attributes.get(ATTRIBUTE..len)?;
        match kind {
            NAME => name = Some(bytes_of_name(data)),
            QUEUE => unread = number32(data, 0)?,
            _ => {}
        }
        attributes = attributes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    name.filter(|name| unread > 0 && !name.is_empty())
}

fn number16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

fn number32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use std::os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream},
    };

    use super::*;

    fn unread() -> Option<Names> {
        // A kernel without `unix_diag` cannot tell.
        Diag::new().and_then(|mut diag| diag.unread()).ok()
    }

    fn named(text: &str) -> (SocketAddr, Vec<u8>) {
        let name = format!("datagrammar-{}-{text}", std::process::id());
        (SocketAddr::from_abstract_name(&name).unwrap(), [b"\0", name.as_bytes()].concat())
    }

    // U-9
    #[test]
    fn sockets_with_something_unread_are_found_by_name() {
        let sender = UnixDatagram::unbound().unwrap();
        let ((full, full_name), (empty, empty_name)) = (named("full"), named("empty"));
        let (full_socket, _empty_socket) =
            (UnixDatagram::bind_addr(&full).unwrap(), UnixDatagram::bind_addr(&empty).unwrap());
        let ((listening, stream_name), path) = (named("stream"), std::env::temp_dir());
        let path = path.join(format!("datagrammar-diag-{}", std::process::id()));
        let listener = UnixListener::bind_addr(&listening).unwrap();
        let mut stream = UnixStream::connect_addr(&listening).unwrap();
        io::Write::write_all(&mut stream, b"unread").unwrap();
        let _accepted = listener.accept().unwrap();
        let with_path = UnixDatagram::bind(&path).unwrap();
        sender.send_to(b"hello", &path).unwrap();
        sender.send_to_addr(b"hello", &full).unwrap();

        let Some(names) = unread() else { return };
        std::fs::remove_file(&path).unwrap();
        assert!(names.contains(full_name.as_slice()));
        assert!(names.contains(path.as_os_str().as_encoded_bytes()));
        assert!(!names.contains(empty_name.as_slice()) && !names.contains(stream_name.as_slice()));

        full_socket.recv(&mut [0; 5]).unwrap();
        with_path.recv(&mut [0; 5]).unwrap();
        assert!(!unread().unwrap().contains(full_name.as_slice()));
    }

    //
    #[test]
    fn an_answer_that_is_cut_is_an_error_or_has_no_names() {
        let mut names = Names::new();
        let mut piece = 40_u32.to_ne_bytes().to_vec();
        piece.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        piece.extend([0; 34]);

        for len in 1..40 {
            assert!(add_names(&piece[..len], &mut names).is_err(), "{len}");
        }
        for byte in 0..=255 {
            let _ = add_names(&[byte; 100], &mut names);
        }

        assert!(names.is_empty());
        assert!(!add_names(&piece, &mut names).unwrap() && add_names(&[], &mut names).is_ok());
    }

    // U-9
    #[test]
    fn an_error_of_the_kernel_is_returned() {
        let mut piece = 36_u32.to_ne_bytes().to_vec();
        piece.extend(ERROR.to_ne_bytes());
        piece.extend([0; 10]);
        piece.extend((-libc::ENOENT).to_ne_bytes());
        piece.extend([0; 16]);

        let error = add_names(&piece, &mut Names::new()).unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
