//! A TFTP server (RFC 1350) with options (RFC 2347, 2348 and 2349): it reads and writes the files of a directory.
//!
//! ```sh
//! cargo run --example tftp --features tftp -- 127.0.0.1:6969 /srv/tftp
//! curl tftp://127.0.0.1:6969/kernel --output kernel   # in another terminal
//! curl tftp://127.0.0.1:6969/ --upload-file notes.txt
//! ```
//!
//! `packet.rs` is the protocol. A request is received here, `transfer.rs` carries it out, and `files.rs` finds its file.
//! TFTP has no passwords: everybody who reaches the server can read all files of the directory and add others.

mod files;
mod packet;
mod transfer;

use std::{env, io, pin::pin};

use datagrammar::{BoxError, Client, Handler, Limits, Peer, Server, Udp};
use files::Files;
use packet::{Packet, Tftp};

impl Handler<Packet, Packet> for Files {
    /// Receives a request, and carries it out from another port. The conversation lasts as long as the transfer, so
    /// that copies of the request begin no other one.
    async fn handle(&self, peer: &mut Peer<Packet, Packet>) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        if let Packet::Error { .. } = request {
            return Ok(()); // An error is never answered with an error.
        }
        let addr = peer.addr().clone();
        // The server answers from a port of its own, so it is a client of the client here.
        let client = Client::builder(Tftp).connect(from_new_port(peer)?).await?;
        let outcome = {
            let mut transfer = pin!(self.transfer(&request, &client));
            tokio::select! {
                outcome = &mut transfer => outcome,
                () = peer.closed() => {
                    // The transfer fails, and removes the file that it was writing.
                    client.close();
                    transfer.await
                }
            }
        };
        match &outcome {
            Ok(done) => eprintln!("{addr}: {done}"),
            Err(error) => eprintln!("{addr}: failed: {error}"),
        }
        if let Err(error) = outcome
            && let Some(error) = error.downcast_ref::<io::Error>()
        {
            client.send(Packet::refusal(error)).await?;
        }
        // Copies of the request that came meanwhile are dropped. Another one is left to the next conversation.
        while let Some(Ok(next)) = peer.try_recv() {
            if next != request {
                peer.put_back(next);
                break;
            }
        }
        Ok(())
    }
}

/// The way to the client from a new port of the address that it has asked: the ports of both sides identify a transfer
/// (RFC 1350, section 4).
///
/// Packets from other ports do not disturb a transfer, because the socket is connected. The RFC wants them to be
/// answered with error 5. The kernel does that in its own way: to their senders, the port is closed (ICMP).
fn from_new_port(peer: &Peer<Packet, Packet>) -> Result<Udp, BoxError> {
    let mut local = peer.local_addr().socket_addr().ok_or("TFTP is for UDP only")?;
    local.set_port(0);
    Ok(Udp::new(peer.addr().clone()).local_addr(local))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args: Vec<_> = env::args().skip(1).collect();
    let (addr, root, max_len) = match &args[..] {
        [addr, root] => (addr, root, 32 << 20),
        [addr, root, max_len] => (addr, root, max_len.parse()?),
        _ => return Err("usage: tftp ADDR:PORT DIRECTORY [MAX_UPLOAD_BYTES]".into()),
    };
    let files = Files { root: std::fs::canonicalize(root)?, max_len };
    // Each transfer takes a socket and an open file.
    let limits = Limits::default().max_conversations(256);
    let server = Server::builder(Tftp, files).limits(limits).bind(addr).await?;
    println!("listening on {}", server.local_addr());
    server.serve_until(tokio::signal::ctrl_c()).await?;
    Ok(())
}
