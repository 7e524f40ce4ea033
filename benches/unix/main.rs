//! An echo over Unix datagrams: this crate beside a bare loop of `recvmmsg` and `sendmmsg`, on Linux.
//!
//! A figure is the CPU time of the server's thread for one request, so the clients do not count. 64 clients
//! have one request each in flight. The queue of a Unix socket holds 11 datagrams by default
//! (`net.unix.max_dgram_qlen`), so a batch has at most as many.

#[cfg(target_os = "linux")]
mod bare;

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("this bench needs Linux");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        fs,
        os::unix::net::UnixDatagram,
        path::{Path, PathBuf},
        sync::mpsc,
        thread,
        time::Duration,
    };

    use criterion::{Criterion, Throughput};
    use datagrammar::{Raw, Server, Unix};

    use crate::bare;

    const CLIENTS: usize = 64;

    pub fn main() {
        let directory =
            std::env::temp_dir().join(format!("datagrammar-bench-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let mut criterion = Criterion::default().configure_from_args();
        let mut group = criterion.benchmark_group("unix echo, CPU time of the server");
        group.throughput(Throughput::Elements(1));
        for (name, server) in
            [("datagrammar", datagrammar as fn(&Path, &dyn Fn())), ("bare loop", bare_loop)]
        {
            let scene = Scene::new(&directory.join(name), server);
            group.bench_function(name, |bencher| bencher.iter_custom(|count| scene.run(count)));
        }
        group.finish();
        criterion.final_summary();
        fs::remove_dir_all(directory).unwrap();
    }

    fn datagrammar(path: &Path, bound: &dyn Fn()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Server::bind(Unix::new(path), Raw, async |bytes| bytes).await.unwrap();
            bound();
            server.serve().await.unwrap();
        });
    }

    fn bare_loop(path: &Path, bound: &dyn Fn()) {
        let socket = UnixDatagram::bind(path).unwrap();
        bound();
        bare::echo(&socket);
    }

    /// A server in a thread, which lasts as long as the process, and its clients.
    struct Scene {
        clients: Vec<UnixDatagram>,
        /// The file in which the kernel reports the CPU time of the server's thread.
        schedule: PathBuf,
    }

    impl Scene {
        fn new(path: &Path, server: fn(&Path, &dyn Fn())) -> Self {
            let (bound, is_bound) = mpsc::channel();
            let at = path.to_owned();
            thread::spawn(move || {
                let thread = Path::new("/proc").join(fs::read_link("/proc/thread-self").unwrap());
                server(&at, &|| bound.send(thread.join("schedstat")).unwrap());
            });
            let schedule = is_bound.recv().unwrap();
            let client = |n| {
                let socket = UnixDatagram::bind(path.with_extension(format!("client{n}"))).unwrap();
                socket.connect(path).unwrap();
                socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                socket
            };
            Self { clients: (0..CLIENTS).map(client).collect(), schedule }
        }

        /// The CPU time that the server has used so far.
        fn used(&self) -> Duration {
            let schedule = fs::read_to_string(&self.schedule).unwrap();
            Duration::from_nanos(schedule.split(' ').next().unwrap().parse().unwrap())
        }

        /// Sends at least `count` requests; returns the CPU time of the server for `count` of them.
        fn run(&self, count: u64) -> Duration {
            let rounds = count.div_ceil(CLIENTS as u64);
            let before = self.used();
            let mut datagram = [7; 32];
            for _ in 0..rounds {
                self.clients
                    .iter()
                    .for_each(|client| assert_eq!(client.send(&datagram).unwrap(), 32));
                for client in &self.clients {
                    client.recv(&mut datagram).unwrap();
                }
            }
            (self.used() - before).mul_f64(count as f64 / (rounds * CLIENTS as u64) as f64)
        }
    }
}
