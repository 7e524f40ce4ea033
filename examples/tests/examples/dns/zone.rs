//! What a zone answers, without a network.

use super::*;

/// Asks the example zone.
fn found(name: &str, rtype: Rtype) -> String {
    let zone = Zone::read(ZONE).unwrap();
    text(&answer(&zone, &Asking::default().query(name, rtype)))
}

#[test]
fn dns_answers_with_records_and_follows_aliases() {
    assert_eq!(
        found("www.example.test", Rtype::A),
        "NOERROR QR AA\n= www.example.test A 192.0.2.80\n= www.example.test A 192.0.2.81"
    );
    assert_eq!(
        found("alias2.example.test", Rtype::AAAA),
        "NOERROR QR AA\n= alias2.example.test CNAME alias.example.test.\n\
         = alias.example.test CNAME www.example.test.\n= www.example.test AAAA 2001:db8::80"
    );
    assert_eq!(
        found("alias.example.test", Rtype::CNAME),
        "NOERROR QR AA\n= alias.example.test CNAME www.example.test."
    );
    assert_eq!(
        found("outside.example.test", Rtype::A),
        "NOERROR QR AA\n= outside.example.test CNAME www.elsewhere.test."
    );
    assert_eq!(
        found("loop1.example.test", Rtype::A),
        "NOERROR QR AA\n= loop1.example.test CNAME loop2.example.test.\n\
         = loop2.example.test CNAME loop1.example.test."
    );
    assert_eq!(
        found("EXAMPLE.test", Rtype::ANY),
        "NOERROR QR AA\n= EXAMPLE.test HINFO \"RFC8482\" \"\""
    );
}

#[test]
fn dns_says_that_there_is_no_such_name_or_no_such_record() {
    const SOA: &str = "\n~ example.test SOA ns1.example.test. hostmaster.example.test. 2026010100 7200 900 1209600 300";

    for (name, rtype, start) in [
        ("nothing.example.test", Rtype::A, "NXDOMAIN QR AA"),
        ("a.www.example.test", Rtype::ANY, "NXDOMAIN QR AA"),
        (
            "dangling.example.test",
            Rtype::A,
            "NXDOMAIN QR AA\n= dangling.example.test CNAME nothing.example.test.",
        ),
        ("www.example.test", Rtype::MX, "NOERROR QR AA"),
        ("_udp.example.test", Rtype::A, "NOERROR QR AA"),
        ("_udp.example.test", Rtype::ANY, "NOERROR QR AA"),
        ("host.wild.example.test", Rtype::A, "NOERROR QR AA"),
        ("sub.example.test", Rtype::DS, "NOERROR QR AA"),
    ] {
        assert_eq!(found(name, rtype), format!("{start}{SOA}"), "{name}");
    }
    // The TTL is the last number of the SOA record, which is smaller.
    let zone = Zone::read(ZONE).unwrap();
    let response = answer(&zone, &Asking::default().query("nothing.example.test", Rtype::A));
    let message = Message::from_octets(&response[..]).unwrap();
    let soa = message.authority().unwrap().next().unwrap().unwrap();
    assert_eq!(soa.ttl().as_secs(), 300);
}

#[test]
fn dns_makes_records_from_wildcards_for_names_that_do_not_exist() {
    for name in ["a.wild.example.test", "a.b.wild.example.test", "*.wild.example.test"] {
        assert_eq!(found(name, Rtype::A), format!("NOERROR QR AA\n= {name} A 192.0.2.99"));
    }
    assert!(found("a.alias.example.test", Rtype::A).ends_with("www.example.test A 192.0.2.81"));
    assert!(found("a.host.wild.example.test", Rtype::A).starts_with("NXDOMAIN"));
}

#[test]
fn dns_refers_to_the_servers_of_a_delegated_zone() {
    const SUB: &str = "\n~ sub.example.test NS ns.sub.example.test.\n~ sub.example.test NS ns1.example.test.\
        \n+ ns.sub.example.test A 203.0.113.53\n+ ns.sub.example.test AAAA 2001:db8:1::53\
        \n+ ns1.example.test A 192.0.2.53\n+ ns1.example.test AAAA 2001:db8::53";

    for (name, rtype) in [
        ("sub.example.test", Rtype::NS),
        ("ns.sub.example.test", Rtype::A),
        ("a.b.sub.example.test", Rtype::DS),
    ] {
        assert_eq!(found(name, rtype), format!("NOERROR QR{SUB}"), "{name}");
    }
    let into = "NOERROR QR AA\n= into.example.test CNAME host.sub.example.test.";
    assert_eq!(found("into.example.test", Rtype::A), format!("{into}{SUB}"));
    assert_eq!(
        found("a.far.example.test", Rtype::A),
        "NOERROR QR\n~ far.example.test NS ns.elsewhere.test."
    );
}

#[test]
fn dns_refuses_names_outside_the_zone() {
    for name in ["elsewhere.test", "test", ".", "aexample.test", "example.test.elsewhere"] {
        assert_eq!(found(name, Rtype::A), "REFUSED QR", "{name}");
    }
}

#[test]
fn dns_truncates_what_does_not_fit() {
    let zone = Zone::read(ZONE).unwrap();
    let asked = |asking: Asking, name| {
        let response = answer(&zone, &asking.query(name, Rtype::TXT));
        (text(&response) == "NOERROR QR AA TC", response.len())
    };
    let whole = asked(Asking::edns(1_232), "key.example.test");
    assert!(!whole.0 && whole.1 > 512, "{whole:?}");

    assert!(asked(Asking::default(), "key.example.test").0);
    // Less than 512 counts as 512.
    for size in [0, 512, whole.1 as u16 - 1] {
        assert!(asked(Asking::edns(size), "key.example.test").0, "{size}");
    }
    assert_eq!(asked(Asking::edns(whole.1 as u16), "key.example.test"), whole);
    assert!(asked(Asking::edns(65_535), "list.example.test").0);
}

#[test]
fn dns_reads_only_zones_that_are_whole() {
    let read = |text: &str| Zone::read(text.as_bytes()).map(|_| ()).map_err(|e| e.to_string());
    let soa = "$ORIGIN a.test.\n@ 60 IN SOA ns host 1 2 3 4 5\n";

    assert_eq!(read(soa), Ok(()));
    for (zone, error) in [
        (String::new(), "a zone has one SOA record"),
        ("a.test. 60 IN A 192.0.2.1\n".into(), "a zone has one SOA record"),
        (format!("{soa}{soa}"), "a zone has one SOA record"),
        (format!("{soa}b.test. 60 IN A 192.0.2.1\n"), "b.test is not in the zone"),
        (format!("{soa}$INCLUDE other\n"), "$INCLUDE is not served"),
    ] {
        assert_eq!(read(&zone), Err(error.to_owned()), "{zone}");
    }
    assert!(read(&format!("{soa}www 60 A 192.0.2.256\n")).is_err());
}
