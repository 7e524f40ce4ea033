//! This program once more, as a process that a test starts and ends.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

/// Says which part the process plays.
const PART: &str = "DATAGRAMMAR_CHILD";

const DEADLINE: Duration = Duration::from_secs(20);

/// The part that this process plays, if a test has started it.
pub(crate) fn part() -> Option<String> {
    env::var(PART).ok()
}

/// A process that runs one test of this program, in which [`part`] says what it does. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    /// What it prints.
    lines: Receiver<String>,
}

impl Process {
    /// Starts it, on a thread [without files](crate::files::without_files). `test` is the name of the test.
    pub(crate) fn start(test: &str, part: &str, set: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(PART, part);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        set(&mut command);
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// Waits for a line that has this text, and returns what comes after it.
    pub(crate) fn said(&self, text: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(DEADLINE);
            let line = line.unwrap_or_else(|error| panic!("it does not say {text:?}: {error}"));
            if let Some((_, rest)) = line.split_once(text) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Sends it a signal, such as `-TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Whether it has ended, and with success.
    pub(crate) fn ended(&mut self) -> Option<bool> {
        self.child.try_wait().unwrap().map(|status| status.success())
    }

    /// Waits for its end, and returns its exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.exit_code_beside(|| thread::sleep(Duration::from_millis(1)))
    }

    /// Does `work` again and again until its end, and returns its exit code.
    pub(crate) fn exit_code_beside(&mut self, mut work: impl FnMut()) -> Option<i32> {
        let begun = Instant::now();
        loop {
            work();
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < DEADLINE, "it goes on");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails only if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
