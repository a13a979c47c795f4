//! ARNs of one account in one Region, and identifiers that look like ECS's own and are the same in every run.

/// Partition, Region and account: the beginning of every ARN.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) region: String,
    pub(super) account: String,
    prefix: String,
}

impl Names {
    pub(super) fn new(partition: &str, region: String, account: String) -> Self {
        let prefix = format!("arn:{partition}:ecs:{region}:{account}:");
        Self { region, account, prefix }
    }

    pub(super) fn cluster_arn(&self, cluster: &str) -> String {
        format!("{}cluster/{cluster}", self.prefix)
    }

    pub(super) fn service_arn(&self, cluster: &str, service: &str) -> String {
        format!("{}service/{cluster}/{service}", self.prefix)
    }

    pub(super) fn service_deployment_arn(&self, cluster: &str, service: &str, id: &str) -> String {
        format!("{}service-deployment/{cluster}/{service}/{id}", self.prefix)
    }

    pub(super) fn service_revision_arn(&self, cluster: &str, service: &str, number: &str) -> String {
        format!("{}service-revision/{cluster}/{service}/{number}", self.prefix)
    }

    pub(super) fn task_set_arn(&self, cluster: &str, service: &str, id: &str) -> String {
        format!("{}task-set/{cluster}/{service}/{id}", self.prefix)
    }

    pub(super) fn task_arn(&self, cluster: &str, id: &str) -> String {
        format!("{}task/{cluster}/{id}", self.prefix)
    }

    /// The old format, without the cluster.
    ///
    /// aws-facts: "ECS: the protection API": task ARNs come in both forms.
    pub(super) fn short_task_arn(&self, id: &str) -> String {
        format!("{}task/{id}", self.prefix)
    }

    pub(super) fn task_definition_arn(&self, family_and_revision: &str) -> String {
        format!("{}task-definition/{family_and_revision}", self.prefix)
    }

    pub(super) fn container_arn(&self, cluster: &str, task: &str) -> String {
        // One container per task, so the container's id can be derived from the task's.
        let seed = u64::from_str_radix(&task[..16], 16).unwrap_or_default();
        format!("{}container/{cluster}/{task}/{}", self.prefix, uuid(seed))
    }

    /// The part of `given` that names a resource of `kind`: all of it if it is not an ARN, otherwise the part after
    /// `kind/`. `None` for an ARN of another kind, account, Region or partition.
    pub(super) fn own<'a>(&self, kind: &str, given: &'a str) -> Option<&'a str> {
        if !given.starts_with("arn:") {
            return Some(given);
        }
        given.strip_prefix(self.prefix.as_str())?.strip_prefix(kind)?.strip_prefix('/')
    }
}

/// Whether the text is a valid name of a cluster, a service or a task definition family: "Up to 255 letters (uppercase
/// and lowercase), numbers, underscores, and hyphens are allowed" (ECS API Reference, "CreateCluster", "CreateService"
/// and "RegisterTaskDefinition").
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=255).contains(&text.len()) && text.bytes().all(allowed)
}

/// Splits `CLUSTER/NAME` or `NAME`.
pub(super) fn split(path: &str) -> (Option<&str>, &str) {
    match path.split_once('/') {
        Some((cluster, name)) => (Some(cluster), name),
        None => (None, path),
    }
}

/// Scrambles a counter so that neighbours look unrelated (the finalizer of SplitMix64). It is a bijection, so different
/// counters never produce the same number.
pub(super) fn mix(counter: u64) -> u64 {
    let mut mixed = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A task's id: 32 lower-case hexadecimal digits.
pub(super) fn task_id(counter: u64) -> String {
    format!("{:016x}{:016x}", mix(counter), mix(!counter))
}

/// A rolling deployment's id: `ecs-svc/` and 19 digits, which is how `startedBy` names it.
pub(super) fn deployment_id(counter: u64) -> String {
    const SMALLEST: u64 = 1_000_000_000_000_000_000;
    format!("ecs-svc/{}", SMALLEST + mix(counter) % (9 * SMALLEST))
}

/// The id of the service deployment that brings in a deployment: 21 letters and digits.
pub(super) fn service_deployment_id(deployment: &str) -> String {
    let digits = deployment.rsplit('/').next().and_then(|digits| digits.parse().ok()).unwrap_or_default();
    let text = format!("{:016x}{:016x}", mix(digits), mix(!digits));
    text[..21].to_owned()
}

/// A UUID of version 4 in form, but not random.
pub(super) fn uuid(counter: u64) -> String {
    let (high, low) = (mix(counter), mix(!counter));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 48) & 0x3fff,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_the_form_of_those_that_ecs_gives() {
        for counter in 0..1000 {
            let task = task_id(counter);
            assert_eq!(task.len(), 32);
            assert!(task.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
            let deployment = deployment_id(counter);
            let digits = deployment.strip_prefix("ecs-svc/").expect("the prefix");
            assert!(digits.len() == 19 && digits.bytes().all(|byte| byte.is_ascii_digit()));
            let lengths: Vec<usize> = uuid(counter).split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12]);
        }
    }

    #[test]
    fn an_arn_of_another_account_names_nothing_here() {
        let names = Names::new("aws", "eu-west-1".to_owned(), "111122223333".to_owned());
        assert_eq!(names.own("task", "arn:aws:ecs:eu-west-1:111122223333:task/jobs/1"), Some("jobs/1"));
        assert_eq!(names.own("task", "arn:aws:ecs:eu-west-1:111122223333:service/jobs/1"), None);
        assert_eq!(names.own("task", "arn:aws:ecs:eu-west-1:444455556666:task/jobs/1"), None);
        assert_eq!(names.own("task", "arn:aws-cn:ecs:eu-west-1:111122223333:task/jobs/1"), None);
        assert_eq!(names.own("task", "1"), Some("1"));
    }
}
