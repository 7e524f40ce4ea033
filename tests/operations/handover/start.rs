//! How a hand-over begins, or does not.

use std::io::ErrorKind;

use datagrammar::{
    BindError, ServeError, ServerContext, TakeOver, TakeOverError,
    testing::{Conditions, Network},
};

use super::*;

struct FailsToStart;

impl Handler<String, String> for FailsToStart {
    async fn start(&self, _: &mut ServerContext) -> Result<(), BoxError> {
        Err("the database is not there".into())
    }

    async fn handle(&self, _: &mut Peer<String, String>) -> Result<(), BoxError> {
        unreachable!("it does not start")
    }
}

async fn refused(path: &Path) -> TakeOverError {
    let error = within_deadline(Server::bind(TakeOver::from(path), Text, Counting("no"))).await;
    let Err(BindError::TakeOver(error)) = error else { panic!("{error:?}") };
    error
}

// O-33
#[tokio::test]
async fn a_process_that_cannot_start_leaves_the_old_one_as_it_is() {
    let path = temporary_path();
    let old = Running::start(bind("old", &path, "127.0.0.1:0").await, &path, LONG).await;
    let client = Asking::of(&old.addr()).await;
    assert_eq!(client.ask("a").await, "old 1 a");

    // It has the sockets, and ends before it serves, in two ways.
    drop(bind("dropped", &path, "127.0.0.1:0").await);
    assert_eq!(client.ask("b").await, "old 2 b");
    let failing = free(async || Server::bind(TakeOver::from(&path), Text, FailsToStart).await);
    let failing = failing.await;
    assert!(matches!(failing.serve().await, Err(ServeError::Start(_))));
    assert_eq!(client.ask("c").await, "old 3 c");
    assert!(old.handle.is_serving());
    drop(failing);

    let other = Asking::of(&old.addr()).await;
    assert_eq!(other.ask("a").await, "old 1 a");
    let stats = old.shut_down().await;
    assert_eq!((stats.received, stats.total_dropped()), (4, 0));
    assert!(!path.exists());
}

// O-33
#[tokio::test]
async fn without_a_process_at_the_path_the_other_transport_is_bound() {
    let path = temporary_path();

    let error = refused(&path).await;
    assert!(matches!(error, TakeOverError::Absent), "{error}");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // A socket that nobody listens on counts as none.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(matches!(refused(&path).await, TakeOverError::Absent));
    let server = bind("first", &path, "127.0.0.1:0").await;
    assert!(server.local_addr().port().is_some_and(|port| port > 0));

    std::fs::remove_file(&path).unwrap();
}

// O-33
#[tokio::test]
async fn while_a_third_process_is_early_the_second_one_refuses_it() {
    let path = temporary_path();
    let a = Running::start(bind("a", &path, "127.0.0.1:0").await, &path, LONG).await;
    let client = Asking::of(&a.addr()).await;
    assert_eq!(client.ask("1").await, "a 1 1");
    let waiting = bind("b", &path, "127.0.0.1:0").await;
    let error = refused(&path).await;
    assert!(matches!(error, TakeOverError::Busy), "the first one hands over already: {error}");

    let b = Running::start(waiting, &path, LONG).await;
    until(|| !a.handle.is_serving()).await;
    let error = refused(&path).await;
    assert!(matches!(error, TakeOverError::Busy), "{error}");
    assert_eq!(error.kind(), ErrorKind::ResourceBusy);
    assert_eq!(client.ask("bye").await, "a 2 bye");
    a.end().await;

    // Now the second one is alone.
    let c = free(async || Server::bind(TakeOver::from(&path), Text, Counting("c")).await).await;
    let c = Running::start(c, &path, LONG).await;
    b.end().await;
    assert_eq!(client.ask("1").await, "c 1 1");
    c.shut_down().await;
}

// O-33
#[tokio::test]
async fn a_path_in_use_and_a_network_in_memory_are_errors() {
    let path = temporary_path();
    let old = Running::start(bind("old", &path, "127.0.0.1:0").await, &path, LONG).await;
    let other = Server::bind("127.0.0.1:0", Text, Counting("other")).await.unwrap();
    let handle = other.handle();
    let serving = other.spawn();
    let error = within_deadline(handle.hand_over(&path, LONG)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
    handle.shutdown().await;
    serving.await.unwrap().unwrap();
    assert_eq!(within_deadline(handle.hand_over(&path, LONG)).await.unwrap(), 0, "it is dropped");

    let network = Network::new(1, Conditions::default());
    let socket = network.bind("10.0.0.1:9000").unwrap();
    let memory = Server::bind(socket, Text, Counting("memory")).await.unwrap();
    let error = within_deadline(memory.handle().hand_over(temporary_path(), LONG)).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unsupported);

    let unix = datagrammar::Unix::new(temporary_path()).fd_passing(true);
    let unix = Server::bind(unix, Text, Counting("unix")).await.unwrap();
    let error = within_deadline(unix.handle().hand_over(temporary_path(), LONG)).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unsupported);
    old.shut_down().await;
}

// O-33
#[tokio::test]
async fn a_server_takes_over_from_one_process() {
    let paths = [temporary_path(), temporary_path()];
    let mut old = Vec::new();
    for path in &paths {
        old.push(Running::start(bind("old", path, "127.0.0.1:0").await, path, LONG).await);
    }

    let twice = (TakeOver::from(&paths[0]), TakeOver::from(&paths[1]));
    let error = within_deadline(Server::bind(twice, Text, Counting("no"))).await.unwrap_err();

    assert!(matches!(error, BindError::TakeOver(TakeOverError::Twice)), "{error}");
    for old in old {
        old.shut_down().await;
    }
}

// O-33
#[tokio::test]
async fn a_server_waits_for_one_process_at_a_time() {
    let path = temporary_path();
    let old = Running::start(bind("old", &path, "127.0.0.1:0").await, &path, LONG).await;

    let second = within_deadline(old.handle.hand_over(temporary_path(), LONG)).await;

    assert_eq!(second.unwrap_err().kind(), ErrorKind::ResourceBusy);
    old.shut_down().await;
}

// O-33
#[tokio::test]
async fn a_hand_over_that_is_dropped_before_its_time_changes_nothing() {
    let path = temporary_path();
    let old = Running::start(bind("old", &path, "127.0.0.1:0").await, &path, LONG).await;
    let client = Asking::of(&old.addr()).await;

    old.handing_over.abort();
    until(|| !path.exists()).await;

    assert_eq!(client.ask("a").await, "old 1 a");
    let at = path.clone();
    let handle = old.handle.clone();
    let again = tokio::spawn(async move { handle.hand_over(at, LONG).await });
    until(|| path.exists()).await;
    let new = Running::start(bind("new", &path, "127.0.0.1:0").await, &path, LONG).await;
    assert_eq!(client.ask("bye").await, "old 2 bye");
    assert_eq!(within_deadline(again).await.unwrap().unwrap(), 0);
    assert_eq!(client.ask("a").await, "new 1 a");
    new.shut_down().await;
}
