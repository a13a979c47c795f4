//! The cost of a million messages in Lambda, computed from measured times and public prices, and in DynamoDB, which
//! keeps the state store. Excludes queues and logs, which cost the same for every reader.

/// x86, us-east-1 and eu-west-1. AWS's whitepaper "How AWS Pricing Works" has it rounded, 0.00001667 ("Lambda");
/// the digits of the page "AWS Lambda Pricing" are from memory, November 2026.
pub(crate) const USD_A_GB_SECOND: f64 = 0.000_016_666_7;
/// From the same whitepaper.
pub(crate) const USD_A_MILLION_REQUESTS: f64 = 0.20;
/// On demand, standard table class, us-east-1; from memory of "Amazon DynamoDB pricing", November 2026.
pub(crate) const USD_A_MILLION_READ_UNITS: f64 = 0.125;
/// From the same page.
pub(crate) const USD_A_MILLION_WRITE_UNITS: f64 = 0.625;
/// A function with this much memory has one full vCPU, and with less a proportional share ("Configure Lambda
/// function memory").
const MB_A_PROCESSOR: f64 = 1769.0;

/// One measured invocation, on a full processor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MeasuredInvocation {
    pub(crate) records: usize,
    /// From payload to answer.
    pub(crate) answered_ms: f64,
    /// The CPU time of it.
    pub(crate) processor_ms: f64,
    /// DynamoDB items read for each record; each fits into one read unit of 4 KB.
    pub(crate) reads: f64,
    /// Write units for each record, without those of the table's index.
    pub(crate) write_units: f64,
}

impl MeasuredInvocation {
    /// The duration with this much memory: the waits stay the same and the computation takes longer. Rounded up to
    /// whole milliseconds, as Lambda charges.
    fn charged_ms(self, memory_mb: u32) -> f64 {
        let waiting = (self.answered_ms - self.processor_ms).max(0.0);
        let slower = (MB_A_PROCESSOR / f64::from(memory_mb)).max(1.0);
        (waiting + self.processor_ms * slower).ceil()
    }

    /// For a million messages, in batches of this size.
    pub(crate) fn usd_a_million(self, memory_mb: u32) -> f64 {
        let invocations = 1e6 / self.records as f64;
        let gb_seconds = invocations * self.charged_ms(memory_mb) / 1000.0 * f64::from(memory_mb) / 1024.0;
        let table = self.reads * USD_A_MILLION_READ_UNITS + self.write_units * USD_A_MILLION_WRITE_UNITS;
        gb_seconds * USD_A_GB_SECOND + invocations / 1e6 * USD_A_MILLION_REQUESTS + table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_takes_as_long_with_less_memory_and_computing_longer() {
        let invocation =
            MeasuredInvocation { records: 1, answered_ms: 60.0, processor_ms: 10.0, reads: 0.0, write_units: 0.0 };
        assert_eq!(invocation.charged_ms(1769), 60.0);
        assert_eq!(invocation.charged_ms(128), (50.0 + 138.2_f64).ceil());
        assert_eq!(invocation.charged_ms(10_240), 60.0, "more processors do not help one thread");
    }

    #[test]
    fn a_million_messages_cost_what_the_price_list_says() {
        // A million invocations of 100 ms at 1 GB: 100,000 GB-seconds, and the requests.
        let invocation =
            MeasuredInvocation { records: 1, answered_ms: 100.0, processor_ms: 0.0, reads: 0.0, write_units: 0.0 };
        assert!((invocation.usd_a_million(1024) - (100_000.0 * USD_A_GB_SECOND + 0.20)).abs() < 1e-9);
        let batch = MeasuredInvocation { records: 1000, ..invocation };
        assert!((batch.usd_a_million(1024) * 1000.0 - invocation.usd_a_million(1024)).abs() < 1e-9);
        let in_table = MeasuredInvocation { reads: 1.0, write_units: 2.0, ..invocation };
        assert!((in_table.usd_a_million(1024) - invocation.usd_a_million(1024) - 1.375).abs() < 1e-9);
    }
}
