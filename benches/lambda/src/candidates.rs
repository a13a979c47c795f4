//! The functions that are measured side by side.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// A function, and how to start it.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) kind: CandidateKind,
    pub(crate) name: &'static str,
    pub(crate) command: Vec<PathBuf>,
    /// The working directory.
    pub(crate) folder: PathBuf,
    /// Its own settings.
    pub(crate) variables: Vec<(&'static str, &'static str)>,
}

/// The settings that the template gives the function, except the table. The queues and the topic stay unused,
/// because every message here succeeds and none causes a notification. Their clients are created all the same.
const SETTINGS: [(&str, &str); 6] = [
    ("TASKHOLD_CLUSTERS", "arn:aws:ecs:eu-west-1:111122223333:cluster/video"),
    ("TASKHOLD_DEAD_LETTER_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/111122223333/dead-lettered"),
    ("TASKHOLD_RECHECK_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/111122223333/rechecks"),
    ("TASKHOLD_ALERT_TOPIC_ARN", "arn:aws:sns:eu-west-1:111122223333:alerts"),
    ("TASKHOLD_ALERT_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/111122223333/alerts"),
    ("TASKHOLD_FINISHED_JOB_RETENTION_HOURS", "120"),
];

/// The role of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CandidateKind {
    /// The function to measure, with a state store in memory, because the other candidates have no store.
    Taskhold,
    /// The function as deployed, with its state store in DynamoDB.
    TaskholdInTable,
    /// A runtime that only answers: the minimum in Rust.
    Bare,
    /// One SDK call for each invocation: the minimum for a function that calls ECS.
    SdkFloor,
    /// A function in Python, as SAM deploys it.
    Python,
}

impl CandidateKind {
    /// Whether it makes a call for each record. The floors ignore the records, so a larger batch gives no
    /// information about them.
    pub(crate) fn reads_records(self) -> bool {
        !matches!(self, Self::Bare | Self::SdkFloor)
    }
}

/// The locations of the parts, as `benches/lambda/run` has prepared them.
#[derive(Debug)]
pub(crate) struct BenchOptions {
    pub(crate) runs: usize,
    /// Time limit of a cell of the table; its later runs skip it.
    pub(crate) seconds_a_cell: f64,
    /// Larger batches are skipped.
    pub(crate) records_max: usize,
    /// taskhold's binary.
    pub(crate) function: PathBuf,
    /// The folder of the floors' binaries.
    pub(crate) floors: PathBuf,
    /// The Python environment.
    pub(crate) python: PathBuf,
    /// The folder of the function in Python, with its SDK.
    pub(crate) packed: PathBuf,
    /// The repository.
    pub(crate) root: PathBuf,
    /// A description of the function's build.
    pub(crate) build: String,
}

impl BenchOptions {
    /// Reads `--name value` pairs.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let none = PathBuf::new;
        let mut options = Self {
            runs: 20,
            seconds_a_cell: 20.0,
            records_max: usize::MAX,
            function: none(),
            floors: none(),
            python: none(),
            packed: none(),
            build: String::new(),
            root: fs::canonicalize(&root).unwrap_or(root),
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} wants a value"))?;
            let number = || value.parse::<u32>().map_err(|_| format!("{name} wants a number, not `{value}`"));
            match name.as_str() {
                "--runs" => options.runs = number()?.max(1) as usize,
                "--records-max" => options.records_max = number()? as usize,
                "--seconds-a-cell" => options.seconds_a_cell = f64::from(number()?),
                "--function" => options.function = whole(&value)?,
                "--floors" => options.floors = whole(&value)?,
                "--python" => options.python = whole(&value)?,
                "--packed" => options.packed = whole(&value)?,
                "--build" => options.build = value,
                _ => return Err(format!("no such option: {name}")),
            }
        }
        match [&options.function, &options.floors, &options.python, &options.packed].contains(&&none()) {
            true => {
                Err("--function, --floors, --python and --packed must be given; benches/lambda/run does".to_owned())
            }
            false => Ok(options),
        }
    }

    /// All candidates that can be measured.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let candidate = |kind, name, command: Vec<PathBuf>, folder: PathBuf| Candidate {
            kind,
            name,
            command,
            folder,
            variables: Vec::new(),
        };
        let binary = |kind, name, path: PathBuf| candidate(kind, name, vec![path], self.root.clone());
        let mut taskhold = binary(CandidateKind::Taskhold, "taskhold", self.function.clone());
        taskhold.variables.extend(SETTINGS);
        let (kind, name) = (CandidateKind::TaskholdInTable, "taskhold, store in DynamoDB");
        let mut in_table = Candidate { kind, name, ..taskhold.clone() };
        in_table.variables.push(("TASKHOLD_TABLE", "store"));
        let python =
            [&self.python.join("bin/python"), Path::new("-m"), Path::new("awslambdaric"), Path::new("app.handler")];
        let python = python.map(Path::to_owned).into();
        let in_python = Candidate {
            // Where Lambda unpacks a function nothing can be written (aws/aws-lambda-builders, issue 924).
            variables: vec![("PYTHONDONTWRITEBYTECODE", "1")],
            ..candidate(CandidateKind::Python, "Python, boto3", python, self.packed.clone())
        };
        vec![
            taskhold,
            in_table,
            binary(CandidateKind::Bare, "bare lambda_runtime", self.floors.join("bare")),
            binary(CandidateKind::SdkFloor, "tuned SDK floor", self.floors.join("sdk-floor")),
            in_python,
        ]
    }
}

fn whole(path: &str) -> Result<PathBuf, String> {
    fs::canonicalize(path).map_err(|error| format!("{path}: {error}"))
}

/// The options of this process.
pub(crate) fn from_arguments() -> Result<BenchOptions, String> {
    BenchOptions::read(env::args().skip(1))
}
