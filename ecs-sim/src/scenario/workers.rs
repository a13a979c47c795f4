//! Messages of workers, and their path through the network.

use super::job_line::{AgentReport, JobLine, JobReporter, Verb};
use super::statement::{AgentCondition, EndOfTask};
use super::task_names::name_of;
use super::worker_processes::ProcessJob;
use super::world::{ScenarioWorld, TrueJob};
use crate::control_plane::Millis;
use crate::queue::SendMessage;
use crate::region::{CLUSTER, JOB_QUEUE};
use serde_json::{Value, json};

impl ScenarioWorld {
    pub(super) fn send_job(&mut self, line: &JobLine) -> Result<(), String> {
        let (Some(first), Some(last)) = (&line.task, &line.through) else { return self.send_one(line) };
        let known: Vec<String> = (0..self.tasks.len()).map(name_of).collect();
        let place = |letters: &String| {
            known.iter().position(|known| known == letters).ok_or_else(|| format!("there is no task `{letters}` yet"))
        };
        for letters in &known[place(first)?..=place(last)?] {
            let job = format!("{}-{letters}", line.job);
            self.send_one(&JobLine { job, task: Some(letters.clone()), through: None, ..line.clone() })?;
        }
        Ok(())
    }

    /// The job of this line, if `taskhold-run` reports it.
    pub(super) fn job_under_taskhold_run(&self, line: &JobLine) -> Result<Option<ProcessJob>, String> {
        let known = self.jobs.get(&(line.job.clone(), line.attempt));
        if known.map_or(line.reporter, |job| job.reporter) == JobReporter::Worker {
            return Ok(None);
        }
        let task = match (&line.task, known) {
            (Some(letters), None) => self.task_id(letters)?,
            (_, Some(job)) => job.task.clone(),
            (None, None) => return Err(format!("job {} has not started: name its task, as in `on a`", line.job)),
        };
        let minutes = line.minutes.unwrap_or(120);
        Ok(Some(ProcessJob { id: line.job.clone(), task, minutes, expected_minutes: line.expected_minutes }))
    }

    /// Does what `taskhold-run` does: protects the task before it reports the start, and clears the protection after it
    /// has reported the end. Without an answer from the agent, the report says nothing about protection.
    pub(super) fn act_as_taskhold_run(&mut self, line: &JobLine, job: &ProcessJob) -> Result<(), String> {
        match line.verb {
            Verb::Starts => {
                let agent = self.ask_agent(&job.task, Some(job.minutes))?;
                self.send_one(&JobLine { agent, ..line.clone() })
            }
            Verb::Finishes => {
                self.send_one(line)?;
                self.ask_agent(&job.task, None).map(drop)
            }
            Verb::Beats => Err("taskhold-run sends heartbeats itself".to_owned()),
        }
    }

    /// Asks the agent of a task for protection, or to clear it, and returns what `taskhold-run` reports.
    fn ask_agent(&mut self, task: &str, minutes: Option<u32>) -> Result<Option<AgentReport>, String> {
        if self.agent != AgentCondition::Dead {
            self.set_own_protection_of(task, minutes)?;
        }
        Ok(minutes.filter(|_| self.agent == AgentCondition::Answers).map(AgentReport::Protected))
    }

    pub(super) fn end_task(&mut self, task: &str, how: EndOfTask) -> Result<(), String> {
        let id = self.task_id(task)?;
        self.ecs(|ecs| match how {
            EndOfTask::Stopped => ecs.stop_task(&id),
            EndOfTask::Crashed => ecs.crash_task(&id),
            EndOfTask::Interrupted => ecs.interrupt_task(&id),
            EndOfTask::HostLost => ecs.lose_host(&id),
        })
    }

    /// When the agent answers again, `taskhold-run` protects the tasks of its live jobs and reports that.
    pub(super) fn agent_becomes(&mut self, agent: AgentCondition) -> Result<(), String> {
        self.agent = agent;
        if agent != AgentCondition::Answers {
            return Ok(());
        }
        let now = self.now();
        let is_live = |job: &TrueJob| job.reporter == JobReporter::TaskholdRun && !job.finished && job.until > now;
        let live = self.jobs.iter().filter(|(_, job)| is_live(job));
        let live: Vec<_> = live.map(|(key, job)| (key.clone(), job.task.clone(), job.until - now)).collect();
        for ((job, attempt), task, left) in live {
            let minutes = u32::try_from((left + 59_999) / 60_000).map_err(|error| error.to_string())?;
            let agent = self.ask_agent(&task, Some(minutes))?;
            self.send_one(&JobLine { attempt, minutes: Some(minutes), agent, ..JobLine::new(job, Verb::Beats) })?;
        }
        Ok(())
    }

