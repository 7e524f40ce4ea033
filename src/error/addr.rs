//! The error of an address that cannot be used.

use std::{error::Error, fmt, io};

use super::OptionError;

/// The error of one address, or of one path of a Unix socket, that cannot be used; an element of
/// [`BindError::Addrs`](crate::BindError::Addrs) and [`ConnectError::Addrs`](crate::ConnectError::Addrs).
///
/// `Display` shows the address as the program gave it, and what is wrong with it.
///
/// # Examples
///
/// ```
/// use datagrammar::{BindError, Server, Text};
/// use std::io::ErrorKind;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let error = Server::bind("127.0.0.1", Text, async |text: String| text).await.unwrap_err();
///
/// let BindError::Addrs(errors) = error else { panic!("{error}") };
/// assert_eq!(errors[0].kind(), ErrorKind::InvalidInput);
/// assert_eq!(errors[0].to_string(), r#"the address "127.0.0.1" has no port"#);
/// # }
/// ```
#[derive(Debug)]
pub struct AddrError {
    problem: String,
    kind: io::ErrorKind,
    cause: Option<io::Error>,
}

impl AddrError {
    /// An error of the system about an address.
    pub(crate) fn caused(problem: String, cause: io::Error) -> Self {
        Self { problem, kind: cause.kind(), cause: Some(cause) }
    }

    /// An error that was found before the system was asked.
    pub(crate) fn refused(problem: String, kind: io::ErrorKind) -> Self {
        Self { problem, kind, cause: None }
    }

    /// The error of an empty list of addresses.
    pub(crate) fn none() -> Self {
        Self::refused("no address was given".to_owned(), io::ErrorKind::InvalidInput)
    }

    /// Returns the [`io::ErrorKind`] of the error: the kind of the system's error,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) for text that is not an address and for a path that no
    /// socket can have, and [`NotFound`](io::ErrorKind::NotFound) for a network interface that this host does
    /// not have.
    #[must_use]
    pub const fn kind(&self) -> io::ErrorKind {
        self.kind
    }

    /// Returns the error of the system, if it reported one.
    #[must_use]
    pub const fn io_error(&self) -> Option<&io::Error> {
        self.cause.as_ref()
    }
}

impl fmt::Display for AddrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            // The cause is part of the text, because several of these errors print as one text.
            Some(cause) => write!(f, "{}: {cause}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

impl Error for AddrError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref()?.source()
    }
}

/// Returns the error about an option if there is one among `errors`, otherwise all of them.
pub(super) fn of_option(mut errors: Vec<AddrError>) -> Result<OptionError, Vec<AddrError>> {
    let is_option = |error: &AddrError| {
        let cause = error.cause.as_ref().and_then(io::Error::get_ref);
        cause.is_some_and(|cause| cause.is::<OptionError>())
    };
    let Some(at) = errors.iter().position(is_option) else { return Err(errors) };
    let error = errors.swap_remove(at);
    let option = error.cause.and_then(|cause| cause.downcast().ok());
    option.ok_or(errors)
}

/// Writes `errors` as one text, with semicolons between them.
pub(super) fn list(errors: &[AddrError], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut separator = "";
    for error in errors {
        write!(f, "{separator}{error}")?;
        separator = "; ";
    }
    Ok(())
}

/// Returns the kind of the first of `errors`.
pub(super) fn kind(errors: &[AddrError]) -> io::ErrorKind {
    errors.first().map_or(io::ErrorKind::InvalidInput, AddrError::kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BindError;

    // B-4
    #[test]
    fn several_errors_are_one_text_with_the_kind_of_the_first() {
        let error = BindError::Addrs(vec![
            AddrError::caused("cannot bind [::1]:9".to_owned(), io::ErrorKind::AddrInUse.into()),
            AddrError::refused(
                r#"the address "x" has no port"#.to_owned(),
                io::ErrorKind::InvalidInput,
            ),
        ]);

        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let text = r#"cannot bind [::1]:9: address in use; the address "x" has no port"#;
        assert_eq!(error.to_string(), text);
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::AddrInUse);
    }
}
