//! A simulated Amazon ECS: the control plane that taskhold talks to, and what stands around it.
//!
//! [`control_plane`] is a pure state machine with a simulated clock: clusters, services with every kind of deployment, tasks,
//! task scale-in protection, service event messages, EventBridge events and token buckets, behind the operations of
//! ECS's JSON protocol. It knows nothing of taskhold, so that the two cannot agree by construction; both follow the same
//! written facts about AWS, which comments cite by the heading in `docs/aws-facts.md`. Where AWS's documents disagree or are
//! silent, [`control_plane::Variants`] plays every variant.
//!
//! # What it leaves out, and what it assumes
//!
//! Nothing here was compared with a real AWS account. What follows is about the control plane.
//!
//! Left out:
//! - Lifecycle hooks, alarms, the API of service deployments and of CodeDeploy, UpdateTaskSet, daemon services, and
//!   policies of Application Auto Scaling (a scenario sets the desired count; [`autoscaling`] keeps it in bounds). Where traffic goes shows nowhere: there are no load balancers, and native
//!   blue/green works without one (aws-samples/sample-amazon-ecs-blue-green-deployment-patterns#14).
//! - Capacity: every task starts, as on Fargate, unless a scenario says that its deployment fails. No load balancers, so no
//!   draining and no target messages; no health checks, so every RUNNING task counts as healthy.
//! - IAM. `AccessDeniedException`, `ServerException` and the like exist for whoever injects faults.
//! - The statuses PROVISIONING, ACTIVATING, DEACTIVATING, STOPPING and DEPROVISIONING; the stop code TerminationNotice;
//!   the steady-state message that ECS repeats every few hours.
//! - Parameters of ECS that are not listed in the request's type change nothing, but for launch types and daemon services,
//!   which are refused; so are parameters that ECS's model does not have (assumed). Answers carry a part of the members of
//!   ECS's model and no others. Throttling covers the four categories of `docs/aws-facts.md`.
//! - EventBridge delivery: each event comes once and in order; losses, doubles and disorder belong to whoever delivers.
//!
//! Assumed about protection:
//! - A task that was asked to stop is `MISSING` to UpdateTaskProtection although it still runs; GetTaskProtection
//!   answers for it, unprotected, until it is STOPPED. A stop by anyone ends its protection.
//! - The tasks of one call are decided one after another, so that the first may be granted and the next refused.
//! - "A deployment or scale-in is waiting" means that an older deployment has tasks, or the PRIMARY has more than
//!   desired, which nothing has asked to stop; also before the new tasks run, and while blue stays on purpose. Of task
//!   sets, those that are DRAINING and the one that a deployment replaces count as older. `refusal=blocked` refuses from
//!   the first protected task among those, for every task of the service.
//! - `failures[].detail` is absent: no text of one is known. The `arn` in a failure is made from the request when only an
//!   id was given. An ARN that names another cluster, account or Region is `MISSING`.
//! - GetTaskProtection without `tasks` answers for the cluster's first 100 tasks of services.
//! - The texts of exceptions, apart from the few that are known, are invented, and so is it that a sixth deployment is an
//!   `InvalidParameterException`.
//!
//! Assumed about the scheduler:
//! - It acts at the very moment of a change, or with `stop=late` stops a task 3 minutes after it first could. A task
//!   takes 30 s from PENDING to RUNNING and 10 s from the wish to stop it to STOPPED, after a Spot notice 120 s. All of
//!   these are fixed.
//! - The upper bound counts every task that is not STOPPED yet, those that are stopping included. The upper bound keeps
//!   from starting tasks; it stops none.
//! - Old tasks are stopped once as many as desired run without them; sooner, down to the lower bound, only as far as new
//!   tasks have no room. PENDING tasks may always be stopped. First the oldest deployment, in it the newest task.
//! - Protected old tasks count as running ones, for both bounds.
//! - With no slack between the bounds (such as 100 % and 100 %) a deployment waits for ever, and nothing is said of it.
//! - An old deployment is ACTIVE until its last task is STOPPED, with the tasks that nothing has asked to stop as its
//!   desired count, and then is gone. `runningCount` counts tasks that are stopping, since their lastStatus is RUNNING.
//! - A deployment is COMPLETED when exactly the desired tasks exist, all RUNNING and of that deployment. Replacing a
//!   task afterwards does not undo it.
//! - A forced deployment keeps the task definition. Changing only the percentages deploys nothing.
//! - The tasks of a service made with [`control_plane::ControlPlane::create_service`] run at once and no
//!   EventBridge event tells of it.
//! - Containers end with exit code 0 when asked to stop, 1 in a crash. Every task has one container, `app`.
//!
//! Assumed about deployments that move traffic (blue/green, linear, canary):
//! - The percentages bound nothing: green gets all its tasks at once, and blue, whose tasks are replaced as long as it is
//!   wanted, keeps all of its own until the bake time is over. The first traffic moves as soon as green runs.
//! - In `deployments[]` green is PRIMARY from the beginning (so the log in kayac/ecspresso#860), and blue ACTIVE with the
//!   service's desired count; the deployment is IN_PROGRESS until blue's last task is STOPPED. Messages and events are those of a rolling update.
//! - Another deployment takes over: what has all the traffic is its blue, an unfinished green goes at once.
//!
//! Assumed about task sets (CODE_DEPLOY and EXTERNAL):
//! - CreateService makes the first task set, PRIMARY, for EXTERNAL too. The primary one cannot be deleted. Five at most.
//! - A scenario's `deploy` is CreateTaskSet at 100 %, UpdateServicePrimaryTaskSet one minute after all its tasks run, and
//!   DeleteTaskSet by force after the bake time; one such deployment at a time, but old task sets may still be DRAINING.
//! - A DRAINING task set has a computed desired count of 0, so it is STABILIZING until its last task is STOPPED. Tasks
//!   stop for the reason that those of deployments do. There is no ECS Deployment State Change; TASKSET_STEADY_STATE is
//!   sent once for a replacement in a scenario's `deploy`. Such a service is steady with one task set only.
//!
//! Assumed about deployments that fail:
//! - A scenario's word dooms all tasks of the deployment and turns the circuit breaker on. Each task fails 30 s after it was
//!   created, without ever running, and is replaced at once.
//! - A FAILED deployment that is not rolled back freezes the service: nothing is started or stopped before the next one.
//! - A rolling update is rolled back by a new deployment of the last COMPLETED one's revision, whose reason names its own
//!   id; where traffic moves, the COMPLETED deployment itself is PRIMARY again. Five deployments do not hinder that.
//!
//! Assumed about Availability Zone rebalancing:
//! - It happens when a scenario says so and moves one task. Tasks have no zone: the oldest are taken to be in the first of
//!   three zones, one more than an even spread has there; the newest of these that is not protected is stopped.
//! - If all of these are protected it waits, with the documented message in place of the captured ones, each 10 minutes;
//!   the message names the task set and the reason as the captured ones do. A deployment, another desired count or the
//!   loss of the new task stops it.
//!
//! Assumed about deleted services:
//! - DeleteService is a scale-in to 0: protected tasks stay, and the service is DRAINING until their protection ends. It
//!   is INACTIVE for an hour, with no deployments, and then MISSING.
//!
//! Assumed about what ECS says:
//! - A held-up scale-in is announced per task set as soon as it could go on but for protection, and again every
//!   10 minutes, then together with the steady-state form; the number is that task set's tasks under protection. With
//!   `event=sent` one TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION a service goes with each round.
//! - `The number of protected tasks are more than the desired count of tasks` is said, in its documented sentence, in the same
//!   rounds (not at once) while more tasks of the service are protected than desired.
//! - Scale-in and deployment use the same words, and a plain scale-in names the PRIMARY deployment as task set.
//! - SERVICE_DESIRED_COUNT_UPDATED, TASKS_STARTED, TASKS_STOPPED and SERVICE_STEADY_STATE are sent each time, all INFO.
//! - The stopped reason of a scale-in names the deployment that the task belongs to. The reason of a Spot interruption is
//!   `Your Spot Task was interrupted.`

pub mod autoscaling;
pub mod chaos;
pub mod commands;
pub mod control_plane;
pub mod event_source;
pub mod http;
pub mod interleave;
pub mod no_services;
pub mod play;
pub mod queue;
pub mod region;
pub mod scenario;
