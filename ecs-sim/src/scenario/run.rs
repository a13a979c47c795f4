//! Runs a scenario line by line, and after each line everything that is due.

use super::expectation;
use super::function::{FUNCTION_TIMEOUT_MS, FunctionUnderTest, Invoked};
use super::job_line::{JobLine, Verb};
use super::result::{ScenarioFailure, Summary};
use super::script::{Line, Scenario};
use super::statement::{AgentCondition, Order, Statement};
use super::timeline::{Observer, TimelineEntry};
use super::worker_processes::WorkerProcesses;
use super::world::ScenarioWorld;
use crate::control_plane::Millis;
use crate::event_source::{EventSource, FunctionAnswer};
use crate::region::{CLUSTER, JOB_QUEUE, OTHER_FUNCTION_ARN, RECHECK_QUEUE, ScaledBefore, SharedRegion};

/// Lambda's largest batch of a standard queue (aws-facts "Lambda and SQS").
const BATCH_SIZE: usize = 10_000;
/// Lambda runs an asynchronous invocation that fails twice more, after one minute and after two (AWS Lambda Developer
/// Guide, "How Lambda handles errors and retries with asynchronous invocation").
const EVENT_RETRIES_MS: [Millis; 2] = [60_000, 120_000];
/// More deliveries at one moment than this are a loop.
const DELIVERIES_MAX: usize = 10_000;

/// How long a task protects itself by default (aws-facts "ECS: the protection API").
const PROTECTION_MINUTES: u32 = 120;

/// Runs a scenario to its end, or to the first line that fails.
///
/// # Errors
/// The failed line, and the problem.
pub async fn run<F: FunctionUnderTest, A: Observer>(
    scenario: &Scenario,
    region: SharedRegion,
    function: &mut F,
    observer: &mut A,
) -> Result<Summary, ScenarioFailure> {
    whole(scenario, ScenarioRun::new(ScenarioWorld::new(region), function, observer)).await
}

/// Runs a scenario whose jobs under `taskhold-run` are processes.
///
/// # Errors
/// The failed line, and the problem.
pub async fn run_with_workers<F: FunctionUnderTest, A: Observer>(
    scenario: &Scenario,
    region: SharedRegion,
    function: &mut F,
    workers: &mut dyn WorkerProcesses,
    observer: &mut A,
) -> Result<Summary, ScenarioFailure> {
    let run = ScenarioRun::new(ScenarioWorld::new(region), function, observer);
    whole(scenario, ScenarioRun { workers: Some(workers), ..run }).await
}

async fn whole<F: FunctionUnderTest, A: Observer>(
    scenario: &Scenario,
    mut run: ScenarioRun<'_, F, A>,
) -> Result<Summary, ScenarioFailure> {
    let started_at = run.world.now();
    let mut last = 0;
    for line in &scenario.lines {
        last = line.number;
        run.line(line).await.map_err(|problem| ScenarioFailure::new(scenario, last, problem))?;
    }
    run.world.nothing_unexpected().map_err(|problem| ScenarioFailure::new(scenario, last, problem))?;
    let mut summary = run.world.summary;
    summary.lasted = run.world.now() - started_at;
    Ok(summary)
}

/// A scenario in progress.
pub(super) struct ScenarioRun<'a, F, A> {
    pub(super) world: ScenarioWorld,
    function: &'a mut F,
    pub(super) observer: &'a mut A,
    /// Without them, the scenario does itself what `taskhold-run` does.
    workers: Option<&'a mut dyn WorkerProcesses>,
    held: bool,
    order: Order,
    /// The number of alerts after which the scenario stops.
    pub(super) stops_after: Option<usize>,
}

impl<'a, F: FunctionUnderTest, A: Observer> ScenarioRun<'a, F, A> {
    pub(super) fn new(world: ScenarioWorld, function: &'a mut F, observer: &'a mut A) -> Self {
        Self { world, function, observer, workers: None, held: false, order: Order::Sent, stops_after: None }
    }

