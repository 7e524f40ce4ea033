//! The chain of sources of an error.

use std::{error::Error, fmt, io};

use crate::{
    DecodeError,
    panic::{self, Panicked},
};

/// Puts an error and its sources into one line, without text that may quote a datagram.
///
/// # Errors
///
/// Fails if the error panics; it may have a type of the user's.
pub(super) fn in_words(error: &(dyn Error + 'static)) -> Result<String, Panicked> {
    panic::catch(|| Chain(error).to_string())
}

/// An error and its sources in one line. The sources of a [`DecodeError`] may quote the datagram, so they are
/// left out.
struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut error = unwrapped(self.0);
        write!(f, "{error}")?;
        while let Some(source) = error.source().filter(|_| !error.is::<DecodeError>()) {
            write!(f, ": {source}")?;
            error = unwrapped(source);
        }
        Ok(())
    }
}

/// Whether `error`, or one of its sources, is a `T` that meets `wanted`.
pub(crate) fn caused_by<T: Error + 'static>(
    error: &(dyn Error + 'static),
    wanted: impl Fn(&T) -> bool,
) -> bool {
    any(error, |error| error.downcast_ref().is_some_and(&wanted))
}

/// Whether `error`, or one of its sources, has the text of `other`, as transparent errors do.
pub(crate) fn reads_like(error: &(dyn Error + 'static), other: &dyn Error) -> bool {
    let text = other.to_string();
    any(error, |error| error.to_string() == text)
}

fn any(error: &(dyn Error + 'static), wanted: impl Fn(&(dyn Error + 'static)) -> bool) -> bool {
    let mut next = Some(error);
    while let Some(error) = next.map(unwrapped) {
        if wanted(error) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Returns the error inside an [`io::Error`] that wraps another error. Such an `io::Error` shows the text and
/// the source of the inner error as its own, but it does not show the inner error as its source.
fn unwrapped<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inner.map_or(error, |inner| unwrapped(inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecvError;

    // H-13
    #[test]
    fn the_sources_of_a_decode_error_are_not_printed() {
        let cause: crate::BoxError = "bytes of the peer".into();
        let error =
            RecvError::Decode(DecodeError::codec("not a decimal number").with_source(cause));

        let text = in_words(&error).unwrap();

        assert_eq!(text, "the datagram is not a packet of the protocol: not a decimal number");
    }

    // H-8
    #[test]
    fn a_cause_is_found_at_any_depth() {
        let error = io::Error::other(io::Error::other(RecvError::Closed));

        assert!(caused_by(&error, |error| matches!(error, RecvError::Closed)));
        assert!(!caused_by(&error, |error| matches!(error, RecvError::Idle)));
    }
}
