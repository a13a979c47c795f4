//! The help text.

/// Names every command, option and variable.
pub(crate) const HELP: &str = "\
taskhold-run: protects an Amazon ECS task from scale-in while it runs jobs

  taskhold-run exec [OPTIONS] -- COMMAND ARGS…     runs COMMAND as one job
  taskhold-run serve [OPTIONS] [-- COMMAND ARGS…]  serves workers that run many jobs, over HTTP on loopback
  taskhold-run start --job-id ID [OPTIONS]         tells serve that a job is about to start
  taskhold-run heartbeat --job-id ID [OPTIONS]     tells serve that it is still at work
  taskhold-run finish --job-id ID [OPTIONS]        tells serve that it has ended

exec protects the task through the agent of the container, starts COMMAND, reports the job to taskhold, and clears the
protection at the end. It exits with COMMAND's code, with 128 + n for signal n, with 126 or 127 if COMMAND cannot be
started, with 75 if the task is not protected and --if-refused says so, and with 125 for errors of its own. serve with
COMMAND exits the same way. start, heartbeat and finish exit with 0, with 75 if ECS refuses, and with 1 for errors.

Options of exec, start, heartbeat and finish, and the environment variables that set them too:
  --job-id ID               TASKHOLD_JOB_ID             the job's name; exec takes a random one if it is not set
  --attempt N               TASKHOLD_ATTEMPT            the attempt, if the job runs again on the same task
  --max-duration 2h         TASKHOLD_MAX_DURATION       the longest time that the job may take (2h); with serve, that
                                                        of jobs that declare none
  --expected-duration 40m   TASKHOLD_EXPECTED_DURATION  the time that you expect, for forecasts
  --kind KIND               TASKHOLD_KIND               what kind of job it is
  --label NAME=VALUE        TASKHOLD_LABELS             a text for people; repeat it, or separate with commas
  --if-refused run          TASKHOLD_IF_REFUSED         if the task cannot be protected: run, wait or exit (run; with
                                                        start, exit)
  --wait-timeout 30m        TASKHOLD_WAIT_TIMEOUT       how long wait waits; then it exits with 75 (for ever)
  --server URL              TASKHOLD_SERVER             where serve listens (http://127.0.0.1:9911)
  --outcome success         TASKHOLD_OUTCOME            of finish: success, failure or interrupted (success)

Options of exec and serve:
  --queue-url URL           TASKHOLD_QUEUE_URL          taskhold's job queue; without it, nothing is reported
  --start-timeout 10s       TASKHOLD_START_TIMEOUT      how long an agent without an answer delays a job (10s)
  --check-interval 1m       TASKHOLD_CHECK_INTERVAL     how long after a request protection is checked (1m)
  --group                   TASKHOLD_GROUP=1            forward signals to COMMAND's process group
                            TASKHOLD_STATE_DIR          what the exec processes of one container share

Options of serve:
  --port 9911               TASKHOLD_PORT               where it listens; 0 for any free port (9911)
  --address 127.0.0.1       TASKHOLD_ADDRESS            on which address (127.0.0.1)
                            TASKHOLD_TOKEN              a secret that clients must send; required on other addresses
  --linger 0s               TASKHOLD_LINGER             how long protection outlasts the last job (0s)
  --heartbeat-interval 10m  TASKHOLD_HEARTBEAT_INTERVAL how often each job is reported (10m)
  --stop-timeout 30s        TASKHOLD_STOP_TIMEOUT       the container's stopTimeout: without COMMAND, how long after a
                                                        stop signal it serves the last jobs (30s)

Of all:
  --log-format text         TASKHOLD_LOG_FORMAT         text or json, on standard error (text)
";
