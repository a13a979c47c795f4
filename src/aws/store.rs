//! Selects the state store of the function.

use crate::aws::dynamodb::DynamoDbStore;
use crate::clock::Clock;
use crate::service::record::ServiceRecord;
use crate::store::StorePages;
use crate::store::memory::MemoryStore;
use crate::task::record::TaskRecord;
use aws_config::SdkConfig;
use std::sync::Arc;

/// The state store.
pub struct Records {
    /// The records of tasks.
    pub tasks: Arc<dyn StorePages<TaskRecord>>,
    /// The records of services.
    pub services: Arc<dyn StorePages<ServiceRecord>>,
}

/// The records in the table of this name, which is durable and shared by all instances. Without a table they live as
/// long as this instance of the function, which must be the only one.
pub fn records(config: &SdkConfig, table: Option<String>, clock: Arc<dyn Clock>) -> Records {
    match table {
        Some(table) => both(DynamoDbStore::new(config, table, clock)),
        None => both(MemoryStore::new(clock)),
    }
}

fn both(store: impl StorePages<TaskRecord> + StorePages<ServiceRecord> + 'static) -> Records {
    let store = Arc::new(store);
    Records { tasks: store.clone(), services: store }
}
