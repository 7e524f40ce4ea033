//! One transfer. It has a socket of its own, since the port of each side identifies it (RFC 1350, section 4).

use std::{
    io,
    sync::{Arc, Mutex},
};

use datagrammar::{
    Addr, BoxError, Handler, Limits, Peer, PeerSender, RecvError, Repeat, Server, Udp,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, oneshot},
    time::{Duration, Instant, timeout},
};

use super::{
    job::{Direction, Job, refusal, too_large},
    packet::{ErrorCode, Packet, Tftp},
};

/// How long the server answers repetitions of the last block of an upload, whose acknowledgment may be lost.
const DALLY: Duration = Duration::from_secs(12);

/// Carries out `job` with the client, from a new port of the address that it has asked.
pub(crate) async fn run(mut job: Job, client: &Addr, local: &Addr) -> Result<(), BoxError> {
    let ip = local.socket_addr().ok_or("TFTP is for UDP only")?.ip();
    let first = job.first().await?;
    let (outcome, ended) = oneshot::channel();
    let answered = Arc::new(Notify::new());
    let transfer = Transfer {
        client: client.clone(),
        answered: Arc::clone(&answered),
        work: Mutex::new(Some(Work { job, outcome })),
    };
    // Other hosts have nothing to say here, so few of them get an answer at a time.
    let limits = Limits::default().max_conversations(8);
    let server = Server::builder(Tftp, transfer).limits(limits).bind(Udp::new((ip, 0))).await?;
    let handle = server.handle();
    let mut outcome = Ok(());
    let talk = async {
        handle.ready().await;
        begin(&handle.sender(client.clone())?, &first, &answered).await?;
        ended.await?
    };
    server.serve_until(async { outcome = talk.await }).await?;
    outcome
}

/// Sends the first packet until the client answers. The conversation with the client begins with that answer, and goes
/// on by itself.
async fn begin(
    client: &PeerSender<Packet>,
    first: &Packet,
    answered: &Notify,
) -> Result<(), BoxError> {
    for seconds in [1, 2, 4, 8, 15] {
        client.send(first).await?;
        if timeout(Duration::from_secs(seconds), answered.notified()).await.is_ok() {
            return Ok(());
        }
    }
    Err("the client does not answer".into())
}

struct Transfer {
    client: Addr,
    /// Notified when the client has answered the first packet.
    answered: Arc<Notify>,
    work: Mutex<Option<Work>>,
}

/// What the conversation with the client does.
struct Work {
    job: Job,
    outcome: oneshot::Sender<Result<(), BoxError>>,
}

impl Handler<Packet, Packet> for Transfer {
    async fn handle(&self, peer: &mut Peer<Packet, Packet>) -> Result<(), BoxError> {
        peer.detect_duplicates();
        if *peer.addr() != self.client {
            // An error is never answered with an error.
            if !matches!(peer.recv().await?, Packet::Error { .. }) {
                let error = Packet::error(ErrorCode::UNKNOWN_TRANSFER, "unknown transfer");
                peer.send(error).await?;
            }
            return Ok(());
        }
        let Some(Work { job, outcome }) = self.work.lock().unwrap().take() else { return Ok(()) };
        self.answered.notify_one();
        // Nobody waits for the outcome only if the server has ended.
        let _ = outcome.send(job.converse(peer).await);
        Ok(())
    }
}

impl Job {
    /// The first packet of the server.
    async fn first(&mut self) -> Result<Packet, BoxError> {
        Ok(match &self.direction {
            _ if !self.options.is_empty() => Packet::OptionAck(self.options.clone()),
            Direction::Read => Packet::Data { block: 1, bytes: self.next_block().await? },
            Direction::Write { .. } => Packet::Ack(0),
        })
    }