    pub(super) async fn line(&mut self, line: &Line) -> Result<(), String> {
        use Statement::{
            Advance, Again, Expect, Job, MuteAlerts, MuteStops, Needs, Say, Send, Service, Set, Standalone,
        };
        if !matches!(line.statement, Say(_) | Needs(_) | Set { .. } | MuteAlerts | MuteStops | Service(_) | Standalone)
        {
            self.world.have_a_service()?;
        }
        let text = || line.text.clone();
        match &line.statement {
            Needs(_) | Set { .. } | Expect(_) => {}
            Say(text) => self.record(TimelineEntry::Remark(text.clone())),
            Job(_) | Again(_) | Send(_) => self.record(TimelineEntry::Message(text())),
            Advance(_) => self.record(TimelineEntry::TimePasses(text())),
            _ => self.record(TimelineEntry::Action(text())),
        }
        self.carry_out(&line.statement).await?;
        self.deliver().await?;
        if let Statement::Expect(expected) = &line.statement {
            expectation::check(&mut self.world, expected)?;
            self.record(TimelineEntry::ExpectationMet(line.text.replacen("expect ", "", 1)));
        }
        Ok(())
    }

    async fn carry_out(&mut self, statement: &Statement) -> Result<(), String> {
        match statement {
            Statement::Needs(_) | Statement::Set { .. } | Statement::Say(_) | Statement::Expect(_) => {}
            Statement::Service(line) => self.world.create_service(line.spec())?,
            Statement::Standalone => self.world.run_standalone_task()?,
            Statement::Job(job) => self.job(job).await?,
            Statement::Again(times) => self.world.deliver_again(*times)?,
            Statement::Send(body) => self.world.send_body(body)?,
            Statement::HoldQueue => self.held = true,
            Statement::OpenQueue(order) => {
                self.held = false;
                self.order = *order;
            }
            Statement::Deploy(service) => self.world.ecs(|ecs| ecs.deploy(CLUSTER, service).map(drop))?,
            Statement::Scale(service, count) => {
                self.world.ecs(|ecs| ecs.set_desired_count(CLUSTER, service, *count))?
            }
            Statement::ScaleBefore(service, count, operation) => {
                let (service, operation) = (service.clone(), operation.clone());
                let scaled = ScaledBefore { operation, service, count: *count };
                self.world.region.lock().scaled_before.push(scaled);
            }
            Statement::Autoscaling(service, bounds) => {
                self.world.region.lock().autoscaling.register(CLUSTER, service, bounds.clone());
            }
            Statement::AutoscalingDenies(times) => self.world.region.lock().autoscaling_denied = *times,
            Statement::Tag(service, key, value) => self.world.tag(service, key, value)?,
            Statement::Rebalance(service) => self.world.ecs(|ecs| ecs.rebalance(CLUSTER, service))?,
            Statement::FailDeployment(service, breaker) => {
                self.world.ecs(|ecs| ecs.fail_deployment(CLUSTER, service, *breaker))?
            }
            Statement::ContinueDeployment(service, decision) => {
                self.world.ecs(|ecs| ecs.continue_deployment(CLUSTER, service, *decision))?
            }
            Statement::StopDeployment(service) => self.world.ecs(|ecs| ecs.stop_deployment(CLUSTER, service))?,
            Statement::AnswerHook(service, decision) => {
                self.world.ecs(|ecs| ecs.answer_hook(CLUSTER, service, OTHER_FUNCTION_ARN, *decision))?
            }
            Statement::ThrottleHooks(times) => self.world.region.lock().hooks_throttled = *times,
            Statement::EcsAnswers(operation, body) => self.world.ecs_answers(operation, body)?,
            Statement::Delete(service) => self.world.ecs(|ecs| ecs.remove_service(CLUSTER, service))?,
            Statement::Protect(task, minutes) => {
                self.world.set_own_protection(task, Some(minutes.unwrap_or(PROTECTION_MINUTES)))?
            }
            Statement::Release(task) => self.world.set_own_protection(task, None)?,
            Statement::Agent(condition) => self.agent(*condition)?,
            Statement::End(task, how) => self.world.end_task(task, *how)?,
            Statement::Fault(fault, times, of) => self.world.expect_faults(*fault, *times, of.as_deref()),
            Statement::Events(what) => self.world.events_of_ecs = *what,
            Statement::SweepEvery(every) => self.world.sweep = Some((self.world.now() + every, *every)),
            Statement::Recover => self.world.ecs_recovers(),
            Statement::MuteAlerts => self.world.alerts_are_muted = true,
            Statement::MuteStops => self.world.stops_are_muted = true,
            Statement::LoseAlerts(number) => self.world.region.lock().publications_lost = *number,
            Statement::LoseRechecks => {
                self.world.region.lock().queues.purge(RECHECK_QUEUE).map_err(|error| error.to_string())?;
            }
            Statement::Ask(payload) => self.ask(payload).await?,
            Statement::Latency(latency) => self.world.region.lock().latency_ms = *latency,
            Statement::Advance(by) => self.advance(*by).await?,
        }
        Ok(())
    }

