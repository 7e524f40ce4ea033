//! Sockets that a parent process passes. They are in the environment and in the descriptors of a process, so each
//! test has a process of its own, which inherits what the test passes.

use std::{
    env, fs,
    io::ErrorKind,
    net::{SocketAddr, TcpListener, UdpSocket},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::Path,
    process::Command,
    sync::mpsc,
};

use datagrammar::{
    AnyTransport, Bind, BindError, Client, ConnectError, Inherited, Server, Text, Udp,
};
use futures_util::FutureExt;
use socket2::SockRef;
use tokio::{runtime::Builder, task::spawn_blocking};

use super::{TEST, command, passes, test_name};
use crate::{
    files::without_files,
    support::{BindNow, Running, within_deadline},
};

/// What the test process inherits.
struct Parent {
    /// Sockets from descriptor 3 on.
    sockets: fn() -> Vec<OwnedFd>,
    /// Shell code that runs before the test process, in the same process.
    environment: &'static str,
}

impl Parent {
    /// Runs `test` in a process that inherits the sockets.
    #[track_caller]
    fn passes_to<F: FnOnce()>(self, test: F) {
        let name = test_name::<F>();
        if env::var(TEST).is_ok_and(|running| running == name) {
            return test();
        }
        let output = without_files(|| {
            let sockets = (self.sockets)();
            for (number, socket) in (3..).zip(&sockets) {
                assert_eq!(socket.as_raw_fd(), number, "the thread has no other files");
                inherit(socket);
            }
            let test = command(&name);
            // A shell knows the number of the process that it becomes.
            let script = format!("{} exec \"$0\" \"$@\"", self.environment);
            let mut shell = Command::new("sh");
            shell.args(["-c", &script]).arg(test.get_program()).args(test.get_args());
            shell.env(TEST, &name);
            shell.output()
        });
        passes(&name, &output.expect("there is a shell"));
    }
}

/// Lets child processes have a descriptor.
#[allow(unsafe_code, reason = "std opens everything with close-on-exec")]
fn inherit(socket: &OwnedFd) {
    // SAFETY: the descriptor is borrowed, and the call takes no pointer.
    assert_eq!(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFD, 0) }, 0);
}

/// Whether a descriptor with this number is open, and has close-on-exec.
#[allow(unsafe_code, reason = "no safe call takes a number")]
fn close_on_exec(fd: i32) -> Option<bool> {
    // SAFETY: the call takes no pointer, and changes nothing.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    (flags >= 0).then_some(flags & libc::FD_CLOEXEC != 0)
}

/// How many descriptors of this process are this socket.
fn descriptors_of(socket: &Path) -> usize {
    let all = fs::read_dir("/proc/self/fd").unwrap();
    all.filter(|one| fs::read_link(one.as_ref().unwrap().path()).is_ok_and(|it| it == socket))
        .count()
}

fn udp() -> OwnedFd {
    UdpSocket::bind("127.0.0.1:0").unwrap().into()
}

fn bind(transport: impl Bind) -> Result<Server, BindError> {
    Server::builder(Text, async |text: String| text.to_uppercase()).bind_now(transport)
}

/// Whether there is no server, and why.
fn refused(transport: impl Bind) -> (ErrorKind, String) {
    let error = bind(transport).unwrap_err();
    assert!(matches!(error, BindError::Inherited(_)), "{error:?}");
    (error.kind(), error.to_string())
}

fn run(test: impl Future<Output = ()>) {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().max_blocking_threads(1).build().unwrap().block_on(test);
}

fn addrs(server: &Server) -> Vec<SocketAddr> {
    server.handle().local_addrs().iter().map(|addr| addr.socket_addr().unwrap()).collect()
}

async fn ask(addr: SocketAddr) -> String {
    let client = Client::connect(addr, Text).await.unwrap();
    client.send("hello".to_owned()).await.unwrap();
    within_deadline(client.recv()).await.unwrap()
}

const THREE: &str = "LISTEN_PID=$$ LISTEN_FDS=3 LISTEN_FDNAMES=dns:admin:dns";
const TWO: &str = "LISTEN_PID=$$ LISTEN_FDS=2";
const ONE: &str = "LISTEN_PID=$$ LISTEN_FDS=1";

/// A socket with options, and a datagram in it; the peer is passed after it.
fn woken() -> Vec<OwnedFd> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_ttl(7).unwrap();
    socket.set_broadcast(true).unwrap();
    SockRef::from(&socket).set_recv_buffer_size(10_000).unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.connect(socket.local_addr().unwrap()).unwrap();
    peer.send(b"wake up").unwrap();
    vec![socket.into(), peer.into()]
}

