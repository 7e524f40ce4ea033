//! The events that a receive waits for.

use std::{future::pending, sync::Arc};

use tokio::{
    sync::futures::Notified,
    time::{Instant, sleep_until},
};

use super::link::Link;
use crate::ClientRecvError;

/// The events that a call waits for if no packet has arrived. It does not contain the protocol, so it is
/// `Send` for every protocol.
pub(super) struct Wait<'a> {
    pub(super) closed: Notified<'a>,
    pub(super) more: Notified<'a>,
    pub(super) link: Arc<Link>,
    pub(super) until: Option<Instant>,
}

impl Wait<'_> {
    /// Completes when another try may succeed.
    pub(super) async fn over(self) -> Result<(), ClientRecvError> {
        let Self { closed, more, link, until } = self;
        let timeout = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            () = closed => Err(ClientRecvError::Closed),
            () = more => Ok(()),
            readable = link.readable() => readable.map_err(ClientRecvError::Io),
            () = timeout => Ok(()),
        }
    }
}
