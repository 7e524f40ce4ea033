//! Datagrams that the server reads, refuses or ignores.

use super::*;

/// The name `www.example.test`, and a query for its addresses.
fn query() -> Vec<u8> {
    Asking::client().query("www.example.test", Rtype::A)
}

fn refused(datagram: &[u8]) -> Option<String> {
    assert!(Query::read(datagram).is_err(), "{datagram:x?}");
    Response::refusal(datagram).map(|response| {
        assert_eq!(response.0.len(), 12);
        assert_eq!(response.0[..2], datagram[..2]);
        text(&response.0)
    })
}

#[test]
fn dns_answers_what_is_malformed_with_formerr_and_responses_never() {
    let query = query();
    Query::read(&query).unwrap();

    for len in 0..query.len() {
        let expected = (len >= 12).then(|| "FORMERR QR".to_owned());
        assert_eq!(refused(&query[..len]), expected, "{len}");
    }
    // The counts of questions, answers and authority records.
    for (at, count) in [(5, 0), (5, 2), (7, 1), (9, 1)] {
        let mut other = query.clone();
        other[at] = count;
        assert_eq!(refused(&other).unwrap(), "FORMERR QR", "{at}");
    }
    // Two OPT records.
    let mut other = [&query[..], &query[query.len() - 23..]].concat();
    other[11] = 2;
    assert_eq!(refused(&other).unwrap(), "FORMERR QR");
    // Cookies of lengths that there are not. The option is the last 12 bytes: the client cookie follows its length.
    for len in (0..8).chain(9..16).chain(41..50) {
        let mut other = query[..query.len() - 8].to_vec();
        let at = other.len();
        (other[at - 1], other[at - 5]) = (len, len + 4);
        other.resize(at + usize::from(len), 7);
        assert_eq!(refused(&other).unwrap(), "FORMERR QR", "{len}");
    }
    for opcode in 1..16 {
        let mut other = query.clone();
        other[2] = opcode << 3;
        assert_eq!(refused(&other).unwrap(), "NOTIMP QR", "{opcode}");
        other[2] |= 0x80;
        assert_eq!(refused(&other), None, "{opcode}");
    }
}

#[test]
fn dns_copies_the_id_the_question_and_the_flags_that_it_should() {
    let zone = Zone::read(ZONE).unwrap();
    let mut query = Asking::edns(512).query("wWw.Example.test", Rtype::A);
    let question = 12..query.len() - 11;
    let plain = answer(&zone, &query);
    assert_eq!(plain[2..4], [0x84, 0]);
    assert_eq!(plain[question.clone()], query[question]);
    assert_eq!(plain[..2], [0x12, 0x34]);
    assert_eq!(plain[plain.len() - 11..], [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);

    // All flags but QR: only RD and DO are copied.
    let do_flag = query.len() - 4;
    (query[2], query[3], query[do_flag]) = (0x07, 0xff, 0x80);
    let response = answer(&zone, &query);

    assert_eq!(response[2..4], [0x85, 0]);
    assert_eq!(response[response.len() - 4], 0x80);
}

#[test]
fn dns_survives_any_bytes() {
    let zone = Zone::read(ZONE).unwrap();
    let query = Asking::client().query("a.sub.example.test", Rtype::A);
    let serve = |datagram: &[u8]| match Query::read(datagram) {
        Ok(query) => {
            let response = Response::new(&query, &zone, query.max_len()).unwrap();
            assert!(response.0.len() <= query.max_len());
        }
        Err(_) => _ = Response::refusal(datagram),
    };

    for at in 0..query.len() {
        for byte in 0..=255 {
            let mut other = query.clone();
            other[at] = byte;
            serve(&other);
        }
    }
    for byte in 0..=255 {
        serve(&[byte; 65_507]);
    }
}

#[test]
fn dns_the_program_answers_refuses_and_truncates() {
    let (_program, socket) = start(&[]);
    let found = |datagram: &[u8]| text(&ask(&socket, datagram));

    assert!(found(&query()).starts_with("NOERROR QR AA\n= www.example.test A 192.0.2.80"));
    assert_eq!(found(&query()[..20]), "FORMERR QR");
    // A transfer, and EDNS version 1.
    assert_eq!(found(&Asking::edns(512).query("example.test", Rtype::AXFR)), "NOTIMP QR");
    let mut later = Asking::edns(512).query("www.example.test", Rtype::A);
    let version = later.len() - 5;
    later[version] = 1;
    assert_eq!(found(&later), "BADVERS QR");
    // A response gets none: the next reply is that to the query.
    let mut response = query();
    response[2] = 0x80;
    socket.send(&response).unwrap();
    assert!(found(&query()).starts_with("NOERROR QR AA"));
    // Without a cookie the guard allows 8 times the length of the query. With one it allows any.
    let key = ("key.example.test", Rtype::TXT);
    assert_eq!(found(&Asking::edns(1_232).query(key.0, key.1)), "NOERROR QR AA TC");
    let first = ask(&socket, &Asking::client().query(key.0, key.1));
    assert_eq!(text(&first), "NOERROR QR AA TC");
    let server = cookie(&first).unwrap().server().unwrap().as_ref().try_into().unwrap();
    assert!(found(&Asking::server(server).query(key.0, key.1)).starts_with("NOERROR QR AA\n= key"));
}
