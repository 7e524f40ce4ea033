//! What the server remembers of a client, the answers to its requests, and the notifications of what it observes.

use std::{collections::BTreeMap, mem, sync::atomic::Ordering::Relaxed};

use coap_lite::{
    CoapOption, CoapRequest, ContentFormat, MessageClass, MessageType, ObserveOption, Packet,
    RequestType as Method, ResponseType as Status, option_value::OptionValueU32,
};
use tokio::sync::watch;

use super::protocol::{NEXT_ID, reset};
use super::resources::{LIST, Resources, TIME};

/// The longest content of a resource, in bytes.
const MAX_LEN: usize = 128 << 10;
const MAX_OBSERVATIONS: usize = 8;

#[derive(Default)]
pub(crate) struct Session {
    pub(crate) resources: watch::Sender<Resources>,
    /// By token: the path of a resource, and its version that was sent last. 0 if that is in doubt.
    pub(crate) observations: BTreeMap<Vec<u8>, (String, u32)>,
    /// The path of a resource that the client sends in blocks, and its content so far.
    pub(crate) upload: (String, Vec<u8>),
}

impl Session {
    /// Answers a message, unless it gets no answer.
    pub(crate) fn answer(&mut self, message: Packet) -> Option<Packet> {
        if !matches!(u8::from(message.header.code), 1..0x20) {
            return reset(&message.to_bytes_unlimited().ok()?); // no request: a ping, for example
        }
        let mut request = CoapRequest::from_packet(message, ());
        let mut response = request.response.take()?.message;
        let is_confirmed = response.header.get_type() == MessageType::Acknowledgement;
        if !is_confirmed {
            response.header.message_id = NEXT_ID.fetch_add(1, Relaxed);
        }
        let status = self.serve(&request, &mut response).unwrap_or_else(|error| error);
        response.header.code = MessageClass::Response(status);
        // With an unknown option, only a confirmable request is answered (RFC 7252, section 5.4.1).
        (is_confirmed || status != Status::BadOption).then_some(response)
    }

    /// Does what the client asks for. Returns the status of the response; as an error, if there is nothing more to do.
    fn serve(&mut self, request: &CoapRequest<()>, reply: &mut Packet) -> Result<Status, Status> {
        let (path, message) = (path(request)?, &request.message);
        let mut status = Status::MethodNotAllowed;
        match request.get_method() {
            Method::Get => {
                let observe = request.get_observe_flag();
                if observe.is_some() {
                    self.observations.remove(message.get_token());
                }
                let resources = self.resources.borrow();
                let (content, version) = resources.by_path.get(&path).ok_or(Status::NotFound)?;
                let [block, start, size] = block(message, CoapOption::Block2, 6)?; // 1,024 bytes
                let end = content.len().min(start + size);
                reply.payload = content.get(start..end).ok_or(Status::BadRequest)?.to_vec();
                let more = usize::from(end < content.len()) << 3;
                if more > 0 || message.get_option(CoapOption::Block2).is_some() {
                    let block = OptionValueU32((block & !8 | more) as u32);
                    reply.add_option_as(CoapOption::Block2, block);
                }
                reply.add_option_as(CoapOption::ETag, OptionValueU32(*version));
                if path == LIST {
                    reply.set_content_format(ContentFormat::ApplicationLinkFormat);
                }
                let has_room = self.observations.len() < MAX_OBSERVATIONS;
                if observe == Some(Ok(ObserveOption::Register)) && has_room {
                    reply.set_observe_value(*version & 0xff_ffff);
                    self.observations.insert(message.get_token().to_vec(), (path, *version));
                }
                status = Status::Content;
            }
            Method::Put | Method::Delete if [TIME, LIST].contains(&&*path) => {}
            Method::Put => {
                let mut content = message.payload.clone();
                if let Some(block) = message.get_option(CoapOption::Block1) {
                    reply.set_option(CoapOption::Block1, block.clone());
                    content = self.receive(&path, message)?;
                }
                self.resources.send_modify(|all| status = all.put(&path, content));
            }
            Method::Delete => self.resources.send_modify(|all| status = all.delete(&path)),
            _ => {}
        }
        Ok(status)
    }

    /// Receives a block of a resource. Returns the content if it is the last one, and otherwise the status to answer with. A
    /// block must follow the one before, but block 0 begins a new upload.
    fn receive(&mut self, path: &str, message: &Packet) -> Result<Vec<u8>, Status> {
        let [block, start, size] = block(message, CoapOption::Block1, 0)?;
        if start == 0 {
            self.upload = (path.to_owned(), Vec::new());
        }
        let (begun, content) = &mut self.upload;
        let has_more = block & 8 != 0;
        if begun != path || content.len() != start || has_more && message.payload.len() != size {
            return Err(Status::RequestEntityIncomplete);
        }
        content.extend(&message.payload);
        if content.len() > MAX_LEN {
            content.clear();
            return Err(Status::RequestEntityTooLarge);
        }
        if has_more { Err(Status::Continue) } else { Ok(mem::take(content)) }
    }

    /// The notification that the client lacks: another response to its request (RFC 7641, section 1.2). An observation ends
    /// with its resource.
    pub(crate) fn notification(&mut self) -> Option<Packet> {
        let token = self.outdated(&self.resources.borrow())?;
        let mut request = CoapRequest::<()>::new();
        request.set_path(&self.observations.remove(&token)?.0);
        request.set_observe_flag(ObserveOption::Register);
        request.message.set_token(token);
        let mut notification = self.answer(request.message)?;
        notification.header.set_type(MessageType::Confirmable);
        notification.header.message_id = NEXT_ID.fetch_add(1, Relaxed);
        Some(notification)
    }

    /// The token of an observation whose resource has changed.
    pub(crate) fn outdated(&self, resources: &Resources) -> Option<Vec<u8>> {
        let mut observations = self.observations.iter();
        observations.find(|(_, seen)| !resources.is_newest(seen)).map(|(token, _)| token.clone())
    }
}

/// The path of a request, unless it has a critical option that is unknown.
fn path(request: &CoapRequest<()>) -> Result<String, Status> {
    // Odd numbers are critical. Uri-Host (3) and Uri-Port (7) change nothing here. 11 is Uri-Path, 23 Block2 and 27 Block1.
    let is_unknown = |number: u16| number % 2 == 1 && ![3, 7, 11, 23, 27].contains(&number);
    if request.message.options().any(|(number, _)| is_unknown(*number)) {
        return Err(Status::BadOption);
    }
    let path = request.get_path_as_vec().map_err(|_| Status::BadRequest)?;
    // Other characters would need escapes in the list of resources.
    let is_plain = |byte| u8::is_ascii_alphanumeric(&byte) || b"-._~".contains(&byte);
    let is_valid = path.iter().all(|part| !part.is_empty() && part.bytes().all(is_plain));
    Some(path.join("/")).filter(|path| is_valid && path.len() <= 255).ok_or(Status::BadRequest)
}

/// The value of a Block option (RFC 7959, section 2.2), where its block starts, and the size of the block. The `BlockValue` of
/// `coap-lite` counts only 4,096 blocks.
fn block(message: &Packet, option: CoapOption, default: usize) -> Result<[usize; 3], Status> {
    let value = match message.get_first_option_as(option) {
        // At most three bytes. The size 7 is reserved.
        Some(Ok(OptionValueU32(value @ ..=0xff_ffff))) if value & 7 < 7 => value as usize,
        Some(_) => return Err(Status::BadRequest),
        None => default,
    };
    let size = 16 << (value & 7);
    Ok([value, (value >> 4) * size, size])
}
