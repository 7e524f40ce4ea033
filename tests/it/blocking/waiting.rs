//! Requests that wait for a thread of a function that blocks.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use datagrammar::{DropReason, Limits, blocking, concurrent};

use super::{ask, bind, bind_within, client_of, handler::blocks, hear, until, within_deadline};

// T-8
#[test]
fn with_more_requests_than_threads_the_rest_waits_in_order() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let (switch, function) = blocks();
    let handler = blocking::handler({
        let order = Arc::clone(&order);
        move |text: String| {
            order.lock().unwrap().push(text.clone());
            function(text)
        }
    });
    let thread = bind(handler.max_threads(2)).spawn().unwrap();
    let handle = thread.handle();
    let clients: Vec<_> = (0..8).map(|_| client_of(handle)).collect();
    for (n, client) in clients.iter().enumerate().take(2) {
        client.send(format!("block {n}")).unwrap();
        switch.wait();
    }
    for (n, client) in clients.iter().enumerate().skip(2) {
        client.send(n.to_string()).unwrap();
        // Its conversation has begun, so it waits for a thread.
        until(|| handle.stats().active_conversations == n + 1);
    }
    assert_eq!(*order.lock().unwrap(), ["block 0", "block 1"]);
    // The others are not even decoded yet.
    assert_eq!(handle.stats().delivered, 2);

    switch.release();

    for (n, client) in clients.iter().enumerate().skip(2) {
        assert_eq!(hear(client), n.to_string());
    }
    let expected = ["block 0", "block 1", "2", "3", "4", "5", "6", "7"];
    assert_eq!(*order.lock().unwrap(), expected);
    switch.release();
}

// T-8, A-11
#[test]
fn a_request_that_waits_too_long_for_a_thread_is_dropped() {
    for several in [false, true] {
        let (switch, function) = blocks();
        let handler = blocking::handler(function).max_threads(1);
        let server = if several { bind(concurrent(8, handler)) } else { bind(handler) };
        let thread = server.spawn().unwrap();
        let (handle, one, other) =
            (thread.handle(), client_of(thread.handle()), client_of(thread.handle()));
        one.send("block".to_owned()).unwrap();
        switch.wait();

        let limits = Limits::default().max_queue_time(Duration::from_millis(20));
        handle.as_async().set_limits(limits).unwrap();
        other.send("late".to_owned()).unwrap();
        until(|| handle.stats().dropped(DropReason::Late) == 1);
        until(|| handle.stats().active_conversations == 1);
        if several {
            // Here a second request of the same peer waits for a thread too.
            one.send("late".to_owned()).unwrap();
            until(|| handle.stats().dropped(DropReason::Late) == 2);
        }

        handle.as_async().set_limits(Limits::default()).unwrap();
        switch.release();
        assert_eq!(hear(&one), "block");
        assert_eq!(ask(&other, "in time"), "in time");
        until(|| handle.stats().active_conversations == 0);
        let stats = handle.stats();
        let late = if several { 2 } else { 1 };
        assert_eq!((stats.received, stats.delivered, stats.total_dropped()), (2 + late, 2, late));
    }
}

// T-8, L-11
#[test]
fn a_call_whose_conversation_has_ended_while_it_waited_does_not_run() {
    let limits = Limits::default().shutdown_grace(Duration::ZERO);
    let calls = Arc::new(AtomicUsize::new(0));
    let (switch, function) = blocks();
    let handler = blocking::handler({
        let calls = Arc::clone(&calls);
        move |text: String| {
            calls.fetch_add(1, Relaxed);
            function(text)
        }
    });
    let server = Arc::new(bind_within(limits, handler.max_threads(1)));
    let serving = thread::spawn({
        let server = Arc::clone(&server);
        move || server.serve()
    });
    let handle = server.handle();
    assert!(handle.ready());
    let (one, other) = (client_of(&handle), client_of(&handle));
    one.send("block".to_owned()).unwrap();
    switch.wait();
    other.send("hello".to_owned()).unwrap();
    until(|| handle.stats().active_conversations == 2);

    handle.shutdown();
    within_deadline(|| serving.join().unwrap()).unwrap();
    switch.release();
    assert_eq!(handle.stats().dropped(DropReason::ShuttingDown), 1);

    let thread = thread::spawn({
        let server = Arc::clone(&server);
        move || server.serve()
    });
    assert!(handle.ready());
    assert_eq!(ask(&one, "again"), "again");
    assert_eq!(calls.load(Relaxed), 2);
    handle.shutdown();
    within_deadline(|| thread.join().unwrap()).unwrap();
}

// T-8, O-45
#[test]
fn a_peer_whose_call_runs_keeps_no_other_thread_for_later() {
    let (switch, function) = blocks();
    let handler = concurrent(8, blocking::handler(function).max_threads(2));
    let thread = bind(handler).spawn().unwrap();
    let (one, other) = (client_of(thread.handle()), client_of(thread.handle()));
    one.send("block".to_owned()).unwrap();
    switch.wait();

    for round in ["one", "two", "three"] {
        assert_eq!(ask(&other, round), round);
    }

    switch.release();
    assert_eq!(hear(&one), "block");
}
