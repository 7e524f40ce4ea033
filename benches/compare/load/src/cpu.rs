//! CPU time, from `/proc`, and the CPU that this program runs on.
#![allow(unsafe_code)]

use std::{fs, io, mem, sync::OnceLock};

/// What a process has used, all its threads together.
pub struct Process {
    /// CPU time in nanoseconds.
    pub cpu: u64,
    /// Clock ticks in the program.
    pub user: u64,
    /// Clock ticks in the kernel.
    pub system: u64,
    /// CPU time in nanoseconds of the kernel's thread that delivers datagrams when there are many.
    pub softirq: u64,
    pub resident_kib: u64,
    pub threads: u64,
    /// How often a thread has waited.
    pub waits: u64,
}

impl Process {
    pub fn read(pid: i32, cpu: Option<usize>) -> Option<Self> {
        let (mut time, mut waits) = (0, 0);
        for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
            time += scheduled(&format!("{}/schedstat", thread.path().display()));
            let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            waits += field(&status, "voluntary_ctxt_switches:");
        }
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before it may contain spaces.
        let stat: Vec<&str> = stat[stat.rfind(')')? + 2..].split(' ').collect();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let softirq = cpu
            .and_then(softirq_thread)
            .map_or(0, |pid| scheduled(&format!("/proc/{pid}/schedstat")));
        Some(Self {
            cpu: time,
            user: stat[11].parse().ok()?,
            system: stat[12].parse().ok()?,
            softirq,
            resident_kib: field(&status, "VmRSS:"),
            threads: field(&status, "Threads:"),
            waits,
        })
    }
}

fn field(text: &str, key: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(key));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn scheduled(path: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split(' ').next().and_then(|value| value.parse().ok()).unwrap_or(0)
}

fn softirq_thread(cpu: usize) -> Option<i32> {
    static PID: OnceLock<Option<i32>> = OnceLock::new();
    *PID.get_or_init(|| {
        let name = format!("ksoftirqd/{cpu}");
        fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let command = fs::read_to_string(entry.path().join("comm")).ok()?;
            (command.trim() == name).then_some(pid)
        })
    })
}

/// What a core has done, in clock ticks: the line of `/proc/stat`.
pub struct Core(Vec<u64>);

impl Core {
    pub fn read(cpu: usize) -> Option<Self> {
        let text = fs::read_to_string("/proc/stat").ok()?;
        let name = format!("cpu{cpu} ");
        let line = text.lines().find(|line| line.starts_with(&name))?;
        let ticks: Vec<u64> =
            line.split_whitespace().skip(1).filter_map(|value| value.parse().ok()).collect();
        (ticks.len() >= 8).then_some(Self(ticks))
    }

    /// The share of the time since `earlier` in which the core did something.
    pub fn busy(&self, earlier: &Self) -> f64 {
        let [idle, waiting, stolen] = [3, 4, 7].map(|kind| self.since(earlier, kind));
        1.0 - (idle + waiting + stolen) / self.total(earlier)
    }

    /// The share of that time that the host has given to others.
    pub fn steal(&self, earlier: &Self) -> f64 {
        self.since(earlier, 7) / self.total(earlier)
    }

    fn since(&self, earlier: &Self, kind: usize) -> f64 {
        self.0[kind].saturating_sub(earlier.0[kind]) as f64
    }

    fn total(&self, earlier: &Self) -> f64 {
        (0..8).map(|kind| self.since(earlier, kind)).sum::<f64>().max(1.0)
    }
}

/// CPU time of this program, in nanoseconds.
pub fn own_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes to `time`, which lives as long as the call.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Keeps this program on one CPU.
pub fn pin(cpu: usize) -> io::Result<()> {
    if cpu >= libc::CPU_SETSIZE as usize {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: all bits of a set may be zero.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the set has room for this number.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the pointer and the length describe `set`, which lives as long as the call.
    let result = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
