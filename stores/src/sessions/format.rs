//! The bytes of a stored state: the format of this crate, the version of the state, the state.

use super::SessionError;
use crate::StoreError;

/// The format of what follows.
const FORMAT: u8 = 1;

/// How many bytes are in front of the state.
pub(super) const HEAD: usize = 3;

pub(super) fn head(version: u16) -> Vec<u8> {
    let [high, low] = version.to_be_bytes();
    vec![FORMAT, high, low]
}

/// Returns the bytes of the state, if it has this version.
pub(super) fn payload(value: &[u8], version: u16) -> Result<&[u8], SessionError> {
    match value {
        [FORMAT, high, low, payload @ ..] => match u16::from_be_bytes([*high, *low]) {
            found if found == version => Ok(payload),
            found => Err(SessionError::Version { found, version }),
        },
        _ => Err(SessionError::Store(StoreError::Malformed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // O-53
    #[test]
    fn a_state_has_its_format_and_its_version_in_front() {
        let mut value = head(0x0203);
        value.extend(b"state");

        assert_eq!(value, b"\x01\x02\x03state");
        assert_eq!(payload(&value, 0x0203).unwrap(), b"state");
        let other = payload(&value, 2);
        assert!(matches!(other, Err(SessionError::Version { found: 0x0203, version: 2 })));
        let malformed = payload(b"\x02\0\0state", 0);
        assert!(matches!(malformed, Err(SessionError::Store(StoreError::Malformed))));
    }
}
