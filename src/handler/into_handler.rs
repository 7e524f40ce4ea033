//! The conversion of functions and handlers to a handler.

use std::{fmt, marker::PhantomData};

use super::{
    Handler,
    function::{Function, FunctionHandler},
};

/// A type that a server accepts as its handler: a [`Handler`], or a function in one of the
/// [forms](Handler#functions) on the page of `Handler`.
///
/// `Form` says which of these it is. The compiler infers it, so programs do not name it. Your own function
/// that accepts the same values as a server needs a type parameter for it, as in the example. Or it accepts a
/// `Handler`, and its caller passes `function.into_handler()`.
///
/// # Examples
///
/// ```
/// use datagrammar::{BindError, Handler, IntoHandler, Server, Text};
///
/// async fn serve<Form>(
///     handler: impl IntoHandler<String, String, Form, Handler: Handler<String, String>>,
/// ) -> Result<Server, BindError> {
///     Server::bind("127.0.0.1:0", Text, handler).await
/// }
///
/// # async fn example() -> std::io::Result<()> {
/// serve(async |text: String| text.to_uppercase()).await?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle requests of `{Req}` with responses of `{Res}`",
    label = "this is not a handler for `{Req}` and `{Res}`, which are the protocol's packets",
    note = "a handler is a type that implements `Handler<{Req}, {Res}>`",
    note = "or a function like `async fn(request: {Req}) -> {Res}`; it may take a second argument, the \
            peer's `Addr`, and return `Option<{Res}>`, `Result<{Res}, E>` or `()`",
    note = "`with_state(state, f)` gives a function state; the page of `Handler` has all forms, and \
            what else the compiler says"
)]
pub trait IntoHandler<Req, Res, Form> {
    /// The type of the handler. It implements [`Handler`] if the function can be shared between threads and
    /// its futures are `Send`.
    type Handler;

    /// Converts the value to a handler.
    fn into_handler(self) -> Self::Handler;
}

/// The form of a value that is a [`Handler`] already.
#[allow(clippy::exhaustive_enums, reason = "a name for the compiler")]
#[derive(Debug)]
pub enum AsItIs {}

impl<Req, Res, H: Handler<Req, Res>> IntoHandler<Req, Res, AsItIs> for H {
    type Handler = H;

    fn into_handler(self) -> H {
        self
    }
}

/// The form of a function that serves the requests from a peer one after the other. `Form` says which arguments
/// it takes and what it returns.
pub struct OneByOne<Form>(PhantomData<fn() -> Form>);

impl<Form> fmt::Debug for OneByOne<Form> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneByOne").finish()
    }
}

impl<Req, Res, F, Form> IntoHandler<Req, Res, OneByOne<Form>> for F
where
    F: Function<Req, Res, Form>,
{
    type Handler = FunctionHandler<F, Form>;

    fn into_handler(self) -> Self::Handler {
        FunctionHandler::new(self)
    }
}
