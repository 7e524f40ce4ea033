//! The options of a server without the types of its protocol and handler; builds the server.

use std::{any::Any, sync::Arc};

use super::{
    bind::{self, Bound},
    endpoint::{Life, Server},
};
use crate::{
    Addr, AddressTokens, BindError, Chunked, Guard, Limits, OptionError, RateLimit, ReplyCache,
    Shape, ValidateAddress,
    chunk::Chunks,
    engine::{
        Engine, Guarded,
        admission::{Admission, Check},
    },
    events::Events,
    guard::Rates,
    handle::{
        control::Control,
        status::Status,
        watch::{SocketWatch, Watched},
    },
    proxy::{Header, TrustedProxies},
    reply_cache::{AnyStore, ReadId, Replies, Shared, Storing},
    socket::{self, SocketState, outbox::Outbox},
    stats::Counters,
    tasks::Tasks,
    token::{Envelope, Validation},
    transport::{Filter, config::Source},
};

/// The options of a server.
#[derive(Default)]
pub(super) struct Options {
    pub(super) limits: Limits,
    pub(super) source_filter: Option<Check>,
    pub(super) rate_limits: Vec<RateLimit>,
    pub(super) guard: Option<Guard>,
    /// It has an effect only if the protocol has a place for tokens.
    pub(super) address_tokens: Option<AddressTokens>,
    /// Whether the datagrams are in envelopes.
    pub(super) has_envelope: bool,
    pub(super) dedicated_threads: bool,
    pub(super) kernel_filter: bool,
    pub(super) proxies: Option<TrustedProxies>,
    pub(super) requires_proxy: bool,
    /// It has an effect only if there is a way to read ids.
    pub(super) reply_cache: ReplyCache,
    /// The same.
    pub(super) chunked: Option<Chunked>,
    /// The same.
    pub(super) reply_store: Option<Box<dyn AnyStore>>,
}

/// A protocol that has a place for address tokens.
pub(super) type TokenPlace = Box<dyn ValidateAddress + Send + Sync>;

/// What depends on the protocol and the handler.
pub(super) struct Parts {
    /// Makes an engine of sockets.
    pub(super) engine: Box<dyn FnOnce(Vec<Guarded>) -> Box<dyn Engine> + Send>,
    /// An [`Encoder`](crate::peer::Encoder) of the packets that the server sends.
    pub(super) encoder: Arc<dyn Any + Send + Sync>,
    /// Reads ids for the reply cache.
    pub(super) read_id: Option<ReadId>,
    /// The place of address tokens.
    pub(super) place: Option<TokenPlace>,
    /// What all datagrams that the server receives have in common, if a kernel filter is wanted.
    pub(super) shape: Option<Shape>,
}

/// A server that is not bound yet.
pub(super) struct Unbound {
    pub(super) options: Options,
    pub(super) parts: Parts,
}

impl Unbound {
    /// Binds the server.
    pub(super) async fn bind(mut self, sources: Vec<Source>) -> Result<Server, BindError> {
        self.options.limits.check()?;
        self.options.reply_cache.check()?;
        self.options.rate_limits.iter().try_for_each(RateLimit::check)?;
        self.options.guard.as_ref().map_or(Ok(()), Guard::check)?;
        if self.options.has_envelope {
            let in_envelope = |chunked: Chunked| chunked.in_envelope(Envelope::REPLY_HEADER);
            self.options.chunked = self.options.chunked.map(in_envelope);
        }
        if let Some(chunked) = &self.options.chunked {
            chunked.check()?;
            chunked.check_others(&self.options.limits, &self.options.reply_cache)?;
        }
        match &mut self.options.proxies {
            Some(proxies) => proxies.is_required = self.options.requires_proxy,
            None if self.options.requires_proxy => {
                let problem = "is true, but `trust_proxy` is not set";
                return Err(OptionError::invalid("require_proxy", problem).into());
            }
            None => {}
        }
        let proxies = self.options.proxies.as_ref();
        let shape = self.parts.shape.take().map(|shape| match proxies {
            None => shape,
            Some(TrustedProxies { is_required: true, .. }) => Header::shape(),
            // Without a header, it must have the shape of the protocol.
            Some(_) => shape.or(Header::shape()),
        });
        let filter = shape.as_ref().map(Filter::new).transpose()?;
        let (dedicated, has_proxies) = (self.options.dedicated_threads, proxies.is_some());
        let bound = bind::bind(sources, dedicated, filter, has_proxies).await?;
        let is_ip = |bound: &Bound| bound.transport.local_addr().ip().is_some();
        if has_proxies && !bound.sockets.iter().any(is_ip) {
            let problem = "is set, but a Unix socket has no proxies, and there is no other socket";
            return Err(OptionError::invalid("trust_proxy", problem).into());
        }
        let server = self.build(bound.sockets);
        #[cfg(unix)]
        if let Some(predecessor) = bound.predecessor {
            server.status.succession.set_took_over(predecessor.path.clone());
            *crate::lock::locked(&server.predecessor) = Some(predecessor);
        }
        server.handle().diagnostics().tell_short_buffers();
        Ok(server)
    }