    fn agent(&mut self, condition: AgentCondition) -> Result<(), String> {
        match self.workers {
            Some(_) => Err("the agent of real processes is set with PUT /ecs-sim/agent".to_owned()),
            None => self.world.agent_becomes(condition),
        }
    }

    async fn job(&mut self, line: &JobLine) -> Result<(), String> {
        let Some(job) = self.world.job_under_taskhold_run(line)? else { return self.world.send_job(line) };
        let Some(workers) = &mut self.workers else { return self.world.act_as_taskhold_run(line, &job) };
        match line.verb {
            Verb::Starts => workers.start(&job).await?,
            Verb::Finishes => workers.finish(&job.id).await?,
            Verb::Beats => return Err("taskhold-run sends heartbeats itself".to_owned()),
        }
        self.world.note_process_job(line, &job);
        Ok(())
    }

    /// Invokes the function as an operator, and keeps its answer.
    async fn ask(&mut self, payload: &str) -> Result<(), String> {
        let payload = self.world.with_arns(payload);
        match self.invoke(&payload).await.answer {
            FunctionAnswer::Answered(answer) => {
                self.world.last_answer = answer;
                Ok(())
            }
            FunctionAnswer::Failed => Err("the function failed to answer".to_owned()),
        }
    }

    /// Lets time pass, from one due moment to the next.
    pub(super) async fn advance(&mut self, by: Millis) -> Result<(), String> {
        let until = self.world.now() + by;
        loop {
            let next = self.world.next_due().filter(|due| *due <= until).unwrap_or(until);
            self.world.advance_to(next);
            self.deliver().await?;
            if next >= until && self.world.next_due().is_none_or(|due| due > until) {
                return Ok(());
            }
        }
    }

    /// Whether it has sent the alert after which it stops.
    pub(super) fn has_stopped(&self) -> bool {
        self.stops_after.is_some_and(|number| self.world.documents.len() >= number)
    }

    /// Delivers everything that is due, until nothing more follows from it.
    pub(super) async fn deliver(&mut self) -> Result<(), String> {
        for _ in 0..DELIVERIES_MAX {
            if self.has_stopped() {
                return Err("stopped after an alert".to_owned());
            }
            self.record_ecs_reports();
            if let Some((event, attempt)) = self.world.take_due_event() {
                let invoked = self.invoke(&event.to_string()).await;
                if invoked.answer == FunctionAnswer::Failed
                    && let Some(pause) = EVENT_RETRIES_MS.get(attempt)
                {
                    self.world.event_comes_again(event, attempt + 1, *pause);
                }
                continue;
            }
            if let Some(invocation) = self.world.take_hook_invocation() {
                self.call_hook(invocation).await;
                continue;
            }
            if self.world.take_due_sweep() {
                self.invoke(r#"{"sweep": {}}"#).await;
                continue;
            }
            // `hold queue` delays only job messages, never rechecks.
            if self.deliver_batch(RECHECK_QUEUE).await? {
                continue;
            }
            if self.held || !self.deliver_batch(JOB_QUEUE).await? {
                return Ok(());
            }
        }
        Err(format!("more than {DELIVERIES_MAX} deliveries at one moment"))
    }

    async fn deliver_batch(&mut self, queue: &str) -> Result<bool, String> {
        let source = EventSource::new(queue, BATCH_SIZE);
        let Some(mut batch) = self.world.poll(&source)? else { return Ok(false) };
        if queue == JOB_QUEUE
            && self.order == Order::Reversed
            && let Some(records) = batch.event["Records"].as_array_mut()
        {
            records.reverse();
            self.order = Order::Sent;
        }
        let invoked = self.invoke(&batch.event.to_string()).await;
        self.world.settle(&source, &batch, &invoked.answer)?;
        Ok(true)
    }

    pub(super) async fn invoke(&mut self, payload: &str) -> Invoked {
        let deadline = self.world.now() + FUNCTION_TIMEOUT_MS;
        let invoked = self.function.invoke(payload, deadline).await;
        self.world.summary.invocations += 1;
        for entry in self.world.timeline_entries(&invoked) {
            self.record(entry);
        }
        self.world.logs.extend(invoked.logs.iter().cloned());
        invoked
    }

    fn record_ecs_reports(&mut self) {
        for text in self.world.take_ecs_reports() {
            self.record(TimelineEntry::Ecs(text));
        }
    }

    pub(super) fn record(&mut self, entry: TimelineEntry) {
        self.observer.observe(self.world.now(), &entry);
    }
}
