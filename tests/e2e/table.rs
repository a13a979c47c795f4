//! A separate table for each test, created as `template.yaml` declares it, on the emulator that `make test-e2e`
//! starts.

use crate::template::stack::Template;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Credentials;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, Projection, TimeToLiveSpecification,
};
use serde_json::Value;
use std::sync::atomic::{AtomicU32, Ordering};
use taskhold::aws;

/// The address of the emulator.
pub(crate) fn endpoint() -> String {
    #[expect(clippy::disallowed_methods, reason = "which emulator, only the environment can tell")]
    let endpoint = std::env::var("TASKHOLD_E2E_ENDPOINT");
    endpoint.expect("`make test-e2e` starts an emulator and runs this")
}

/// The configuration for clients that call the emulator as the function does.
pub(crate) async fn sdk_config() -> SdkConfig {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .endpoint_url(endpoint())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"));
    aws::with_own_settings(loader, &aws::trust::Trust::Amazon).load().await
}

/// A new, empty table.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
}

/// A unique name, as CloudFormation would generate one.
fn new_name() -> String {
    static TABLES: AtomicU32 = AtomicU32::new(0);
    format!("store-{}-{}", std::process::id(), TABLES.fetch_add(1, Ordering::SeqCst))
}

impl Table {
    /// Creates a table with a new name.
    pub(crate) async fn create() -> Self {
        let (client, name) = (Client::new(&sdk_config().await), new_name());
        let template = Template::load();
        let declared = template.properties("StateTable");
        assert_eq!(declared["BillingMode"], "PAY_PER_REQUEST");
        let attributes = items(declared, "AttributeDefinitions").map(attribute).collect();
        let indexes = items(declared, "GlobalSecondaryIndexes").map(index).collect();
        let table = client.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
        let table = table.set_attribute_definitions(Some(attributes)).set_key_schema(Some(key_schema(declared)));
        table.set_global_secondary_indexes(Some(indexes)).send().await.unwrap();
        let declared = &declared["TimeToLiveSpecification"];
        let time_to_live = TimeToLiveSpecification::builder()
            .enabled(declared["Enabled"].as_bool().unwrap())
            .attribute_name(text(declared, "AttributeName"));
        let call = client.update_time_to_live().table_name(&name);
        call.time_to_live_specification(time_to_live.build().unwrap()).send().await.unwrap();
        Self { client, name }
    }
}

fn text<'a>(declared: &'a Value, member: &str) -> &'a str {
    declared[member].as_str().unwrap_or_else(|| panic!("{member} of {declared}"))
}

fn items<'a>(declared: &'a Value, member: &str) -> impl Iterator<Item = &'a Value> {
    declared[member].as_array().unwrap_or_else(|| panic!("{member} of {declared}")).iter()
}

fn attribute(declared: &Value) -> AttributeDefinition {
    let attribute = AttributeDefinition::builder().attribute_name(text(declared, "AttributeName"));
    attribute.attribute_type(text(declared, "AttributeType").into()).build().unwrap()
}

fn key_schema(declared: &Value) -> Vec<KeySchemaElement> {
    let element = |key: &Value| {
        let element = KeySchemaElement::builder().attribute_name(text(key, "AttributeName"));
        element.key_type(text(key, "KeyType").into()).build().unwrap()
    };
    items(declared, "KeySchema").map(element).collect()
}

fn index(declared: &Value) -> GlobalSecondaryIndex {
    let projection = Projection::builder().projection_type(text(&declared["Projection"], "ProjectionType").into());
    let index = GlobalSecondaryIndex::builder().index_name(text(declared, "IndexName")).projection(projection.build());
    index.set_key_schema(Some(key_schema(declared))).build().unwrap()
}
