//! One transfer: each packet is repeated until the client answers it.

use std::io::{self, ErrorKind};

use datagrammar::{BoxError, Client, Duplicates, Repeat};
use tokio::{
    fs::{self, File},
    io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter},
    time::Duration,
};

use super::{
    files::Files,
    packet::{Packet, Request, Tftp},
};

/// Larger datagrams would be fragmented on an Ethernet: 1,500 bytes without the headers of IP, UDP and TFTP.
const MAX_BLOCK_SIZE: u16 = 1_468;

/// How long the server answers repetitions of the last block of an upload, whose acknowledgment may be lost.
const DALLY: Duration = Duration::from_secs(12);

impl Files {
    /// Carries out a request, and returns what was done.
    pub(crate) async fn transfer(
        &self,
        request: &Packet,
        client: &Client<Tftp>,
    ) -> Result<String, BoxError> {
        let (Packet::Read(asked) | Packet::Write(asked)) = request else {
            return Err(illegal("a transfer begins with a request").into());
        };
        match &*asked.mode {
            "octet" => {}
            "netascii" => {
                let why = "netascii is not supported, use octet (binary)";
                return Err(io::Error::new(ErrorKind::Unsupported, why).into());
            }
            _ => return Err(illegal("unknown mode").into()),
        }
        let path = self.path(&asked.file).await?;
        if let Packet::Read(_) = request {
            let file = File::open(path).await?;
            let len = file.metadata().await?.len();
            Transfer::new(client, asked, Some(len)).read(file).await?;
            return Ok(format!("has read {:?}", asked.file));
        }
        let transfer = Transfer::new(client, asked, None);
        if transfer.announced.is_some_and(|len| len > self.max_len) {
            return Err(too_large().into());
        }
        let file = File::create_new(&path).await?;
        match transfer.write(file, self.max_len).await {
            Ok(last) => transfer.dally(last).await,
            Err(error) => {
                fs::remove_file(path).await?;
                return Err(error);
            }
        }
        Ok(format!("has written {:?}", asked.file))
    }
}

/// What the server has agreed to.
struct Transfer<'c> {
    client: &'c Client<Tftp>,
    repeat: Repeat,
    block_size: u16,
    /// The size of an upload, if the client says it.
    announced: Option<u64>,
    /// The options of the client that are accepted, with their values. The others are ignored (RFC 2347).
    options: Vec<(String, String)>,
}

impl<'c> Transfer<'c> {
    /// Keeps the options that are known and whose values are valid. `len` is the size of a file to read.
    fn new(client: &'c Client<Tftp>, request: &Request, len: Option<u64>) -> Self {
        let (repeat, announced, options) = (Repeat::default(), None, Vec::new());
        let mut new = Self { client, repeat, block_size: 512, announced, options };
        for (name, value) in &request.options {
            let Ok(number) = value.parse::<u64>() else { continue };
            let accepted = match (&**name, number) {
                ("blksize", 8..=65_464) => {
                    new.block_size = MAX_BLOCK_SIZE.min(number as u16);
                    new.block_size.into()
                }
                ("timeout", 1..=255) => {
                    let timeout = Duration::from_secs(number);
                    new.repeat =
                        Repeat::default().fixed_timeout(timeout).total_timeout(6 * timeout);
                    number
                }
                ("tsize", _) => {
                    new.announced = Some(number);
                    len.unwrap_or(number)
                }
                _ => continue,
            };
            new.options.push((name.clone(), accepted.to_string()));
        }
        new
    }

    /// Sends `packet` until the client sends one that `wanted` takes. Other packets have come late. They are skipped,
    /// and nothing is sent for them: otherwise each delayed packet would double all that follow (RFC 1123, section
    /// 4.2.3.1).
    async fn exchange<T>(
        &self,
        packet: Packet,
        wanted: impl Fn(Packet) -> Option<T>,
    ) -> Result<T, BoxError> {
        let mut exchange = self.client.begin_exchange(packet, &self.repeat)?;
        loop {
            match exchange.next().await? {
                Packet::Error { code, message } => {
                    let code = code.0;
                    return Err(
                        format!("the client has ended it: error {code}, {message:?}").into()
                    );
                }
                packet => {
                    if let Some(taken) = wanted(packet) {
                        return Ok(taken);
                    }
                }
            }
        }
    }

    /// Sends a packet until the client acknowledges this block.
    async fn acknowledged(&self, packet: Packet, block: u16) -> Result<(), BoxError> {
        self.exchange(packet, |packet| (packet == Packet::Ack(block)).then_some(())).await
    }

    /// Sends the file.
    async fn read(&self, file: File) -> Result<(), BoxError> {
        let mut file = BufReader::new(file);
        if !self.options.is_empty() {
            self.acknowledged(Packet::OptionAck(self.options.clone()), 0).await?;
        }
        let mut block = 0_u16;
        loop {
            block = block.wrapping_add(1);
            let mut bytes = Vec::new();
            (&mut file).take(self.block_size.into()).read_to_end(&mut bytes).await?;
            let is_last = bytes.len() < self.block_size.into();
            self.acknowledged(Packet::Data { block, bytes }, block).await?;
            if is_last {
                return Ok(());
            }
        }
    }

    /// Receives the file. Returns the number of the last block, which is not acknowledged yet.
    async fn write(&self, file: File, max_len: u64) -> Result<u16, BoxError> {
        let mut file = BufWriter::new(file);
        let mut answer = match &*self.options {
            [] => Packet::Ack(0),
            options => Packet::OptionAck(options.to_vec()),
        };
        let (mut block, mut len) = (0_u16, 0);
        loop {
            block = block.wrapping_add(1);
            let is_next = |packet| match packet {
                Packet::Data { block: number, bytes } if number == block => Some(bytes),
                _ => None,
            };
            let bytes = self.exchange(answer, is_next).await?;
            len += bytes.len() as u64;
            if len > max_len {
                return Err(too_large().into());
            }
            file.write_all(&bytes).await?;
            if bytes.len() < self.block_size.into() {
                file.flush().await?;
                return Ok(block);
            }
            answer = Packet::Ack(block);
        }
    }

    /// Acknowledges the last block. If the acknowledgment is lost, the client repeats the block, and is answered once
    /// more.
    async fn dally(&self, last: u16) {
        let once = Repeat::default().fixed_timeout(DALLY).max_attempts(1);
        let once = once.duplicates(Duplicates::Answer);
        // The client has nothing more to say, so the normal end is that no packet comes in time.
        let _ = self.client.exchange_with(Packet::Ack(last), &once).await;
    }
}

fn illegal(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why)
}

fn too_large() -> io::Error {
    io::Error::new(ErrorKind::FileTooLarge, "the file is too large")
}
