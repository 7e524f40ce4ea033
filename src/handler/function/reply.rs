//! The return values of a function: a response, nothing, or an error.

use std::{convert::Infallible, fmt, marker::PhantomData};

/// The return value of a function, if responses are `Res`. `Output` says which of the forms it is.
///
/// Your own type may be another form. Use the type itself as `Output`.
///
/// # Examples
///
/// ```
/// use datagrammar::{Server, Text, function::IntoReply};
/// use std::convert::Infallible;
///
/// enum Verdict {
///     Say(&'static str),
///     Ignore,
/// }
///
/// impl IntoReply<String, Self> for Verdict {
///     type Error = Infallible;
///
///     fn into_reply(self) -> Result<Option<String>, Infallible> {
///         Ok(match self {
///             Self::Say(text) => Some(text.to_owned()),
///             Self::Ignore => None,
///         })
///     }
/// }
///
/// # async fn example() -> std::io::Result<()> {
/// let judge = async |text: String| {
///     if text == "ping" { Verdict::Say("pong") } else { Verdict::Ignore }
/// };
/// let server = Server::builder(Text, judge).bind("127.0.0.1:0").await?;
/// # drop(server);
/// # Ok(())
/// # }
/// ```
pub trait IntoReply<Res, Output> {
    /// The error that the return value may contain instead of a response. It must convert to
    /// [`BoxError`](crate::BoxError).
    type Error;

    /// Returns the response to send, if there is one.
    ///
    /// # Errors
    ///
    /// Returns the error that the return value contains. The server logs it and sends nothing.
    fn into_reply(self) -> Result<Option<Res>, Self::Error>;
}

/// The form of a function that returns the response.
#[allow(clippy::exhaustive_enums, reason = "a name for the compiler")]
#[derive(Debug)]
pub enum Sent {}

impl<Res> IntoReply<Res, Sent> for Res {
    type Error = Infallible;

    #[inline]
    fn into_reply(self) -> Result<Option<Res>, Infallible> {
        Ok(Some(self))
    }
}

/// The form of a function that returns an `Option`: `None` sends nothing.
#[allow(clippy::exhaustive_enums, reason = "a name for the compiler")]
#[derive(Debug)]
pub enum NoneSendsNothing {}

impl<Res> IntoReply<Res, NoneSendsNothing> for Option<Res> {
    type Error = Infallible;

    #[inline]
    fn into_reply(self) -> Result<Self, Infallible> {
        Ok(self)
    }
}

/// The form of a function that returns `()`: nothing is sent.
#[allow(clippy::exhaustive_enums, reason = "a name for the compiler")]
#[derive(Debug)]
pub enum NothingSent {}

impl<Res> IntoReply<Res, NothingSent> for () {
    type Error = Infallible;

    #[inline]
    fn into_reply(self) -> Result<Option<Res>, Infallible> {
        Ok(None)
    }
}

/// The form of a function that returns a `Result`: an error is logged, and nothing is sent. `Output` is the
/// form of the value in the `Ok`.
pub struct ErrorLogged<Output>(PhantomData<fn() -> Output>);

impl<Res, T, E, Output> IntoReply<Res, ErrorLogged<Output>> for Result<T, E>
where
    T: IntoReply<Res, Output, Error = Infallible>,
{
    type Error = E;

    #[inline]
    fn into_reply(self) -> Result<Option<Res>, E> {
        let Ok(reply) = self?.into_reply();
        Ok(reply)
    }
}

impl<Output> fmt::Debug for ErrorLogged<Output> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorLogged").finish()
    }
}
