//! A simulated Amazon ECS with task scale-in protection, and the services around it that taskhold uses.
//!
//! # Use
//!
//! Run a scenario, a script of what workers, people and ECS do, under every variant of AWS:
//!
//! ```text
//! ecs-sim scenario tests/scenarios/alert_blocked.txt
//! ```
//!
//! Other commands of `ecs-sim` run a scenario against the function's real binary (`play`), run the function under
//! random faults (`sim`), and serve the simulated APIs on loopback for the AWS CLI and SDKs (`serve`). `ecs-sim`
//! without a command lists all of them. The tests of this workspace use the same parts as a library.
//!
//! | Module | Holds |
//! |---|---|
//! | [`control_plane`] | ECS: a pure state machine with a simulated clock |
//! | [`autoscaling`] | Application Auto Scaling: the bounds of desired counts |
//! | [`queue`], [`event_source`] | SQS, and Lambda's event source mapping of a queue |
//! | [`service_error`] | the error that a simulated service reports, whatever the protocol |
//! | [`region`] | ECS, SQS, SNS and Application Auto Scaling under one clock, with injected faults |
//! | [`scenario`] | the scenario language, and the function in process |
//! | [`play`] | the function as a process, on the Lambda runtime API |
//! | [`http`] | the loopback server that speaks the AWS protocols, and SNS |
//! | [`doubles`] | test doubles of the function's ports, wrappers that pause or fail calls, a scheduler of invocations |
//! | [`chaos`] | random runs of the whole function |
//! | [`fuzz`] | what every parser of the function must do with any text |
//! | [`commands`] | the command line |
//!
//! [`control_plane`] contains clusters, services with every kind of deployment, tasks, task scale-in protection,
//! service event messages, EventBridge events and token buckets, behind the operations of ECS's JSON protocol. It uses
//! nothing of taskhold, so that the two cannot agree by construction. Both follow the same written facts about AWS,
//! which comments cite by the heading in `docs/aws-facts.md`.
//!
//! # Variants
//!
//! Where AWS's documents disagree or are silent, [`control_plane::Variants`] simulates every alternative. A scenario
//! runs under all 32 combinations of the first five, or under those that its `needs` line names; one with hooks or early
//! success runs under all 256. The first alternative is the default.
//!
//! - `refusal`: when ECS refuses protection. `outnumbered`: when the protected tasks would outnumber the desired count
//!   while a deployment or a scale-in waits. `blocked`: whenever protected tasks of an old deployment, or of a
//!   scale-in, keep the service from reaching steady state.
//! - `renewal`: the answer when a protected task renews its protection at such times. `granted` or `refused`.
//! - `event`: the report when protection blocks a scale-in. `sent`: EventBridge receives an event. `silent`: only the
//!   service event messages report it.
//! - `arn`: the form of task ARNs in answers of the protection API. `long`: `task/CLUSTER/ID`. `short`: `task/ID`.
//! - `stop`: when the scheduler stops a task that it may stop. `at-once`: immediately. `late`: 3 minutes later, if it
//!   still may.
//! - `rolling-pauses`: whether rolling deployments run lifecycle hooks. `yes`: before the new tasks start and when all
//!   of them run. `no`: only deployments that shift traffic do.
//! - `paused`: the answer to a request for protection while a deployment is paused. `as-otherwise` or `granted`.
//! - `deferred`: what `deployments[]` shows of old deployments after early success with DEFERRED cleanup. `listed`: they
//!   are ACTIVE and count towards the five. `gone`: they are not there and do not count.
//!
//! # Omissions
//!
//! The simulation was never compared with a real AWS account. The following is about the control plane. It leaves out:
//!
//! - Alarms, the API of CodeDeploy, DescribeServiceRevisions, other functions behind Lambda hooks (a scenario says what they answer), UpdateTaskSet, daemon services, and
//!   policies of Application Auto Scaling (a scenario sets the desired count; [`autoscaling`] keeps it within bounds).
//! - Traffic and load balancers, and with them draining and target messages. Native blue/green works without a load
//!   balancer (aws-samples/sample-amazon-ecs-blue-green-deployment-patterns#14). There are no health checks, so every
//!   RUNNING task counts as healthy.
//! - Capacity: every task starts, as on Fargate, unless a scenario says that its deployment fails.
//! - IAM. `AccessDeniedException`, `ServerException` and similar errors exist only as injected faults.
//! - The statuses PROVISIONING and ACTIVATING; DEACTIVATING, STOPPING and DEPROVISIONING except after the loss of a host;
//!   the stop code TerminationNotice; the steady-state message that ECS repeats every few hours.
//! - Parameters of ECS that the request's type does not list: they have no effect, except launch types and daemon
//!   services, which are refused. Parameters that ECS's model does not have are refused (assumed). Answers contain some
//!   of the members of ECS's model and no others. Throttling covers the four categories of `docs/aws-facts.md`.
//! - EventBridge delivery: each event is emitted once and in order; the code that delivers events adds losses,
//!   duplicates and disorder.
//!
//! # Assumptions about protection
//!
//! - A task that was asked to stop is `MISSING` to UpdateTaskProtection although it still runs. GetTaskProtection
//!   reports it as unprotected until it is STOPPED. Every kind of stop ends the protection.
//! - ECS decides about the tasks of one call one after another, so that it may grant the first and refuse the next.
//! - "A deployment or scale-in is waiting" means that an older deployment, or the PRIMARY with more tasks than desired,
//!   has tasks that nothing has asked to stop. This includes the time before the new tasks run, and the time while blue
//!   stays on purpose. Of task sets, those that are DRAINING and the one that a deployment replaces count as older.
//!   `refusal=blocked` refuses from the first protected task among those, for every task of the service.
//! - `failures[].detail` is absent: no text of it is known. The `arn` in a failure is made from the request when the
//!   request has only an id. An ARN that names another cluster, account or Region is `MISSING`.
//! - GetTaskProtection without `tasks` returns the cluster's first 100 tasks of services.
//! - The texts of exceptions are invented, except for the few that are known. So is the `InvalidParameterException` for
//!   a sixth deployment.
//!
//! # Assumptions about the scheduler
//!
//! - It acts at the moment of a change, or with `stop=late` stops a task 3 minutes after it first could. A task takes
//!   30 s from PENDING to RUNNING and 10 s from the request to stop it to STOPPED, after a Spot notice 120 s. All of
//!   these times are fixed.
//! - The upper bound counts every task that is not STOPPED yet, including those that are stopping. It prevents starts;
//!   it stops no task.
//! - Old tasks stop once as many as desired run without them; sooner, down to the lower bound, only as far as new tasks
//!   have no room. PENDING tasks may always be stopped. The oldest deployment comes first, and within it the newest
//!   task.
//! - Protected old tasks count as running tasks, for both bounds.
//! - With no slack between the bounds (such as 100 % and 100 %) a deployment waits for ever. ECS says once, without
//!   repeats, that the service deployment configuration is the reason.
//! - While a rolling deployment is in progress, the newest old revision replaces lost tasks and takes part in a
//!   scale-out: after the new revision has started its tasks, the old one starts as many as the lower bound still lacks,
//!   within the upper bound.
//! - An old deployment is ACTIVE until its last task is STOPPED, and is then removed. Its desired count is the number
//!   of its tasks that nothing has asked to stop. `runningCount` includes tasks that are stopping, since their
//!   lastStatus is RUNNING.
//! - A deployment is COMPLETED when exactly the desired tasks exist, all RUNNING and of that deployment. Replacing a
//!   task afterwards does not undo it.
//! - A forced deployment keeps the task definition. Changing only the percentages starts no deployment.
//! - The tasks of a service made with [`control_plane::ControlPlane::create_service`] run at once, without an
//!   EventBridge event.
//! - Containers exit with code 0 when asked to stop, and with 1 in a crash. Every task has one container, `app`.
//!
//! # Assumptions about deployments that move traffic (blue/green, linear, canary)
//!
//! - The percentages have no effect: green gets all its tasks at once, and blue keeps all of its own until the bake
//!   time is over. Until then ECS replaces blue's tasks. The first traffic moves as soon as green runs.
//! - In `deployments[]` green is PRIMARY from the beginning (see the log in kayac/ecspresso#860), and blue is ACTIVE
//!   with the service's desired count. The deployment is IN_PROGRESS until blue's last task is STOPPED. Messages and
//!   events are those of a rolling update.
//! - When another deployment takes over, the revision with all the traffic becomes its blue, and an unfinished green is
//!   removed at once.
//!
//! # Assumptions about task sets (CODE_DEPLOY and EXTERNAL)
//!
//! - CreateService creates the first task set, PRIMARY, for EXTERNAL too. The primary one cannot be deleted. A service
//!   has at most five.
//! - A scenario's `deploy` is CreateTaskSet at 100 %, UpdateServicePrimaryTaskSet one minute after all its tasks run,
//!   and DeleteTaskSet by force after the bake time. Only one such deployment runs at a time, but old task sets may
//!   still be DRAINING.
//! - A DRAINING task set has a computed desired count of 0, so it is STABILIZING until its last task is STOPPED. Tasks
//!   stop for the same reason as those of deployments. There is no ECS Deployment State Change. TASKSET_STEADY_STATE is
//!   sent once for a replacement in a scenario's `deploy`. Such a service is steady only with a single task set.
//!
//! # Assumptions about service deployments, hooks and early success
//!
//! - `currentServiceDeployment` is the service deployment in progress, or the last one. Services with task sets have
//!   none. A second deployment ends the first as STOPPED. A service revision has the number of its deployment.
//! - A rolling deployment has stages only while it has hooks, and starts and stops nothing while one waits. Where
//!   traffic shifts, stages without hooks pass at once, and CLEAN_UP lasts until the last blue task has stopped.
//! - A rollback, by a hook, a person or the circuit breaker, goes to the newest deployment before. Where traffic shifts,
//!   that deployment is PRIMARY again with its tasks; a rolling one is deployed again. Without one, nothing happens.
//! - The time-out of a hook counts from the moment at which the deployment enters the stage. The `executionId` of an
//!   invocation is the id of its hook, the same each time. ECS invokes the function at once, and
//!   again exactly after the delay. An invocation that fails or that Lambda refuses is not repeated. An answer after the
//!   time-out has no effect.
//! - A rollback runs the stages again in which traffic has begun to shift, the last first, waits for their hooks, and
//!   goes on whatever they answer. Then ECS reports no stage.
//! - Early success counts RUNNING tasks. With DEFERRED cleanup the scheduler goes on as before, without an end after two
//!   weeks.
//! - StopServiceDeployment and ContinueServiceDeployment share the bucket of UpdateService, ListServiceDeployments that
//!   of DescribeServiceDeployments. The first two answer ConflictException and InvalidParameterException when there is
//!   nothing to stop or continue. Hook events are of type INFO, or ERROR for FAILED and TIMED_OUT.
//!
//! # Assumptions about deployments that fail
//!
//! - A scenario's `deployment of web fails` makes all tasks of the deployment fail and turns the circuit breaker on.
//!   Each task fails 30 s after its creation, without ever running, and is replaced at once.
//! - A FAILED deployment that is not rolled back freezes the service: nothing starts or stops before the next one.
//! - A rolling update is rolled back by a new deployment of the last COMPLETED one's revision, whose reason contains
//!   its own id. Where traffic moves, the COMPLETED deployment itself becomes PRIMARY again. Five deployments do not
//!   prevent that.
//!
//! # Assumptions about Availability Zone rebalancing
//!
//! - It happens when a scenario says so, and moves one task. Tasks have no zone: the oldest are taken to be in the
//!   first of three zones, which has one more than an even spread. The newest of these that is not protected is
//!   stopped.
//! - If all of these are protected, it waits. Every 10 minutes ECS writes the documented message instead of the
//!   captured ones; it contains the task set and the reason as the captured ones do. A deployment, another desired
//!   count or the loss of the new task ends it.
//!
//! # Assumptions about deleted services
//!
//! - DeleteService is a scale-in to 0: protected tasks stay, and the service is DRAINING until their protection ends.
//!   It is INACTIVE for an hour, with no deployments, and then MISSING.
//!
//! # Assumptions about messages and events
//!
//! - A blocked scale-in is announced per task set as soon as only protection blocks it, and again every 10 minutes,
//!   with `repeats=six-hours` every six hours, then together with the steady-state form. The number is that of the task set's protected tasks. With `event=sent`
//!   one TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION per service accompanies each round.
//! - `The number of protected tasks are more than the desired count of tasks`, in its documented sentence, comes in the
//!   same rounds (not at once) while more tasks of the service are protected than desired.
//! - Scale-in and deployment use the same texts, and a plain scale-in names the PRIMARY deployment as task set.
//! - TASKS_STARTED, TASKS_STOPPED and SERVICE_STEADY_STATE are sent each time, all INFO. SERVICE_DESIRED_COUNT_UPDATED is
//!   sent for a change by Application Auto Scaling, and never for another UpdateService.
//! - The stopped reason of a scale-in names the deployment that the task belongs to. The reason of a Spot interruption
//!   is `Your Spot Task was interrupted.`, that of a lost host is invented.

pub mod autoscaling;
pub mod chaos;
pub mod commands;
pub mod control_plane;
pub mod doubles;
pub mod event_source;
pub mod fuzz;
pub mod http;
pub mod play;
pub mod progress;
pub mod queue;
pub mod region;
pub mod scenario;
pub mod service_error;
