//! Relative paths, and a process that changes its directory.

use std::{env, fs, io::ErrorKind, os::unix::process::CommandExt, path::Path, process::Command};

use datagrammar::{Client, Text, Unix};

use super::runtime;
use crate::{
    alone::alone,
    support::{Running, temporary_path, within_deadline},
    unix::{bind, directory, exists, is_socket},
};

// U-1, C-19
#[test]
fn a_relative_path_is_removed_though_the_process_has_changed_its_directory() {
    alone(|| {
        runtime().block_on(async {
            let (first, second) = (directory(), directory());
            env::set_current_dir(&first).unwrap();
            let server = Running::start(bind(Unix::new("server")).unwrap()).await;
            assert_eq!(server.handle.local_addrs()[0].as_pathname(), Some(Path::new("server")));
            let unix = Unix::new("./server").local_addr("client");
            let client = Client::connect(unix, Text).await.unwrap();
            client.send("hello".to_owned()).await.unwrap();
            assert_eq!(within_deadline(client.recv()).await.unwrap(), "hello");
            for name in ["server", "client"] {
                assert!(is_socket(&first.join(name)));
                fs::write(second.join(name), "somebody's").unwrap();
            }

            env::set_current_dir(&second).unwrap();
            drop(client);
            server.stop().await;

            for name in ["server", "client"] {
                assert!(!exists(&first.join(name)));
                assert_eq!(fs::read_to_string(second.join(name)).unwrap(), "somebody's");
            }
        });
    });
}

/// Set in a process that runs as another user.
const UNPRIVILEGED: &str = "DATAGRAMMAR_UNPRIVILEGED";

// U-2, U-4: a user that may not write to a directory. Root may do everything, so the test starts a process of
// another user.
#[test]
fn missing_permissions_are_named() {
    const NOBODY: u32 = 65_534;

    if env::var(UNPRIVILEGED).is_err() && is_root() {
        let directory = temporary_path();
        fs::create_dir(&directory).unwrap();
        let program = directory.join("it");
        fs::copy(env::current_exe().unwrap(), &program).unwrap();
        let test = "alone::unix::directory::missing_permissions_are_named";
        let mut command = Command::new(&program);
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
        command.uid(NOBODY).gid(NOBODY).env(UNPRIVILEGED, "1");
        let output = crate::files::without_files(|| command.output()).unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        fs::remove_file(program).unwrap();
        assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
        return;
    }
    assert!(!is_root());
    runtime().block_on(refuses_without_permission());
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;

    fs::metadata("/proc/self").unwrap().uid() == 0
}

async fn refuses_without_permission() {
    let set_mode = |path: &Path, mode| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(path, permissions).unwrap();
    };
    let directory = directory();
    let (path, other) = (directory.join("socket"), directory.join("other"));
    let server = bind(Unix::new(&path)).unwrap();
    set_mode(&directory, 0o500);
    let error = bind(Unix::new(&other)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let text = error.to_string();
    let reason = format!("no permission to create a file in {}", directory.display());
    assert!(text.contains(other.to_str().unwrap()) && text.contains(&reason), "{text}");

    let log = crate::log::Log::capture();
    drop(server);
    let told = log.alarm();
    assert_eq!(told.level, tracing::Level::ERROR);
    assert!(told.field("path").contains(path.to_str().unwrap()), "{told:?}");
    assert!(told.field("error").contains("Permission denied"), "{told:?}");
    drop(log);

    // The directory cannot be searched, so its files cannot be inspected.
    set_mode(&directory, 0o700);
    let server = bind(Unix::new(&path).replace_stale(true)).unwrap();
    set_mode(&directory, 0);
    let log = crate::log::Log::capture();
    drop(server);
    assert!(log.alarm().field("error").contains("Permission denied"));
    set_mode(&directory, 0o700);

    // A socket that this user may not write to is not known to be stale.
    set_mode(&path, 0o400);
    let error = bind(Unix::new(&path).replace_stale(true)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    let error = Client::connect(Unix::new(&path), Text).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("no permission to write to the socket"), "{error}");
}
