//! D-14, G-7: how often a server allocates for a request.

use std::{net::UdpSocket, ops::Range, sync::mpsc, thread, time::Duration};

use datagrammar::{Json, Raw, Server, ServerBuilder, Udp, concurrent};
use serde::{Deserialize, Serialize};
use tokio::runtime::Builder;

use super::{super::alone, Bytes, counting::allocations, within_deadline};

// D-14, G-7: bytes are answered at the price of one allocation, that of the packet itself
#[test]
fn echoing_bytes_allocates_the_packet_and_nothing_else() {
    alone(|| {
        echo_bytes();
    });
}

fn echo_bytes() {
    let answer = async |packet: Bytes| {
        if packet == "allocations" { allocations().to_string().into() } else { packet }
    };

    let request = b"thirty-two bytes, more or less.";
    for way in WAYS {
        let builder = Server::builder(Raw, answer);

        let allocated = allocated_by_requests(way, builder, b"allocations", request);

        assert!(ONE_FOR_EACH.contains(&allocated), "{way:?}: {allocated} for {REQUESTS} requests");
    }
    // D-28
    for way in WAYS {
        let builder = Server::builder(Raw, concurrent(8, answer));

        let allocated = allocated_by_requests(way, builder, b"allocations", request);

        assert!(ONE_FOR_EACH.contains(&allocated), "{way:?}: {allocated} for {REQUESTS} requests");
    }
}

/// What a typed echo receives and sends: one `String` is moved from the one into the other.
#[derive(Deserialize, Serialize)]
struct Member {
    name: String,
    age: u8,
    scores: [u32; 3],
}

// D-14, G-7: a typed packet is answered at the price of its own allocations, here one name
#[test]
fn echoing_json_allocates_the_name_in_the_packet_and_nothing_else() {
    alone(|| {
        echo_json();
    });
}

fn echo_json() {
    let answer = async |member: Member| match &*member.name {
        "allocations" => Member { name: allocations().to_string(), ..member },
        _ => member,
    };

    for way in WAYS {
        let builder = Server::builder(Json::<Member>::new(), answer);
        let question = br#"{"name":"allocations","age":0,"scores":[0,0,0]}"#;
        let request = br#"{"name":"Ada Lovelace","age":36,"scores":[1,20,300]}"#;

        let allocated = allocated_by_requests(way, builder, question, request);

        assert!(ONE_FOR_EACH.contains(&allocated), "{way:?}: {allocated} for {REQUESTS} requests");
    }
}

/// How a server receives and sends, as far as the system has it.
#[derive(Clone, Copy, Debug)]
enum Way {
    BatchesAndSegments,
    Batches,
    OneByOne,
}

const WAYS: [Way; 3] = [Way::BatchesAndSegments, Way::Batches, Way::OneByOne];

const REQUESTS: u64 = 5_000;
/// Beyond that of the packet the gate is no allocation for a datagram. A batch that is longer than all
/// before it makes room for itself, once.
const ONE_FOR_EACH: Range<u64> = REQUESTS..REQUESTS + 50;

/// How often the thread of a server allocates for [`REQUESTS`] times `request` in the steady state, one
/// by one and in bursts of several peers. The answer to `question` holds the number of allocations up to now.
fn allocated_by_requests<P: 'static>(
    way: Way,
    builder: ServerBuilder<P>,
    question: &[u8],
    request: &[u8],
) -> u64 {
    const BURST: usize = 20;

    let udp = Udp::new("127.0.0.1:0");
    let udp = match way {
        Way::BatchesAndSegments => udp,
        Way::Batches => udp.segmentation_offload(false),
        Way::OneByOne => udp.batch_io(false),
    };
    let (tell, told) = mpsc::channel();
    let serving = thread::spawn(move || {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let server = builder.bind(udp).await.unwrap();
            tell.send(server.handle()).unwrap();
            server.serve().await.unwrap();
        });
    });
    let handle = told.recv().unwrap();
    let peers = [(); 3].map(|()| {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        peer.connect(handle.local_addrs()[0].socket_addr().unwrap()).unwrap();
        peer
    });
    let mut room = [0; 1_500];
    let mut requests = |datagram: &[u8], times: usize| {
        let in_turn = || peers.iter().cycle().take(times);
        for peer in in_turn() {
            peer.send(datagram).unwrap();
        }
        in_turn().map(|peer| peer.recv(&mut room).unwrap()).last().map(|len| room[..len].to_vec())
    };
    let mut steady = |times: u64| {
        for _ in 0..times / 2 {
            requests(request, 1);
        }
        for _ in 0..times as usize / 2 / BURST {
            requests(request, BURST);
        }
        number_in(&requests(question, 1).unwrap())
    };

    // What the second question costs is what the first costs: it is found out, and taken off.
    steady(2_000);
    let (before, alone) = (steady(0), steady(0));
    let after = steady(REQUESTS);

    let shutdown = Builder::new_current_thread().enable_all().build().unwrap();
    shutdown.block_on(within_deadline(handle.shutdown()));
    serving.join().unwrap();
    after - alone - (alone - before)
}

/// The first number in a datagram.
fn number_in(datagram: &[u8]) -> u64 {
    let digits = datagram.iter().skip_while(|byte| !byte.is_ascii_digit());
    let digits: Vec<_> = digits.take_while(|byte| byte.is_ascii_digit()).copied().collect();
    str::from_utf8(&digits).unwrap().parse().unwrap()
}
