//! Takes over the sockets of another process.

use std::{
    io,
    net::UdpSocket,
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    path::{Path, PathBuf},
    time::Duration,
};

use socket2::{Domain, SockRef};
use tokio::{
    net::UnixStream,
    time::{sleep, timeout},
};

use crate::{
    BindError, TakeOverError,
    handover::{
        connection::Connection,
        format::{Message, Refusal, SocketInfo, VERSION},
    },
    transport::{
        Transport,
        config::{Source, Udp},
        socket,
        unix::{OwnPath, UnixSocket, options_of},
    },
};

/// How long the other process may take for each message.
const MESSAGE: Duration = Duration::from_secs(10);

/// The sockets of another process, and their place among the sources of the server.
pub(super) struct Taken {
    pub(super) place: usize,
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    pub(super) sockets: Sockets,
    pub(super) batch_io: Option<bool>,
}

/// Gets the sockets of the `TakeOver` among `sources`, and puts its other transport there if no process has them.
pub(super) async fn find(
    sources: Vec<Source>,
) -> Result<(Vec<(usize, Source)>, Option<Taken>), BindError> {
    let (mut rest, mut taken) = (Vec::new(), None);
    for (place, source) in sources.into_iter().enumerate() {
        let (path, or) = match source {
            Source::TakeOver(path, or) => (path, or),
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
                let path = std::path::absolute(&path)?;
                taken = Some(Taken { place, path, connection, sockets, batch_io });
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

/// How often, and after which pause, a connection is tried again. The other process may listen again just now, because
/// another process that wanted to take over has ended.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

async fn get(path: &Path) -> Result<(Connection, Sockets), TakeOverError> {
    let mut tries = 1;
    loop {
        let error = match get_once(path).await {
            Err(error) if tries < TRIES => error,
            got => return got,
        };
        match &error {
            TakeOverError::Absent if path.exists() => {}
            TakeOverError::Io(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof
                        | io::ErrorKind::ConnectionReset
                        | io::ErrorKind::BrokenPipe
                ) => {}
            _ => return Err(error),
        }
        tries += 1;
        sleep(PAUSE).await;
    }
}

async fn get_once(path: &Path) -> Result<(Connection, Sockets), TakeOverError> {
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
    connection.takes_fds = true;
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
                    connection.takes_fds = false;
                    connection.fds.clear();
                    return Ok((connection, sockets));
                }
            }
            _ => return Err(io::Error::from(io::ErrorKind::InvalidData).into()),
        }
    }
}

/// Makes the transport of a socket, and takes over its path.
pub(super) fn take(
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
