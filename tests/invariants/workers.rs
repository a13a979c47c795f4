//! The simulated workers: they start jobs, send heartbeats, finish, or crash; and tasks stop.

use super::promise::{Ends, JobPromise, Told};
use super::world::World;
use jiff::SignedDuration;
use serde_json::json;
use taskhold::lambda::job_message::{JobMessageType, MAX_DURATION_MINUTES_DEFAULT};

/// The durations that jobs declare, in minutes. Some are close together, so that tasks share calls.
const DURATIONS: [u32; 9] = [5, 6, 7, 20, 60, 61, 62, 120, 600];

/// Maximum number of jobs of a task.
const JOBS_MAX: usize = 12;

impl World {
    /// One worker sends its next message, or a task stops.
    pub(crate) fn work(&mut self) {
        let task = self.rng.usize(..self.promise.tasks.len());
        match self.rng.u32(..40) {
            0 => return self.enqueue(r#"{"version": 1, "type": "job.paused"}"#.to_owned(), Told::Nothing),
            1 => return self.stop(task),
            2 => return self.enqueue(self.stop_event(task), Told::Stop { task }),
            _ => {}
        }
        if self.ecs.tasks[task].stopped {
            return;
        }
        let jobs = &mut self.promise.tasks[task].jobs;
        // Only the last few: earlier jobs have ended, or their workers have crashed.
        let job = jobs.len() - 1 - self.rng.usize(..self.rules.jobs_at_once);
        let known = &jobs[job];
        match (known.started_at, known.finish_sent) {
            (None, _) => self.tell(task, job, JobMessageType::Started),
            (Some(_), false) if self.rng.u32(..3) == 0 => self.tell(task, job, JobMessageType::Heartbeat),
            (Some(_), false) if !known.abandoned => self.tell(task, job, JobMessageType::Finished),
            _ if jobs.len() < JOBS_MAX => {
                let next = jobs.len();
                jobs.push(JobPromise::new(next, &self.rules, &mut self.rng));
                self.tell(task, next, JobMessageType::Started);
            }
            _ => {}
        }
    }

    /// Every worker that is still alive finishes its job.
    pub(crate) fn finish_all(&mut self) {
        for task in 0..self.promise.tasks.len() {
            for job in 0..self.promise.tasks[task].jobs.len() {
                let known = &self.promise.tasks[task].jobs[job];
                let lives = known.started_at.is_some() && !known.finish_sent && !known.abandoned;
                if lives && !self.ecs.tasks[task].stopped {
                    self.tell(task, job, JobMessageType::Finished);
                }
            }
        }
    }

    fn tell(&mut self, task: usize, job: usize, message_type: JobMessageType) {
        let silent = self.rng.bool() || message_type == JobMessageType::Finished;
        let minutes = (!silent).then(|| DURATIONS[self.rng.usize(..DURATIONS.len())]);
        let now = self.now;
        let after = |minutes: u32| now + SignedDuration::from_mins(i64::from(minutes));
        let by_default = Some(after(MAX_DURATION_MINUTES_DEFAULT));
        let ends = match message_type {
            JobMessageType::Started => Ends { declared: minutes.map(after).or(by_default), presumed: None },
            JobMessageType::Heartbeat => Ends { declared: minutes.map(after), presumed: by_default },
            JobMessageType::Finished => Ends::default(),
        };
        let known = &mut self.promise.tasks[task].jobs[job];
        known.started_at = known.started_at.or(Some(now));
        known.sent(message_type, ends);
        let job_key = format!("{} (attempt {})", known.id, known.attempt);
        let mut body = json!({
            "version": 1, "type": message_type.as_str(), "jobId": known.id, "attempt": known.attempt,
            "taskArn": self.ecs.tasks[task].task.to_string(),
        });
        if let Some(minutes) = minutes {
            body["maxDurationMinutes"] = json!(minutes);
        }
        let until = ends.declared.or(ends.presumed).map(|end| self.shown(end)).unwrap_or_default();
        self.record(format!("task {task}: {} of {job_key} {until}", message_type.as_str()));
        self.enqueue(body.to_string(), Told::Job { task, job, ends });
    }

    /// Stops the task. EventBridge sends the event to the queue or invokes the function with it.
    fn stop(&mut self, task: usize) {
        // If most tasks stopped early, the runs would exercise little else.
        if self.ecs.tasks[task].stopped || self.rng.bool() {
            return;
        }
        self.ecs.tasks[task].stopped = true;
        self.ecs.tasks[task].protected_until = None;
        self.record(format!("task {task} stops"));
        if self.rng.bool() {
            self.queue.events.push(task);
        } else {
            self.enqueue(self.stop_event(task), Told::Stop { task });
        }
    }

    /// EventBridge's event for a stopped task. A worker may also send a forged one for a running task.
    pub(crate) fn stop_event(&self, task: usize) -> String {
        let task = &self.ecs.tasks[task].task;
        json!({
            "version": "0", "id": "e", "detail-type": "ECS Task State Change", "source": "aws.ecs",
            "account": "111122223333", "time": "2023-11-14T22:13:20Z", "region": "eu-west-1",
            "resources": [task.to_string()],
            "detail": {"taskArn": task.to_string(), "clusterArn": task.cluster.to_string(), "lastStatus": "STOPPED"},
        })
        .to_string()
    }
}
