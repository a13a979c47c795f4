//! Describes a path of the checker in words.

use super::actions::{ModelAction, RequestProgress};
use super::function::RecordNo;
use super::protocol::ModelProtocol;
use super::scene::{InvocationWork, Set, members, timestamp};
use super::script::{ModelRequest, Subject};
use super::state::{ModelState, ModelTask};
use jiff::Timestamp;
use stateright::Path;
use taskhold::task::protection::ProtectionRequest;
use taskhold::task::record::TaskRecord;

impl ModelProtocol {
    /// Each step of a path, with its time.
    pub(crate) fn narrate(&self, path: Path<ModelState, ModelAction>) -> Vec<String> {
        let steps = path.into_vec();
        let lines = steps.iter().filter_map(|(state, action)| {
            let what = self.line(state, action.as_ref()?);
            Some(format!("{:>5} s  {what}", state.now))
        });
        let mut lines: Vec<String> = lines.collect();
        if let Some((last, _)) = steps.last() {
            lines.push(format!("{:>5} s  {}", last.now, self.ends_so(last)));
        }
        lines
    }

    fn line(&self, state: &ModelState, action: &ModelAction) -> String {
        match action {
            ModelAction::Deliver(batch) => format!("the queue delivers {}", self.named(*batch)),
            ModelAction::Command(work) => format!("{} begins", self.doing(*work)),
            ModelAction::Request(at, subject, happens) => {
                let who = self.doing(self.function.run(state.running[*at].run).work);
                format!("{who}: {}", self.request_text(state, (*at, *subject), *happens))
            }
            ModelAction::Respond(at) => {
                let run = self.function.run(state.running[*at].run);
                let retried = run.ended.expect("it responds").retried;
                format!("{} ends; to be retried: {}", self.doing(run.work), self.named(retried))
            }
            ModelAction::Crash(at) => format!("{} crashes", self.doing(self.function.run(state.running[*at].run).work)),
            ModelAction::Agent(task, call) => format!("the worker of task {task} calls the agent: {call:?}"),
            ModelAction::LateEffect(at) => format!("late: {:?}", state.late[*at]),
            ModelAction::Tick => "time passes while they work".to_owned(),
            ModelAction::Wait(to) => format!("nothing happens until {to} s"),
            ModelAction::SweepOnSchedule => "nothing happens until the next sweep".to_owned(),
        }
    }

    fn request_text(&self, state: &ModelState, of: (usize, Subject), happens: RequestProgress) -> String {
        let (at, subject) = of;
        let run = self.function.run(state.running[at].run);
        match (run.request(subject), happens) {
            (ModelRequest::Load(task), RequestProgress::Answered) => {
                format!("loads task {task}: {}", self.record_text(state.tasks[usize::from(*task)].record))
            }
            (ModelRequest::Store(task, record), happens) => {
                let outrun = if state.running[at].outrun & 1 << task == 0 { "" } else { " over a newer version" };
                format!("store of task {task}{outrun} {happens:?}: {}", self.record_text(Some(*record)))
            }
            (request, happens) => format!("{request:?} {happens:?}"),
        }
    }

    fn doing(&self, work: InvocationWork) -> String {
        match work {
            InvocationWork::Batch(batch) => self.named(batch),
            InvocationWork::Sweep => "a sweep".to_owned(),
            InvocationWork::Release => "an operator's release".to_owned(),
            InvocationWork::Recheck => "a recheck".to_owned(),
        }
    }

    fn named(&self, messages: Set) -> String {
        let names: Vec<String> = members(messages).map(|number| self.message(number).to_string()).collect();
        format!("[{}]", names.join(", "))
    }

    fn record_text(&self, record: Option<RecordNo>) -> String {
        match record {
            None => "no record".to_owned(),
            Some(number) => shown(&self.function.record(number).record),
        }
    }

    fn ends_so(&self, state: &ModelState) -> String {
        let task = |(number, task): (usize, &ModelTask)| {
            let protected_until = task.protected_until;
            format!("task {number} is protected until {protected_until}; {}", self.record_text(task.record))
        };
        state.tasks.iter().enumerate().map(task).collect::<Vec<_>>().join("; ")
    }
}

fn seconds(at: Timestamp) -> i64 {
    at.duration_since(timestamp(0)).as_secs()
}

fn shown(record: &TaskRecord) -> String {
    let protection = &record.protection;
    let jobs: Vec<String> = record.live_jobs(timestamp(0)).map(|(job, _)| job.to_string()).collect();
    let ask = |ask: ProtectionRequest| match ask {
        ProtectionRequest::Clear => "release".to_owned(),
        ProtectionRequest::ProtectUntil(until) => format!("protect until {}", seconds(until)),
    };
    let calls: Vec<String> =
        protection.in_flight.iter().map(|call| format!("#{} {}", call.id, ask(call.request))).collect();
    let certain = protection.confirmed_until.map_or_else(|| "nothing".to_owned(), |until| seconds(until).to_string());
    let rejected: Vec<String> = record.rejected_jobs(timestamp(0)).map(|job| job.key.to_string()).collect();
    let set = protection.is_set();
    format!("unfinished {jobs:?}, rejected {rejected:?}, held {set}, certain {certain}, in flight {calls:?}")
}
