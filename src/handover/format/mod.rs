//! The messages between the two processes of a hand-over, as bytes.
//!
//! Each message is its length (4 bytes, little-endian), its kind (1 byte), and its fields. Both processes run on one host.
//! The first message of each side has the version, and has to stay as it is.

use std::{
    net::{IpAddr, SocketAddr, SocketAddrV6},
    path::PathBuf,
};

use super::Kept;
use crate::{
    Addr, TrafficClass, UnnamedPeers,
    addr::{Rare, Repr, UnixName},
    transport::{Ancillary, Local, WorkerIndex},
};

/// The version of these messages.
pub(crate) const VERSION: u16 = 1;

/// The longest message, in bytes. It has room for the longest datagram of a Unix socket.
const LONGEST: usize = 64 << 20;

/// A message between the old process and the new one.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    /// The new process wants the sockets.
    Hello { version: u16 },
    /// The old process does not hand over.
    Refused(Refusal),
    /// The old process hands over this socket, with its descriptor, and so many after it.
    Socket { socket: SocketInfo, more: u32 },
    /// The start hook of the new process has succeeded.
    Serving,
    /// These peers of a socket are in conversation with the old process.
    InConversation { socket: u32, peers: Vec<Addr> },
    /// The old process does not read the socket any more.
    Stopped { socket: u32 },
    /// The new process has read a datagram of a peer in conversation with the old one.
    Datagram { socket: u32, datagram: Kept },
    /// The conversations of a peer have ended in the old process. It has taken so many datagrams of the peer, and returns so
    /// many that were not received.
    Ended { socket: u32, peer: Addr, taken: u64, returned: u64 },
    /// The old process returns a datagram.
    Returned { socket: u32, datagram: Kept },
    /// All conversations of the old process have ended.
    Finished,
    /// The new process sends no more datagrams.
    Bye,
    /// The new process ends. It serves what was sent so far; what comes later is for the next process.
    Leaving,
}

/// Why the old process does not hand over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has another version.
    Version(u16),
    /// Another process is taking over, or an older process still has conversations.
    Busy,
    /// It does not serve.
    NotServing,
}

/// What the new process has to know of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketInfo {
    pub(crate) worker: WorkerIndex,
    pub(crate) unnamed_peers: UnnamedPeers,
    /// The path that the server has bound, so that it removes it.
    pub(crate) own_path: Option<PathBuf>,
}

impl Message {
    /// Appends the bytes of the message.
    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        let mut writer = Writer(bytes);
        writer.u32(0);
        match self {
            Self::Hello { version } => writer.kind(0).u16(*version),
            Self::Refused(refusal) => {
                let (code, version) = match refusal {
                    Refusal::Version(version) => (0, *version),
                    Refusal::Busy => (1, VERSION),
                    Refusal::NotServing => (2, VERSION),
                };
                writer.kind(1).u8(code);
                writer.u16(version);
            }
            Self::Socket { socket, more } => {
                let SocketInfo { worker, unnamed_peers, own_path } = socket;
                writer.kind(2).u32(*more);
                writer.u32(worker.number);
                writer.u32(worker.of);
                writer.u8(match unnamed_peers {
                    UnnamedPeers::Drop => 0,
                    UnnamedPeers::Warn => 1,
                    UnnamedPeers::Serve => 2,
                });
                writer.path(own_path.as_ref());
            }
            Self::Serving => writer.u8(3),
            Self::InConversation { socket, peers } => {
                writer.kind(4).u32(*socket);
                writer.u32(peers.len() as u32);
                peers.iter().for_each(|peer| writer.addr(peer));
            }
            Self::Stopped { socket } => writer.kind(5).u32(*socket),
            Self::Datagram { socket, datagram } => writer.kind(6).datagram(*socket, datagram),
            Self::Ended { socket, peer, taken, returned } => {
                writer.kind(7).u32(*socket);
                writer.addr(peer);
                writer.u64(*taken);
                writer.u64(*returned);
            }
            Self::Returned { socket, datagram } => writer.kind(8).datagram(*socket, datagram),
            Self::Finished => writer.u8(9),
            Self::Bye => writer.u8(10),
            Self::Leaving => writer.u8(11),
        }
        let len = (bytes.len() - start - 4) as u32;
        bytes[start..start + 4].copy_from_slice(&len.to_le_bytes());
    }

    /// Reads the first message of `bytes`; returns it and its length. Returns `Ok(None)` if it is not complete yet.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let Some(len) = bytes.first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_le_bytes(*len) as usize;
        if len > LONGEST {
            return Err(Malformed);
        }
        let Some(body) = bytes[4..].get(..len) else { return Ok(None) };
        let message = Reader(body).message().ok_or(Malformed)?;
        Ok(Some((message, 4 + len)))
    }
}