// B-13, B-17
#[test]
fn the_datagram_that_started_the_service_is_served_on_a_socket_that_keeps_its_options() {
    let parent = Parent { sockets: woken, environment: TWO };
    parent.passes_to(|| {
        run(async {
            assert!(Inherited::is_available());
            let before: Vec<_> = env::vars().collect();
            let server = bind(Inherited::nth(0)).unwrap();
            {
                let socket = server.sockets().next().unwrap();
                assert_eq!(close_on_exec(socket.as_fd().as_raw_fd()), Some(true));
                let socket = SockRef::from(&socket);
                assert_eq!((socket.ttl_v4().unwrap(), socket.broadcast().unwrap()), (7, true));
                assert_eq!(socket.recv_buffer_size().unwrap(), 20_000);
                assert!(socket.nonblocking().unwrap());
            }
            assert_eq!(env::vars().collect::<Vec<_>>(), before);
            // Only the server has the socket now.
            assert_ne!(close_on_exec(3), Some(false));

            let server = Running::start(server).await;

            let client = Client::connect(Inherited::nth(1), Text).await.unwrap();
            assert_eq!(within_deadline(client.recv()).await.unwrap(), "WAKE UP");
            client.send("again".to_owned()).await.unwrap();
            assert_eq!(within_deadline(client.recv()).await.unwrap(), "AGAIN");
            server.stop().await;
        });
    });
}

// B-15, B-17
#[test]
fn all_sockets_of_a_name_are_one_server_beside_other_transports() {
    let parent = Parent { sockets: || vec![udp(), udp(), udp()], environment: THREE };
    parent.passes_to(|| {
        run(async {
            let own = UdpSocket::bind("127.0.0.2:0").unwrap();
            let before = own.local_addr().unwrap();
            let dns = bind((own, Inherited::named("dns"), "127.0.0.3:0")).unwrap();
            let admin = bind(AnyTransport::from(Inherited::named("admin"))).unwrap();

            let served = addrs(&dns);
            assert_eq!((served.len(), addrs(&admin).len()), (4, 1));
            let hosts: Vec<_> = served.iter().map(|addr| addr.ip().to_string()).collect();
            assert_eq!(hosts, ["127.0.0.2", "127.0.0.1", "127.0.0.1", "127.0.0.3"]);
            assert_eq!(served[0], before);
            let servers = [Running::start(dns).await, Running::start(admin).await];
            for addr in served {
                assert_eq!(ask(addr).await, "HELLO");
            }
            for server in servers {
                server.stop().await;
            }
        });
    });
}

// B-18
#[test]
fn each_descriptor_is_handed_out_once_even_after_the_server_is_gone() {
    let parent = Parent { sockets: || vec![udp(), udp()], environment: TWO };
    parent.passes_to(|| {
        run(async {
            let taken = |fd| {
                let text =
                    format!("the inherited descriptor {fd} is already in use by this program");
                (ErrorKind::ResourceBusy, text)
            };
            assert_eq!(refused((Inherited::nth(0), Inherited::nth(0))), taken(3));
            let socket = fs::read_link("/proc/self/fd/3").unwrap();
            let server = bind(Inherited::nth(0)).unwrap();
            assert_eq!(descriptors_of(&socket), 1);

            assert_eq!(refused(Inherited::nth(0)), taken(3));
            assert_eq!(refused(Inherited::all()), taken(3));
            drop(server);
            assert_eq!(refused(Inherited::named("unknown")), taken(3));

            assert_eq!(descriptors_of(&socket), 0);
            // The errors above have not consumed the second socket.
            assert!(bind(Inherited::nth(1)).is_ok());
        });
    });
}

