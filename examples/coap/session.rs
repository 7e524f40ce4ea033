//! What the server remembers of a client: the resources that it observes, and one that it sends in blocks.

use tokio::time::{Duration, Instant};

use super::{
    message::{Message, code},
    resources::Resources,
};

/// The longest content of a resource, in bytes.
const MAX_LEN: usize = 128 << 10;
/// How long the server waits for the next block.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Session {
    pub(crate) observations: Vec<Observation>,
    /// The path, the blocks so far, and when the last one came.
    upload: Option<(String, Vec<u8>, Instant)>,
}

pub(crate) struct Observation {
    pub(crate) token: Vec<u8>,
    pub(crate) path: String,
    /// The version of the resource that was sent last. 0 if that is in doubt.
    pub(crate) version: u32,
}

impl Session {
    pub(crate) fn is_over(&mut self) -> bool {
        self.upload.take_if(|(.., last)| last.elapsed() >= UPLOAD_TIMEOUT);
        self.upload.is_none() && self.observations.is_empty()
    }

    /// The place of an observation whose resource has changed.
    pub(crate) fn outdated(&self, resources: &Resources) -> Option<usize> {
        self.observations.iter().position(|Observation { path, version, .. }| {
            resources.get(path).is_none_or(|resource| resource.version != *version)
        })
    }

    /// Adds a block to an upload. Returns the content if it is the last one. It must follow the block before, but block
    /// 0 begins a new upload.
    pub(crate) fn receive(
        &mut self,
        path: &str,
        block: Block,
        bytes: &[u8],
    ) -> Result<Option<Vec<u8>>, u8> {
        if block.has_more() && bytes.len() != block.size() {
            return Err(code(4, 0));
        }
        if block.start() == 0 {
            self.upload = Some((path.to_owned(), Vec::new(), Instant::now()));
        }
        let upload = self.upload.as_mut();
        let (_, content, last) = upload
            .filter(|(of, content, _)| of == path && content.len() == block.start())
            .ok_or(code(4, 8))?;
        if content.len() + bytes.len() > MAX_LEN {
            self.upload = None;
            return Err(code(4, 13));
        }
        content.extend(bytes);
        *last = Instant::now();
        let whole = self.upload.take_if(|_| !block.has_more());
        Ok(whole.map(|(_, content, _)| content))
    }
}

/// The value of a Block option (RFC 7959, section 2.2): the number of the block, whether more follow, and an exponent
/// of the size.
#[derive(Clone, Copy)]
pub(crate) struct Block(pub(crate) u32);

impl Block {
    pub(crate) fn of(request: &Message, option: u16) -> Result<Option<Self>, u8> {
        match request.number(option) {
            Some(value) if value & 7 == 7 => Err(code(4, 0)), // reserved
            value => Ok(value.map(Self)),
        }
    }

    /// Cuts the block out of the content, and notes whether more follow.
    pub(crate) fn cut<'c>(&mut self, content: &'c [u8]) -> Result<&'c [u8], u8> {
        let rest = content.get(self.start()..).filter(|rest| self.start() == 0 || !rest.is_empty());
        let rest = rest.ok_or(code(4, 0))?;
        self.0 = self.0 & !8 | u32::from(rest.len() > self.size()) << 3;
        Ok(&rest[..rest.len().min(self.size())])
    }

    pub(crate) fn has_more(self) -> bool {
        self.0 & 8 != 0
    }

    fn size(self) -> usize {
        16 << (self.0 & 7)
    }

    fn start(self) -> usize {
        (self.0 >> 4) as usize * self.size()
    }
}
