//! `/ready`, in each state of a server.

use std::time::Duration;

use datagrammar::{
    BoxError, Client, Handler, Limits, Peer, Server, ServerContext, Termination, Text, admin::Admin,
};
use tokio::sync::watch;

use super::{ask, echo_server, until};

const HOUR: Duration = Duration::from_secs(3_600);

/// Starts when it may. Answers one request, and goes on until it may end.
struct Waits {
    starts: watch::Receiver<bool>,
    ends: watch::Receiver<bool>,
}

impl Handler<String, String> for Waits {
    async fn start(&self, _: &mut ServerContext) -> Result<(), BoxError> {
        self.starts.clone().wait_for(|starts| *starts).await?;
        Ok(())
    }

    async fn handle(&self, peer: &mut Peer<String, String>) -> Result<(), BoxError> {
        let request = peer.recv().await?;
        peer.send(&request).await?;
        self.ends.clone().wait_for(|ends| *ends).await?;
        Ok(())
    }
}

// O-2, O-10
#[tokio::test]
async fn a_server_is_ready_from_the_start_of_serving_until_the_first_step_of_an_end() {
    let (start, starts) = watch::channel(false);
    let (end, ends) = watch::channel(false);
    let builder = Server::builder(Text, Waits { starts, ends });
    let builder = builder.limits(Limits::default().shutdown_grace(HOUR));
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let (addr, handle) = (server.local_addr(), server.handle());
    let admin = Admin::new().server("echo", server.handle()).bind("127.0.0.1:0").unwrap();
    let page = admin.local_addr().unwrap();
    let ready = async || {
        let answer = ask(page, "GET /ready").await;
        (answer.status, answer.text.trim_end().to_owned())
    };
    let not = |reason: &str| (503, format!("echo: not ready: {reason}"));

    assert_eq!(ready().await, not("not serving"));
    let serving = server.spawn();
    assert_eq!(ready().await, not("starting"));
    start.send(true).unwrap();
    assert!(handle.ready().await);
    assert_eq!(ready().await, (200, "echo: ready".to_owned()));

    let client = Client::connect(addr, Text).await.unwrap();
    client.send("hello".to_owned()).await.unwrap();
    client.recv().await.unwrap();
    handle.begin_lame_duck();
    assert_eq!(ready().await, not("lame duck"));
    let (draining, finishing) = (handle.clone(), handle.clone());
    let draining = tokio::spawn(async move { draining.drain(HOUR).await });
    until(async || ready().await == not("draining")).await;
    let finishing = tokio::spawn(async move { finishing.graceful_shutdown(HOUR).await });
    until(async || ready().await == not("serves what it has received")).await;
    handle.begin_shutdown();
    assert_eq!(ready().await, not("shutting down"));

    end.send(true).unwrap();
    assert_eq!((draining.await.unwrap(), finishing.await.unwrap()), (0, 0));
    serving.await.unwrap().unwrap();
    drop(admin);
}

// O-2
#[tokio::test]
async fn a_server_that_serves_again_is_ready_again() {
    let (server, handle) = echo_server().await;
    let admin = Admin::new().server("echo", handle.clone()).bind("127.0.0.1:0").unwrap();
    let addr = admin.local_addr().unwrap();
    for _ in 0..2 {
        let until = async {
            assert!(handle.ready().await);
            assert_eq!(ask(addr, "GET /ready").await.status, 200);
            handle.terminate(Termination::default()).await;
        };
        server.serve_until(until).await.unwrap();
        let answer = ask(addr, "GET /ready").await;
        assert_eq!((answer.status, &*answer.text), (503, "echo: not ready: not serving\n"));
    }
}

// O-2, O-13
#[tokio::test]
async fn of_several_servers_each_has_to_be_ready() {
    let ((one, first), (_two, second)) = (echo_server().await, echo_server().await);
    let admin = Admin::new().server("one", first.clone()).server("two", second);
    let admin = admin.bind("127.0.0.1:0").unwrap();
    let addr = admin.local_addr().unwrap();
    let serving = one.spawn();
    assert!(first.ready().await);

    let (all, one) = (ask(addr, "GET /ready").await, ask(addr, "GET /ready/one").await);

    assert_eq!((all.status, &*all.text), (503, "one: ready\ntwo: not ready: not serving\n"));
    assert_eq!((one.status, &*one.text), (200, "one: ready\n"));
    assert_eq!(ask(addr, "GET /ready/two").await.status, 503);
    assert_eq!(ask(addr, "GET /ready/three").await.status, 404);
    first.shutdown().await;
    serving.await.unwrap().unwrap();
    assert_eq!(ask(addr, "GET /ready/one").await.text, "one: not ready: dropped\n");
}
