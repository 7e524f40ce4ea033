//! The TFTP server, and the packets that it understands.

#[path = "../../../tftp/packet.rs"]
mod packet;

mod client;
mod lossy;
mod packets;
mod transfers;

use std::{
    fs, io,
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use client::Client;
use packet::{Packet, Request, Tftp};

use crate::program::Program;

/// RFC 1350, appendix.
struct ErrorCode;

impl ErrorCode {
    const UNDEFINED: u16 = 0;
    const NOT_FOUND: u16 = 1;
    const ACCESS_VIOLATION: u16 = 2;
    const DISK_FULL: u16 = 3;
    const ILLEGAL: u16 = 4;
    const EXISTS: u16 = 6;
}

/// The server, and its directory, which is removed at the end.
struct Served {
    program: Program,
    addr: SocketAddr,
    root: PathBuf,
}

impl Served {
    /// Uploads may have 2,000,000 bytes.
    fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let name = format!("tftp-{}-{}", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let root = std::env::temp_dir().join(name).join("files");
        fs::create_dir_all(&root).unwrap();
        let args = ["127.0.0.1:0", root.to_str().unwrap(), "2000000"];
        let program = Program::start("tftp", args);
        let addr = program.addr().parse().unwrap();
        Self { program, addr, root }
    }

    fn put(&self, name: &str, content: &[u8]) {
        fs::write(self.root.join(name), content).unwrap();
    }

    /// How many files there are, whatever their names.
    fn files(&self) -> usize {
        fs::read_dir(&self.root).unwrap().count()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        fs::remove_dir_all(self.root.parent().unwrap()).unwrap();
    }
}

/// Bytes of this length that do not repeat soon.
fn content(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn request(file: &str, options: &[(&str, &str)]) -> Request {
    let options = options.iter().map(|&(name, value)| [name.to_owned(), value.to_owned()]);
    Request { file: file.to_owned(), mode: "octet".to_owned(), options: options.collect() }
}

fn error(code: u16, message: &str) -> Packet {
    Packet::Error { code, message: message.to_owned() }
}
