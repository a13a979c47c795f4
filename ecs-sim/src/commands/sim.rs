//! `ecs-sim sim`: runs the whole function under faults, from seeds or from a text.

use super::error::CliError;
use super::options::Options;
use super::output::{say, text};
use crate::chaos::{self, Plan, RunCounts, RunOutcome};
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time limit for shortening a run that breaks a promise.
const SHORTEN: Duration = Duration::from_secs(20);
/// Maximum number of threads, so that the command leaves processors to other programs.
const THREADS_MAX: usize = 2;
/// How often progress is printed.
const PROGRESS: Duration = Duration::from_secs(10);

/// Runs the seeds from `--seed` on, or replays files.
pub(super) fn sim(options: &Options) -> Result<(), CliError> {
    match options.sim.replay {
        true => options.files.iter().try_for_each(|file| replay(file)),
        false => runs(options),
    }
}

fn replay(file: &Path) -> Result<(), CliError> {
    let kept = std::fs::read_to_string(file).map_err(|problem| CliError::Read { file: file.to_path_buf(), problem })?;
    let plan = Plan::parse(&kept)?;
    let outcome = chaos::replay(&plan);
    text(&outcome.plan.text(&outcome.narration))?;
    let says = |broken: Option<chaos::Broken>| broken.map_or("keeps every promise", chaos::Broken::as_str);
    match outcome.broken {
        Some((broken, why)) if plan.breaks() == Some(broken) => {
            say!("\nbreaks {}, as recorded: {why}", broken.as_str())
        }
        None if plan.breaks().is_none() => say!("\nkeeps every promise, as recorded"),
        found => {
            let (found, why) = found.map_or((None, String::new()), |(broken, why)| (Some(broken), why));
            Err(CliError::Broken(format!("expected `{}`, found `{}` {why}", says(plan.breaks()), says(found))))
        }
    }
}

/// State that all threads share.
struct Seeds {
    next: AtomicU64,
    end: u64,
    violations: AtomicU64,
    /// For each promise, the broken run with the lowest seed; every earlier seed was run too.
    broken: Mutex<BTreeMap<&'static str, (u64, RunOutcome)>>,
    counts: Mutex<RunCounts>,
}

fn runs(options: &Options) -> Result<(), CliError> {
    let (begin, runs) = (options.seed, options.sim.runs);
    let started_at = moment();
    let shared = Seeds {
        next: AtomicU64::new(begin),
        end: begin.saturating_add(runs),
        violations: AtomicU64::new(0),
        broken: Mutex::default(),
        counts: Mutex::default(),
    };
    let shared_by_all = &shared;
    std::thread::scope(|scope| {
        let threads = 0..options.sim.threads.clamp(1, THREADS_MAX);
        let threads: Vec<_> = threads.map(|thread| scope.spawn(move || work(shared_by_all, options, thread))).collect();
        let ended = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        ended.collect::<Result<Vec<()>, CliError>>()
    })?;
    let took = moment().duration_since(started_at);
    let counts = shared.counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    let done = counts.of("runs");
    say!("{counts}")?;
    // Seeds start in order, so that even an aborted run leaves none out.
    let (last, violations) = (begin + done.saturating_sub(1), shared.violations.into_inner());
    let seconds = took.as_secs_f64();
    say!("seeds {begin} to {last}: {done} runs, {violations} violations")?;
    say!("wall time {seconds:.1} s, {:.2} ms per run", seconds * 1000.0 / done as f64)?;
    let broken = shared.broken.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut broken: Vec<_> = broken.into_values().collect();
    broken.sort_by_key(|(seed, _)| *seed);
    // Of several concurrent broken runs, the first is the one that every machine finds.
    broken.truncate(if options.sim.keeps_going { usize::MAX } else { 1 });
    match broken.iter().map(|(seed, outcome)| report(*seed, outcome)).collect::<Result<Vec<_>, _>>()? {
        reports if reports.is_empty() => Ok(()),
        reports => Err(CliError::Broken(reports.join("\n"))),
    }
}

/// Runs seeds until there are no more. If standard output fails, no thread begins another.
fn work(shared: &Seeds, options: &Options, thread: usize) -> Result<(), CliError> {
    let written = seeds(shared, options, thread);
    if written.is_err() {
        shared.next.store(shared.end, Ordering::Relaxed);
    }
    written
}

fn seeds(shared: &Seeds, options: &Options, thread: usize) -> Result<(), CliError> {
    let mut counts = RunCounts::default();
    let mut notified_at = moment();
    loop {
        let seed = shared.next.fetch_add(1, Ordering::Relaxed);
        if seed >= shared.end {
            break;
        }
        let outcome = chaos::of_seed(seed, options.sim.sabotage);
        counts.add_all(&outcome.counts);
        if let Some((broken, why)) = &outcome.broken {
            shared.violations.fetch_add(1, Ordering::Relaxed);
            if options.sim.keeps_going {
                say!("seed {seed} breaks {}: {why}", broken.as_str())?;
            } else {
                // No thread starts another seed; threads with an earlier one finish it.
                shared.next.store(shared.end, Ordering::Relaxed);
            }
            let mut known = shared.broken.lock().unwrap_or_else(PoisonError::into_inner);
            let is_first = known.get(broken.as_str()).is_none_or(|(least, _)| seed < *least);
            if is_first {
                known.insert(broken.as_str(), (seed, outcome));
            }
        }
        if thread == 0 && moment().duration_since(notified_at) >= PROGRESS {
            notified_at = moment();
            say!("{} of {} runs", seed - options.seed, options.sim.runs)?;
        }
    }
    shared.counts.lock().unwrap_or_else(PoisonError::into_inner).add_all(&counts);
    Ok(())
}

/// Shortens a broken run and formats its events.
fn report(seed: u64, outcome: &RunOutcome) -> Result<String, CliError> {
    let (broken, why) = outcome.broken.as_ref().expect("only broken runs are reported");
    say!("seed {seed} breaks {}: {why}\nshortening its {} moves …", broken.as_str(), outcome.plan.moves())?;
    let short = chaos::shortened(outcome, SHORTEN);
    say!("\n{}", short.plan.text(&short.narration))?;
    let file = std::env::temp_dir().join(format!("sim-{seed}.txt"));
    let kept = match std::fs::write(&file, short.plan.text(&short.narration)) {
        Ok(()) => format!("replay it with `ecs-sim sim --replay {}`", file.display()),
        Err(error) => format!("could not write it to `{}`: {error}", file.display()),
    };
    let (_, short_why) = short.broken.as_ref().unwrap_or(&(*broken, why.clone())).clone();
    Ok(format!("seed {seed} breaks {}: {short_why}\n{} moves; {kept}", broken.as_str(), short.plan.moves()))
}

#[expect(clippy::disallowed_methods, reason = "prints progress in real time")]
fn moment() -> Instant {
    Instant::now()
}
