//! What the guard of the server decides about a datagram and its conversation.

use std::sync::Arc;

use super::Worker;
use crate::{
    Addr, Handler,
    engine::conversation::{HandlerCall, Outcome},
    guard::Budget,
};

impl<Req, Res, H, F, M> Worker<Req, Res, H, F, M>
where
    Req: Send + 'static,
    Res: Send + 'static,
    H: Handler<Req, Res>,
    F: Future<Output = Outcome<Req, Res, H>> + Send + 'static,
    M: Fn(Box<HandlerCall<Req, Res, H>>) -> F + Copy + Send + Unpin + 'static,
{
    /// Whether the guard would refuse a reply to a peer that is not in conversation.
    #[inline]
    pub(super) fn refuses_reply(&self, from: &Addr) -> bool {
        let Some(rules) = &self.rules else { return false };
        from.ip().is_some_and(|ip| rules.refuses_reply(ip))
    }

    /// Tells the operator that an attacker could use the server to amplify traffic, unless it has a guard or serves a Unix
    /// socket.
    #[cold]
    pub(super) fn tell_amplification(&mut self) {
        let ratio = self.amplification.take();
        let local = self.socket.outbox.transport().local_addr();
        if self.rules.is_none() && local.ip().is_some() {
            self.socket.events.amplifies(local, ratio);
        }
    }

    /// Reserves a place for one more conversation. If all are taken, another one may have to end.
    pub(super) fn reserve(&mut self) -> bool {
        self.conversations.reserve() || self.make_room() && self.conversations.reserve()
    }

    #[cold]
    fn make_room(&mut self) -> bool {
        let Some(task) = self.conversations.make_room() else { return false };
        task.abort();
        true
    }

    /// The rules of the guard have changed. They do not apply to peers on Unix sockets.
    #[cold]
    pub(super) fn learn_rules(&mut self) {
        let guard = &self.socket.guard;
        self.rules_version = guard.version();
        self.rules = self.socket.rules_for(self.socket.outbox.transport().local_addr());
        // The next conversation must not have the budget of the last one.
        (self.call, self.budget) = (None, None);
    }

    /// Makes the budget of the next conversation.
    pub(super) fn renew_budget(&mut self) {
        // Besides the worker, the call that it uses again has the budget. Senders may have it too.
        let users = 1 + usize::from(self.call.is_some());
        match (&self.rules, &self.budget) {
            (None, _) => {}
            (Some(rules), Some(budget))
                if budget.has_rules(rules) && Arc::strong_count(budget) <= users =>
            {
                budget.renew();
            }
            (Some(rules), _) => self.budget = Some(Budget::new(rules)),
        }
    }
}