// B-4, B-18
#[test]
fn a_bind_that_fails_consumes_no_descriptor() {
    let parent = Parent {
        sockets: || vec![udp(), TcpListener::bind("127.0.0.1:0").unwrap().into(), udp()],
        environment: THREE,
    };
    parent.passes_to(|| {
        run(async {
            for _ in 0..2 {
                let (kind, text) = refused(Inherited::all());
                assert_eq!(kind, ErrorKind::InvalidInput);
                let expected = "the inherited descriptor 4 is a stream socket; \
                                a socket unit needs ListenDatagram= instead of ListenStream=";
                assert_eq!(text, expected);
            }
            let used = UdpSocket::bind("127.0.0.1:0").unwrap();
            let in_use = used.local_addr().unwrap();
            let error = bind((Inherited::named("dns"), in_use)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AddrInUse);
            let error = bind((Inherited::named("dns"), Udp::new(in_use).ttl(0))).unwrap_err();
            assert!(matches!(error, BindError::Option(_)), "{error:?}");
            // A bind that waits for a name, and is dropped. The one thread that resolves names is busy.
            let (release, held) = mpsc::channel::<()>();
            let busy = spawn_blocking(move || held.recv());
            let echo = async |text: String| text;
            let waits = Server::bind((Inherited::nth(0), "localhost:0"), Text, echo);
            assert!(waits.now_or_never().is_none(), "there was nothing to wait for");
            drop(release);
            assert!(busy.await.unwrap().is_err());

            let error = Client::connect(Inherited::nth(0), Text).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotConnected);
            let error = Client::connect(Inherited::named("dns"), Text).await.unwrap_err();
            assert!(matches!(error, ConnectError::Inherited(_)), "{error:?}");
            assert_eq!(error.to_string(), "2 sockets were passed, a client has one");

            let server = Running::start(bind(Inherited::named("dns")).unwrap()).await;
            for addr in server.handle.local_addrs() {
                assert_eq!(ask(addr.socket_addr().unwrap()).await, "HELLO");
            }
            server.stop().await;
        });
    });
}

// B-17
#[test]
fn descriptors_that_were_not_passed_are_refused() {
    // There is no descriptor 4, or the test harness has opened it.
    let parent = Parent { sockets: || vec![udp()], environment: TWO };
    parent.passes_to(|| {
        run(async {
            let (kind, text) = refused(Inherited::nth(1));
            assert_eq!(kind, ErrorKind::InvalidInput);
            let not_open = "the inherited descriptor 4 is not open";
            assert!(text == not_open || text.contains("has close-on-exec set"), "{text}");
        });
    });
}

// B-17
#[test]
fn a_descriptor_that_another_part_of_the_program_has_taken_is_refused() {
    let parent = Parent { sockets: || vec![udp()], environment: ONE };
    parent.passes_to(|| {
        run(async {
            set_close_on_exec(3);

            let (kind, text) = refused(Inherited::all());

            assert_eq!(kind, ErrorKind::InvalidInput);
            let expected = "the inherited descriptor 3 has close-on-exec set, so this program has \
                            opened it, or another part of the program has taken it";
            assert_eq!(text, expected);
        });
    });
}

#[allow(unsafe_code, reason = "no safe call takes a number")]
fn set_close_on_exec(fd: i32) {
    // SAFETY: the call takes no pointer.
    assert_eq!(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) }, 0);
}

// B-17
#[test]
fn a_program_that_was_started_by_hand_is_told_so() {
    let environment = "unset LISTEN_FDS LISTEN_PID;";
    Parent { sockets: Vec::new, environment }.passes_to(|| {
        run(async {
            assert!(!Inherited::is_available());
            let (kind, text) = refused(Inherited::all());
            assert_eq!(kind, ErrorKind::NotFound);
            assert!(text.starts_with("no socket was passed to this process, "), "{text}");
        });
    });
}

// B-17
#[test]
fn the_sockets_of_the_parent_itself_are_not_taken() {
    let environment = "LISTEN_PID=$PPID LISTEN_FDS=1";
    Parent { sockets: || vec![udp()], environment }.passes_to(|| {
        run(async {
            assert!(!Inherited::is_available());
            let (kind, text) = refused(Inherited::nth(0));
            assert_eq!(kind, ErrorKind::NotFound);
            let this = std::process::id();
            assert!(text.ends_with(&format!(" and this process is {this}")), "{text}");
            assert_eq!(close_on_exec(3), Some(false), "it stays as it is");
        });
    });
}

// B-17
#[test]
fn an_invalid_number_counts_as_available_so_that_it_is_reported() {
    let environment = "LISTEN_PID=$$ LISTEN_FDS=many";
    Parent { sockets: || vec![udp()], environment }.passes_to(|| {
        run(async {
            assert!(Inherited::is_available());
            let (kind, text) = refused(Inherited::nth(0));
            assert_eq!(
                (kind, &*text),
                (ErrorKind::InvalidInput, r#"LISTEN_FDS is "many", not a number"#)
            );
        });
    });
}

// B-13, B-17
#[tokio::test]
async fn a_descriptor_from_elsewhere_is_served() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();

    let server = Running::start(bind(Inherited::from(OwnedFd::from(socket))).unwrap()).await;

    assert_eq!(ask(addr).await, "HELLO");
    server.stop().await;
}
