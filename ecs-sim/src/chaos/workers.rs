//! What workers do: start jobs, send heartbeats, finish jobs, or crash silently.

use super::job::{Ends, JobModel, WorkerReport};
use super::model::{Content, JOBS_AT_ONCE_MAX, JOBS_MAX, MessageModel};
use super::rules::Focus;
use super::world::World;
use crate::control_plane::{Millis, TaskStatus};
use crate::queue::SendMessage;
use crate::region::{CLUSTER, JOB_QUEUE};
use serde_json::json;
use taskhold::lambda::job_message::{JobMessageType, MAX_DURATION_MINUTES_DEFAULT};

/// The maximum durations that workers declare, in minutes.
const DURATIONS: [u32; 5] = [30, 10, 45, 2, 90];
/// With the focus on protection, some are close together, so that tasks share calls.
const CLOSE_DURATIONS: [u32; 9] = [20, 5, 6, 7, 60, 61, 62, 120, 600];
/// Kinds of jobs.
const KINDS: [&str; 2] = ["encode", "index"];
/// Delays before a message becomes visible, in seconds; later messages overtake it.
const DELAYS: [u32; 5] = [0, 0, 0, 20, 150];

impl World {
    /// The running tasks of services, by number.
    pub(super) fn running_tasks(&self) -> Vec<usize> {
        let region = self.region.lock();
        let running =
            region.ecs.tasks().filter(|task| task.last_status == TaskStatus::Running && task.service.is_some());
        running.filter_map(|task| self.model.number_of(&task.id)).collect()
    }

