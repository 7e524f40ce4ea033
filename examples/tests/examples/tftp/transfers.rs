//! Transfers over a path that loses nothing, and requests that are refused.

use super::*;

const LENGTHS: [usize; 5] = [0, 511, 512, 513, 1 << 20];

#[test]
fn files_of_all_lengths_are_read_and_written() {
    let served = Served::start();

    for len in LENGTHS {
        let name = len.to_string();
        served.put(&name, &content(len));
        for options in [&[][..], &[("blksize", "1024"), ("tsize", "0")]] {
            assert_eq!(Client::new(&served).read(&name, options), content(len));
            let copy = format!("{name}-{}", options.len());
            Client::new(&served).write(&copy, &content(len), options);
            assert_eq!(fs::read(served.root.join(copy)).unwrap(), content(len));
        }
    }
}

#[test]
fn block_numbers_wrap() {
    let served = Served::start();
    let content = content(8 * 65_600);
    served.put("long", &content);

    assert_eq!(Client::new(&served).read("long", &[("blksize", "8")]), content);
}

#[test]
fn the_server_answers_with_the_options_that_it_takes() {
    let served = Served::start();
    served.put("file", &content(700));
    for (asked, answered) in [
        (&[("blksize", "65464"), ("tsize", "0")][..], &[("blksize", "1468"), ("tsize", "700")][..]),
        (&[("timeout", "3"), ("unknown", "1")], &[("timeout", "3")]),
    ] {
        let mut client = Client::new(&served);
        client.send(&Packet::Read(request("file", asked)));
        assert_eq!(client.expect(), Packet::OptionAck(request("", answered).options));
    }
    // Without a valid option, the answer is that of RFC 1350.
    let mut client = Client::new(&served);
    client.send(&Packet::Read(request("file", &[("blksize", "7"), ("timeout", "0")])));
    assert!(matches!(client.expect(), Packet::Data { block: 1, .. }));
}

#[test]
fn duplicates_of_acknowledgments_cause_no_datagrams() {
    let served = Served::start();
    served.put("file", &content(10 * 512));
    let mut client = Client::new(&served);

    client.send(&Packet::Read(request("file", &[])));
    for block in 1..=11 {
        let Packet::Data { block: number, .. } = client.expect() else { panic!() };
        assert_eq!(number, block);
        // Those of the block before too, which come late.
        for acknowledged in [block - 1, block, block, block, block - 1] {
            client.send(&Packet::Ack(acknowledged));
        }
    }
    client.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert_eq!((client.recv(), client.received), (None, 11));
}

#[test]
fn a_copy_of_a_request_begins_no_second_transfer() {
    let served = Served::start();
    served.put("file", &content(100));
    let mut client = Client::new(&served);

    for _ in 0..3 {
        client.send(&Packet::Read(request("file", &[])));
    }
    assert!(matches!(client.expect(), Packet::Data { block: 1, .. }));
    client.send(&Packet::Ack(1));
    assert!(served.program.line().contains("has read"));
    client.socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert_eq!(client.recv(), None);
}

#[test]
fn a_client_that_keeps_its_port_does_not_wait_for_its_next_transfer() {
    let served = Served::start();
    let mut client = Client::new(&served);
    // The server answers copies of the last block for 12 s.
    client.socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();

    client.write("file", &content(600), &[]);
    client.to = served.addr;
    client.send(&Packet::Read(request("file", &[])));
    assert_eq!(client.expect(), Packet::Data { block: 1, bytes: content(600)[..512].to_vec() });
}

