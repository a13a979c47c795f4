//! The trusted root certificates. Reading all roots of the machine takes longer than the rest of the
//! function's start, and AWS's endpoints need only five of them.

use aws_smithy_http_client::tls::TrustStore;
use std::collections::BTreeMap;
use std::fs;

/// The roots of Amazon Trust Services.
const AMAZON_ROOTS: &[u8] = include_bytes!("roots.pem");

/// Prefixes of the Regions whose endpoints are known to chain to [`AMAZON_ROOTS`]: those of the partitions
/// `aws` and `aws-us-gov`. China and the isolated partitions use other roots. A future Region with another
/// prefix starts more slowly but works.
const AMAZON_REGIONS: [&str; 9] = ["af-", "ap-", "ca-", "eu-", "il-", "me-", "mx-", "sa-", "us-"];
/// Prefixes of Regions in partitions of their own that match [`AMAZON_REGIONS`] by chance.
const OTHER_REGIONS: [&str; 3] = ["us-iso", "eu-isoe", "eusc-"];

/// The function's environment variables.
pub type Variables = BTreeMap<String, String>;

/// Which certificates are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those that chain to Amazon's roots.
    Amazon,
    /// Those that chain to the machine's roots.
    System,
    /// Those that chain to the roots in a file.
    Bundle(Vec<u8>),
}

/// `AWS_CA_BUNDLE` does not name a file of certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("AWS_CA_BUNDLE is `{path}`, which {problem}; it must be a file of certificates in PEM, or not be set")]
pub struct BundleError {
    path: String,
    problem: String,
}

impl Trust {
    /// Follows `AWS_CA_BUNDLE` as the AWS CLI does ("Environment variables to configure the AWS CLI"): only
    /// the roots in that file are trusted. Without it, Amazon's roots suffice in Lambda for AWS's own
    /// endpoints.
    ///
    /// # Errors
    /// The file cannot be read or contains no certificate.
    pub fn of_environment(variables: &Variables) -> Result<Self, BundleError> {
        if let Some(path) = variables.get("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) {
            return Self::bundle(path);
        }
        let region = variables.get("AWS_REGION").map_or("", String::as_str);
        let begins = |known: &[&str]| known.iter().any(|begin| region.starts_with(begin));
        let is_amazons = begins(&AMAZON_REGIONS) && !begins(&OTHER_REGIONS);
        let is_lambda = variables.contains_key("AWS_LAMBDA_RUNTIME_API");
        let own_endpoint = |(name, url): (&String, &String)| {
            name.starts_with("AWS_ENDPOINT_URL")
                && url.get(..6).is_some_and(|begin| begin.eq_ignore_ascii_case("https:"))
        };
        let is_elsewhere = variables.iter().any(own_endpoint);
        Ok(if is_lambda && is_amazons && !is_elsewhere { Self::Amazon } else { Self::System })
    }

    fn bundle(path: &str) -> Result<Self, BundleError> {
        let wrong = |problem: String| BundleError { path: path.to_owned(), problem };
        let pem = fs::read(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        if !pem.windows(11).any(|part| part == b"-----BEGIN ") {
            return Err(wrong("holds no certificate".to_owned()));
        }
        Ok(Self::Bundle(pem))
    }

    pub(crate) fn store(&self) -> TrustStore {
        match self {
            Self::Amazon => TrustStore::empty().with_pem_certificate(AMAZON_ROOTS),
            Self::System => TrustStore::default(),
            Self::Bundle(pem) => TrustStore::empty().with_pem_certificate(pem.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(variables: &[(&str, &str)]) -> Result<Trust, BundleError> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Trust::of_environment(&variables.collect())
    }

    const LAMBDA: (&str, &str) = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");

    #[test]
    fn in_lambda_amazon_s_roots_do_for_its_own_endpoints() {
        for region in ["eu-west-1", "us-gov-west-1", "ap-southeast-7", "il-central-1", "mx-central-1"] {
            assert_eq!(trust(&[LAMBDA, ("AWS_REGION", region)]), Ok(Trust::Amazon), "{region}");
        }
        let rehearsal = [LAMBDA, ("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")];
        assert_eq!(trust(&rehearsal), Ok(Trust::Amazon));
    }

    #[test]
    fn elsewhere_the_machine_s_roots_count() {
        for region in ["cn-north-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "eusc-de-east-1", "xx-1", ""]
        {
            assert_eq!(trust(&[LAMBDA, ("AWS_REGION", region)]), Ok(Trust::System), "{region}");
        }
        assert_eq!(trust(&[("AWS_REGION", "eu-west-1")]), Ok(Trust::System), "not in Lambda");
        for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"] {
            let proxied = [LAMBDA, ("AWS_REGION", "eu-west-1"), (name, "HTTPS://proxy.example")];
            assert_eq!(trust(&proxied), Ok(Trust::System), "{name}");
        }
    }

    #[test]
    fn a_bundle_counts_alone_and_one_that_is_none_is_named() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/src/aws/");
        let bundle = |path: &str| trust(&[LAMBDA, ("AWS_REGION", "eu-west-1"), ("AWS_CA_BUNDLE", path)]);
        assert_eq!(bundle(&format!("{here}roots.pem")), Ok(Trust::Bundle(AMAZON_ROOTS.to_vec())));
        assert_eq!(bundle(""), Ok(Trust::Amazon));
        let error = bundle(&format!("{here}trust.rs-not-there")).unwrap_err().to_string();
        assert!(error.contains("trust.rs-not-there`, which cannot be read: No such file"), "{error}");
        let error = bundle(&format!("{}/LICENSE", env!("CARGO_MANIFEST_DIR"))).unwrap_err().to_string();
        assert!(error.contains("holds no certificate"), "{error}");
    }

    #[test]
    fn there_are_five_roots_of_amazon_s_and_each_can_be_read() {
        let pem = String::from_utf8(AMAZON_ROOTS.to_vec()).unwrap();
        assert_eq!(pem.matches("-----BEGIN CERTIFICATE-----").count(), 5);
        // Building the client parses the certificates, and panics if it cannot.
        let _client = crate::aws::http_client(&Trust::Amazon);
    }
}
