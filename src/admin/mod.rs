//! The admin endpoint, a small HTTP server for operators and their tools: whether a server lives, whether it is ready,
//! its stats and its diagnostics.
//!
//! | page | answer |
//! | --- | --- |
//! | `GET /live` | 200 as long as the loop of each worker turns; 503 and the blocked workers otherwise |
//! | `GET /ready` | 200 while all servers [are ready](crate::ServerHandle::is_ready); 503 and the reason otherwise |
//! | `GET /metrics` | the stats in the text format of Prometheus, with the label `server`; [the metrics](crate::_documentation::metrics) |
//! | `GET /diagnostics` | [how the servers are set up](crate::Diagnostics), and which setting of the system to change |
//! | `POST /drain` | 202; the servers [terminate](crate::ServerHandle::terminate), if [`Admin::drain`] allows it |
//!
//! Behind each page the name of one server may follow, as in `/ready/echo`.
//!
//! The endpoint is a thread with a runtime of its own, so no handler that blocks can block it. It needs no runtime of the
//! program, so it works beside [`blocking`](crate::blocking) servers too. It listens at loopback addresses or a Unix
//! socket, unless [`Admin::allow_remote`] allows others. It has neither TLS nor passwords.
//!
//! [In production](crate::_documentation::production) says which page is for whom, what to watch, and how a server stops.
//!
//! # Bounds
//!
//! The endpoint answers one request on each connection, and then closes it. It has 64 connections at a time. A further one
//! takes the place of the one that waits longest for its request; where all have theirs, it waits for an answer to end. The
//! head of a request has 16 KiB and 5 s at most, and a connection lasts at most 10 s longer than [`Admin::blocked_after`].
//! So clients that connect and do nothing neither delay a probe nor use up the descriptors of the process.
//!
//! # Kubernetes
//!
//! Use `/live` as `livenessProbe` and `/ready` as `readinessProbe`, both with `timeoutSeconds: 2`, because `/live` waits up
//! to a second for a worker. The probes come from another address, so the endpoint needs `allow_remote(true)`. Make the
//! lame duck of [`Termination`](crate::Termination) as long as the probes need to notice that the server is not ready.
//!
//! # Examples
//!
//! ```no_run
//! use datagrammar::{BoxError, Server, Text, admin::Admin};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), BoxError> {
//!     let server = Server::bind("[::]:9000", Text, async |text: String| text).await?;
//!     // `curl http://127.0.0.1:9100/ready`
//!     let _admin = Admin::new().server("echo", server.handle()).bind("127.0.0.1:9100")?;
//!     Ok(server.serve().await?)
//! }
//! ```

mod connections;
mod listener;
mod options;
mod pages;
mod targets;
mod thread;

pub use options::Admin;
pub use thread::AdminThread;