    /// A process has done it.
    pub(super) fn note_process_job(&mut self, line: &JobLine, job: &ProcessJob) {
        self.know_job(line, &job.task);
        self.summary.messages += 1;
        // The calls of its agent are not the function's.
        self.region.lock().calls.clear();
        self.observe_ecs();
    }

    fn send_one(&mut self, line: &JobLine) -> Result<(), String> {
        let key = (line.job.clone(), line.attempt);
        let task = match (&line.task, self.jobs.get(&key)) {
            (Some(letters), _) => self.task_id(letters)?,
            (None, Some(job)) => job.task.clone(),
            (None, None) => return Err(format!("job {} has not started: name its task, as in `on a`", line.job)),
        };
        let task_arn = format!("{}/{task}", self.region.lock().ecs.cluster_arn(CLUSTER).replace(":cluster/", ":task/"));
        let message_type = match line.verb {
            Verb::Starts => "job.started",
            Verb::Beats => "job.heartbeat",
            Verb::Finishes => "job.finished",
        };
        let mut body = json!({"version": 1, "type": message_type, "jobId": line.job, "taskArn": task_arn});
        let minutes = [
            ("maxDurationMinutes", line.minutes),
            ("expectedDurationMinutes", line.expected_minutes),
            ("heartbeatMinutes", line.heartbeat_minutes),
        ];
        for (name, minutes) in minutes.into_iter().filter_map(|(name, minutes)| Some((name, minutes?))) {
            body[name] = json!(minutes);
        }
        if let Some(kind) = &line.kind {
            body["kind"] = json!(kind);
        }
        let protection = match line.agent {
            None => Value::Null,
            Some(AgentReport::Refused) => json!({"by": "agent", "refused": {"reason": "DEPLOYMENT_BLOCKED"}}),
            Some(AgentReport::Protected(minutes)) => {
                let until = jiff::Timestamp::from_millisecond(self.now() + Millis::from(minutes) * 60_000);
                json!({"by": "agent", "until": until.map_err(|error| error.to_string())?.to_string()})
            }
        };
        if !protection.is_null() {
            body["protection"] = protection;
        }
        if line.attempt != 1 {
            body["attempt"] = json!(line.attempt);
        }
        self.know_job(line, &task);
        let sender = format!("AROAEXAMPLEID:{task}");
        let seconds = u32::try_from(line.late / 1000).map_err(|_| "the delay is too long".to_owned())?;
        self.send(SendMessage::new(body.to_string()).from_sender(sender).delayed(seconds))
    }

    fn know_job(&mut self, line: &JobLine, task: &str) {
        let until = self.now() + Millis::from(line.minutes.unwrap_or(120)) * 60_000;
        let new =
            || TrueJob { task: task.to_owned(), until, finished: false, reporter: line.reporter, is_uncovered: false };
        let job = self.jobs.entry((line.job.clone(), line.attempt)).or_insert_with(new);
        match line.verb {
            Verb::Finishes => job.finished = true,
            Verb::Beats if line.minutes.is_none() => {}
            Verb::Beats | Verb::Starts => job.until = job.until.max(until),
        }
    }

    pub(super) fn send_body(&mut self, body: &str) -> Result<(), String> {
        self.send(SendMessage::new(self.with_arns(body)))
    }

    /// Replaces `"$a"` in the text by the ARN of task a.
    pub(super) fn with_arns(&self, text: &str) -> String {
        let prefix = self.region.lock().ecs.cluster_arn(CLUSTER).replace(":cluster/", ":task/");
        let mut text = text.to_owned();
        for (at, id) in self.tasks.iter().enumerate() {
            text = text.replace(&format!("\"${}\"", name_of(at)), &format!("\"{prefix}/{id}\""));
        }
        text
    }

    fn send(&mut self, message: SendMessage) -> Result<(), String> {
        let sent = self.region.lock().queues.send(JOB_QUEUE, message);
        self.last_message = Some(sent.map_err(|error| error.to_string())?);
        self.summary.messages += 1;
        Ok(())
    }

    pub(super) fn deliver_again(&mut self, times: u32) -> Result<(), String> {
        let id = self.last_message.clone().ok_or("there is no message yet")?;
        for _ in 0..times {
            let queued = self.region.lock().queues.deliver_again(JOB_QUEUE, &id);
            queued.map_err(|error| error.to_string())?;
            self.summary.delivered_again += 1;
        }
        Ok(())
    }
}
