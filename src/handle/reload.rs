//! Changes the limits and the guard of a server that serves.

use super::ServerHandle;
use crate::{Guard, LimitError, Limits};

impl ServerHandle {
    /// Replaces the limits of the server. They apply at once, and no conversation ends because of them.
    ///
    /// If a limit becomes lower than what is used already, nothing is dropped: nothing new is added until there is room.
    /// Timeouts apply to each `recv` that begins to wait afterwards. Begin with [`limits`](Self::limits) to change some of
    /// them only.
    ///
    /// # Errors
    ///
    /// After an error nothing has changed.
    ///
    /// - [`LimitError::Zero`] names a limit that is zero.
    /// - [`LimitError::TooSmall`] names one that is too small for [`Chunked`](crate::Chunked).
    /// - [`LimitError::Fixed`] if [`max_datagram_size`](crate::Limits::max_datagram_size) would change: the server has
    ///   memory for datagrams of that length.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Server, Text};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), datagrammar::BoxError> {
    /// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
    /// let handle = server.handle();
    ///
    /// handle.set_limits(handle.limits().max_conversations(100))?;
    /// assert_eq!(handle.limits().get_max_conversations(), 100);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "reload")]
    #[expect(clippy::needless_pass_by_value, reason = "as the builder takes them")]
    pub fn set_limits(&self, limits: Limits) -> Result<(), LimitError> {
        limits.check()?;
        if let Some((chunked, cache)) = &self.control.chunked {
            chunked.check_others(&limits, cache)?;
        }
        let value = self.control.limits.max_datagram_size();
        if limits.get_max_datagram_size() != value {
            return Err(LimitError::Fixed { limit: "max_datagram_size", value });
        }
        self.control.limits.set(&limits);
        Ok(())
    }

    /// Returns the limits that apply now.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.control.limits.read()
    }

    /// Replaces the [guard](Guard) of the server; `None` removes it. It applies to conversations that begin afterwards, and
    /// to the sources of all datagrams. No conversation ends because of it.
    ///
    /// What the old guard knows about rates of sources is forgotten.
    ///
    /// # Errors
    ///
    /// [`LimitError::Zero`] names an option that is zero. Then nothing has changed.
    ///
    /// # Examples
    ///
    /// ```
    /// use datagrammar::{Guard, Server, Text};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), datagrammar::BoxError> {
    /// let server = Server::bind("127.0.0.1:0", Text, async |text: String| text).await?;
    /// let handle = server.handle();
    ///
    /// handle.set_guard(Guard::internet().reply_rate(10))?;
    /// handle.set_guard(None)?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "reload")]
    pub fn set_guard(&self, guard: impl Into<Option<Guard>>) -> Result<(), LimitError> {
        let guard = guard.into();
        guard.as_ref().map_or(Ok(()), Guard::check)?;
        self.control.set_guard(guard);
        Ok(())
    }
}
