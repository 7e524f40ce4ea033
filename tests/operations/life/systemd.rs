//! What systemd is told of a lame duck.

use std::{env, fs, os::unix::net::UnixDatagram, path::PathBuf, process, time::Duration};

use datagrammar::{
    Server, Termination, Text, systemd,
    testing::{Conditions, Network},
};
use tokio::{runtime::Builder, time::sleep};

use crate::{
    child::{Process, part},
    files::without_files,
};

const NAME: &str = "life::systemd::systemd_is_told_of_the_end_in_its_second_step";

/// Serves, and has a lame duck of 5 s. Prints what systemd is told before the second step, and in all.
fn serve() {
    let systemd = UnixDatagram::bind(env::var_os("NOTIFY_SOCKET").unwrap()).unwrap();
    systemd.set_nonblocking(true).unwrap();
    let told = || {
        let mut datagram = [0; 256];
        let next = std::iter::from_fn(|| {
            systemd
                .recv(&mut datagram)
                .ok()
                .map(|len| String::from_utf8_lossy(&datagram[..len]).trim_end().to_owned())
        });
        next.collect::<Vec<_>>().join(" ")
    };
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let network = Network::new(1, Conditions::default());
        let transport = network.bind("10.0.0.1:9000").unwrap();
        let server = Server::bind(transport, Text, async |text: String| text).await.unwrap();
        let handle = server.handle();
        let ending = async {
            assert!(handle.ready().await);
            let termination = Termination::default().lame_duck(Duration::from_secs(5));
            tokio::join!(handle.terminate(termination), async {
                sleep(Duration::from_secs(4)).await;
                println!("lame duck: {}", told());
            });
        };
        systemd::notify(server.handle(), server.serve_until(ending)).await.unwrap();
    });
    println!("then: {}", told());
}

// L-26, O-10
#[test]
fn systemd_is_told_of_the_end_in_its_second_step() {
    if part().is_some() {
        return serve();
    }
    without_files(play_systemd);
}

fn play_systemd() {
    let folder: PathBuf = env::temp_dir().join(format!("datagrammar-life-{}", process::id()));
    fs::create_dir(&folder).unwrap();
    let socket = folder.join("notify");

    let mut server = Process::start(NAME, "serves", |command| {
        command.env("NOTIFY_SOCKET", &socket).env_remove("WATCHDOG_USEC");
    });

    assert_eq!(server.said("lame duck: "), "READY=1");
    assert_eq!(server.said("then: "), "STOPPING=1");
    assert_eq!(server.exit_code(), Some(0));
    fs::remove_dir_all(&folder).unwrap();
}
