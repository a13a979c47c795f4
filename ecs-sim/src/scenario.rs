//! Scenarios: small scripts of what workers, operators and ECS do, and of the expected results.
//!
//! A scenario runs against the function in process ([`InProcess`]), or against its real `bootstrap` ([`crate::play`]).
//! Time is simulated: it passes only in `advance`. After each line, everything that is due is delivered and carried
//! out.
//!
//! One line is one statement; `#` begins a comment. Tasks are named `a`, `b`, `c` … in order of creation. Durations are
//! written `90s`, `31m`, `2h`, `1h30m`.
//!
//! | Statement | Effect |
//! |---|---|
//! | `needs refusal=blocked …` | the scenario applies only to these variants of AWS ([`crate::control_plane::Variants`]) |
//! | `set TASKHOLD_DRY_RUN true` | changes a setting of the function |
//! | `service web desired 2 [min 50] [max 200]` | a service whose tasks run already; the default is `service web desired 2` |
//! | `… [strategy rolling\|blue-green\|linear\|canary]` | its deployment strategy; linear and canary move traffic in AWS's default steps |
//! | `… [controller ecs\|code-deploy\|external]` | its deployment controller; the last two use task sets |
//! | `… [hook pause\|lambda\|gate post-scale-up[,…] [for 2h] [then continue\|rollback]] …` | lifecycle hooks, by default for 24 hours and then rolled back: a person, another function, or the function under test, which ECS invokes |
//! | `… hook gate post-scale-up [until deadline-met\|no-live-jobs [at most 45m] [then continue\|rollback]] [for 2h] …` | its `hookDetails`; or `details {"any":"JSON"}` |
//! | `… [early 100 deferred\|blocking]` | early success at this share of healthy tasks |
//! | `… [bake 5m] [tag KEY=VALUE] …` | how long old tasks stay after the traffic has moved, 5 minutes by default; service tags |
//! | `standalone` | starts a standalone task |
//! | `job j-1 starts on a [for 90m] [expected 30m] [heartbeats every 10m] [kind encode] [attempt 2] [late 5m]` | its worker sends `job.started`; `late` delays the message |
//! | `job j-1 beats [for 90m] …`, `job j-1 finishes …` | `job.heartbeat`, `job.finished`; `on a` is needed only for a job that has not started |
//! | `job j starts on a to z [for 90m] …` | the same for each task from a to z at once, with jobs `j-a` to `j-z` |
//! | `job … starts on a for 90m under taskhold-run` | `taskhold-run` protects the task first and reports the job; when the job finishes, it reports that and clears the protection |
//! | `agent is dead`, `agent is slow`, `agent recovers` | a dead agent does not answer `taskhold-run`; a slow one passes the request to ECS but answers too late. When the agent recovers, `taskhold-run` protects the tasks of its live jobs and reports that |
//! | `job … [protected 90m]`, `job … [refused]` | it reports that the task protects itself for this job, or that ECS refused that |
//! | `again [3]` | redelivers the last message, once or three times |
//! | `send {"version": 1, …}` | sends exactly this body; `$a` in it, and in payloads of `ask`, stands for the ARN of task a |
//! | `sweep every 5m`, `lose 2 alerts` | starts the scheduled sweep; loses the next two calls to the topic |
//! | `lose rechecks` | the rechecks that wait in their queue are lost |
//! | `status of web`, `preflight of web`, `ask {…}` | an operator invokes the function, with a command or with this payload |
//! | `hold queue`, `open queue [reversed]` | job messages wait, and then arrive in one batch |
//! | `deploy web`, `scale web to 3` | `UpdateService`; with task sets `deploy` creates one, makes it primary, and deletes the old one |
//! | `deployment of web fails [and rolls back]` | the new tasks do not start, and the circuit breaker ends the deployment |
//! | `continue web`, `rollback web` | `ContinueServiceDeployment` for the hook that waits |
//! | `hook of web answers continue\|rollback` | the other function answers its hook, which runs |
//! | `lambda throttles 2` | Lambda refuses the next two invocations by a hook |
//! | `deployment of web is stopped` | `StopServiceDeployment` with a rollback |
//! | `scale web to 3 before UpdateService` | another actor scales right before the function's next call of that operation |
//! | `autoscaling web 1 to 2` | from now on, Application Auto Scaling keeps the desired count within these bounds |
//! | `autoscaling denies 2` | its next two answers are AccessDeniedException |
//! | `tag web KEY=VALUE` | sets a tag of the service |
//! | `rebalance web` | ECS moves one task to another Availability Zone |
//! | `delete web` | `DeleteService` with `force` |
//! | `protect a [for 90m]`, `release a` | the task sets or clears its own protection, without the function |
//! | `stop a`, `crash a`, `interrupt a` | a user stops the task; its container exits; its Spot capacity is reclaimed |
//! | `host of a fails` | it stops with InfrastructureHealth, and ECS reports the stop in five events |
//! | `ecs throttles 2`, `ecs fails 2`, `ecs denies 2` | the next two calls to ECS get this error |
//! | `ecs loses 2 calls`, `ecs loses 2 answers` | they get no answer, without or with an effect |
//! | `ecs denies 2 of UpdateService` | the next two calls of that operation; likewise for all faults except `takes` |
//! | `ecs answers DescribeServiceDeployments {…}` | ECS answers all calls of this operation with this body; `$deployment` stands for the requested ARN |
//! | `ecs recovers` | ends the faults and these answers |
//! | `ecs takes 2s` | each call takes this long from now on; in process only, since a real function has its own clock |
//! | `function dies before call`, `function dies after call` | at the next call to ECS, or the next `of UpdateService` |
//! | `events are lost`, `events are delivered` | from now on |
//! | `advance 31m` | lets time pass |
//! | `say TEXT` | a remark in the timeline |
//! | `expect a protected [for 90m]`, `expect a unprotected` | the protection in ECS; `for` allows the documented rounding up |
//! | `expect a running`, `expect a stopped` | the status of a task |
//! | `expect web steady`, `expect web deploying` | the status of a service |
//! | `expect web held at pre-scale-up`, `expect web not held` | whether the deployment waits for hooks |
//! | `expect web rolled back`, `expect web not rolled back` | whether the last deployment was rolled back, or is being rolled back |
//! | `expect hook answer FAILED [because TEXT]` | the function's last answer to a hook, and the reason that it logged |
//! | `expect 2 hook answers` | its answers since the last such line |
//! | `expect web desired 3` | the desired count |
//! | `expect 2 deployments of web` | or task sets, including draining ones |
//! | `expect 2 calls [of UpdateService]` | the calls since the last such line, of `UpdateTaskProtection` by default |
//! | `expect 0 waiting`, `expect 1 dead-lettered [because TEXT]` | messages in the job queue, and messages dead-lettered so far |
//! | `expect 2 interrupted` | jobs forwarded as interrupted so far |
//! | `expect alert KIND EVENT SERVICE`, `expect no alert` | the next alert that was sent; an alert that no line expects fails the scenario |
//! | `expect mail TEXT` | the email of the last expected alert contains this text, regardless of line breaks |
//! | `expect answer /a/b TEXT` | the last answer to an operator has this value there; times by the time of day |
//! | `mute alerts`, `mute stops` | alerts need not be expected; nor stops in the middle of a job |
//! | `expect warning TEXT`, `expect error TEXT` | the function has logged this since the last such line |
//! | `expect no warning TEXT` | it has not |
//!
//! A log line at level ERROR that no `expect error` names fails the scenario. So does a deployment or a scale-in that
//! stops a task in the middle of a job whose protection was cleared or shortened before it expired, by any writer,
//! unless `expect a stopped` says that it stops.
//!
//! The events of ECS arrive once, in order and at once. [`alerts_of`] runs a scenario with its events in [`Disorder`],
//! and returns only the alerts.

mod alerts;
mod captured;
mod disorder;
mod due;
mod ecs_reports;
mod entries;
mod expectation;
mod follow;
mod function;
mod hook_answers;
mod hook_calls;
mod in_process;
mod job_line;
mod live;
mod parse;
mod result;
mod run;
mod sample;
mod script;
mod sent_alert;
mod statement;
mod task_names;
mod timeline;
mod worker_processes;
mod workers;
mod world;

pub use alerts::alerts_of;
pub use disorder::Disorder;
pub use follow::{AfterAlert, after_alert};
pub use function::{FUNCTION_TIMEOUT_MS, FunctionUnderTest, Invoked, LogLine};
pub use in_process::InProcess;
pub use live::live;
pub use result::{ScenarioFailure, Summary};
pub use run::{run, run_with_workers};
pub use sample::{Extent, met};
pub use script::{Line, Scenario, ScenarioError};
pub use sent_alert::SentAlert;
pub use statement::{Expectation, Statement};
pub use timeline::{Color, Observer, Silent, Style, Timeline, TimelineEntry};
pub use worker_processes::{ProcessJob, WorkerProcesses};
