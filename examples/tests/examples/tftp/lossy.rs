//! Transfers over a path that loses and repeats datagrams.

use super::*;

#[test]
fn files_arrive_whole_over_a_path_that_loses_and_repeats_datagrams() {
    let served = Served::start();
    let content = content(20_000);
    served.put("file", &content);

    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (addr, root, content) = (served.addr, &served.root, &content);
            scope.spawn(move || {
                let options: &[_] = if seed % 2 == 0 { &[] } else { &[("blksize", "1000")] };
                let client = || Client::troubled(addr, 10, seed);
                assert_eq!(client().read("file", options), *content);
                let copy = format!("copy-{seed}");
                client().write(&copy, content, options);
                assert_eq!(fs::read(root.join(copy)).unwrap(), *content);
            });
        }
    });
}

#[test]
fn the_last_acknowledgment_may_be_lost() {
    let served = Served::start();
    served.put("file", &content(600));
    let mut client = Client::new(&served);

    // The server repeats the last block until it is acknowledged.
    client.send(&Packet::Read(request("file", &[])));
    assert!(matches!(client.expect(), Packet::Data { block: 1, .. }));
    client.send(&Packet::Ack(1));
    for _ in 0..3 {
        assert_eq!(client.expect(), Packet::Data { block: 2, bytes: content(600)[512..].to_vec() });
    }
    client.send(&Packet::Ack(2));
    assert!(served.program.line().contains("has read"));

    // The client repeats its last block, and gets the acknowledgment again.
    let mut client = Client::new(&served);
    client.send(&Packet::Write(request("copy", &[])));
    assert_eq!(client.expect(), Packet::Ack(0));
    for _ in 0..3 {
        client.send(&Packet::Data { block: 1, bytes: content(100) });
        assert_eq!(client.expect(), Packet::Ack(1));
    }
    assert_eq!(fs::read(served.root.join("copy")).unwrap(), content(100));
}
