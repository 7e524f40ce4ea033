//! One transfer: each packet is repeated until the client answers it.

use std::{io, time::Duration};

use datagrammar::{BoxError, Client, ClientExchange, Duplicates, Repeat};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter},
};

use super::packet::{Packet, Tftp};

/// Larger datagrams would be fragmented on an Ethernet: 1,500 bytes without the headers of IP, UDP and TFTP.
const MAX_BLOCK_SIZE: u64 = 1_468;

/// How long the server answers repetitions of the last block of an upload, whose acknowledgment may be lost.
const DALLY: Duration = Duration::from_secs(12);

/// What the server has agreed to.
pub(crate) struct Transfer<'c> {
    client: &'c Client<Tftp>,
    repeat: Repeat,
    block_size: u64,
    /// The length of the file, if it is known.
    pub(crate) len: Option<u64>,
    /// The options of the client that are accepted, with their values. The others are ignored (RFC 2347).
    options: Vec<[String; 2]>,
}

impl<'c> Transfer<'c> {
    /// Accepts the options that are known and whose values are valid. `len` is the length of a file to send.
    pub(crate) fn new(client: &'c Client<Tftp>, asked: &[[String; 2]], len: Option<u64>) -> Self {
        let repeat = Repeat::default();
        let mut new = Self { client, repeat, block_size: 512, len, options: Vec::new() };
        for [name, value] in asked {
            let accepted = match (&**name, value.parse()) {
                ("blksize", Ok(size @ 8..=65_464)) => {
                    new.block_size = MAX_BLOCK_SIZE.min(size);
                    new.block_size
                }
                ("timeout", Ok(seconds @ 1..=255)) => {
                    let timeout = Duration::from_secs(seconds);
                    new.repeat = new.repeat.fixed_timeout(timeout).total_timeout(6 * timeout);
                    seconds
                }
                ("tsize", Ok(len)) => *new.len.get_or_insert(len),
                _ => continue,
            };
            new.options.push([name.clone(), accepted.to_string()]);
        }
        new
    }

    /// Sends the file.
    pub(crate) async fn send(&self, file: File) -> Result<(), BoxError> {
        let mut file = BufReader::new(file);
        if !self.options.is_empty() {
            self.acknowledged(Packet::OptionAck(self.options.clone()), 0).await?;
        }
        for block in blocks() {
            let mut bytes = Vec::new();
            let len = (&mut file).take(self.block_size).read_to_end(&mut bytes).await?;
            self.acknowledged(Packet::Data { block, bytes }, block).await?;
            if (len as u64) < self.block_size {
                break;
            }
        }
        Ok(())
    }

    /// Sends a packet until the client acknowledges this block. Other packets have come late. They are skipped, and
    /// nothing is sent for them: otherwise each delayed packet would double all that follow (RFC 1123, section
    /// 4.2.3.1).
    async fn acknowledged(&self, packet: Packet, block: u16) -> Result<(), BoxError> {
        let mut exchange = self.client.begin_exchange(packet, &self.repeat)?;
        while next(&mut exchange).await? != Packet::Ack(block) {}
        Ok(())
    }

    /// Receives the file. Returns the acknowledgment of the last block, which is not sent yet.
    pub(crate) async fn receive(&self, file: File, max_len: u64) -> Result<Packet, BoxError> {
        let mut file = BufWriter::new(file);
        let mut answer = match &*self.options {
            [] => Packet::Ack(0),
            options => Packet::OptionAck(options.to_vec()),
        };
        let mut len = 0;
        for block in blocks() {
            let mut exchange = self.client.begin_exchange(answer, &self.repeat)?;
            let bytes = loop {
                match next(&mut exchange).await? {
                    Packet::Data { block: number, bytes } if number == block => break bytes,
                    _ => {} // It has come late.
                }
            };
            len += bytes.len() as u64;
            if len > max_len {
                return Err(io::Error::from(io::ErrorKind::FileTooLarge).into());
            }
            file.write_all(&bytes).await?;
            answer = Packet::Ack(block);
            if (bytes.len() as u64) < self.block_size {
                break;
            }
        }
        file.flush().await?;
        Ok(answer)
    }

    /// Acknowledges the last block. If the acknowledgment is lost, the client repeats the block, and is answered once
    /// more.
    pub(crate) async fn dally(&self, last: Packet) {
        let once = Repeat::default().fixed_timeout(DALLY).max_attempts(1);
        // The client has nothing more to say, so the normal end is that no packet comes in time.
        let _ = self.client.exchange_with(last, &once.duplicates(Duplicates::Answer)).await;
    }
}

/// The numbers of blocks: after 65,535 comes 0.
fn blocks() -> impl Iterator<Item = u16> {
    (0..=u16::MAX).cycle().skip(1)
}

/// The next packet of the client, unless that ends the transfer.
async fn next(exchange: &mut ClientExchange<'_, Tftp>) -> Result<Packet, BoxError> {
    match exchange.next().await? {
        Packet::Error { code, message } => Err(format!("client error {code}, {message:?}").into()),
        packet => Ok(packet),
    }
}