    async fn next_block(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.block_size);
        (&mut self.file).take(self.block_size as u64).read_to_end(&mut bytes).await?;
        self.is_last = bytes.len() < self.block_size;
        Ok(bytes)
    }

    /// The rest of a transfer, after the client has answered the first packet.
    async fn converse(mut self, peer: &mut Peer<Packet, Packet>) -> Result<(), BoxError> {
        match &mut self.direction {
            Direction::Read => self.read(peer).await,
            Direction::Write { max_len, .. } => {
                let max_len = *max_len;
                self.write(peer, max_len).await
            }
        }
    }

    /// Sends the file. The packet that opened the conversation acknowledges the first packet.
    async fn read(mut self, peer: &mut Peer<Packet, Packet>) -> Result<(), BoxError> {
        let repeat = self.repeat();
        let mut block = u16::from(self.options.is_empty());
        while peer.recv().await?.acknowledged()? != Some(block) {}
        // A block that is not full is the last one.
        while !self.is_last {
            block = block.wrapping_add(1);
            let bytes = match self.next_block().await {
                Ok(bytes) => bytes,
                Err(error) => {
                    peer.send(refusal(&error)).await?;
                    return Err(error.into());
                }
            };
            let mut request = peer.begin_request(Packet::Data { block, bytes }, &repeat)?;
            // Acknowledgments of earlier blocks may come late. They are skipped, and nothing is sent for them.
            while request.next().await?.acknowledged()? != Some(block) {}
        }
        Ok(())
    }

    /// Receives the file. The packet that opened the conversation is its first block.
    async fn write(
        mut self,
        peer: &mut Peer<Packet, Packet>,
        max_len: u64,
    ) -> Result<(), BoxError> {
        // A lost acknowledgment is repeated when its timer expires, and not for each repeated block: many clients send
        // a block again for each old acknowledgment, and only one side may do that.
        let repeat = self.repeat();
        let (mut last, mut len) = (0_u16, 0);
        let mut bytes = loop {
            if let Some(bytes) = peer.recv().await?.follows(last)? {
                break bytes;
            }
        };
        loop {
            last = last.wrapping_add(1);
            len += bytes.len() as u64;
            let is_last = bytes.len() < self.block_size;
            let refused = match self.append(&bytes, is_last).await {
                Err(error) => Some(refusal(&error)),
                Ok(()) if len > max_len => Some(too_large()),
                Ok(()) => None,
            };
            if let Some(error) = refused {
                peer.send(error).await?;
                return Err("the file could not be stored".into());
            }
            if is_last {
                return dally(peer, last).await;
            }
            let mut request = peer.begin_request(Packet::Ack(last), &repeat)?;
            bytes = loop {
                // Blocks that were received before may come late. They are skipped, and nothing is sent for them.
                if let Some(bytes) = request.next().await?.follows(last)? {
                    break bytes;
                }
            };
        }
    }

    async fn append(&mut self, bytes: &[u8], is_last: bool) -> io::Result<()> {
        self.file.write_all(bytes).await?;
        if is_last {
            self.file.flush().await?;
            if let Direction::Write { partial, .. } = &mut self.direction {
                partial.is_complete();
            }
        }
        Ok(())
    }

    fn repeat(&self) -> Repeat {
        match self.timeout {
            Some(timeout) => Repeat::default().initial_timeout(timeout).min_timeout(timeout),
            None => Repeat::default(),
        }
    }
}

impl Packet {
    /// The number of the block that this packet acknowledges, if it does.
    fn acknowledged(&self) -> Result<Option<u16>, BoxError> {
        match self {
            Self::Ack(block) => Ok(Some(*block)),
            Self::Error { code, message } => Err(aborted(*code, message)),
            _ => Ok(None),
        }
    }

    /// The bytes of this packet, if it is the block that follows `last`.
    fn follows(self, last: u16) -> Result<Option<Vec<u8>>, BoxError> {
        match self {
            Self::Data { block, bytes } if block == last.wrapping_add(1) => Ok(Some(bytes)),
            Self::Error { code, message } => Err(aborted(code, &message)),
            _ => Ok(None),
        }
    }
}

/// Acknowledges the last block. If that is lost, the client repeats the block.
async fn dally(peer: &mut Peer<Packet, Packet>, last: u16) -> Result<(), BoxError> {
    let until = Instant::now() + DALLY;
    loop {
        peer.send(Packet::Ack(last)).await?;
        match peer.recv_deadline(until).await {
            Ok(Packet::Data { block, .. }) if block == last => {}
            Ok(_) | Err(RecvError::TimedOut | RecvError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

fn aborted(code: ErrorCode, message: &str) -> BoxError {
    format!("the client has ended the transfer: error {}, {message:?}", code.0).into()
}
