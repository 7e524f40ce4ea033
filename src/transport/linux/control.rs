//! Control messages, as bytes: read and written without a pointer.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use crate::transport::{
    Ancillary, Local,
    kernel::{Aligned, mmsg::CONTROL},
};

/// The buffer size for the control messages of a received datagram. We read the local address (40 bytes, on
/// IPv6 sockets 72), the segment size (24) and the traffic class (24). A user can enable more on a lent
/// socket. These messages come too, in an order that the kernel chooses. All of them together take some 500
/// bytes, without the IPv6 extension headers that a sender may add.
pub(super) const ROOM: usize = 640;

/// A buffer for the control messages of a datagram to send: the local address (at most 40 bytes) and the
/// segment size (24).
pub(super) type Control = Aligned<CONTROL>;

/// What the kernel reports about a received datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// The length of each datagram that was merged into this message, except the last. 0 if the kernel merged
    /// datagrams but reports no valid length.
    pub(super) segment: Option<usize>,
    pub(super) ancillary: Ancillary,
    /// Whether it was sent to a multicast group or a broadcast address.
    pub(super) many: bool,
    /// When it arrived, since the beginning of 1970.
    pub(super) arrived: Option<Duration>,
}

/// The alignment of control messages: 8 bytes on most machines, 4 on 32-bit machines.
const WORD: usize = size_of::<usize>();
/// The size of the head of a control message: a word with the length (including the head), the level and the
/// type.
const HEAD: usize = WORD + 8;

