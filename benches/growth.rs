//! How the cost of an invocation grows with the tasks of a service, the jobs of a task, and the records of the
//! state store. In process, on an ECS and a state store that answer at once. Prints tables for docs/performance.md:
//! `make bench-growth`.
//!
//! For a profiler, `cargo bench --no-default-features --bench growth -- RECORDS TIMES` only sweeps this many times:
//! the difference between two runs is the cost of their sweeps.

use ecs_sim::doubles::granting::{
    GrantingFunction, SERVICE, Tasks, batch, deliver, function, invoke, log_to_nowhere, runtime,
};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Number of measurements, unless they take longer than [`LONG`]. The minimum counts, because other processes on
/// the machine only add time.
const TIMES: usize = 7;
const LONG: Duration = Duration::from_secs(2);

fn main() {
    log_to_nowhere();
    let runtime = runtime();
    // Cargo itself adds `--bench`.
    let numbers: Vec<usize> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    if let [records, times] = numbers[..] {
        let function = to_sweep(&runtime, records);
        (0..times).for_each(|_| sweep_once(&runtime, &function));
        return;
    }
    let jobs = [1, 10, 100, 1000];
    table("tasks of a service: one `status`", "task", &[1, 10, 100, 1000, 5000, 10_000], |tasks| {
        status(&runtime, tasks)
    });
    table("jobs of a task: a batch of that many starts for one task", "job", &jobs, |jobs| {
        jobs_in_a_batch(&runtime, jobs)
    });
    table("jobs of a task: one more start for a task with that many", "job", &jobs, |jobs| {
        one_job_more(&runtime, jobs)
    });
    let records = [1, 10, 100, 1000, 10_000, 100_000];
    table("records of the state store in memory: one `sweep`", "record", &records, |records| sweep(&runtime, records));
}

/// Prints a table with a row for each size.
fn table(what: &str, unit: &str, sizes: &[usize], time: impl Fn(usize) -> Duration) {
    println!("| {what} | time | for each {unit} |\n| --- | --- | --- |");
    for &size in sizes {
        let took = time(size).as_secs_f64();
        println!("| {size} | {:.3} ms | {:.2} µs |", took * 1e3, took * 1e6 / size as f64);
    }
    println!();
}

fn least(mut time: impl FnMut() -> Duration) -> Duration {
    let mut least = time();
    let mut spent = least;
    for _ in 1..TIMES {
        if spent > LONG {
            break;
        }
        let took = time();
        (least, spent) = (least.min(took), spent + took);
    }
    least
}

#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

/// A function that has recorded a job on each of this many tasks.
fn function_with(runtime: &Runtime, tasks: usize) -> GrantingFunction {
    let function = function(tasks);
    for begin in (0..tasks).step_by(1000) {
        let jobs = begin..tasks.min(begin + 1000);
        deliver(runtime, &function, &batch(jobs.clone(), Tasks::Own), jobs.len());
    }
    function
}

fn status(runtime: &Runtime, tasks: usize) -> Duration {
    let function = function_with(runtime, tasks);
    let command = format!(r#"{{"status": {{"service": "{SERVICE}"}}}}"#);
    least(|| timed(|| drop(invoke(runtime, &function, &command))))
}

fn jobs_in_a_batch(runtime: &Runtime, jobs: usize) -> Duration {
    let payload = batch(0..jobs, Tasks::One);
    least(|| {
        let function = function(0);
        timed(|| deliver(runtime, &function, &payload, jobs))
    })
}

fn one_job_more(runtime: &Runtime, jobs: usize) -> Duration {
    let (before, payload) = (batch(0..jobs, Tasks::One), batch(jobs..jobs + 1, Tasks::One));
    least(|| {
        let function = function(0);
        deliver(runtime, &function, &before, jobs);
        timed(|| deliver(runtime, &function, &payload, 1))
    })
}

/// The state store contains a live job of each of this many tasks, so that a sweep compares all of them with ECS.
/// There is no service, so that reconciling it takes no time.
fn to_sweep(runtime: &Runtime, records: usize) -> GrantingFunction {
    let function = function_with(runtime, records);
    function.ecs.tasks.store(0, Ordering::Relaxed);
    function
}

fn sweep_once(runtime: &Runtime, function: &GrantingFunction) {
    drop(invoke(runtime, function, r#"{"sweep": {}}"#));
}

fn sweep(runtime: &Runtime, records: usize) -> Duration {
    let function = to_sweep(runtime, records);
    least(|| timed(|| sweep_once(runtime, &function)))
}
