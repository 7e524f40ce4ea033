//! A TFTP server (RFC 1350) with options (RFC 2347, 2348 and 2349): it reads and writes the files of a directory.
//!
//! ```sh
//! cargo run --example tftp --features tftp -- 127.0.0.1:6969 /srv/tftp
//! curl tftp://127.0.0.1:6969/kernel --output kernel   # in another terminal
//! curl tftp://127.0.0.1:6969/ --upload-file notes.txt
//! ```
//!
//! `packet.rs` is the protocol. A request is received here, `job.rs` decides about it, and `transfer.rs` carries it out.
//! TFTP has no passwords: everybody who reaches the server can read all files of the directory and add others.

mod job;
mod packet;
mod transfer;

use std::{env, path::PathBuf};

use datagrammar::{BoxError, Handler, Limits, Peer, RecvError, Server};
use job::Job;
use packet::{Packet, Tftp};

struct Files {
    /// Without symbolic links.
    root: PathBuf,
    /// The longest upload, in bytes.
    max_len: u64,
}

impl Handler<Packet, Packet> for Files {
    /// Receives a request, and carries it out from another port. The conversation lasts as long as the transfer, so
    /// that copies of the request begin no other one.
    async fn handle(&self, peer: &mut Peer<Packet, Packet>) -> Result<(), BoxError> {
        let client = peer.addr().clone();
        let request = match peer.recv().await {
            // An error is never answered with an error.
            Ok(Packet::Error { .. }) => return Ok(()),
            Ok(request) => request,
            Err(RecvError::Decode(error)) => {
                eprintln!("{client}: refused: {error}");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        match Job::open(&self.root, self.max_len, &request).await {
            Err(error) => {
                eprintln!("{client}: refused: {error:?}");
                peer.send(error).await?;
            }
            Ok(job) => {
                let local = peer.local_addr();
                let outcome = tokio::select! {
                    outcome = transfer::run(job, &client, &local) => outcome,
                    () = peer.closed() => Err("the server is shutting down".into()),
                };
                match (&request, outcome) {
                    (Packet::Read(read), Ok(())) => eprintln!("{client}: has read {:?}", read.file),
                    (Packet::Write(write), Ok(())) => {
                        eprintln!("{client}: has written {:?}", write.file);
                    }
                    (_, Err(error)) => eprintln!("{client}: failed: {error}"),
                    _ => {}
                }
            }
        }
        while let Some(Ok(next)) = peer.try_recv() {
            if next != request {
                peer.put_back(next);
                break;
            }
        }
        Ok(())
    }
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
