//! H-14 on every thread that conversations run on. A subscriber for all threads records their spans, and a
//! process can have one such subscriber.

use std::{
    net::UdpSocket,
    sync::{Arc, Mutex},
    time::Duration,
};

use datagrammar::{BoxError, Handler, Peer, Server, Text};
use tokio::{runtime::Builder, task::yield_now};
use tracing::{Instrument, Subscriber, info_span, span::Attributes, span::Id};
use tracing_subscriber::{
    Layer, Registry,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

use super::alone;

/// The parents of all spans of conversations.
#[derive(Clone, Default)]
struct Parents(Arc<Mutex<Vec<Option<&'static str>>>>);

impl<S> Layer<S> for Parents
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() == "conversation" {
            let parent = context.span(id).unwrap().parent().map(|parent| parent.name());
            self.0.lock().unwrap().push(parent);
        }
    }
}

/// Echoes one packet, later if it is told to.
struct Echo;

impl Handler<String, String> for Echo {
    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        if request == "later" {
            yield_now().await;
        }
        Ok(peer.send(&request).await?)
    }
}

// H-14
#[test]
fn the_span_around_serving_is_the_parent_of_each_conversation_on_every_thread() {
    alone(|| {
        parents_of_conversations();
    });
}

fn parents_of_conversations() {
    let parents = Parents::default();
    let subscriber = Registry::default().with(parents.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();

    for dedicated_threads in [false, true] {
        let addr = runtime.block_on(async {
            let server = Server::builder(Text, Echo).dedicated_threads(dedicated_threads);
            let server = server.bind("127.0.0.1:0").await.unwrap();
            let (addr, handle) = (server.local_addr(), server.handle());
            let serving = async move { server.serve().await };
            tokio::spawn(serving.instrument(info_span!("outer")));
            assert!(handle.ready().await);
            addr
        });
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        peer.connect(addr).unwrap();
        // The last of these may open its conversation in the task of the one before it.
        for request in ["now", "later", "now"] {
            peer.send(request.as_bytes()).unwrap();
        }
        for _ in 0..3 {
            peer.recv(&mut [0; 8]).unwrap();
        }

        assert_eq!(std::mem::take(&mut *parents.0.lock().unwrap()), [Some("outer"); 3]);
    }
}
