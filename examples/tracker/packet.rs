//! The packets of BEP 15, and the place that they have for an address token: the connection id.

use datagrammar::{DatagramProtocol, DecodeError, EncodeError, PeerTokens, ValidateAddress};

/// What a packet asks for or answers. `CONNECT` is answered by `challenge`, so no request has it.
const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// What a connect request has in place of a connection id.
const PROTOCOL_ID: u64 = 0x417_2710_1980;

/// The hash that identifies a torrent.
pub(crate) type InfoHash = [u8; 20];

/// A request with a connection id, which is checked before this is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) transaction: u32,
    pub(crate) body: RequestBody,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestBody {
    Announce(Announce),
    Scrape(Vec<InfoHash>),
}

/// A peer that announces itself. The counters of bytes, the peer id, the key and the address in the packet are not
/// read: a peer could announce somebody else's address there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announce {
    pub(crate) info_hash: InfoHash,
    /// How many bytes the peer lacks.
    pub(crate) left: u64,
    pub(crate) event: Event,
    /// How many peers it wants to know at most. "Any number" is `u32::MAX`.
    pub(crate) wanted: u32,
    /// Where it listens.
    pub(crate) port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    None,
    Completed,
    Started,
    Stopped,
}

/// A response, or an error that a client shows to its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) transaction: u32,
    pub(crate) body: ResponseBody,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResponseBody {
    /// Each peer is an IP address and a port, of 4 or 16 and 2 bytes. They have addresses of one family, that of the client.
    Announce {
        interval: u32,
        counts: Counts,
        peers: Vec<u8>,
    },
    Scrape(Vec<Counts>),
    Error(&'static str),
}

/// How many peers a torrent has. `completed` is how often it was downloaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) seeders: u32,
    pub(crate) leechers: u32,
    pub(crate) completed: u32,
}

/// The protocol of the server.
pub(crate) struct Tracker;

impl DatagramProtocol for Tracker {
    type Incoming = Request;
    type Outgoing = Response;

    fn decode(&self, datagram: &[u8]) -> Result<Request, DecodeError> {
        let too_short = || DecodeError::codec("request is too short");
        let transaction = u32_at(datagram, 12).ok_or_else(too_short)?;
        let body = match u32_at(datagram, 8) {
            Some(ANNOUNCE) => RequestBody::Announce(announce(datagram).ok_or_else(too_short)?),
            // The response is shorter than the request, however many there are.
            Some(SCRAPE) => match datagram[16..].as_chunks() {
                (hashes @ [_, ..], []) => RequestBody::Scrape(hashes.to_vec()),
                _ => return Err(DecodeError::codec("scrape has no whole number of hashes")),
            },
            _ => return Err(DecodeError::codec("unknown action")),
        };
        Ok(Request { transaction, body })
    }

    fn encode(&self, response: &Response, datagram: &mut Vec<u8>) -> Result<(), EncodeError> {
        let action = match response.body {
            ResponseBody::Announce { .. } => ANNOUNCE,
            ResponseBody::Scrape(_) => SCRAPE,
            ResponseBody::Error(_) => ERROR,
        };
        write(datagram, [action, response.transaction]);
        match &response.body {
            ResponseBody::Announce { interval, counts, peers } => {
                write(datagram, [*interval, counts.leechers, counts.seeders]);
                datagram.extend_from_slice(peers);
            }
            ResponseBody::Scrape(torrents) => torrents.iter().for_each(|counts| {
                write(datagram, [counts.seeders, counts.completed, counts.leechers]);
            }),
            ResponseBody::Error(message) => datagram.extend(message.as_bytes()),
        }
        Ok(())
    }
}

/// The connection id is the token. So the server keeps nothing of a client that connects.
impl ValidateAddress for Tracker {
    fn has_valid_token(&self, datagram: &[u8], tokens: &PeerTokens<'_>) -> bool {
        matches!(u32_at(datagram, 8), Some(ANNOUNCE | SCRAPE))
            && tokens.is_valid_short(b"", &datagram[..8])
    }

    /// Answers a connect request: 16 bytes for 16 bytes. Anything else without a valid token gets nothing. An error would go
    /// to whoever owns the address, and a client whose id has expired asks for another one after 15 s.
    fn challenge(&self, datagram: &[u8], tokens: &PeerTokens<'_>, challenge: &mut Vec<u8>) -> bool {
        let is_connect = datagram.starts_with(&PROTOCOL_ID.to_be_bytes())
            && u32_at(datagram, 8) == Some(CONNECT);
        let Some(transaction) = u32_at(datagram, 12).filter(|_| is_connect) else { return false };
        write(challenge, [CONNECT, transaction]);
        challenge.extend(tokens.issue_short(b""));
        true
    }
}

/// Reads an announce request. What follows it are options (BEP 41), which are not for this tracker.
fn announce(datagram: &[u8]) -> Option<Announce> {
    Some(Announce {
        info_hash: at(datagram, 16)?,
        left: u64::from_be_bytes(at(datagram, 64)?),
        event: match u32_at(datagram, 80)? {
            1 => Event::Completed,
            2 => Event::Started,
            3 => Event::Stopped,
            _ => Event::None,
        },
        wanted: u32_at(datagram, 92)?,
        port: u16::from_be_bytes(at(datagram, 96)?),
    })
}

fn u32_at(datagram: &[u8], start: usize) -> Option<u32> {
    at(datagram, start).map(u32::from_be_bytes)
}

/// The bytes from `start` on, as many as the type says.
fn at<const LEN: usize>(datagram: &[u8], start: usize) -> Option<[u8; LEN]> {
    datagram.get(start..)?.first_chunk().copied()
}

fn write<const LEN: usize>(datagram: &mut Vec<u8>, numbers: [u32; LEN]) {
    datagram.extend(numbers.into_iter().flat_map(u32::to_be_bytes));
}
