//! Whether the address of a peer is validated, for the guard of the server.

use std::sync::Arc;

use super::Peer;
use crate::guard::Budget;

impl<Req, Res> Peer<Req, Res> {
    /// Says that this peer receives at its address: it has sent something that only a host at that address can know. From
    /// now on the [guard](crate::Guard) of the server does not limit replies to it, and the conversation does not give
    /// way to others. Without a guard this has no effect. It holds until the conversation ends, and then for its
    /// [senders](Self::sender).
    ///
    /// # Examples
    ///
    /// A server that answers the first request with a number, and serves the peer once it has repeated that:
    ///
    /// ```
    /// use datagrammar::{BoxError, Client, Guard, Handler, Peer, Server, Text};
    /// use std::hash::{BuildHasher, RandomState};
    ///
    /// struct Book(String);
    ///
    /// impl Handler<String, String> for Book {
    ///     async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
    ///         peer.recv().await?;
    ///         // Nobody else can predict it.
    ///         let number = RandomState::new().hash_one(peer.addr()).to_string();
    ///         peer.send(&number).await?;
    ///         if peer.recv().await? == number {
    ///             peer.validate();
    ///             peer.send(&self.0).await?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let book = Book("page ".repeat(200));
    /// let server = Server::builder(Text, book).guard(Guard::internet()).bind("127.0.0.1:0").await?;
    /// let client = Client::connect(server.local_addr(), Text).await?;
    /// server.spawn();
    ///
    /// client.send("hello book".to_owned()).await?;
    /// let number = client.recv().await?;
    /// client.send(number).await?;
    /// assert_eq!(client.recv().await?.len(), 1_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn validate(&self) {
        if let Some(budget) = &self.path.budget {
            budget.validate();
        }
    }

    /// Returns whether the address of this peer is validated: by [`validate`](Self::validate), by an
    /// [address token](crate::AddressTokens), or because it is a Unix socket. Over UDP without a [guard](crate::Guard),
    /// returns false, because the server does not remember it.
    #[must_use]
    pub fn is_validated(&self) -> bool {
        match &self.path.budget {
            Some(budget) => budget.is_validated(),
            None => self.addr().ip().is_none(),
        }
    }

    /// Gives the next conversation its budget.
    pub(crate) fn set_budget(&mut self, budget: Option<&Arc<Budget>>) {
        let same = match (&self.path.budget, budget) {
            (None, None) => true,
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            _ => false,
        };
        if !same {
            self.path.budget = budget.cloned();
        }
    }
}
