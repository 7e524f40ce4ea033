//! Both sides of a hand-over against each other, with two pipes that keep the order, in random interleavings.

use fastrand::Rng;

use super::{super::leaving::Leaving, *};
use crate::transport::Ancillary;

fn addr(peer: usize) -> Addr {
    std::net::SocketAddr::from(([192, 0, 2, 7], 5_000 + peer as u16)).into()
}

fn datagram(peer: usize, number: u64) -> Kept {
    let bytes = number.to_le_bytes().to_vec();
    Kept { from: addr(peer), ancillary: Ancillary::default(), bytes }
}

fn number(datagram: &Kept) -> u64 {
    u64::from_le_bytes(datagram.bytes[..].try_into().unwrap())
}

/// What one of the processes tells the other.
enum Pipe {
    Datagram(Kept),
    InConversation(Vec<Addr>),
    Ended { peer: Addr, taken: u64, returned: u64 },
    Returned(Kept),
}

/// The old process: its conversations, each with what waits for it.
#[derive(Default)]
struct Old {
    leaving: Leaving,
    mailboxes: HashMap<Addr, VecDeque<Kept>>,
    pipe: VecDeque<Pipe>,
}

impl Old {
    fn take(&mut self, datagram: Kept) {
        if self.leaving.takes(&datagram.from) {
            self.mailboxes.get_mut(&datagram.from).unwrap().push_back(datagram);
        } else {
            self.pipe.push_back(Pipe::Returned(datagram));
        }
    }

    fn end(&mut self, peer: &Addr) {
        let rest = self.mailboxes.remove(peer).unwrap();
        let (taken, returned) = (self.leaving.ended(peer).unwrap(), rest.len() as u64);
        self.pipe.push_back(Pipe::Ended { peer: peer.clone(), taken, returned });
        self.pipe.extend(rest.into_iter().map(Pipe::Returned));
    }
}

const PEERS: usize = 6;

/// One hand-over. Returns what each process has served of each peer, in order.
fn run(rng: &mut Rng) -> [Vec<(bool, u64)>; PEERS] {
    let (mut old, mut table) = (Old::default(), Table::default());
    let mut to_old = VecDeque::new();
    let mut sent = [0; PEERS];
    let mut served: [Vec<(bool, u64)>; PEERS] = Default::default();
    let peer_of = |addr: &Addr| usize::from(addr.port().unwrap()) - 5_000;
    for (peer, sent) in sent.iter_mut().enumerate() {
        if rng.bool() {
            // Some datagrams wait already.
            let waiting = (0..rng.u64(..4)).map(|number| datagram(peer, number)).collect();
            old.mailboxes.insert(addr(peer), waiting);
            *sent = old.mailboxes[&addr(peer)].len() as u64;
        }
    }
    let peers: Vec<_> = old.mailboxes.keys().cloned().collect();
    old.leaving.begin(&peers);
    old.pipe.push_back(Pipe::InConversation(peers));
    let mut begun = false;
    for step in 0..2_000 {
        let ends = step > 1_500;
        match rng.u8(..if ends { 4 } else { 6 }) {
            // The new process hears from the old one.
            0 | 1 => match old.pipe.pop_front() {
                Some(Pipe::InConversation(peers)) => {
                    table.add(peers);
                    table.begin();
                    begun = true;
                }
                Some(Pipe::Ended { peer, taken, returned }) => table.ended(&peer, taken, returned),
                Some(Pipe::Returned(datagram)) => table.returned(datagram),
                Some(Pipe::Datagram(_)) | None => {}
            },
            2 => {
                if let Some(Pipe::Datagram(datagram)) = to_old.pop_front() {
                    old.take(datagram);
                }
            }
            // A conversation receives, or ends.
            3 => {
                let open: Vec<_> = old.mailboxes.keys().cloned().collect();
                if let Some(peer) = rng.choice(&open) {
                    if rng.u8(..10) == 0 || ends {
                        old.end(peer);
                    } else if let Some(datagram) = old.mailboxes.get_mut(peer).unwrap().pop_front()
                    {
                        served[peer_of(peer)].push((true, number(&datagram)));
                    }
                }
            }
            // The new process reads its socket; first comes what was returned.
            _ if begun => {
                while let Some(datagram) = table.next_ready() {
                    served[peer_of(&datagram.from)].push((false, number(&datagram)));
                }
                let peer = rng.usize(..PEERS);
                let datagram = datagram(peer, sent[peer]);
                sent[peer] += 1;
                match table.arrived(&addr(peer), || datagram.clone()) {
                    Arrived::Ours => served[peer].push((false, number(&datagram))),
                    Arrived::Theirs(kept) => {
                        to_old.push_back(Pipe::Datagram(kept));
                        table.sent(&addr(peer));
                    }
                    Arrived::Held => {}
                    Arrived::NoRoom => unreachable!("few are held"),
                }
            }
            _ => {}
        }
    }
    while let Some(datagram) = table.next_ready() {
        served[peer_of(&datagram.from)].push((false, number(&datagram)));
    }
    assert!(!table.has_peers(), "all conversations have ended");
    for (peer, served) in served.iter().enumerate() {
        assert_eq!(served.len() as u64, sent[peer], "one was lost or served twice");
    }
    served
}

// O-31
#[test]
fn nothing_is_lost_and_the_order_of_each_peer_is_kept_in_random_interleavings() {
    let mut rng = Rng::with_seed(31);
    let mut moved = 0;
    for _ in 0..400 {
        for served in run(&mut rng) {
            assert!(served.is_sorted_by_key(|(_, number)| *number), "{served:?}");
            let first_ours = served.iter().position(|(old, _)| !old).unwrap_or(served.len());
            assert!(served[first_ours..].iter().all(|(old, _)| !old), "{served:?}");
            moved += usize::from(first_ours > 0 && first_ours < served.len());
        }
    }
    assert!(moved > 200, "only {moved} peers moved from one process to the other");
}

// O-35
#[test]
fn when_the_old_process_is_gone_this_one_serves_what_it_holds() {
    let mut table = Table::default();
    table.add(vec![addr(0), addr(1)]);
    table.begin();
    assert!(matches!(table.arrived(&addr(0), || datagram(0, 0)), Arrived::Theirs(_)));
    table.sent(&addr(0));
    table.ended(&addr(0), 0, 0);
    assert_eq!(table.arrived(&addr(0), || datagram(0, 1)), Arrived::Held);
    assert!(!table.has_ready());

    table.gone();

    assert_eq!(table.next_ready(), Some(datagram(0, 1)));
    assert_eq!(table.arrived(&addr(1), || datagram(1, 0)), Arrived::Ours);
    assert!(table.is_done() && !table.has_peers());
}

// O-34
#[test]
fn what_is_held_is_bounded_in_datagrams_and_in_bytes() {
    let mut table = Table::default();
    table.add(vec![addr(0), addr(1)]);
    for peer in 0..2 {
        table.sent(&addr(peer));
        table.ended(&addr(peer), 0, 0);
    }
    for number in 0..MOST_HELD as u64 {
        assert_eq!(table.arrived(&addr(0), || datagram(0, number)), Arrived::Held);
    }
    assert_eq!(table.arrived(&addr(1), || datagram(1, 0)), Arrived::NoRoom);

    table.returned(datagram(0, 0));
    while table.next_ready().is_some() {}

    let long = || Kept { bytes: vec![0; MOST_HELD_BYTES + 1], ..datagram(1, 0) };
    assert_eq!(table.arrived(&addr(1), long), Arrived::NoRoom);
    assert_eq!(table.arrived(&addr(1), || datagram(1, 0)), Arrived::Held);
}