#[test]
fn another_port_finds_the_port_closed_and_does_not_disturb_the_transfer() {
    let served = Served::start();
    served.put("file", &content(1_000));
    let (mut client, mut other) = (Client::new(&served), Client::new(&served));

    client.send(&Packet::Read(request("file", &[])));
    assert!(matches!(client.expect(), Packet::Data { block: 1, .. }));
    other.to = client.to;
    for packet in [Packet::Ack(1), error(ErrorCode::UNDEFINED, ""), Packet::Ack(1)] {
        other.send(&packet);
    }
    #[cfg(target_os = "linux")] // Only a connected socket is told of ICMP errors.
    {
        other.socket.connect(client.to).unwrap();
        other.socket.send(b"\0\x04\0\x01").unwrap();
        let error = other.socket.recv(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
    client.send(&Packet::Ack(1));
    assert_eq!(client.expect(), Packet::Data { block: 2, bytes: content(1_000)[512..].to_vec() });
    client.send(&Packet::Ack(2));
    assert!(served.program.line().contains("has read"));
}

#[test]
fn requests_are_refused_with_the_codes_of_the_rfc() {
    let served = Served::start();
    served.put("file", &content(10));
    fs::create_dir(served.root.join("folder")).unwrap();
    fs::write(served.root.parent().unwrap().join("outside"), "secret").unwrap();
    let mode = |mode: &str| Request { mode: mode.to_owned(), ..request("file", &[]) };
    let read = |file| Packet::Read(request(file, &[]));
    let write = |file| Packet::Write(request(file, &[]));

    for (packet, code) in [
        (read("none"), ErrorCode::NOT_FOUND),
        (read("none/file"), ErrorCode::NOT_FOUND),
        (read(""), ErrorCode::ACCESS_VIOLATION),
        (read("."), ErrorCode::ACCESS_VIOLATION),
        (read("folder"), ErrorCode::ACCESS_VIOLATION),
        (read("../outside"), ErrorCode::ACCESS_VIOLATION),
        (read("folder/../../outside"), ErrorCode::ACCESS_VIOLATION),
        (read("/etc/../../outside"), ErrorCode::ACCESS_VIOLATION),
        (write("../new"), ErrorCode::ACCESS_VIOLATION),
        (write("none/new"), ErrorCode::NOT_FOUND),
        (write("folder"), ErrorCode::ACCESS_VIOLATION),
        (write("file"), ErrorCode::EXISTS),
        (Packet::Write(request("new", &[("tsize", "2000001")])), ErrorCode::DISK_FULL),
        (Packet::Read(mode("netascii")), ErrorCode::ILLEGAL),
        (Packet::Read(mode("mail")), ErrorCode::ILLEGAL),
        (Packet::Ack(1), ErrorCode::ILLEGAL),
    ] {
        let mut client = Client::new(&served);
        client.send(&packet);
        let Packet::Error { code: refused, .. } = client.expect() else { panic!("{packet:?}") };
        assert_eq!(refused, code, "{packet:?}");
    }
    assert_eq!(Client::new(&served).read("/file", &[]), content(10));
    assert!(!served.root.join("new").exists());
}

#[cfg(unix)]
#[test]
fn links_lead_to_files_of_the_directory_only() {
    use std::os::unix::fs::symlink;

    let served = Served::start();
    served.put("file", &content(10));
    let outside = served.root.parent().unwrap();
    fs::write(outside.join("outside"), "secret").unwrap();
    symlink("file", served.root.join("inner")).unwrap();
    symlink("../outside", served.root.join("outer")).unwrap();
    symlink("../nothing", served.root.join("dangling")).unwrap();
    symlink("..", served.root.join("up")).unwrap();

    assert_eq!(Client::new(&served).read("inner", &[]), content(10));
    for packet in [
        Packet::Read(request("outer", &[])),
        Packet::Read(request("up/outside", &[])),
        Packet::Write(request("up/new", &[])),
        Packet::Write(request("dangling", &[])),
    ] {
        let mut client = Client::new(&served);
        client.send(&packet);
        assert!(matches!(client.expect(), Packet::Error { .. }), "{packet:?}");
    }
    assert!(!outside.join("new").exists() && !outside.join("nothing").exists());
}

#[test]
fn an_upload_that_is_too_long_or_ends_with_an_error_leaves_no_file() {
    let served = Served::start();
    let mut client = Client::new(&served);
    client.send(&Packet::Write(request("long", &[("blksize", "1468")])));
    assert!(matches!(client.expect(), Packet::OptionAck(_)));
    for block in 1.. {
        client.send(&Packet::Data { block, bytes: content(1_468) });
        match client.expect() {
            Packet::Ack(acknowledged) => assert_eq!(acknowledged, block),
            Packet::Error { code, .. } => {
                assert_eq!((code, block), (ErrorCode::DISK_FULL, 1_363));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(served.program.line().contains("failed"));
    assert_eq!(served.files(), 0);

    let mut client = Client::new(&served);
    client.send(&Packet::Write(request("aborted", &[])));
    assert_eq!(client.expect(), Packet::Ack(0));
    client.send(&error(ErrorCode::DISK_FULL, "no more"));
    assert!(served.program.line().contains("no more"));
    assert_eq!(served.files(), 0);
}

#[test]
fn an_upload_has_its_name_when_it_is_whole() {
    let served = Served::start();
    let mut client = Client::new(&served);
    client.send(&Packet::Write(request("new", &[])));
    assert_eq!(client.expect(), Packet::Ack(0));
    client.send(&Packet::Data { block: 1, bytes: content(512) });
    assert_eq!(client.expect(), Packet::Ack(1));
    assert!(!served.root.join("new").exists());

    // Another file gets the name first, and is not replaced.
    served.put("new", b"other");
    client.send(&Packet::Data { block: 2, bytes: content(1) });
    assert!(matches!(client.expect(), Packet::Error { code: ErrorCode::EXISTS, .. }));
    assert_eq!((fs::read(served.root.join("new")).unwrap(), served.files()), (b"other".into(), 1));
}

#[cfg(unix)]
#[test]
fn an_upload_that_a_shutdown_ends_leaves_no_file() {
    let mut served = Served::start();
    let mut client = Client::new(&served);
    client.send(&Packet::Write(request("new", &[])));
    assert_eq!((client.expect(), served.files()), (Packet::Ack(0), 1));

    // The first one waits for transfers.
    served.program.signal("-INT");
    served.program.signal("-TERM");
    assert_eq!((served.program.wait(), served.files()), (Some(0), 0));
}
