//! Simple values (RFC 8949, section 3.3), including null.

use serde::de::IgnoredAny;

use super::{Command, Row, reads, refuses};

/// All simple values that are not assigned yet: the numbers 0 to 19, and 32 to 255.
fn unassigned() -> impl Iterator<Item = String> {
    let short = (0..=19).map(|number| format!("{:02x}", 0xe0 | number));
    short.chain((32..=255).map(|number| format!("f8 {number:02x}")))
}

// P-25: if a value is assigned later, packets that contain it can still be read.
#[test]
fn simple_values_that_are_not_assigned_are_skipped() {
    let row = Row { key: vec![], data: Some(42) };

    for simple in unassigned() {
        reads(&format!("a3 63 6b6579 80 64 64617461 182a 61 78 {simple}"), &row);
        reads(&format!("a3 63 6b6579 80 64 64617461 182a {simple} 61 78"), &row);
        reads(&format!("a3 63 6b6579 80 64 64617461 182a {simple} {simple}"), &row);
        reads(&format!("a3 63 6b6579 80 61 78 82 {simple} c1 {simple} 64 64617461 182a"), &row);
        reads(&format!("a3 63 6b6579 80 61 78 a1 {simple} {simple} 64 64617461 182a"), &row);
        reads(&format!("a3 63 6b6579 80 61 78 9f {simple} ff 64 64617461 182a"), &row);
        assert!(super::decodes::<IgnoredAny>(&simple));
    }
}

#[test]
fn simple_values_that_are_not_assigned_are_not_read_as_another_type() {
    for simple in unassigned() {
        refuses::<()>(&simple);
        refuses::<bool>(&simple);
        refuses::<u8>(&simple);
        refuses::<f64>(&simple);
        refuses::<Option<u8>>(&simple);
        refuses::<String>(&simple);
        refuses::<Command>(&simple);
        refuses::<Command>(&format!("a1 64 50696e67 {simple}"));
        refuses::<Vec<()>>(&format!("81 {simple}"));
        refuses::<Row>(&format!("a2 63 6b6579 80 64 64617461 {simple}"));
        refuses::<serde_json::Value>(&simple);
    }
}

// RFC 8949, section 3.3: each value has only one form.
#[test]
fn simple_values_in_two_bytes_instead_of_one_are_refused() {
    for number in 0x00..=0x1f {
        let simple = format!("f8 {number:02x}");

        refuses::<IgnoredAny>(&simple);
        refuses::<IgnoredAny>(&format!("81 {simple}"));
        refuses::<bool>(&simple);
        refuses::<()>(&simple);
        refuses::<Option<u8>>(&simple);
        refuses::<Row>(&format!("a2 63 6b6579 80 61 78 {simple}"));
        refuses::<Row>(&format!("a2 63 6b6579 80 {simple} 61 78"));
    }
    for reserved in ["fc", "fd", "fe", "f8"] {
        refuses::<IgnoredAny>(reserved);
        refuses::<IgnoredAny>(&format!("81 {reserved}"));
    }
}

// Tags are skipped around everything, including null.
#[test]
fn null_inside_tags_is_none() {
    reads("c1 f6", &None::<u8>);
    reads("d9d9f7 c1 f7", &None::<u8>);
    reads("d9d9f7 a2 63 6b6579 80 64 64617461 c1 f6", &Row { key: vec![], data: None });
    reads("83 c1 f6 c1 01 01", &[None, Some(1_u8), Some(1)]);
    reads("c1 f6", &());
    reads("a1 64 50696e67 c1 f6", &Command::Ping);
    refuses::<Option<u8>>("c1");
    refuses::<Option<u8>>("d9d9");
    refuses::<Option<u8>>("df f6");
    refuses::<Option<u8>>("c1 f5");
    refuses::<Option<u8>>("c2 f6");
}
