//! The answers to requests, and the notifications of observers.

use super::{
    message::{
        ACK, BLOCK1, BLOCK2, CON, CONTENT_FORMAT, ETAG, Message, NON, OBSERVE, RST, URI_PATH, code,
    },
    resources::{LIST, Resources, TIME},
    service::Service,
    session::{Block, Observation, Session},
};

/// The critical options that the server knows, and the greatest length of each. Uri-Host (3) and Uri-Port (7) change
/// nothing here.
const CRITICAL: [(u16, usize); 5] = [(3, 255), (7, 2), (URI_PATH, 255), (BLOCK2, 3), (BLOCK1, 3)];
const MAX_OBSERVATIONS: usize = 8; // of a client
const BAD_OPTION: u8 = code(4, 2);
const NOT_FOUND: u8 = code(4, 4);
const METHOD_NOT_ALLOWED: u8 = code(4, 5);
const CONTINUE: u8 = code(2, 31);

const GET: u8 = 1;
const PUT: u8 = 3;
const DELETE: u8 = 4;

impl Service {
    pub(crate) fn answer(&self, session: &mut Session, request: &Message) -> Option<Message> {
        let (kind, id) = match (request.kind, request.code) {
            (CON, 1..0x20) => (ACK, request.id),
            (NON, 1..0x20) => (NON, self.next_id()),
            // A ping, or a response that nobody waits for.
            (CON, _) => return Some(Message::new(RST, 0, request.id, &[])),
            _ => return None,
        };
        let mut response = Message::new(kind, 0, id, &request.token);
        let outcome = self.perform(session, request, &mut response);
        response.code = outcome.unwrap_or_else(|error| error);
        // With an unknown option, only a confirmable request is answered (RFC 7252, section 5.4.1).
        (response.code != BAD_OPTION || kind == ACK).then_some(response)
    }

    /// Does what the client asks for. Returns the code of the response; as an error, if there is nothing more to do.
    fn perform(
        &self,
        session: &mut Session,
        request: &Message,
        response: &mut Message,
    ) -> Result<u8, u8> {
        let path = path(&request.options)?;
        match request.code {
            GET => {
                let observe = request.number(OBSERVE);
                if observe.is_some() {
                    session.observations.retain(|other| other.token != request.token);
                }
                let observes = observe == Some(0) && session.observations.len() < MAX_OBSERVATIONS;
                self.read(session, path, observes, Block::of(request, BLOCK2)?, response)
            }
            PUT | DELETE if [TIME, LIST].contains(&&*path) => Err(METHOD_NOT_ALLOWED),
            PUT => {
                let mut content = request.payload.clone();
                if let Some(block) = Block::of(request, BLOCK1)? {
                    let whole = session.receive(&path, block, &content)?;
                    response.add(BLOCK1, block.0);
                    content = whole.ok_or(CONTINUE)?;
                }
                Ok(self.change(|resources| resources.put(&path, &content)))
            }
            DELETE => Ok(self.change(|resources| resources.delete(&path))),
            _ => Err(METHOD_NOT_ALLOWED),
        }
    }

    /// Puts a block of a resource into a message. Of a large resource, it is the first one if no other is asked for.
    fn read(
        &self,
        session: &mut Session,
        path: String,
        observes: bool,
        block: Option<Block>,
        message: &mut Message,
    ) -> Result<u8, u8> {
        let resource = self.resources.borrow().get(&path).cloned().ok_or(NOT_FOUND)?;
        let mut cut = block.unwrap_or(Block(6)); // 1,024 bytes
        message.payload = cut.cut(&resource.content)?.to_vec();
        message.add(ETAG, resource.version);
        if observes {
            message.add(OBSERVE, resource.version & 0xff_ffff);
        }
        if path == LIST {
            message.add(CONTENT_FORMAT, 40);
        }
        if block.is_some() || cut.has_more() {
            message.add(BLOCK2, cut.0);
        }
        if observes {
            let (token, version) = (message.token.clone(), resource.version);
            session.observations.push(Observation { token, path, version });
        }
        Ok(code(2, 5))
    }

    fn change(&self, change: impl FnOnce(&mut Resources) -> u8) -> u8 {
        let mut code = 0;
        self.resources.send_modify(|resources| code = change(resources));
        code
    }

    /// The notification that a client lacks. An observation ends with its resource.
    pub(crate) fn notification(&self, session: &mut Session) -> Option<Message> {
        let outdated = session.outdated(&self.resources.borrow())?;
        let Observation { token, path, .. } = session.observations.remove(outdated);
        let mut message = Message::new(CON, 0, self.next_id(), &token);
        let outcome = self.read(session, path, true, None, &mut message);
        message.code = outcome.unwrap_or_else(|error| error);
        Some(message)
    }
}

/// The path of a request, unless it has a critical option that is unknown.
fn path(options: &[(u16, Vec<u8>)]) -> Result<String, u8> {
    let mut path = Vec::new();
    for (number, value) in options {
        let is_known = CRITICAL.iter().any(|(known, max)| known == number && value.len() <= *max);
        if number % 2 == 1 && !is_known {
            return Err(BAD_OPTION);
        }
        if *number == URI_PATH {
            // Other characters would need escapes in the list of resources.
            let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
            let segment = str::from_utf8(value).ok().filter(|_| value.iter().all(is_plain));
            path.push(segment.ok_or(code(4, 0))?);
        }
    }
    Some(path.join("/")).filter(|path| path.len() <= 255).ok_or(code(4, 0))
}
