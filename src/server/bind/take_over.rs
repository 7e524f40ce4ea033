//! Takes over the sockets of another process.

use std::{
    io,
    net::UdpSocket,
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    path::Path,
    sync::Arc,
    time::Duration,
};

use socket2::{Domain, SockRef};
use tokio::{net::UnixStream, sync::mpsc, time::timeout};

use super::{Bound, BoundSockets};
use crate::{
    BindError, TakeOverError,
    engine::dedicated_thread::DedicatedThread,
    handover::{
        connection::Connection,
        format::{Message, Refusal, SocketInfo, VERSION},
        intake::{Intake, Outgoing},
    },
    transport::{
        Transport,
        config::{Source, TakeOver, Udp},
        socket,
        unix::{OwnPath, UnixSocket, options_of},
    },
};

/// How long the other process may take for each message.
const MESSAGE: Duration = Duration::from_secs(10);

/// The process from which this one takes over.
#[derive(Debug)]
pub(in crate::server) struct Predecessor {
    pub(in crate::server) connection: Connection,
    pub(in crate::server) outgoing: Arc<Outgoing>,
    pub(in crate::server) messages: mpsc::UnboundedReceiver<Message>,
    pub(in crate::server) intakes: Vec<Arc<Intake>>,
}

/// The sockets of another process, and their place among the sources of the server.
pub(super) struct Taken {
    place: usize,
    connection: Connection,
    sockets: Vec<(SocketInfo, OwnedFd)>,
    batch_io: Option<bool>,
}

/// Gets the sockets of the [`TakeOver`] among `sources`, and puts its other transport there if no process has them.
pub(super) async fn find(
    sources: Vec<Source>,
) -> Result<(Vec<(usize, Source)>, Option<Taken>), BindError> {
    let (mut rest, mut taken) = (Vec::new(), None);
    for (place, source) in sources.into_iter().enumerate() {
        let TakeOver { path, or } = match source {
            Source::TakeOver(take_over) => take_over,
            other => {
                rest.push((place, other));
                continue;
            }
        };
        match get(&path).await {
            Ok(_) if taken.is_some() => return Err(TakeOverError::Twice.into()),
            Ok((connection, sockets)) => {
                let batch_io = or.iter().find_map(|source| match source {
                    Source::Udp(Udp { options, .. }) => options.batch_io,
                    _ => None,
                });
                taken = Some(Taken { place, connection, sockets, batch_io });
            }
            Err(TakeOverError::Absent) if !or.is_empty() => {
                rest.extend(or.into_iter().map(|source| (place, source)));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((rest, taken))
}

type Sockets = Vec<(SocketInfo, OwnedFd)>;

async fn get(path: &Path) -> Result<(Connection, Sockets), TakeOverError> {
    let stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        // Nobody listens, or there is nothing.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Err(TakeOverError::Absent);
        }
        Err(error) => return Err(error.into()),
    };
    let mut connection = Connection::new(stream)?;
    connection.send(&Message::Hello { version: VERSION }, None).await?;
    let mut sockets = Vec::new();
    loop {
        let message = timeout(MESSAGE, connection.next()).await.map_err(io::Error::from)??;
        match message {
            Message::Refused(Refusal::Busy) => return Err(TakeOverError::Busy),
            Message::Refused(Refusal::NotServing) => return Err(TakeOverError::NotServing),
            Message::Refused(Refusal::Version(theirs)) => {
                return Err(TakeOverError::Version { theirs, ours: VERSION });
            }
            Message::Socket { socket, more } => {
                let missing = || io::Error::new(io::ErrorKind::InvalidData, "a socket is missing");
                let fd = connection.fds.pop_front().ok_or_else(missing)?;
                sockets.push((socket, fd));
                if more == 0 {
                    return Ok((connection, sockets));
                }
            }
            _ => return Err(io::Error::from(io::ErrorKind::InvalidData).into()),
        }
    }
}

impl BoundSockets {
    /// Adds the sockets of another process.
    pub(super) fn add_taken(&mut self, taken: Taken) -> Result<Predecessor, BindError> {
        let Taken { place, connection, sockets, batch_io } = taken;
        let (outgoing, messages) = Outgoing::new();
        let mut intakes = Vec::new();
        for (n, (info, fd)) in sockets.into_iter().enumerate() {
            let number = self.bound.len();
            let thread =
                self.dedicated_threads.then(|| DedicatedThread::new(number)).transpose()?;
            let (transport, own_path) = {
                let _entered = thread.as_ref().map(DedicatedThread::enter);
                take(fd, &info, batch_io).map_err(TakeOverError::from)?
            };
            let is_first_worker = info.worker.number + 1 == info.worker.of;
            let intake = Arc::new(Intake::new(n as u32, Arc::clone(&outgoing)));
            intakes.push(Arc::clone(&intake));
            let bound = Bound {
                thread,
                is_first_worker,
                own_path,
                intake: Some(intake),
                ..Bound::new(transport)
            };
            self.bound.push((place, bound));
        }
        Ok(Predecessor { connection, outgoing, messages, intakes })
    }
}

/// Makes the transport of a socket, and takes over its path.
fn take(
    fd: OwnedFd,
    info: &SocketInfo,
    batch_io: Option<bool>,
) -> io::Result<(Box<dyn Transport>, Option<OwnPath>)> {
    let is_unix = SockRef::from(&fd).local_addr()?.domain() == Domain::UNIX;
    if !is_unix {
        return Ok((socket::take_over(UdpSocket::from(fd), info.worker, batch_io)?, None));
    }
    // If somebody has removed the path, there is none to remove.
    let own_path = info.own_path.as_ref().and_then(|path| OwnPath::new(path).ok());
    let socket = UnixDatagram::from(fd);
    let transport = UnixSocket::new(socket, None, options_of(info.unnamed_peers))?;
    Ok((Box::new(transport), own_path))
}