    /// Builds a server on these sockets. There is at least one.
    pub(super) fn build(self, bound: Vec<Bound>) -> Server {
        let Options {
            limits,
            source_filter,
            rate_limits,
            guard,
            address_tokens,
            has_envelope,
            reply_cache,
            reply_store,
            chunked,
            proxies,
            ..
        } = self.options;
        let control = Control::new(&limits, guard, chunked.as_ref(), &reply_cache);
        let limits = Arc::clone(&control.limits);
        let rates: Arc<[Rates]> = rate_limits.into_iter().map(Rates::new).collect();
        let counters = Arc::new(Counters::default());
        let events = Arc::new(Events::new(Arc::clone(&limits), Arc::clone(&counters)));
        let tasks = Arc::new(Tasks::new(Arc::clone(&limits)));
        let first_workers = bound.iter().filter(|bound| bound.is_first_worker);
        let local_addrs: Arc<[Addr]> =
            first_workers.map(|bound| bound.transport.local_addr().clone()).collect();
        let Parts { engine, encoder, read_id, place, .. } = self.parts;
        let validation = place.zip(address_tokens);
        let validation = validation
            .map(|(place, tokens)| Arc::new(Validation::new(place, tokens, has_envelope)));
        let cache = read_id.map(|read_id| {
            let storing = reply_store.map(|store| {
                let (counters, events) = (Arc::clone(&counters), Arc::clone(&events));
                Storing::new(store, &reply_cache, counters, events, Arc::clone(&tasks))
            });
            let header = if has_envelope { Envelope::REPLY_HEADER } else { 0 };
            Shared::new(reply_cache, read_id, header, storing, Arc::clone(&counters))
        });
        let chunks =
            chunked.map(|chunked| Chunks::new(chunked, has_envelope, Arc::clone(&counters)));
        let shared = socket::Shared {
            limits: Arc::clone(&limits),
            counters: Arc::clone(&counters),
            events: Arc::clone(&events),
            tasks: Arc::clone(&tasks),
            guard: Arc::clone(&control.guard),
            validation,
            proxies: proxies.map(Arc::new),
        };
        #[cfg(unix)]
        let (mut own_paths, mut paths) = (Vec::new(), Vec::new());
        let socket = |bound: Bound| {
            let Bound { transport, thread, requested, .. } = bound;
            #[cfg(unix)]
            {
                paths.push(bound.own_path.as_ref().map(|own| own.path().to_owned()));
                own_paths.extend(bound.own_path);
            }
            let (unnamed, filter) = (transport.unnamed_peers(), source_filter.clone());
            let admission =
                Admission::new(Arc::clone(&local_addrs), unnamed, filter, Arc::clone(&rates));
            let replies = cache.as_ref().map(|cache| {
                let addr = transport.local_addr();
                let bound = local_addrs.iter().position(|bound| bound == addr).unwrap_or(0);
                Replies::new(Arc::clone(cache), bound)
            });
            let outbox = Outbox::new(
                transport,
                Arc::clone(&counters),
                Arc::clone(&events),
                Arc::clone(&limits),
            );
            let socket =
                Arc::new(SocketState::new(outbox, shared.clone(), replies, chunks.clone()));
            #[cfg(unix)]
            if let Some(intake) = bound.intake {
                socket.hand_over.set_intake(intake);
            }
            let watched = Watched::new(&socket, requested);
            (Guarded { socket, admission: Arc::new(admission), thread }, watched)
        };
        let (guarded, watched): (Vec<_>, _) = bound.into_iter().map(socket).unzip();
        let sockets = guarded.iter().map(|guarded| Arc::clone(&guarded.socket)).collect();
        let status = Status::new(
            local_addrs.to_vec(),
            #[cfg(unix)]
            paths,
        );
        let status = Arc::new(status);
        Server {
            #[cfg(unix)]
            own_paths,
            #[cfg(unix)]
            predecessor: std::sync::Mutex::default(),
            sockets,
            engine: engine(guarded),
            encoder,
            counters,
            events,
            tasks,
            control: Arc::new(control),
            status: Arc::clone(&status),
            watch: Arc::new(SocketWatch::new(watched)),
            local_addr: local_addrs[0].clone(),
            _life: Life(status),
        }
    }
}
