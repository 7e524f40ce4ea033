//! Engines that tests start, each with a port and a folder of its own.

#![cfg_attr(
    not(any(feature = "redis", feature = "nats")),
    allow(dead_code, reason = "no engine is needed")
)]

use std::{
    env,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{net::TcpStream, time::timeout};

/// An engine that runs until this is dropped.
pub(crate) struct Engine {
    program: Program,
    port: u16,
    folder: TempDir,
    child: Option<Child>,
}

#[derive(Clone, Copy)]
pub(crate) enum Program {
    Redis,
    Nats,
}

/// For everything that a test waits for.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

impl Engine {
    /// Starts an engine; returns `None` if it is not installed and need not be.
    pub(crate) async fn start(program: Program) -> Option<Self> {
        if !program.is_installed() {
            let name = program.name();
            assert!(
                env::var_os("DATAGRAMMAR_REQUIRE_PROGRAMS").is_none(),
                "{name} is not installed"
            );
            eprintln!("skipped: {name} is not installed");
            return None;
        }
        // Neither program can choose a port and say which. If somebody else takes this one, the program ends.
        loop {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let folder = tempfile::tempdir().unwrap();
            let mut engine = Self { program, port, folder, child: None };
            if engine.run().await {
                return Some(engine);
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        match self.program {
            Program::Redis => format!("redis://127.0.0.1:{}", self.port),
            Program::Nats => format!("nats://127.0.0.1:{}", self.port),
        }
    }

    /// Starts the program on its port, and waits until it answers; returns whether it does.
    pub(crate) async fn run(&mut self) -> bool {
        let mut command = Command::new(self.program.name());
        let (port, folder) = (self.port.to_string(), self.folder.path());
        match self.program {
            Program::Redis => command
                .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--dir"])
                .arg(folder),
            Program::Nats => command
                .args(["--addr", "127.0.0.1", "--port", &port, "--jetstream", "--store_dir"])
                .arg(folder),
        };
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let answers = timeout(DEADLINE, async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                if child.try_wait().unwrap().is_some() {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // Another program may have the port.
            child.try_wait().unwrap().is_none()
        });
        let answers = answers.await.expect("the engine starts");
        self.child = Some(child);
        answers
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill(); // it may have ended
            child.wait().unwrap();
        }
    }

    /// Sends it a signal, such as `STOP` or `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Nats => "nats-server",
        }
    }

    fn is_installed(self) -> bool {
        let version = Command::new(self.name()).arg("--version").stdout(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    }
}

/// Makes a test for each store of a function that takes an engine-independent way to make stores: calls of `make` are
/// connections to the same store.
macro_rules! for_each_store {
    ($($test:ident)*) => {
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                let store = datagrammar_stores::MemoryStore::new();
                super::$test(async || store.clone()).await;
            })*
        }

        #[cfg(feature = "redis")]
        mod redis {
            $(#[tokio::test]
            async fn $test() {
                use crate::engines::{Engine, Program, redis_store};
                let Some(engine) = Engine::start(Program::Redis).await else { return };
                super::$test(async || redis_store(&engine.url())).await;
            })*
        }

        #[cfg(feature = "nats")]
        mod nats {
            $(#[tokio::test]
            async fn $test() {
                use crate::engines::{Engine, Program, nats_store};
                let Some(engine) = Engine::start(Program::Nats).await else { return };
                super::$test(async || nats_store(&engine.url()).await).await;
            })*
        }
    };
}

pub(crate) use for_each_store;

/// A connection of its own to the store of a test.
#[cfg(feature = "redis")]
pub(crate) fn redis_store(url: &str) -> datagrammar_stores::RedisStore {
    datagrammar_stores::RedisStore::new(url, "test:").unwrap()
}

/// A connection of its own to the store of a test.
#[cfg(feature = "nats")]
pub(crate) async fn nats_store(url: &str) -> datagrammar_stores::NatsStore {
    use datagrammar_stores::{NatsBucket, NatsStore};
    let bucket = NatsBucket::new("test", Duration::from_secs(3600)).max_bytes(16 << 20);
    NatsStore::connect(url, bucket).await.unwrap()
}
