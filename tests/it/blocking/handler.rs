//! Functions that block, as handlers of blocking and of async servers.

use std::{
    sync::{
        Arc, Barrier, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::Duration,
};

use datagrammar::{
    Addr, Client, Json, Limits, Server, Text, blocking, concurrent, no_reply, reply_if, try_reply,
};
use tokio::runtime::{Builder, Handle};

use super::{ask, bind, bind_within, client_of, echo, hear, until, within_deadline};
use crate::{
    log::Log,
    support::{Net, within_deadline as within},
};

/// A function that blocks until it is released if the text is "block", and then returns it.
pub(super) struct Blocks {
    blocked: mpsc::Receiver<()>,
    release: mpsc::Sender<()>,
}

pub(super) fn blocks() -> (Blocks, impl Fn(String) -> String + Send + Sync + 'static) {
    let (block, blocked) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let function = move |text: String| {
        if text.starts_with("block") {
            block.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
        }
        text
    };
    (Blocks { blocked, release }, function)
}

impl Blocks {
    pub(super) fn wait(&self) {
        self.blocked.recv_timeout(super::DEADLINE).unwrap();
    }

    pub(super) fn release(&self) {
        self.release.send(()).unwrap();
    }
}

// T-8, D-15
#[test]
fn while_a_function_blocks_for_one_peer_another_one_is_answered() {
    let (switch, function) = blocks();
    let thread = bind(blocking::handler(function)).spawn().unwrap();
    let (one, other) = (client_of(thread.handle()), client_of(thread.handle()));
    one.send("block".to_owned()).unwrap();
    switch.wait();

    for round in ["one", "two", "three"] {
        assert_eq!(ask(&other, round), round);
    }

    assert!(one.try_recv().is_none());
    switch.release();
    assert_eq!(hear(&one), "block");
}

// T-8, D-15
#[tokio::test]
async fn a_function_that_blocks_serves_in_an_async_server() {
    let net = Net::Loopback("127.0.0.1");
    let (switch, function) = blocks();
    let server = net.serve_text(blocking::handler(function)).await;
    let (one, other) = (net.peer_of(&server.handle).await, net.peer_of(&server.handle).await);
    one.send("block").await;
    let switch = tokio::task::spawn_blocking(move || {
        switch.wait();
        switch
    });
    let switch = within(switch).await.unwrap();

    assert_eq!(other.ask("hello").await, "hello");

    switch.release();
    assert_eq!(one.recv_text().await, "block");
    server.stop().await;
}

// T-8
#[test]
fn as_many_calls_run_at_once_as_there_are_threads() {
    const THREADS: usize = 8;

    let barrier = Arc::new(Barrier::new(THREADS));
    let handler = blocking::handler(move |text: String| {
        barrier.wait();
        text
    });
    let thread = bind(handler.max_threads(THREADS)).spawn().unwrap();
    let clients: Vec<_> = (0..THREADS).map(|_| client_of(thread.handle())).collect();

    for client in &clients {
        client.send("hello".to_owned()).unwrap();
    }

    for client in &clients {
        assert_eq!(hear(client), "hello");
    }
}

// T-8, H-3
#[test]
fn a_panic_of_a_function_ends_only_its_conversation_and_is_counted() {
    let handler = blocking::handler(|text: String| {
        assert_ne!(text, "panic");
        text
    });
    let thread = bind(handler.max_threads(1)).spawn().unwrap();
    let client = client_of(thread.handle());

    for _ in 0..3 {
        client.send("panic".to_owned()).unwrap();
        assert_eq!(ask(&client, "fine"), "fine");
    }

    let handle = thread.handle();
    until(|| handle.stats().active_conversations == 0);
    let stats = handle.stats();
    assert_eq!((stats.panicked, stats.conversations, stats.sent), (3, 6, 3));
}

// T-8
#[test]
fn the_threads_do_not_belong_to_a_runtime_so_a_blocking_client_works_there() {
    let behind = bind(echo).spawn().unwrap();
    let inner = client_of(behind.handle());
    let handler = blocking::handler(move |text: String| {
        assert!(Handle::try_current().is_err());
        inner.send(&text).unwrap();
        inner.recv_timeout(super::DEADLINE).unwrap() + "!"
    });
    let thread = bind(handler).spawn().unwrap();

    assert_eq!(ask(&client_of(thread.handle()), "hello"), "hello!");
}

// T-8, D-22, D-23, D-24
#[test]
fn a_function_may_take_the_address_and_return_what_an_async_one_may() {
    let with_addr = blocking::handler(|_: String, addr: Addr| addr.to_string());
    let optional = blocking::handler(|text: String| (text != "quiet").then_some(text));
    let fallible = blocking::handler(
        |text: String| {
            if text == "quiet" { Err("on purpose") } else { Ok(text) }
        },
    );
    let collected = Arc::new(AtomicUsize::new(0));
    let collect = blocking::handler({
        let collected = Arc::clone(&collected);
        move |text: String| {
            collected.fetch_add(text.len(), Relaxed);
        }
    });

    let thread = bind(with_addr).spawn().unwrap();
    let client = client_of(thread.handle());
    assert_eq!(ask(&client, "who am I?"), client.local_addr().to_string());

    let optional = bind(optional).spawn().unwrap();
    let fallible = bind(fallible).spawn().unwrap();
    for (thread, failed) in [(optional, 0), (fallible, 1)] {
        let client = client_of(thread.handle());
        client.send("quiet".to_owned()).unwrap();
        assert_eq!(ask(&client, "hello"), "hello");
        assert_eq!(thread.handle().stats().failed, failed);
    }

    let thread = bind(collect).spawn().unwrap();
    client_of(thread.handle()).send("hello".to_owned()).unwrap();
    until(|| collected.load(Relaxed) == 5);
    assert_eq!(thread.handle().stats().sent, 0);
}

// T-8, D-23, D-24, D-26
#[test]
fn the_adapters_go_around_a_function_that_blocks() {
    let barrier = Arc::new(Barrier::new(3));
    let at_once = concurrent(
        3,
        try_reply(blocking::handler(move |text: String| -> Result<String, String> {
            barrier.wait();
            Ok(text)
        })),
    );
    let thread = bind(at_once).spawn().unwrap();
    let client = client_of(thread.handle());
    let texts = ["one", "three", "two"];
    client.send_all(texts.map(str::to_owned)).unwrap();
    let mut answers: Vec<_> = (0..3).map(|_| hear(&client)).collect();
    answers.sort();
    assert_eq!(answers, texts);

    // These take the types of the protocol from the function.
    let sum = |numbers: Vec<u32>| numbers.iter().sum::<u32>();
    for server in [
        blocking::Server::bind("127.0.0.1:0", Json::new(), blocking::handler(sum)),
        blocking::Server::bind(
            "127.0.0.1:0",
            Json::new(),
            reply_if(blocking::handler(move |numbers| Some(sum(numbers)))),
        ),
    ] {
        let thread = server.unwrap().spawn().unwrap();
        let addr = &thread.handle().local_addrs()[0];
        let client = blocking::Client::connect(addr, Json::<u32, Vec<u32>>::new()).unwrap();
        client.send(vec![1, 2, 3]).unwrap();
        assert_eq!(client.recv_timeout(super::DEADLINE).unwrap(), 6);
    }
    let quiet = no_reply(blocking::handler(|_: f64| {}));
    assert!(blocking::Server::bind("127.0.0.1:0", Json::<f64>::new(), quiet).is_ok());
}

// T-8, L-11
#[test]
fn a_call_that_outlives_the_grace_goes_on_and_its_response_is_dropped() {
    let limits = Limits::default().shutdown_grace(Duration::ZERO);
    let (switch, function) = blocks();
    let (end, ended) = mpsc::channel();
    let handler = blocking::handler(move |text: String| {
        let text = function(text);
        end.send(()).unwrap();
        text
    });
    let mut thread = bind_within(limits, handler).spawn().unwrap();
    let (handle, client) = (thread.handle().clone(), client_of(thread.handle()));
    client.send("block".to_owned()).unwrap();
    switch.wait();

    within_deadline(move || thread.join()).unwrap();

    assert_eq!((handle.stats().aborted, handle.stats().sent), (1, 0));
    assert!(ended.try_recv().is_err());
    switch.release();
    ended.recv_timeout(super::DEADLINE).unwrap();
}

// T-8, L-14
#[test]
fn a_shutdown_inside_a_function_does_not_wait_for_itself() {
    let limits = Limits::default().shutdown_grace(Duration::from_secs(3_600));
    let slot: Arc<Mutex<Option<blocking::ServerHandle>>> = Arc::default();
    let handler = blocking::handler({
        let slot = Arc::clone(&slot);
        move |text: String| {
            let handle = slot.lock().unwrap().clone().unwrap();
            handle.shutdown();
            assert_eq!(handle.drain(super::DEADLINE), 0);
            assert!(!handle.shutdown_timeout(super::DEADLINE));
            text
        }
    });
    let mut thread = bind_within(limits, handler).spawn().unwrap();
    let client = client_of(thread.handle());
    *slot.lock().unwrap() = Some(thread.handle().clone());

    assert_eq!(ask(&client, "quit"), "quit");

    within_deadline(move || thread.join()).unwrap();
}

/// Records on which threads spans are entered.
struct Entered(mpsc::Sender<(Option<String>, &'static str)>);

impl<S> tracing_subscriber::Layer<S> for Entered
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    fn on_enter(&self, id: &tracing::span::Id, cx: tracing_subscriber::layer::Context<'_, S>) {
        let thread = thread::current().name().map(str::to_owned);
        let _ = self.0.send((thread, cx.span(id).unwrap().name()));
    }
}

// T-8, H-14
#[test]
fn a_function_runs_in_the_span_of_its_conversation() {
    let (enter, entered) = mpsc::channel();
    let _log = Log::capture_behind(Entered(enter));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();

    runtime.block_on(async {
        let handler = blocking::handler(|text: String| text);
        let server = Server::bind("127.0.0.1:0", Text, handler).await.unwrap();
        let client = Client::connect(server.local_addr(), Text).await.unwrap();
        client.send("hello".to_owned()).await.unwrap();
        let answered = async { within(client.recv()).await.unwrap() };
        server.serve_until(answered).await.unwrap();
    });

    let on_its_thread = (Some("datagrammar-fn".to_owned()), "conversation");
    assert!(entered.try_iter().any(|entered| entered == on_its_thread));
}

#[test]
#[should_panic = "`max_threads` of 0"]
fn no_threads_at_all_are_refused() {
    let _ = blocking::handler(|text: String| text).max_threads(0);
}
