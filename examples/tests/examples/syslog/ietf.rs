//! Messages of RFC 5424.

use serde_json::json;

use super::{decoded, refused};

#[test]
fn syslog_reads_the_examples_of_rfc_5424() {
    // Section 6.5. The RFC writes BOM where the three bytes are.
    let su = "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' \
              failed for lonvick on /dev/pts/8";
    let expected = json!({
        "facility": "auth", "severity": "crit", "timestamp": "2003-10-11T22:14:15.003Z",
        "hostname": "mymachine.example.com", "app_name": "su", "msg_id": "ID47",
        "text": "'su root' failed for lonvick on /dev/pts/8",
    });
    assert_eq!(decoded(su), expected);

    let myproc = "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to \
                  make the do-nuts.";
    let expected = json!({
        "facility": "local4", "severity": "notice", "timestamp": "2003-08-24T05:14:15.000003-07:00",
        "hostname": "192.0.2.1", "app_name": "myproc", "proc_id": "8710",
        "text": "%% It's time to make the do-nuts.",
    });
    assert_eq!(decoded(myproc), expected);

    let evntslog = "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 \
                    [exampleSDID@32473 iut=\"3\" eventSource=\"Application\" eventID=\"1011\"]";
    let example = json!({
        "id": "exampleSDID@32473",
        "params": [["iut", "3"], ["eventSource", "Application"], ["eventID", "1011"]],
    });
    let mut expected = json!({
        "facility": "local4", "severity": "notice", "timestamp": "2003-10-11T22:14:15.003Z",
        "hostname": "mymachine.example.com", "app_name": "evntslog", "msg_id": "ID47",
        "structured_data": [example], "text": "\u{feff}An application event log entry...",
    });
    expected["text"] = "An application event log entry...".into();
    let with_text = format!("{evntslog} \u{feff}An application event log entry...");
    assert_eq!(decoded(with_text), expected);

    let priority = json!({"id": "examplePriority@32473", "params": [["class", "high"]]});
    expected["structured_data"] = json!([example, priority]);
    expected["text"] = "".into();
    assert_eq!(decoded(format!("{evntslog}[examplePriority@32473 class=\"high\"]")), expected);
}

#[test]
fn syslog_accepts_the_timestamps_that_rfc_5424_calls_valid_and_no_others() {
    // Section 6.2.3.1, and the limits of section 6.2.3.
    let valid = [
        "1985-04-12T23:20:50.52Z",
        "1985-04-12T19:20:50.52-04:00",
        "2003-10-11T22:14:15.003Z",
        "2003-08-24T05:14:15.000003-07:00",
        "0000-01-01T00:00:00+23:59",
    ];
    for timestamp in valid {
        assert_eq!(decoded(format!("<13>1 {timestamp} - - - - -"))["timestamp"], timestamp);
    }
    let invalid = [
        "2003-08-24T05:14:15.000000003-07:00",
        "2003-08-24T05:14:15",
        "2003-08-24T05:14:60Z",
        "2003-08-24T24:14:15Z",
        "2003-08-24T05:14:15.Z",
        "2003-13-24T05:14:15Z",
        "2003-08-00T05:14:15Z",
        "2003-8-24T05:14:15Z",
        "2003-08-24t05:14:15Z",
        "2003-08-24T05:14:15Z07:00",
        "2003-08-24T05:14:15+0700",
        "2003-08-24T05:14:15é",
        "T",
    ];
    for timestamp in invalid {
        let error = refused(format!("<13>1 {timestamp} - - - - -"));
        assert_eq!(error, "invalid timestamp (RFC 5424)", "{timestamp}");
    }
}

#[test]
fn syslog_reads_structured_data_with_escapes_and_empty_parts() {
    let structured = |data| decoded(format!("<13>1 - - - - - {data}"));

    // Section 6.3.5, with the three escapes of section 6.3.3; any other backslash stays.
    let message = structured(r#"[a@1 x="\"\\\]" y="\n" x=""][origin] text"#);
    let elements = json!([
        {"id": "a@1", "params": [["x", "\"\\]"], ["y", "\\n"], ["x", ""]]},
        {"id": "origin", "params": []},
    ]);
    assert_eq!(message["structured_data"], elements);
    assert_eq!(message["text"], "text");

    // Example 3 there: behind a space, an element is text.
    let message = structured(r#"[a iut="3"] [b class="high"]"#);
    assert_eq!(message["structured_data"][0]["id"], "a");
    assert_eq!(message["text"], r#"[b class="high"]"#);

    for nothing in ["", "-", "- "] {
        let expected = json!({"facility": "user", "severity": "notice", "text": ""});
        assert_eq!(structured(nothing), expected);
    }
    let invalid = [
        // Example 4 there.
        r#"[ a iut="3"] text"#,
        "[",
        "[]",
        "[a",
        r#"[a x="1"#,
        r#"[a x="1""#,
        r#"[a x="1\"#,
        "[a x=1]",
        "[a x]",
        r#"[a ="1"]"#,
        r#"[a  x="1"]"#,
        r#"[a x="1"]text"#,
        "text",
        "-text",
    ];
    for data in invalid {
        let error = refused(format!("<13>1 - - - - - {data}"));
        assert_eq!(error, "invalid structured data (RFC 5424)", "{data}");
    }
}

#[test]
fn syslog_takes_missing_fields_at_the_end_of_a_header_for_nil() {
    let nothing = json!({"facility": "user", "severity": "notice", "text": ""});
    for header in ["", "-", "- -", "- - - - -", "- - - - - -"] {
        assert_eq!(decoded(format!("<13>1 {header}")), nothing, "{header}");
    }
    assert_eq!(decoded("<13>1 - host app")["app_name"], "app");
}
