//! The bytes of requests, and the request that a response answers.
//!
//! A request begins with a head that names it, and all requests end with the same tail. The head holds a
//! slot, which is reused when a request is over, and a generation, which counts the uses of that slot.

/// Room for the longest head.
pub const HEAD: usize = 24;

const JSON_TAIL: &[u8] =
    br#","name":"sensor-cluster-07/room-3","values":[0.5,1.25,-3.75,1024.125,3.14159265,2.71828,-0.001,98765.4321]}"#;
const JSON_HEAD: &[u8] = b"{\"id\":";

/// All ids have 16 digits: this, and the generation times `SLOTS`, and the slot.
const FIRST_ID: u64 = 1_000_000_000_000_000;
const SLOTS: u64 = 100_000_000;
pub const GENERATIONS: u32 = 1_000_000;

#[derive(Clone, Copy)]
pub enum Format {
    /// The server echoes this many bytes.
    Bytes { size: usize },
    /// The server answers `{"id",...}` with the same id.
    Json,
}

impl Format {
    /// How long a request is.
    pub fn size(self) -> usize {
        match self {
            Self::Bytes { size } => size,
            Self::Json => self.head_len() + JSON_TAIL.len(),
        }
    }

    pub fn head_len(self) -> usize {
        match self {
            Self::Bytes { .. } => 8,
            Self::Json => JSON_HEAD.len() + 16,
        }
    }

    pub fn tail(self) -> Vec<u8> {
        match self {
            Self::Bytes { size } => (0..size - 8).map(|i| (i * 7 + 13) as u8).collect(),
            Self::Json => JSON_TAIL.to_vec(),
        }
    }

    pub fn write_head(self, head: &mut [u8; HEAD], slot: u32, generation: u32) {
        match self {
            Self::Bytes { .. } => {
                head[..4].copy_from_slice(&slot.to_le_bytes());
                head[4..8].copy_from_slice(&generation.to_le_bytes());
            }
            Self::Json => {
                head[..6].copy_from_slice(JSON_HEAD);
                let mut id =
                    FIRST_ID + u64::from(generation % GENERATIONS) * SLOTS + u64::from(slot);
                for digit in head[6..22].iter_mut().rev() {
                    *digit = b'0' + (id % 10) as u8;
                    id /= 10;
                }
            }
        }
    }

    /// Returns the slot and the generation of a response of `len` bytes, of which `head` holds the first.
    pub fn read(self, head: &[u8], len: usize) -> Option<(u32, u32)> {
        match self {
            Self::Bytes { size } => {
                let word =
                    |at: usize| head.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
                if len == size { word(0).zip(word(4)) } else { None }
            }
            Self::Json => {
                let start = head.iter().position(u8::is_ascii_digit)?;
                let digits = head[start..].iter().take_while(|byte| byte.is_ascii_digit());
                let id = digits.fold(0u64, |id, digit| {
                    id.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))
                });
                let id = id.checked_sub(FIRST_ID)?;
                Some(((id % SLOTS) as u32, (id / SLOTS) as u32))
            }
        }
    }

    /// Whether `response` answers `request` in full.
    pub fn answers(self, response: &[u8], request: &[u8]) -> bool {
        match self {
            Self::Bytes { .. } => response == request,
            Self::Json => response.windows(16).any(|digits| digits == &request[6..22]),
        }
    }
}
