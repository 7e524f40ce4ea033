//! What the environment says about passed sockets (sd_listen_fds(3)).

use std::{
    collections::BTreeSet,
    env,
    ffi::{OsStr, OsString},
    io, process,
};

use crate::error::InheritedError;

/// The name of each socket if the parent passes no names.
const UNKNOWN: &str = "unknown";

/// The first descriptor is 3, and the last one must be a C `int`.
const MOST: usize = i32::MAX as usize - 3;

/// The sockets that were passed to this process.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed {
    /// From 1 to [`MOST`]. Nothing of this size is allocated, because no such number of descriptors exists.
    count: usize,
    /// The names, if the parent passed any. Their number may differ from `count`.
    names: Option<Vec<String>>,
}

/// Whether sockets were passed to this process.
pub(in crate::transport) fn is_available() -> bool {
    !passed_here().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Returns what the environment of this process says.
pub(super) fn passed_here() -> Result<Passed, InheritedError> {
    passed(|name| env::var_os(name), process::id())
}

/// Returns what an environment says to the process with the id `this`.
fn passed(
    variable: impl Fn(&str) -> Option<OsString>,
    this: u32,
) -> Result<Passed, InheritedError> {
    let Some(count) = variable("LISTEN_FDS") else {
        return Err(InheritedError::absent(
            "no socket was passed to this process, LISTEN_FDS is not set; start it by a socket unit of \
             systemd, or by `systemd-socket-activate --datagram -l ADDRESS PROGRAM`",
        ));
    };
    let Some(pid) = variable("LISTEN_PID") else {
        let text = "no socket was passed to this process, LISTEN_FDS is set but LISTEN_PID is not";
        return Err(InheritedError::absent(text));
    };
    let pid = number("LISTEN_PID", &pid, u32::MAX as usize)?;
    if pid != this as usize {
        return Err(InheritedError::absent(format!(
            "no socket was passed to this process, LISTEN_PID is {pid} and this process is {this}"
        )));
    }
    let count = number("LISTEN_FDS", &count, MOST)?;
    let names = variable("LISTEN_FDNAMES");
    let names = names.map(|names| names.to_string_lossy().split(':').map(str::to_owned).collect());
    Ok(Passed { count, names })
}

/// Reads a number from 1 to `most`.
fn number(variable: &str, text: &OsStr, most: usize) -> Result<usize, InheritedError> {
    let digits = text.to_str().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(digits) = digits.filter(|digits| !digits.is_empty()) else {
        return Err(InheritedError::invalid(format!("{variable} is {text:?}, not a number")));
    };
    match digits.parse() {
        Ok(0) => Err(InheritedError::invalid(format!("{variable} is 0, the minimum is 1"))),
        Ok(number) if number <= most => Ok(number),
        _ => Err(InheritedError::invalid(format!("{variable} is {digits}, the limit is {most}"))),
    }
}

impl Passed {
    /// The positions of all sockets.
    pub(super) fn all(&self) -> Box<dyn Iterator<Item = usize>> {
        Box::new(0..self.count)
    }

    /// The position itself, if there is a socket.
    pub(super) fn nth(
        &self,
        position: usize,
    ) -> Result<Box<dyn Iterator<Item = usize>>, InheritedError> {
        if position < self.count {
            return Ok(Box::new(position..=position));
        }
        let count = self.count;
        Err(InheritedError::absent(format!(
            "there is no inherited socket at position {position}, the number of sockets is {count}"
        )))
    }

    /// The positions of the sockets with a name.
    pub(super) fn named(
        &self,
        name: &str,
    ) -> Result<Box<dyn Iterator<Item = usize>>, InheritedError> {
        let Some(names) = &self.names else {
            return if name == UNKNOWN { Ok(self.all()) } else { Err(unknown(name)) };
        };
        if names.len() != self.count {
            return Err(InheritedError::invalid(format!(
                "LISTEN_FDNAMES has {} names, LISTEN_FDS is {}",
                names.len(),
                self.count
            )));
        }
        let is_meant = |(position, other): (usize, &String)| (other == name).then_some(position);
        let positions: Vec<_> = names.iter().enumerate().filter_map(is_meant).collect();
        if positions.is_empty() {
            let names: BTreeSet<_> = names.iter().map(|name| format!("{name:?}")).collect();
            let names = Vec::from_iter(names).join(", ");
            return Err(InheritedError::absent(format!(
                "no inherited socket has the name {name:?}, the names are {names}"
            )));
        }
        Ok(Box::new(positions.into_iter()))
    }
}

fn unknown(name: &str) -> InheritedError {
    InheritedError::absent(format!(
        "no inherited socket has the name {name:?}, the parent passed no names (LISTEN_FDNAMES)"
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    const PID: u32 = 7;

    /// What an environment with these variables says.
    fn read(variables: &[(&str, &str)]) -> Result<Passed, InheritedError> {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name);
        passed(|name| find(name).map(|(_, value)| value.into()), PID)
    }

    /// What is said by three numbers and names for this process.
    fn sockets(count: &str, names: Option<&str>) -> Result<Passed, InheritedError> {
        let mut variables = vec![("LISTEN_PID", "7"), ("LISTEN_FDS", count)];
        variables.extend(names.map(|names| ("LISTEN_FDNAMES", names)));
        read(&variables)
    }

    fn told<T>(result: Result<T, InheritedError>) -> (io::ErrorKind, String) {
        let Err(error) = result else { panic!("no error") };
        (error.kind(), error.to_string())
    }

    fn positions<E: std::fmt::Debug>(
        found: Result<Box<dyn Iterator<Item = usize>>, E>,
    ) -> Vec<usize> {
        found.unwrap().collect()
    }

    // B-17
    #[test]
    fn sockets_are_found_by_name_by_position_and_all_together() {
        let passed = sockets("3", Some("dns:admin:dns")).unwrap();

        assert_eq!(positions(passed.named("dns")), [0, 2]);
        assert_eq!(positions(passed.named("admin")), [1]);
        assert_eq!(positions(passed.nth(2)), [2]);
        assert_eq!(passed.all().collect::<Vec<_>>(), [0, 1, 2]);
    }

    // B-17
    #[test]
    fn without_names_each_socket_is_called_unknown() {
        let passed = sockets("2", None).unwrap();

        assert_eq!(positions(passed.named("unknown")), [0, 1]);
        let text =
            "no inherited socket has the name \"dns\", the parent passed no names (LISTEN_FDNAMES)";
        assert_eq!(told(passed.named("dns")), (io::ErrorKind::NotFound, text.to_owned()));
    }

    // B-17
    #[test]
    fn a_missing_name_is_an_error_that_lists_the_names() {
        let passed = sockets("4", Some("b:a:b:")).unwrap();

        let text = r#"no inherited socket has the name "dns", the names are "", "a", "b""#;
        assert_eq!(told(passed.named("dns")), (io::ErrorKind::NotFound, text.to_owned()));
        assert_eq!(positions(passed.named("")), [3]);
    }

    // B-17
    #[test]
    fn a_position_behind_the_last_socket_is_an_error_with_the_number_of_sockets() {
        let text = "there is no inherited socket at position 2, the number of sockets is 2";
        let error = told(sockets("2", None).unwrap().nth(2));

        assert_eq!(error, (io::ErrorKind::NotFound, text.to_owned()));
        assert!(sockets("2", None).unwrap().nth(usize::MAX).is_err());
    }

    // B-17
    #[test]
    fn without_the_variables_of_a_parent_the_error_says_how_to_start_the_program() {
        let (kind, text) = told(read(&[]));
        assert_eq!(kind, io::ErrorKind::NotFound);
        assert!(text.contains("LISTEN_FDS is not set; start it by a socket unit"), "{text}");

        let (kind, text) = told(read(&[("LISTEN_FDS", "1")]));
        assert_eq!(kind, io::ErrorKind::NotFound);
        assert!(text.ends_with("LISTEN_FDS is set but LISTEN_PID is not"), "{text}");
    }

    // B-17
    #[test]
    fn the_sockets_of_another_process_are_not_taken() {
        let (kind, text) = told(read(&[("LISTEN_FDS", "1"), ("LISTEN_PID", "70")]));

        assert_eq!(kind, io::ErrorKind::NotFound);
        assert!(text.ends_with("LISTEN_PID is 70 and this process is 7"), "{text}");
    }

    // B-17
    #[test]
    fn numbers_that_are_not_numbers_are_named() {
        for count in ["", " ", "x", "-1", "+1", " 1", "1 ", "1\n", "0x1", "1.0", "٣", "1:2"] {
            let expected = format!("LISTEN_FDS is {count:?}, not a number");
            assert_eq!(told(sockets(count, None)), (io::ErrorKind::InvalidInput, expected));
        }
        assert_eq!(told(sockets("0", None)).1, "LISTEN_FDS is 0, the minimum is 1");
        for count in ["2147483645", "4294967297", "18446744073709551617"] {
            let expected = format!("LISTEN_FDS is {count}, the limit is 2147483644");
            assert_eq!(told(sockets(count, None)), (io::ErrorKind::InvalidInput, expected));
        }
        for pid in ["", "self", "-7", "0", "4294967296"] {
            let (kind, text) = told(read(&[("LISTEN_FDS", "1"), ("LISTEN_PID", pid)]));
            assert_eq!(kind, io::ErrorKind::InvalidInput);
            assert!(text.starts_with("LISTEN_PID is "), "{text}");
        }
    }

    // B-17
    #[test]
    fn the_largest_number_of_sockets_takes_no_memory() {
        for name in ["unknown", "dns"] {
            let passed = sockets("2147483644", None).unwrap();
            assert_eq!(passed.named(name).is_ok(), name == "unknown");
            assert_eq!(passed.all().next(), Some(0));
        }
    }

    // B-17
    #[test]
    fn another_number_of_names_is_an_error_only_for_those_who_ask_for_a_name() {
        for (names, number) in [("a", 1), ("a:b:c", 3), ("", 1), (":::", 4)] {
            let passed = sockets("2", Some(names)).unwrap();

            let expected = format!("LISTEN_FDNAMES has {number} names, LISTEN_FDS is 2");
            assert_eq!(told(passed.named("a")), (io::ErrorKind::InvalidInput, expected));
            assert_eq!(positions(passed.nth(1)), [1]);
        }
    }

    // B-17
    #[test]
    fn bytes_that_are_not_unicode_are_no_panic() {
        let not_unicode = OsString::from_vec(vec![0xff, b':', b'a']);
        let of = |bad: &str| {
            passed(
                |name| match name {
                    _ if name == bad => Some(not_unicode.clone()),
                    "LISTEN_FDNAMES" => None,
                    "LISTEN_PID" => Some("7".into()),
                    _ => Some("2".into()),
                },
                PID,
            )
        };

        assert_eq!(positions(of("LISTEN_FDNAMES").unwrap().named("a")), [1]);
        assert_eq!(told(of("LISTEN_FDS")).0, io::ErrorKind::InvalidInput);
        assert_eq!(told(of("LISTEN_PID")).0, io::ErrorKind::InvalidInput);
    }
}
