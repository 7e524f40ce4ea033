//! The typed parts of a server.

use std::sync::Arc;

use crate::peer::Protocol;

/// The protocol and the handler of a server.
pub(crate) struct Application<Req, Res, H> {
    pub(crate) protocol: Arc<Protocol<Req, Res>>,
    pub(crate) handler: H,
}
