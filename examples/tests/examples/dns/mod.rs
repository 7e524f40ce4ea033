//! The DNS server: answers from a zone, responses that fit, and cookies.

#[path = "../../../dns/main.rs"]
#[allow(dead_code, reason = "only a program calls `main`")]
mod server;

mod cookies;
mod datagrams;
mod zone;

use std::net::UdpSocket;

use domain::base::{
    Message, MessageBuilder, Name, Rtype,
    iana::Class,
    opt::cookie::{ClientCookie, Cookie, ServerCookie},
};
use server::{query::Query, response::Response, zone::Zone};

use crate::program::{Program, recv};

const ZONE: &[u8] = include_bytes!("../../../dns/example.zone");
const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
const CLIENT: [u8; 8] = [0x24, 0x64, 0xc4, 0xab, 0xcf, 0x10, 0xc9, 0x57];

/// A client, which sends queries with or without EDNS.
#[derive(Clone, Copy, Default)]
struct Asking {
    /// The length of a response with EDNS.
    size: Option<u16>,
    cookie: Option<(bool, [u8; 16])>,
    padding: usize,
}

impl Asking {
    fn edns(size: u16) -> Self {
        Self { size: Some(size), ..Self::default() }
    }

    /// With a client cookie only.
    fn client() -> Self {
        Self { cookie: Some((false, [0; 16])), ..Self::edns(1_232) }
    }

    /// With this server cookie.
    fn server(cookie: [u8; 16]) -> Self {
        Self { cookie: Some((true, cookie)), ..Self::edns(1_232) }
    }

    fn query(self, name: &str, rtype: Rtype) -> Vec<u8> {
        let mut message = MessageBuilder::new_vec();
        message.header_mut().set_id(0x1234);
        let mut message = message.question();
        message.push((&name.parse::<Name<Vec<u8>>>().unwrap(), rtype, Class::IN)).unwrap();
        let mut message = message.additional();
        if let Some(size) = self.size {
            let add = message.opt(|opt| {
                opt.set_udp_payload_size(size);
                if let Some((with_server, server)) = self.cookie {
                    let server = with_server.then(|| ServerCookie::from_octets(&server));
                    opt.cookie(Cookie::new(ClientCookie::from(CLIENT), server))?;
                }
                if self.padding > 0 {
                    opt.padding(self.padding as u16)?;
                }
                Ok(())
            });
            add.unwrap();
        }
        message.finish()
    }
}

/// What is in a response, as text: flags and rcode, and the records of the three sections.
fn text(response: &[u8]) -> String {
    let message = Message::from_octets(response).unwrap();
    let mut text = format!("{} {}", message.opt_rcode(), message.header().flags());
    let sections = [message.answer(), message.authority(), message.additional()];
    for (section, mark) in sections.into_iter().zip(["=", "~", "+"]) {
        for record in section.unwrap() {
            let record = record.unwrap();
            if record.rtype() != Rtype::OPT {
                let data = record.to_any_record::<domain::rdata::AllRecordData<_, _>>().unwrap();
                text += &format!("\n{mark} {} {} {}", data.owner(), data.rtype(), data.data());
            }
        }
    }
    text
}

/// The cookies of a response.
fn cookie(response: &[u8]) -> Option<Cookie> {
    Message::from_octets(response).unwrap().opt()?.opt().cookie()
}

/// Asks a zone, without a network.
fn answer(zone: &Zone, datagram: &[u8]) -> Vec<u8> {
    let query = Query { cookie: None, ..Query::read(datagram).unwrap() };
    Response::new(&query, zone, query.max_len()).unwrap().0
}

fn start(more: &[&str]) -> (Program, UdpSocket) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/dns/example.zone");
    let program = Program::start("dns", ["127.0.0.1:0", file, SECRET].iter().chain(more));
    let socket = program.peer();
    (program, socket)
}

fn ask(socket: &UdpSocket, datagram: &[u8]) -> Vec<u8> {
    socket.send(datagram).unwrap();
    recv(socket)
}
