//! Messages of RFC 3164, and what senders make of it.

use serde_json::{Value, json};

use super::decoded;

#[test]
fn syslog_reads_the_examples_of_rfc_3164() {
    // Section 5.4, in its order. The RFC says of the last two how far a relay understands them.
    let su = "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8";
    let expected = json!({
        "facility": "auth", "severity": "crit", "timestamp": "Oct 11 22:14:15",
        "hostname": "mymachine", "app_name": "su",
        "text": "'su root' failed for lonvick on /dev/pts/8",
    });
    assert_eq!(decoded(su), expected);

    let no_priority = json!({"facility": "user", "severity": "notice", "text": "Use the BFG!"});
    assert_eq!(decoded("Use the BFG!"), no_priority);

    let doughnuts = "1987 mymachine myproc[10]: %% It's time to make the do-nuts.  %%  \
                     Ingredients: Mix=OK, Jelly=OK # Devices: Mixer=OK, Jelly_Injector=OK, \
                     Frier=OK # Transport: Conveyer1=OK, Conveyer2=OK # %%";
    let expected = json!({
        "facility": "local4", "severity": "notice", "timestamp": "Aug 24 05:34:00",
        "hostname": "CST", "text": doughnuts,
    });
    assert_eq!(decoded(format!("<165>Aug 24 05:34:00 CST {doughnuts}")), expected);

    let scapegoat = "1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's \
                     All Folks!";
    let expected = json!({"facility": "kern", "severity": "emerg", "text": scapegoat});
    assert_eq!(decoded(format!("<0>{scapegoat}")), expected);
}

#[test]
fn syslog_reads_what_senders_make_of_rfc_3164() {
    let content = |content: &str| {
        let mut json = decoded(format!("<13>{content}"));
        let field = |name| match json[name].take() {
            Value::String(text) => text,
            _ => String::new(),
        };
        ["timestamp", "hostname", "app_name", "proc_id", "text"].map(field).join("|")
    };
    let known = [
        // logger, to a server and to /dev/log
        ("Nov 26 11:12:51 vm app[23970]: hello", "Nov 26 11:12:51|vm|app|23970|hello"),
        ("Nov 26 11:12:51 app[23970]: hello", "Nov 26 11:12:51||app|23970|hello"),
        ("Nov 26 11:12:51 app: hello you", "Nov 26 11:12:51||app||hello you"),
        // days
        ("Nov  6 11:12:51 vm app: x", "Nov  6 11:12:51|vm|app||x"),
        ("Nov 06 11:12:51 vm app: x", "Nov 06 11:12:51|vm|app||x"),
        ("Nov 6 11:12:51 vm app: x", "Nov 6 11:12:51|vm|app||x"),
        // rsyslog with high precision
        (
            "2026-11-26T11:12:51.357835+01:00 vm app[1]: x",
            "2026-11-26T11:12:51.357835+01:00|vm|app|1|x",
        ),
        ("Nov 26 11:12:51.123 ::1 app: x", "Nov 26 11:12:51.123|::1|app||x"),
        // tags
        ("Nov 26 11:12:51 vm link is down", "Nov 26 11:12:51|vm|||link is down"),
        ("Nov 26 11:12:51 vm postfix/smtpd[7]: x", "Nov 26 11:12:51|vm|postfix/smtpd|7|x"),
        ("Nov 26 11:12:51 vm sshd(pam_unix)[7]: x", "Nov 26 11:12:51|vm|sshd(pam_unix)|7|x"),
        ("Nov 26 11:12:51 vm %SYS-5-CONFIG_I: x", "Nov 26 11:12:51|vm|%SYS-5-CONFIG_I||x"),
        ("Nov 26 11:12:51 vm kernel: [1.5] x", "Nov 26 11:12:51|vm|kernel||[1.5] x"),
        ("Nov 26 11:12:51 vm app[7] x", "Nov 26 11:12:51|vm|app|7|x"),
        ("Nov 26 11:12:51 vm app:", "Nov 26 11:12:51|vm|app||"),
        ("Nov 26 11:12:51 vm http://[::1]/ is up", "Nov 26 11:12:51|vm|||http://[::1]/ is up"),
        ("Nov 26 11:12:51 vm : x", "Nov 26 11:12:51|vm|||: x"),
        ("Nov 26 11:12:51 vm app[7: x", "Nov 26 11:12:51|vm|||app[7: x"),
        // no timestamp, as Python's SysLogHandler writes it
        ("app: hello", "||app||hello"),
        ("hello world", "||||hello world"),
        ("app: \u{feff}hello", "||app||hello"),
        ("\u{feff}hello", "||||hello"),
        ("hello\n", "||||hello"),
        ("hello\r\n\0", "||||hello"),
        (" hello ", "|||| hello "),
        ("", "||||"),
        // almost a timestamp
        ("Nov 32 11:12:51 vm app: x", "||||Nov 32 11:12:51 vm app: x"),
        ("Nov 0 11:12:51 x", "||||Nov 0 11:12:51 x"),
        ("Nov 26 11:12 x", "||||Nov 26 11:12 x"),
        ("Now 26 11:12:51 x", "||||Now 26 11:12:51 x"),
        ("Nov 26 11:12:51", "Nov 26 11:12:51||||"),
        ("Nov 26 11:12:51 ", "Nov 26 11:12:51||||"),
        // almost RFC 5424
        ("1", "||||1"),
        ("2 - - - - - - x", "||||2 - - - - - - x"),
    ];
    for (datagram, expected) in known {
        assert_eq!(content(datagram), expected);
    }
}

#[test]
fn syslog_reads_text_without_a_priority_and_bytes_that_are_no_text() {
    assert_eq!(decoded("1 file removed\n")["text"], "1 file removed");
    assert_eq!(decoded("Nov 26 11:12:51 vm app: a\tb")["text"], "a\tb");
    assert_eq!(decoded(b"<13>app: \xe9t\xe9")["text"], "\u{fffd}t\u{fffd}");
    assert_eq!(decoded(b"<13>a\0b\x1b[2J")["text"], "a\0b\x1b[2J");
}
