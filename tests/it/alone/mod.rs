//! Tests that need a process of their own: they count memory, threads or descriptors, or set what a process has once.

#[cfg(feature = "blocking")]
mod blocking;
#[cfg(unix)]
mod broken_log;
#[cfg(target_os = "linux")]
mod descriptors;
#[cfg(target_os = "linux")]
mod inherited;
mod memory;
mod spans;
#[cfg(all(feature = "systemd", target_os = "linux"))]
mod systemd;
#[cfg(all(target_os = "linux", not(datagrammar_portable)))] // it needs several workers
mod threads;
#[cfg(target_os = "linux")]
mod unix;

use std::{
    any::type_name,
    env,
    ffi::OsStr,
    process::{Command, Output, Stdio},
};

pub use memory::{Memory, paused};

use crate::files::without_files;

/// Names the one test that a child process runs.
const TEST: &str = "DATAGRAMMAR_ALONE";

/// Runs `test`, the body of the test function that calls this, in a process where no other test runs: this
/// program once more, for that test alone.
#[track_caller]
pub fn alone<F: FnOnce()>(test: F) {
    alone_with(&[], test);
}

/// Does the same as [`alone`], with environment variables. A variable without a value is removed.
#[track_caller]
fn alone_with<F: FnOnce()>(variables: &[(&str, Option<&OsStr>)], test: F) {
    let name = test_name::<F>();
    if env::var(TEST).is_ok_and(|running| running == name) {
        return test();
    }
    let mut command = command(&name);
    command.env(TEST, &name);
    for (variable, value) in variables {
        match value {
            Some(value) => command.env(variable, value),
            None => command.env_remove(variable),
        };
    }
    let output = without_files(|| command.output());
    passes(&name, &output.expect("this program starts once more"));
}

/// Requires that the one test with this name has passed in a child process.
#[track_caller]
fn passes(name: &str, output: &Output) {
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    // Without the second check a name that no test has would pass.
    let passed = output.status.success() && stdout.contains("1 passed");
    assert!(passed, "{name} alone: {}\n{stdout}\n{stderr}", output.status);
    print!("{stdout}"); // numbers, which the test harness shows with `--nocapture`
}

/// This program once more, to run one test.
pub fn command(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("a test has a program"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).stdin(Stdio::null());
    command
}

/// The name of the test whose body is the closure `F`, as the test harness has it: its path without the crate.
fn test_name<F>() -> String {
    let path = type_name::<F>().trim_end_matches("::{{closure}}");
    path.split_once("::").expect("a path begins with its crate").1.to_owned()
}

#[test]
fn a_test_alone_runs_in_another_process() {
    let this = std::process::id().to_string();
    let parent = env::var("DATAGRAMMAR_PARENT");
    if let Ok(parent) = parent {
        assert_ne!(parent, this);
        return;
    }

    let name = "alone::a_test_alone_runs_in_another_process";
    let output = without_files(|| command(name).env("DATAGRAMMAR_PARENT", this).output()).unwrap();

    assert!(output.status.success(), "{output:?}");
}

#[test]
#[should_panic = "alone::a_test_that_fails_alone_fails_here alone: "]
fn a_test_that_fails_alone_fails_here() {
    alone(|| panic!("on purpose"));
}
