//! Whether a peer speaks the protocol.

use crate::socket::mailbox::Mailbox;

/// What a conversation has received so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    #[default]
    Fresh,
    /// Only datagrams that did not decode. Then the conversation gives way to others, and does not wait for long.
    Junk,
    /// At least one packet.
    Packets,
}

impl Standing {
    /// A datagram has decoded.
    #[inline]
    pub(super) fn has_decoded(&mut self, mailbox: &Mailbox) {
        if *self == Self::Junk {
            mailbox.set_junk(false);
        }
        *self = Self::Packets;
    }

    /// A datagram has not decoded.
    #[cold]
    pub(super) fn has_refused(&mut self, mailbox: &Mailbox) {
        if *self == Self::Fresh {
            *self = Self::Junk;
            mailbox.set_junk(true);
        }
    }
}
