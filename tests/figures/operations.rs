//! The calls of each operation for starts, heartbeats and releases, and what they were before each release was checked. The
//! table is in docs/performance.md.

use super::Figures;
use crate::files::read;
use jiff::SignedDuration;
use serde_json::{Value, json};

/// The numbers of tasks whose messages come in one batch.
const BATCHES: [usize; 3] = [1, 10, 100];
/// The calls at commit d159ed4, before releases were checked: for each kind, those of each batch.
const BEFORE: [[u32; 3]; 4] = [[1, 1, 10], [0, 0, 0], [1, 1, 10], [1, 1, 10]];
const RELEASES: &str = "finishes, which release";
const HEADING: &str = "| Messages of one batch, one for each task | Tasks | Calls before | `UpdateTaskProtection` | `GetTaskProtection` |";

/// Delivers the messages in one batch. Returns the calls that set or clear protection, and those that read it. Any other
/// read panics.
async fn counted(figures: &Figures, messages: &[Value]) -> (u32, u32) {
    let reads = || figures.ecs.state.lock().unwrap().reads;
    let before = reads();
    (figures.deliver(messages, messages.len()).await, reads() - before)
}

/// For each kind of message, the calls of each operation.
async fn kinds(tasks: usize) -> [(&'static str, (u32, u32)); 4] {
    let figures = Figures::of(vec![120; tasks]);
    let starts = counted(&figures, &figures.started()).await;
    figures.clock.advance(SignedDuration::from_mins(30));
    let heartbeats = |fields: &Value| figures.heartbeats(fields).split_off(9 * tasks);
    let within = counted(&figures, &heartbeats(&json!({"maxDurationMinutes": 90}))).await;
    let beyond = counted(&figures, &heartbeats(&json!({"maxDurationMinutes": 240}))).await;
    let releases = counted(&figures, &figures.finished()).await;
    [
        ("starts", starts),
        ("heartbeats within the protection", within),
        ("heartbeats that extend it", beyond),
        (RELEASES, releases),
    ]
}

#[tokio::test]
async fn only_a_release_costs_more_than_before_it_was_checked_and_that_is_one_read_for_a_hundred_tasks() {
    let mut table = vec![HEADING.to_owned(), "|---|---:|---:|---:|---:|".to_owned()];
    let all = [kinds(BATCHES[0]).await, kinds(BATCHES[1]).await, kinds(BATCHES[2]).await];
    for (kind, calls_before) in BEFORE.into_iter().enumerate() {
        for ((tasks, kinds), before) in BATCHES.into_iter().zip(&all).zip(calls_before) {
            let (what, (updates, reads)) = kinds[kind];
            let more = u32::from(what == RELEASES);
            assert!(updates + reads <= before + more, "{what}, {tasks}: {updates} and {reads} calls, {before} before");
            table.push(format!("| {what} | {tasks} | {before} | {updates} | {reads} |"));
        }
    }
    let table = table.join("\n");
    println!("\n{table}");
    assert!(read("docs/performance.md").contains(&table), "docs/performance.md has another table");
}
