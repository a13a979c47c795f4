//! What the agent may do, and the tables of docs/workers.md and docs/serve.md that say what follows.

use ecs_sim::http::AgentFault;
use std::time::Duration;

/// A row of the tables, by the beginning of its first cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AgentCase {
    Grants,
    Refuses,
    NoService,
    Denied,
    Old,
    Failing,
    Nonsense,
    TooShort,
}

pub(crate) const ALL_CASES: [AgentCase; 8] = [
    AgentCase::Grants,
    AgentCase::Refuses,
    AgentCase::NoService,
    AgentCase::Denied,
    AgentCase::Old,
    AgentCase::Failing,
    AgentCase::Nonsense,
    AgentCase::TooShort,
];

impl AgentCase {
    pub(crate) fn documented(self) -> &'static str {
        match self {
            Self::Grants => "grants protection that covers the job",
            Self::Refuses => "refuses (`failure`, such as `DEPLOYMENT_BLOCKED`)",
            Self::NoService => "says that the task belongs to no service (`TASK_NOT_VALID`)",
            Self::Denied => "answers 400 or 403, such as `AccessDeniedException`",
            Self::Old => "answers 404, because it is older than 1.65.0",
            Self::Failing => "answers 429 or 5xx, is slow, or cannot be reached",
            Self::Nonsense => "answers with something else",
            Self::TooShort => "grants less than the job needs",
        }
    }

    /// The ways to do that, each with words of the agent that appear in the log.
    pub(crate) fn faults(self) -> Vec<(Option<AgentFault>, &'static str)> {
        let short =
            r#"{"protection":{"ExpirationDate":"2020-01-01T00:00:00Z","ProtectionEnabled":true,"TaskArn":"a"}}"#;
        let denied =
            r#"{"requestID":"r","error":{"Arn":"a","Code":"AccessDeniedException","Message":"not authorized"}}"#;
        let answers = |status, body: &str| Some(AgentFault::Answers { status, body: body.to_owned() });
        match self {
            Self::Grants => vec![(None, "task is protected")],
            Self::Refuses => vec![(answers(200, REFUSAL), "DEPLOYMENT_BLOCKED")],
            Self::NoService => {
                vec![(answers(200, r#"{"failure":{"Arn":"a","Reason":"TASK_NOT_VALID"}}"#), "TASK_NOT_VALID")]
            }
            Self::Denied => vec![
                (answers(400, denied), "HTTP 400: AccessDeniedException: not authorized"),
                (answers(403, denied), "HTTP 403: AccessDeniedException: not authorized"),
            ],
            Self::Old => vec![(answers(404, "404 page not found\n"), "HTTP 404: 404 page not found")],
            Self::Failing => vec![
                (answers(429, "You have reached maximum request limit."), "HTTP 429: You have reached maximum"),
                (answers(500, "{}"), "HTTP 500"),
                (answers(504, ""), "HTTP 504: no message"),
                (Some(AgentFault::Slow(Duration::from_secs(20))), "the agent"),
                (Some(AgentFault::ConnectionLost), "the agent cannot be reached"),
            ],
            Self::Nonsense => vec![
                (answers(200, "{}"), "the agent's answer cannot be read"),
                (answers(200, "<html>"), "the agent's answer cannot be read"),
            ],
            Self::TooShort => vec![(answers(200, short), "less protection")],
        }
    }

    /// The cells of its row in the table that begins with `The agent`, without the first.
    pub(crate) fn cells(self, page: &str) -> Vec<String> {
        let row = rows(page).into_iter().find(|cells| cells[0] == self.documented());
        row.unwrap_or_else(|| panic!("{page} has no row `{}`", self.documented())).split_off(1)
    }
}

pub(crate) const REFUSAL: &str = r#"{"failure":{"Arn":"a","Detail":null,"Reason":"DEPLOYMENT_BLOCKED"}}"#;

fn rows(page: &str) -> Vec<Vec<String>> {
    let path = format!("{}/../docs/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().skip_while(|line| !line.starts_with("| The agent |")).skip(2);
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    lines.take_while(|line| line.starts_with('|')).map(cells).collect()
}

#[test]
fn the_tables_have_exactly_the_rows_that_are_tested() {
    for page in ["workers.md", "serve.md"] {
        let documented: Vec<String> = rows(page).into_iter().map(|mut cells| cells.remove(0)).collect();
        assert_eq!(documented, ALL_CASES.map(AgentCase::documented), "{page}");
    }
}