    /// One worker takes its next action.
    pub(super) fn work(&mut self) {
        if self.choices.chance(2) {
            return self.send_message(r#"{"version": 1, "type": "job.paused"}"#.to_owned(), Content::Malformed, 0);
        }
        let running = self.running_tasks();
        if running.is_empty() {
            return;
        }
        let task = running[self.choices.below(running.len())];
        let active: Vec<usize> = self.active_jobs(task);
        let jobs = self.model.tasks[task].jobs.len();
        let may_begin = active.len() < JOBS_AT_ONCE_MAX && jobs < JOBS_MAX;
        let weights = [
            if may_begin { 4 } else { 0 },
            if active.is_empty() { 0 } else { 3 },
            if active.is_empty() { 0 } else { 2 },
            if jobs > 0 { 1 } else { 0 },
        ];
        if weights == [0; 4] {
            return;
        }
        let what = self.choices.weighted(&weights);
        if weights[what] == 0 {
            // Only in a replay, if the function now behaves differently than when the run was recorded.
            return;
        }
        match what {
            0 => self.begin_job(task, jobs),
            1 => {
                let job = active[self.choices.below(active.len())];
                self.report_job(task, job, JobMessageType::Finished);
            }
            2 => {
                let job = active[self.choices.below(active.len())];
                self.report_job(task, job, JobMessageType::Heartbeat);
            }
            // A worker that is unsure of its first start message sends it again.
            _ => {
                let job = self.choices.below(jobs);
                if !self.model.tasks[task].jobs[job].finish_sent {
                    self.report_job(task, job, JobMessageType::Started);
                }
            }
        }
    }

    fn active_jobs(&self, task: usize) -> Vec<usize> {
        let jobs = self.model.tasks[task].jobs.iter().enumerate();
        jobs.filter(|(_, job)| job.is_active()).map(|(number, _)| number).collect()
    }

    fn begin_job(&mut self, task: usize, job: usize) {
        if self.choices.chance(10) {
            self.protect_itself(task, Some(10));
        }
        let is_abandoned = self.choices.chance(self.rules.abandoned_percent);
        let is_by_agent = self.rules.agent_percent > 0 && self.choices.chance(self.rules.agent_percent);
        let mut known = JobModel::new(task, job);
        (known.is_abandoned, known.is_by_agent) = (is_abandoned, is_by_agent);
        self.model.tasks[task].jobs.push(known);
        self.report_job(task, job, JobMessageType::Started);
    }

    /// All workers that are still alive finish.
    pub(super) fn finish_all(&mut self) {
        for task in self.running_tasks() {
            for job in self.active_jobs(task) {
                self.report_job(task, job, JobMessageType::Finished);
            }
        }
    }

    fn report_job(&mut self, task: usize, job: usize, message_type: JobMessageType) {
        let is_silent = self.choices.chance(40) || message_type == JobMessageType::Finished;
        let durations = match self.rules.focus {
            Focus::Services => &DURATIONS[..],
            Focus::Protection => &CLOSE_DURATIONS[..],
        };
        let minutes = if is_silent { None } else { Some(self.choices.one_of(durations)) };
        let late = if self.is_calm { 0 } else { self.choices.one_of(&DELAYS) };
        let now = self.now();
        let after = |minutes: u32| now + Millis::from(minutes) * 60_000;
        let by_default = Some(after(MAX_DURATION_MINUTES_DEFAULT));
        let ends = match message_type {
            JobMessageType::Started => Ends { declared: minutes.map(after).or(by_default), presumed: None },
            JobMessageType::Heartbeat => Ends { declared: minutes.map(after), presumed: by_default },
            JobMessageType::Finished => Ends::default(),
        };
        let known = &mut self.model.tasks[task].jobs[job];
        known.sent(ends, now);
        known.finish_sent |= message_type == JobMessageType::Finished;
        if known.is_by_agent && (message_type == JobMessageType::Started || minutes.is_some()) {
            self.agent_protects(task, job);
        }
        let content = match message_type {
            JobMessageType::Finished => Content::Forecast { task },
            JobMessageType::Started | JobMessageType::Heartbeat => Content::Job { task, job, ends },
        };
        let known = &self.model.tasks[task].jobs[job];
        let (id, attempt, agent) =
            (known.id.clone(), known.attempt, known.agent_reports.last().map(WorkerReport::json));
        let arn = self.region.lock().ecs.cluster_arn(CLUSTER).replace(":cluster/", ":task/");
        let mut body = json!({
            "version": 1, "type": message_type.as_str(), "jobId": id, "attempt": attempt,
            "taskArn": format!("{arn}/{}", self.model.tasks[task].id),
        });
        if let Some(minutes) = minutes {
            body["maxDurationMinutes"] = json!(minutes);
        }
        // Some jobs have a kind and some an expected end. The number of the job decides, so that this takes no random draw.
        match (job % 3, minutes) {
            (1, _) => body["kind"] = json!(KINDS[job % KINDS.len()]),
            (2, Some(minutes)) => body["expectedDurationMinutes"] = json!(minutes),
            _ => {}
        }
        if let Some(agent) = agent.filter(|_| message_type != JobMessageType::Finished) {
            body["protection"] = agent;
        }
        self.counts.add("job messages");
        self.narrate(|world| {
            let until = ends
                .declared
                .or(ends.presumed)
                .map_or(String::new(), |end| format!(", may last until {}", world.shown(end)));
            format!("t{task}: {} of {id} (attempt {attempt}){until}", message_type.as_str())
        });
        self.send_message(body.to_string(), content, late);
        if message_type == JobMessageType::Finished {
            self.agent_clears(task);
        }
    }

    /// Sends a message to the job queue, visible after a delay in seconds.
    pub(super) fn send_message(&mut self, body: String, content: Content, late: u32) {
        let sent = self.region.lock().queues.send(JOB_QUEUE, SendMessage::new(body.clone()).delayed(late));
        let id = sent.expect("the queue exists and the message is small");
        let sent_at = self.now();
        let message = MessageModel {
            body,
            sent_at,
            content,
            is_done: false,
            dead_lettered_by: Vec::new(),
            copies: 1,
            receives: 0,
            deliveries_in_calm: 0,
        };
        self.narrate(|_| format!("  is message {}, visible in {late} s", short(&id)));
        self.model.messages.insert(id, message);
    }
}

/// SQS ids are counted here, so their last digits identify them.
pub(super) fn short(id: &str) -> String {
    let digits = id.rsplit('-').next().unwrap_or(id).trim_start_matches('0');
    format!("m-{digits}")
}
