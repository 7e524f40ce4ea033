//! A TFTP server (RFC 1350) with options (RFC 2347, 2348 and 2349): it reads and writes the files of a directory.
//!
//! ```sh
//! cargo run --example tftp --features tftp -- 127.0.0.1:6969 /srv/tftp 1000000   # bytes of an upload
//! curl tftp://127.0.0.1:6969/kernel --output kernel   # in another terminal
//! curl tftp://127.0.0.1:6969/ --upload-file notes.txt
//! ```
//!
//! In place of the address, `inherited` stands for the socket of systemd, which stays open while the server restarts.
//!
//! `packet.rs` is the protocol. A request is received here, `files.rs` opens its file, and `transfer.rs` moves the bytes.
//! TFTP has no passwords: everybody who reaches the server can read all files of the directory and add others.

mod files;
mod packet;
mod transfer;

use std::{env, io, time::Duration};

use datagrammar::{
    AnyTransport, BoxError, Client, Handler, Inherited, Limits, Peer, Server, Termination, Udp,
};
use files::Files;
use packet::{Packet, Request, Tftp};
use tokio::fs::{self, File};
use transfer::{Transfer, dally};

impl Handler<Packet, Packet> for Files {
    /// Receives a request, and carries it out from a new port: the ports of both sides identify a transfer (RFC 1350,
    /// section 4). The conversation lasts as long as the transfer, so that copies of the request begin no other one.
    ///
    /// Packets from other ports do not disturb a transfer, because the socket is connected. The RFC wants them to be
    /// answered with error 5. The kernel does that in its own way: to their senders, the port is closed (ICMP).
    async fn handle(&self, peer: &mut Peer<Packet, Packet>) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        let mut local = peer.local_addr().socket_addr().ok_or("TFTP is for UDP only")?;
        local.set_port(0);
        // The server speaks first from its new port, so it is a client of the client there.
        let to_client = Udp::new(peer.addr().clone()).local_addr(local);
        let client = Client::builder(Tftp).connect(to_client).await?;
        let outcome = match &request {
            Packet::Read(asked) if asked.mode == "octet" => self.read(asked, &client).await,
            Packet::Write(asked) if asked.mode == "octet" => self.write(asked, &client).await,
            Packet::Error { .. } => return Ok(()), // It must not be answered with another error.
            _ => Err(io::Error::from(io::ErrorKind::InvalidInput).into()),
        };
        let last = match outcome {
            Ok(last) => last,
            Err(error) => {
                eprintln!("{}: failed: {error}", peer.addr());
                if let Some(error) = error.downcast_ref() {
                    client.send(Packet::refusal(error)).await?;
                }
                None
            }
        };
        // Copies of the request, which have come meanwhile, are dropped. Another one is left to the next conversation.
        let other = async {
            while let Ok(next) = peer.recv().await {
                if next != request {
                    return peer.put_back(next);
                }
            }
        };
        tokio::select! {
            biased;
            () = dally(&client, last) => {}
            () = other => {}
        }
        Ok(())
    }
}

impl Files {
    /// Sends a file.
    async fn read(&self, asked: &Request, client: &Client<Tftp>) -> Result<Option<u16>, BoxError> {
        let file = File::open(self.path(&asked.file).await?).await?;
        let len = file.metadata().await?.len();
        Transfer::new(client, &asked.options, Some(len)).send(file).await?;
        eprintln!("{}: has read {:?}", client.peer_addr(), asked.file);
        Ok(None)
    }

    /// Receives a file that does not exist yet. Returns the number of the last block, which is not acknowledged yet.
    async fn write(&self, asked: &Request, client: &Client<Tftp>) -> Result<Option<u16>, BoxError> {
        let path = self.path(&asked.file).await?;
        let transfer = Transfer::new(client, &asked.options, None);
        if transfer.len > Some(self.max_len) {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge).into());
        }
        if fs::symlink_metadata(&path).await.is_ok() {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
        }
        // The file has another name until it is whole. If the transfer fails, or a shutdown drops it, `part` removes the file.
        let dir = path.parent().unwrap_or(&self.root);
        let part = tempfile::Builder::new().make_in(dir, |path| std::fs::File::create_new(path))?;
        let (file, part) = part.into_parts();
        let last = transfer.receive(file.into(), self.max_len).await?;
        part.persist_noclobber(path).map_err(io::Error::from)?;
        eprintln!("{}: has written {:?}", client.peer_addr(), asked.file);
        Ok(Some(last))
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args: Vec<_> = env::args().skip(1).collect();
    let [addr, root, max_len] = &args[..] else {
        return Err("usage: tftp ADDR:PORT|inherited DIRECTORY MAX_UPLOAD_BYTES".into());
    };
    let transport = match &**addr {
        "inherited" => AnyTransport::new(Inherited::all()),
        addr => AnyTransport::new(addr),
    };
    let files = Files { root: std::fs::canonicalize(root)?, max_len: max_len.parse()? };
    // Each transfer takes a socket and an open file.
    let limits = Limits::default().max_conversations(256);
    let server = Server::builder(Tftp, files).limits(limits).bind(transport).await?;
    println!("listening on {}", server.local_addr());
    // Transfers that run may end. A second signal ends them.
    let termination = Termination::default().grace(Duration::from_secs(60));
    Ok(server.serve_until_signal_with(termination).await?)
}
