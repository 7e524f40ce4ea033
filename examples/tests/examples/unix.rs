//! The examples that use Unix datagram sockets.

use std::{
    env, fs,
    os::unix::{fs::PermissionsExt, net::UnixDatagram},
    path::PathBuf,
    process,
};

use serde_json::Value;

use crate::program::{DEADLINE, Program};

#[test]
fn syslog_prints_what_senders_without_a_name_write_to_its_path() {
    let folder = Folder::new("syslog");
    let path = folder.0.join("log");
    let collector = Program::start("syslog", ["127.0.0.1:0".as_ref(), path.as_os_str()]);
    let peer = collector.peer();
    assert_eq!(collector.line(), format!("listening on {}", path.display()));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
    let sender = UnixDatagram::unbound().unwrap();
    let line = || serde_json::from_str::<Value>(&collector.line()).unwrap();

    for text in ["one", "two"] {
        sender.send_to(format!("<13>Oct 11 22:14:15 app[7]: {text}").as_bytes(), &path).unwrap();
        let message = line();
        assert_eq!((&message["from"], &message["text"]), (&"<unnamed>".into(), &text.into()));
        assert_eq!((&message["hostname"], &message["app_name"]), (&Value::Null, &"app".into()));
    }
    peer.send(b"<13>three").unwrap();
    assert_eq!(line()["text"], "three");

    collector.signal("-TERM");
    assert_eq!(collector.end().0, Some(0));
    assert!(!path.exists());
}

#[test]
fn unix_echo_answers_its_client_and_replaces_the_path_of_a_killed_server() {
    let folder = Folder::new("echo");
    let path = folder.0.join("echo").into_os_string();
    let serve = ["serve".as_ref(), path.as_os_str()];
    let ask = ["ask".as_ref(), path.as_os_str(), "Hello".as_ref(), "wörld".as_ref()];

    for signal in ["-KILL", "-INT"] {
        let server = Program::start("unix_echo", serve);
        assert_eq!(server.addr(), path.display().to_string());
        assert_eq!(
            Program::start("unix_echo", ask).end(),
            (Some(0), vec!["Hello".to_owned(), "wörld".to_owned()])
        );
        server.signal(signal);
        assert_eq!(server.end().0, (signal == "-INT").then_some(0));
    }

    assert!(!fs::exists(&path).unwrap());
    assert_eq!(Program::start("unix_echo", ask).end().0, Some(1));
}

#[test]
fn unix_echo_client_sends_plain_text() {
    let folder = Folder::new("ask");
    let path = folder.0.join("server");
    let server = UnixDatagram::bind(&path).unwrap();
    server.set_read_timeout(Some(DEADLINE)).unwrap();

    let client = Program::start("unix_echo", ["ask".as_ref(), path.as_os_str(), "é".as_ref()]);

    let mut datagram = [0; 64];
    let (len, peer) = server.recv_from(&mut datagram).unwrap();
    assert_eq!(datagram[..len], *"é".as_bytes());
    server.send_to_addr(b"answer", &peer).unwrap();
    assert_eq!(client.end(), (Some(0), vec!["answer".to_owned()]));
}

/// A folder of one test.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("datagrammar-{test}-{}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // a test that has failed already should say why
    }
}
