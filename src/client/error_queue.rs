//! The error queue of a connected socket: each error goes to the send that caused it.

use std::{io, sync::Mutex};

use crate::{lock::locked, transport::is_about_sending};

/// The two directions of a connected socket, which share one queue of errors. Any number of threads may use
/// both at the same time.
#[derive(Debug)]
pub(crate) struct ErrorQueue<H> {
    /// Held from a send until its error was read, so that this error is not taken for the error of another
    /// send.
    sending: Mutex<()>,
    receiving: Mutex<Receiving<H>>,
}

#[derive(Debug)]
struct Receiving<H> {
    half: H,
    /// The error code that a receive got while a send was in progress, if it is about a sent datagram.
    /// Otherwise 0.
    told: i32,
}

impl<H> ErrorQueue<H> {
    /// `half` is used for receiving.
    pub(crate) fn new(half: H) -> Self {
        Self { sending: Mutex::default(), receiving: Mutex::new(Receiving { half, told: 0 }) }
    }

    /// Runs `receive`, which must not wait.
    pub(crate) fn receive<T>(
        &self,
        receive: impl FnOnce(&mut H) -> io::Result<T>,
    ) -> io::Result<T> {
        // The lock is held from the call that returns an error until that error is stored. Meanwhile no
        // sender can look for its own error.
        let Receiving { half, told } = &mut *locked(&self.receiving);
        let received = receive(half);
        if let Err(error) = &received
            && is_about_sending(error)
        {
            *told = error.raw_os_error().unwrap_or(0);
        }
        received
    }

    /// Runs `send`, which must not wait, and then returns the error that it has caused. `take_error` removes
    /// the error of the socket.
    ///
    /// If the peer is on this host, the kernel knows after the send whether a socket is bound there. That
    /// error must not be returned by the next operation of the socket.
    pub(crate) fn send<T>(
        &self,
        send: impl FnOnce() -> io::Result<T>,
        take_error: impl FnOnce() -> io::Result<Option<io::Error>>,
    ) -> io::Result<T> {
        let _sending = locked(&self.sending);
        // An error that was stored before is not about this send.
        locked(&self.receiving).told = 0;
        let sent = send()?;
        let receiving = locked(&self.receiving);
        take_error()?.map_or(Ok(()), Err)?;
        // A receive on another thread may have got it first.
        match receiving.told {
            0 => Ok(sent),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }
}
