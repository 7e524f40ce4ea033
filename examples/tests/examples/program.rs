//! A program that a test starts as a user does.

use std::{
    env,
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    net::UdpSocket,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// An example that runs, until it ends or this is dropped.
pub(crate) struct Program {
    child: Child,
    /// What it prints, to standard output and standard error.
    lines: Receiver<String>,
}

impl Program {
    pub(crate) fn start(name: &str, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        Self::start_at(&path(name), args)
    }

    /// Starts the program that is at a path.
    pub(crate) fn start_at(path: &Path, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut child = Command::new(path)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; `cargo build --examples` makes it", path.display())
            });
        let (sender, lines) = channel();
        read_lines(child.stdout.take().unwrap(), sender.clone());
        read_lines(child.stderr.take().unwrap(), sender);
        Self { child, lines }
    }

    /// The next line that it prints.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line is printed within the deadline")
    }

    /// The address that it says it listens on.
    pub(crate) fn addr(&self) -> String {
        self.line().strip_prefix("listening on ").expect("a server first tells where").to_owned()
    }

    /// A socket that is connected to it.
    pub(crate) fn peer(&self) -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(self.addr()).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket
    }

    /// Sends it a signal, such as `-INT`.
    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits for its end, and returns its exit code and the lines nobody has read yet.
    pub(crate) fn end(mut self) -> (Option<i32>, Vec<String>) {
        (self.wait(), self.lines.iter().collect())
    }

    /// Waits for its end, and returns its exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + DEADLINE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "the program ends within the deadline");
            thread::sleep(Duration::from_millis(1));
        }
        self.child.wait().unwrap().code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It fails only if the program has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The path of an example.
pub(crate) fn path(name: &str) -> PathBuf {
    // The test is in target/PROFILE/deps, the examples are in target/PROFILE/examples.
    let test = env::current_exe().unwrap();
    let dir = test.parent().and_then(|deps| deps.parent()).unwrap().join("examples");
    dir.join(name).with_extension(env::consts::EXE_EXTENSION)
}

fn read_lines(from: impl Read + Send + 'static, to: Sender<String>) {
    thread::spawn(move || {
        BufReader::new(from).lines().map_while(Result::ok).try_for_each(|line| to.send(line))
    });
}

pub(crate) fn recv(socket: &UdpSocket) -> Vec<u8> {
    let mut datagram = vec![0; 65_535];
    let len = socket.recv(&mut datagram).expect("an answer comes within the deadline");
    datagram.truncate(len);
    datagram
}

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