impl Control {
    /// Writes the control messages for a datagram to send; returns how many bytes they take.
    pub(super) fn write(&mut self, local: Option<Local>, segment: Option<u16>) -> usize {
        let mut len = 0;
        match local.map(|Local { ip, interface }| (ip, interface)) {
            // No interface, here and below, so that the routing table chooses the way to the peer.
            Some((IpAddr::V4(ip), _)) => {
                let mut info = [0; 12];
                info[4..8].copy_from_slice(&ip.octets());
                self.append(&mut len, libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            Some((IpAddr::V6(ip), interface)) => {
                let mut info = [0; 20];
                info[..16].copy_from_slice(&ip.octets());
                if ip.is_unicast_link_local() {
                    info[16..].copy_from_slice(&interface.to_ne_bytes());
                }
                self.append(&mut len, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
            None => {}
        }
        if let Some(segment) = segment {
            self.append(&mut len, libc::SOL_UDP, libc::UDP_SEGMENT, &segment.to_ne_bytes());
        }
        len
    }

    fn append(&mut self, len: &mut usize, level: i32, kind: i32, data: &[u8]) {
        let message = &mut self.0[*len..];
        message[..WORD].copy_from_slice(&(HEAD + data.len()).to_ne_bytes());
        message[WORD..][..4].copy_from_slice(&level.to_ne_bytes());
        message[WORD + 4..HEAD].copy_from_slice(&kind.to_ne_bytes());
        message[HEAD..][..data.len()].copy_from_slice(data);
        *len += HEAD + data.len().next_multiple_of(WORD);
    }
}

/// Reads the control messages that the kernel wrote; skips those that it does not know.
pub(super) fn read(mut bytes: &[u8]) -> Told {
    let mut told = Told::default();
    while let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() {
        let (len, kind) = head.split_at(WORD);
        let len = len.try_into().map_or(0, usize::from_ne_bytes);
        let Some(data) = len.checked_sub(HEAD).and_then(|len| rest.get(..len)) else { break };
        let (level, kind) = kind.split_at(4);
        let number =
            |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
        match (number(level), number(kind)) {
            (libc::SOL_UDP, libc::UDP_GRO) => {
                told.segment = Some(number(data).try_into().unwrap_or(0));
            }
            (libc::SOL_SOCKET, libc::SO_TIMESTAMPNS) => told.arrived = time(data),
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => ipv4_info(data, &mut told),
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => ipv6_info(data, &mut told),
            (libc::IPPROTO_IP, libc::IP_TOS) => {
                told.ancillary.traffic_class = data.first().map(|byte| (*byte).into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                told.ancillary.traffic_class = Some((number(data) as u8).into());
            }
            _ => {}
        }
        bytes = rest.get(data.len().next_multiple_of(WORD)..).unwrap_or_default();
    }
    told
}

/// `struct timespec`: seconds and nanoseconds, a word each.
fn time(data: &[u8]) -> Option<Duration> {
    let (seconds, rest) = data.split_first_chunk::<WORD>()?;
    let nanos = usize::from_ne_bytes(*rest.first_chunk()?);
    let seconds = u64::try_from(usize::from_ne_bytes(*seconds)).ok()?;
    u32::try_from(nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000)
        .map(|nanos| Duration::new(seconds, nanos))
}

/// `struct in_pktinfo`: the interface, the local address, the address in the header. For a multicast or
/// broadcast datagram, the local address is the one that the kernel would reply from.
fn ipv4_info(data: &[u8], told: &mut Told) {
    let Some((interface, rest)) = data.split_first_chunk() else { return };
    let Some((ip, header)) = rest.split_first_chunk::<4>() else { return };
    let interface = u32::from_ne_bytes(*interface);
    told.ancillary.local = Some(Local { ip: Ipv4Addr::from(*ip).into(), interface });
    told.many = header.first_chunk().is_some_and(|header| header != ip);
}

/// `struct in6_pktinfo`: the address in the header, the interface. No reply can come from a multicast
/// address. An IPv4-mapped address may be a broadcast address. Only `in_pktinfo`, which comes with it, shows
/// whether it is one.
fn ipv6_info(data: &[u8], told: &mut Told) {
    let Some((ip, rest)) = data.split_first_chunk::<16>() else { return };
    let Some(interface) = rest.first_chunk() else { return };
    let (ip, interface) = (Ipv6Addr::from(*ip), u32::from_ne_bytes(*interface));
    if ip.is_multicast() {
        told.many = true;
    } else if ip.to_ipv4_mapped().is_none() {
        told.ancillary.local = Some(Local { ip: ip.into(), interface });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Control {
        fn first(&self, len: usize) -> &[u8] {
            &self.0[..len]
        }
    }

    #[test]
    fn written_control_messages_can_be_read() {
        for (ip, interface) in [("192.0.2.7", 0), ("2001:db8::1", 0), ("fe80::1", 6)] {
            let local = Some(Local { ip: ip.parse().unwrap(), interface });
            let mut control = Control::default();

            let len = control.write(local, None);

            assert_eq!(read(control.first(len)).ancillary.local, local);
        }
    }

    // B-12
    #[test]
    fn multicast_and_broadcast_are_distinguished_from_unicast() {
        let received = |local: &str, header: &str| {
            let [local, header] = [local, header].map(|ip| ip.parse::<Ipv4Addr>().unwrap());
            let mut info = [0; 12];
            info[4..8].copy_from_slice(&local.octets());
            info[8..].copy_from_slice(&header.octets());
            let (mut control, mut len) = (Control::default(), 0);
            control.append(&mut len, libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            // An IPv6 socket reports it a second time.
            info_of_ipv6(&mut control, &mut len, header.to_ipv6_mapped());
            let told = read(control.first(len));
            assert_eq!(told.ancillary.local.unwrap().ip, local);
            told.many
        };

        assert!(!received("192.0.2.1", "192.0.2.1"));
        assert!(received("192.0.2.1", "192.0.2.255"));
        assert!(received("192.0.2.1", "239.255.77.1"));
        for (ip, many) in [("2001:db8::1", false), ("ff02::1", true)] {
            let (mut control, mut len) = (Control::default(), 0);
            info_of_ipv6(&mut control, &mut len, ip.parse().unwrap());
            assert_eq!(read(control.first(len)).many, many);
        }
    }

    fn info_of_ipv6(control: &mut Control, len: &mut usize, header: Ipv6Addr) {
        let mut info = [0; 20];
        info[..16].copy_from_slice(&header.octets());
        control.append(len, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
    }

    // S-3
    #[test]
    fn no_reply_comes_from_a_multicast_or_broadcast_address() {
        for ip in ["ff02::1", "::ffff:127.255.255.255"] {
            let local = Some(Local { ip: ip.parse().unwrap(), interface: 6 });
            let mut control = Control::default();

            let len = control.write(local, None);

            assert_eq!(read(control.first(len)).ancillary.local, None);
        }
    }

    #[test]
    fn the_segment_size_has_the_layout_of_the_kernel() {
        let mut control = Control::default();

        let len = control.write(None, Some(1200));

        let bytes = control.first(HEAD + 2);
        assert_eq!(len, HEAD + WORD);
        assert_eq!(bytes[..WORD], (HEAD + 2).to_ne_bytes());
        assert_eq!(bytes[HEAD..], 1200_u16.to_ne_bytes());
    }

    // R-5, D-17
    #[test]
    fn an_invalid_segment_size_counts_as_unknown() {
        for data in [&[][..], &[9; 3], &0_i32.to_ne_bytes(), &(-1_i32).to_ne_bytes()] {
            let (mut control, mut len) = (Control::default(), 0);

            control.append(&mut len, libc::SOL_UDP, libc::UDP_GRO, data);

            assert_eq!(read(control.first(len)).segment, Some(0));
        }
    }

    //
    #[test]
    fn the_time_of_arrival_has_the_layout_of_the_kernel_and_an_invalid_one_is_none() {
        let read_time = |words: &[usize]| {
            let (mut control, mut len) = (Control::default(), 0);
            let data: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            control.append(&mut len, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &data);
            read(control.first(len)).arrived
        };

        assert_eq!(read_time(&[1_700_000_000, 5]), Some(Duration::new(1_700_000_000, 5)));
        assert_eq!(read_time(&[1, 1_000_000_000]), None);
        assert_eq!(read_time(&[1]), None);
        assert_eq!(read_time(&[]), None);
    }

    #[test]
    fn incomplete_control_messages_are_ignored() {
        let mut control = Control::default();
        let len = control.write(Some(Local { ip: Ipv4Addr::LOCALHOST.into(), interface: 1 }), None);

        for cut in 0..HEAD + 12 {
            assert_eq!(read(&control.first(len)[..cut]), Told::default());
        }
        for byte in 0..=255 {
            let _ = read(&[byte; 40]);
        }
    }
}
