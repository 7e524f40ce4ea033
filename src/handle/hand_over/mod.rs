//! How a server hands its sockets over to another process.

mod talk;

use std::{
    io,
    os::fd::AsFd,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use talk::{PAUSE, Talk, Talked, refuse};
use tokio::{
    net::UnixStream,
    time::{sleep, timeout},
};

use super::{ServerHandle, shutdown::deadline, status::End};
use crate::{
    handover::{
        connection::Connection,
        format::{Message, Refusal, SocketInfo, VERSION},
        listener::Listener,
    },
    lock::locked,
    socket::SocketState,
    transport::fd_stream::FdStream,
};

/// How long another process may take to say what it wants.
const HELLO: Duration = Duration::from_secs(5);

/// The connection with a process that has the sockets, and does not serve yet.
type Starting = Mutex<Option<Arc<FdStream>>>;

impl ServerHandle {
    /// Waits at `path` for a process that [takes over](crate::TakeOver) the sockets of this server, hands them over, and ends
    /// serving when all conversations have ended, or after `within`. Returns the number of aborted conversations.
    ///
    /// Call it in a task of its own, at any time. Once the server serves, it listens at `path`, a Unix socket that only
    /// processes of the same user may use. Until a process takes over, nothing changes. Then no datagram is lost:
    ///
    /// 1. The other process gets the sockets, and runs its start hook. If that fails, this server goes on.
    /// 2. This server stops reading, and serves what it has read. The other process begins to read.
    /// 3. Running conversations go on here. The other process gives this one the datagrams of their peers, until the handlers
    ///    return. What they have not received goes back. So no peer is ever in two conversations at a time, and the order is
    ///    kept.
    /// 4. After `within`, conversations end as in a [`shutdown`](Self::shutdown), and the other process takes their peers.
    ///
    /// If the other process ends before that, this one listens at `path` again until `within` is over, so that a third one can
    /// take over; meanwhile datagrams wait in the sockets. If serving ends in another way, `hand_over` returns 0.
    ///
    /// [How to restart](crate::_documentation::restarts) says more: what the other process does not get, and how to start it.
    ///
    /// Do not await it in a conversation, a start hook or a clean-up, because it waits for their ends.
    ///
    /// # Errors
    ///
    /// - The `path` cannot be bound. The kind is [`AddrInUse`](io::ErrorKind::AddrInUse) if another server listens there.
    /// - [`ResourceBusy`](io::ErrorKind::ResourceBusy) if another call waits already.
    /// - [`Unsupported`](io::ErrorKind::Unsupported) if the server has a network in memory, or a Unix socket that receives
    ///   descriptors or credentials.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before another process begins to take over, nothing changes, and the path is removed. If it is
    /// dropped while another one starts, both serve the sockets. If it is dropped later, serving ends as in a
    /// [`shutdown`](Self::shutdown).
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Client, Server, TakeOver, Text};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let path = std::env::temp_dir().join(format!("datagrammar-hand-over-{}", std::process::id()));
    /// let echo = async |text: String| text;
    ///
    /// let old = Server::bind(TakeOver::from(&path).or("127.0.0.1:0"), Text, echo).await?;
    /// let (addr, handle, at) = (old.local_addr(), old.handle(), path.clone());
    /// let handing_over =
    ///     tokio::spawn(async move { handle.hand_over(at, Duration::from_secs(60)).await });
    /// let serving = old.spawn();
    /// # while !path.exists() { tokio::task::yield_now().await }
    ///
    /// // In another process:
    /// let new = Server::bind(TakeOver::from(&path).or("127.0.0.1:0"), Text, echo).await?;
    /// assert_eq!(new.local_addr(), addr);
    /// new.spawn();
    ///
    /// serving.await??;
    /// assert_eq!(handing_over.await??, 0);
    /// let client = Client::connect(addr, Text).await?;
    /// client.send("hello".to_owned()).await?;
    /// assert_eq!(client.recv().await?, "hello");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "restart")]
    #[doc(alias = "upgrade")]
    #[doc(alias = "SCM_RIGHTS")]
    pub async fn hand_over(&self, path: impl AsRef<Path>, within: Duration) -> io::Result<u64> {
        let path = std::path::absolute(path)?;
        self.sockets().iter().try_for_each(|socket| check(socket))?;
        if !self.ready().await {
            return Ok(0);
        }
        let generation = self.status.now().generation;
        let succession = &self.status.succession;
        let Some(_only) = succession.hand_over() else {
            let problem = "this server waits for a process that takes over already";
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, problem));
        };
        let mut listener = Listener::bind(&path, succession.took_over_at(&path))?;
        let starting = Starting::default();
        let first = tokio::select! {
            biased;
            () = self.stopping() => {
                if succession.is_taking_over() {
                    // The process before this one still has conversations, and listens there again.
                    listener.leave_path();
                }
                // A process that is starting takes the end of the connection for the end of all conversations.
                let stream = locked(&starting).take();
                if stream.is_some() {
                    succession.set_handed_over(true);
                    listener.leave_path();
                    self.status.guards.gone(generation).await;
                }
                return Ok(0);
            }
            connection = self.successor(&mut listener, &starting) => connection,
        };
        let (before, end) = (self.aborted(), deadline(within));
        let mut talk = Talk::begin(self, generation, end);
        self.status.ask(generation, End::HandOver(end));
        listener.leave_path();
        let mut talked = talk.with(first, &listener, true).await;
        while talked == Talked::Lost {
            // The path may be that of the process that was lost.
            if listener.restore().await.is_err() {
                break;
            }
            talked = match talk.until_ended(self.successor(&mut listener, &starting)).await {
                Some(next) => {
                    listener.leave_path();
                    talk.with(next, &listener, false).await
                }
                None => Talked::Ended,
            };
        }
        talk.end().await;
        Ok(self.aborted() - before)
    }

    /// Waits for a process that has got the sockets and serves. Meanwhile `starting` is the connection of one that starts.
    async fn successor(&self, listener: &mut Listener, starting: &Starting) -> Connection {
        loop {
            let Ok(stream) = listener.accept().await else {
                sleep(PAUSE).await;
                continue;
            };
            let introduced = async {
                let mut connection = self.introduce(stream).await?;
                *locked(starting) = Some(Arc::clone(&connection.stream));
                match connection.next().await? {
                    Message::Serving => Ok(connection),
                    _ => Err(io::Error::from(io::ErrorKind::InvalidData)),
                }
            };
            let introduced = tokio::select! {
                biased;
                introduced = introduced => introduced,
                never = refuse(listener) => match never {},
            };
            *locked(starting) = None;
            if let Ok(connection) = introduced {
                return connection;
            }
            // It may have replaced the path before it has ended.
            let _ = listener.restore().await;
        }
    }

    /// Hands the sockets to a process that wants them.
    async fn introduce(&self, stream: UnixStream) -> io::Result<Connection> {
        let mut connection = Connection::new(stream)?;
        let hello = timeout(HELLO, connection.next()).await??;
        let refusal = match hello {
            Message::Hello { version } if version != VERSION => Some(Refusal::Version(VERSION)),
            Message::Hello { .. } if !self.is_serving() && !self.is_handing_over() => {
                Some(Refusal::NotServing)
            }
            Message::Hello { .. } if self.status.succession.is_taking_over() => Some(Refusal::Busy),
            Message::Hello { .. } => None,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        if let Some(refusal) = refusal {
            connection.send(&Message::Refused(refusal), None).await?;
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let sockets = self.sockets();
        let mut more = sockets.len() as u32;
        for (n, socket) in sockets.iter().enumerate() {
            more -= 1;
            let transport = socket.outbox.transport();
            let own_path = self.status.succession.own_paths.get(n).cloned().flatten();
            let info = SocketInfo {
                worker: transport.worker_index(),
                unnamed_peers: transport.unnamed_peers(),
                own_path,
            };
            let fd = transport.socket().ok_or(io::ErrorKind::Unsupported)?;
            let fd = fd.as_fd().try_clone_to_owned()?;
            let message = Message::Socket { socket: info, more };
            connection.send(&message, Some(fd.as_fd())).await?;
        }
        Ok(connection)
    }

    fn is_handing_over(&self) -> bool {
        matches!(self.status.now().end, End::HandOver(_))
    }
}

/// Whether another process can get this socket and what comes to it.
fn check(socket: &SocketState) -> io::Result<()> {
    let transport = socket.outbox.transport();
    let problem = if transport.socket().is_none() {
        "a network in memory cannot be handed over"
    } else if transport.passes_fds() || transport.recv_credentials() {
        "a Unix socket that receives descriptors or credentials cannot be handed over"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::Unsupported, problem))
}
