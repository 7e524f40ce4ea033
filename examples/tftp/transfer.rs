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
        let (mut file, mut block) = (BufReader::new(file), 0_u16);
        if !self.options.is_empty() {
            self.acknowledged(Packet::OptionAck(self.options.clone()), 0).await?;
        }
        loop {
            block = block.wrapping_add(1); // after 65,535 comes 0
            let mut bytes = Vec::new();
            let len = (&mut file).take(self.block_size).read_to_end(&mut bytes).await?;
            self.acknowledged(Packet::Data { block, bytes }, block).await?;
            if (len as u64) < self.block_size {
                return Ok(());
            }
        }
    }

    /// Sends a packet until the client acknowledges this block. Other packets have come late. They are skipped, and
    /// nothing is sent for them: otherwise each delayed packet would double all that follow (RFC 1123, section
    /// 4.2.3.1).
    async fn acknowledged(&self, packet: Packet, block: u16) -> Result<(), BoxError> {
        let mut exchange = self.client.begin_exchange(packet, &self.repeat)?;
        while next(&mut exchange).await? != Packet::Ack(block) {}
        Ok(())
    }

    /// Receives the file, of at most `room` bytes. Returns the number of the last block, which is not acknowledged yet.
    pub(crate) async fn receive(&self, file: File, mut room: u64) -> Result<u16, BoxError> {
        let (mut file, mut block) = (BufWriter::new(file), 0_u16);
        let mut answer = match &*self.options {
            [] => Packet::Ack(0),
            options => Packet::OptionAck(options.to_vec()),
        };
        loop {
            block = block.wrapping_add(1);
            let mut exchange = self.client.begin_exchange(answer, &self.repeat)?;
            let bytes = loop {
                match next(&mut exchange).await? {
                    Packet::Data { block: number, bytes } if number == block => break bytes,
                    _ => {} // It has come late.
                }
            };
            let too_large = || io::Error::from(io::ErrorKind::FileTooLarge);
            room = room.checked_sub(bytes.len() as u64).ok_or_else(too_large)?;
            file.write_all(&bytes).await?;
            if (bytes.len() as u64) < self.block_size {
                file.flush().await?;
                return Ok(block);
            }
            answer = Packet::Ack(block);
        }
    }
}

/// Acknowledges the last block of an upload. If the acknowledgment is lost, the client repeats the block, and is answered
/// once more. Without an upload, this lets the caller drop copies of the request that have come.
pub(crate) async fn dally(client: &Client<Tftp>, last: Option<u16>) {
    let Some(block) = last else { return tokio::task::yield_now().await };
    let once = Repeat::default().fixed_timeout(Duration::from_secs(12)).max_attempts(1);
    let once = once.duplicates(Duplicates::Answer);
    // The client has nothing more to say, so the normal end is that no packet comes in time.
    let _ = client.exchange_with(Packet::Ack(block), &once).await;
}

/// The next packet of the client, unless that ends the transfer.
async fn next(exchange: &mut ClientExchange<'_, Tftp>) -> Result<Packet, BoxError> {
    match exchange.next().await? {
        Packet::Error { code, message } => Err(format!("client error {code}, {message:?}").into()),
        packet => Ok(packet),
    }
}
