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
const INCOMPLETE: u8 = code(4, 8);
const TOO_LARGE: u8 = code(4, 13);

#[derive(Default)]
pub(crate) struct Session {
    pub(crate) observations: Vec<Observation>,
    upload: Option<Upload>,
}

/// The blocks so far of a content.
struct Upload {
    path: String,
    content: Vec<u8>,
    last: Instant,
}

pub(crate) struct Observation {
    pub(crate) token: Vec<u8>,
    pub(crate) path: String,
    /// The version of the resource that was sent last. 0 if that is in doubt.
    pub(crate) version: u32,
}

impl Session {
    pub(crate) fn is_over(&mut self) -> bool {
        self.upload.take_if(|upload| upload.last.elapsed() >= UPLOAD_TIMEOUT);
        self.upload.is_none() && self.observations.is_empty()
    }

    /// All observers get a notification, although nothing has changed.
    pub(crate) fn notify_again(&mut self) {
        self.observations.iter_mut().for_each(|observation| observation.version = 0);
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
            let (path, last) = (path.to_owned(), Instant::now());
            self.upload = Some(Upload { path, content: Vec::new(), last });
        }
        let follows =
            |upload: &&mut Upload| upload.path == path && upload.content.len() == block.start();
        let upload = self.upload.as_mut().filter(follows).ok_or(INCOMPLETE)?;
        if upload.content.len() + bytes.len() > MAX_LEN {
            self.upload = None;
            return Err(TOO_LARGE);
        }
        upload.content.extend(bytes);
        upload.last = Instant::now();
        let whole = self.upload.take_if(|_| !block.has_more());
        Ok(whole.map(|upload| upload.content))
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