/// What the other process has sent is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn kind(&mut self, kind: u8) -> &mut Self {
        self.u8(kind);
        self
    }

    fn u8(&mut self, number: u8) {
        self.0.push(number);
    }

    fn u16(&mut self, number: u16) {
        self.0.extend(number.to_le_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.0.extend(number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.u32(bytes.len() as u32);
        self.0.extend(bytes);
    }

    fn path(&mut self, path: Option<&PathBuf>) {
        use std::os::unix::ffi::OsStrExt;

        self.u8(path.is_some().into());
        self.bytes(path.map_or(&[][..], |path| path.as_os_str().as_bytes()));
    }

    fn ip(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => {
                self.u8(4);
                self.0.extend(ip.octets());
            }
            IpAddr::V6(ip) => {
                self.u8(6);
                self.0.extend(ip.octets());
            }
        }
    }

    fn socket_addr(&mut self, addr: &SocketAddr) {
        self.ip(addr.ip());
        self.u16(addr.port());
        self.u32(match addr {
            SocketAddr::V4(_) => 0,
            SocketAddr::V6(addr) => addr.scope_id(),
        });
    }

    /// An unnamed peer is never in conversation for longer than one datagram, so it needs no bytes.
    fn addr(&mut self, addr: &Addr) {
        match &addr.0 {
            Repr::Ip(addr) => {
                self.u8(1);
                self.socket_addr(addr);
            }
            Repr::Rare(Rare::Unix(name)) => {
                self.u8(2);
                self.bytes(name.bytes());
            }
            Repr::Rare(Rare::Proxied(proxied)) => {
                self.u8(3);
                self.socket_addr(&proxied.peer);
                self.socket_addr(addr.ip_socket());
            }
        }
    }

    fn datagram(&mut self, socket: u32, Kept { from, ancillary, bytes }: &Kept) {
        self.u32(socket);
        self.addr(from);
        self.u8(ancillary.local.is_some().into());
        if let Some(Local { ip, interface }) = ancillary.local {
            self.ip(ip);
            self.u32(interface);
        }
        let class = ancillary.traffic_class;
        self.u8(class.is_some().into());
        self.u8(class.map_or(0, u8::from));
        self.bytes(bytes);
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn message(mut self) -> Option<Message> {
        let message = match self.u8()? {
            0 => Message::Hello { version: self.u16()? },
            1 => {
                let (code, version) = (self.u8()?, self.u16()?);
                Message::Refused(match code {
                    0 => Refusal::Version(version),
                    1 => Refusal::Busy,
                    2 => Refusal::NotServing,
                    _ => return None,
                })
            }
            2 => {
                let more = self.u32()?;
                let worker = WorkerIndex { number: self.u32()?, of: self.u32()? };
                let unnamed_peers = match self.u8()? {
                    0 => UnnamedPeers::Drop,
                    1 => UnnamedPeers::Warn,
                    2 => UnnamedPeers::Serve,
                    _ => return None,
                };
                let own_path = self.path()?;
                Message::Socket { socket: SocketInfo { worker, unnamed_peers, own_path }, more }
            }
            3 => Message::Serving,
            4 => {
                let (socket, count) = (self.u32()?, self.u32()?);
                let peers = (0..count).map(|_| self.addr()).collect::<Option<_>>()?;
                Message::InConversation { socket, peers }
            }
            5 => Message::Stopped { socket: self.u32()? },
            6 => Message::Datagram { socket: self.u32()?, datagram: self.datagram()? },
            7 => Message::Ended {
                socket: self.u32()?,
                peer: self.addr()?,
                taken: self.u64()?,
                returned: self.u64()?,
            },
            8 => Message::Returned { socket: self.u32()?, datagram: self.datagram()? },
            9 => Message::Finished,
            10 => Message::Bye,
            11 => Message::Leaving,
            _ => return None,
        };
        self.0.is_empty().then_some(message)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn bytes(&mut self) -> Option<&[u8]> {
        let len = self.u32()? as usize;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn path(&mut self) -> Option<Option<PathBuf>> {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

        let is_some = self.flag()?;
        let path = PathBuf::from(OsStr::from_bytes(self.bytes()?));
        Some(is_some.then_some(path))
    }

    fn ip(&mut self) -> Option<IpAddr> {
        match self.u8()? {
            4 => self.array::<4>().map(IpAddr::from),
            6 => self.array::<16>().map(IpAddr::from),
            _ => None,
        }
    }

    fn addr(&mut self) -> Option<Addr> {
        match self.u8()? {
            1 => self.socket_addr().map(Addr::canonical),
            2 => Some(Addr(Repr::Rare(Rare::Unix(match self.bytes()? {
                [] => UnixName::unnamed(),
                name => UnixName::Named(name.into()),
            })))),
            3 => Some(Addr::proxied(self.socket_addr()?, self.socket_addr()?)),
            _ => None,
        }
    }

    fn socket_addr(&mut self) -> Option<SocketAddr> {
        let (ip, port, scope) = (self.ip()?, self.u16()?, self.u32()?);
        Some(match ip {
            IpAddr::V4(ip) => (ip, port).into(),
            IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, scope).into(),
        })
    }

    fn datagram(&mut self) -> Option<Kept> {
        let from = self.addr()?;
        let local = match self.flag()? {
            true => Some(Local { ip: self.ip()?, interface: self.u32()? }),
            false => None,
        };
        let (has_class, class) = (self.flag()?, self.u8()?);
        let traffic_class = has_class.then(|| TrafficClass::from(class));
        let ancillary = Ancillary { local, traffic_class, ..Ancillary::default() };
        Some(Kept { from, ancillary, bytes: self.bytes()?.to_vec() })
    }
}

#[cfg(test)]
mod tests;
