//! Pages of open records: the adapter reads the index, and reads each record from the table itself.

use super::{CannedStore, NOW_MS, THROTTLED, busy, closed, json_of, nothing};
use crate::canned_http::{HttpReply, SentCall};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use taskhold::aws::dynamodb::table_record::TableRecord;
use taskhold::ecs::arn::Task;
use taskhold::service::record::ServiceRecord;
use taskhold::store::error::StoreError;
use taskhold::store::{RecordPage, StorePages, Versioned};
use taskhold::task::record::TaskRecord;

fn arn(number: u32) -> String {
    format!("arn:aws:ecs:eu-west-1:111122223333:task/video/{number:032x}")
}

/// An index entry: the attributes that DynamoDB returns for an item, which are also the start key of the next page.
fn listed(shard: &str, key: &str) -> Value {
    json!({"key": {"S": key}, "open": {"S": shard}})
}

/// An index and the items that it lists.
#[derive(Clone, Default)]
struct Index {
    /// The pages of each shard.
    shards: BTreeMap<String, Vec<Vec<String>>>,
    items: BTreeMap<String, Value>,
}

impl Index {
    fn with(mut self, shard: &str, page: &[&str]) -> Self {
        let page = page.iter().map(|key| (*key).to_owned()).collect();
        self.shards.entry(shard.to_owned()).or_default().push(page);
        self
    }

    fn holding(mut self, key: &str, changes: &Value) -> Self {
        let mut item = json!({"key": {"S": key}, "version": {"N": "17"}, "schema": {"N": "1"}, "record": {"S": json_of(&busy())},
            "expires": {"N": "1790100000"}});
        item.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.items.insert(key.to_owned(), item);
        self
    }

    fn answer(&self, call: &SentCall) -> HttpReply {
        if call.operation == "GetItem" {
            let item = self.items.get(call.body["Key"]["key"]["S"].as_str().unwrap());
            return item.map_or_else(nothing, |item| HttpReply::Output(json!({"Item": item})));
        }
        assert_eq!(call.operation, "Query");
        let shard = call.body["ExpressionAttributeValues"][":open"]["S"].as_str().unwrap();
        let Some(pages) = self.shards.get(shard) else { return HttpReply::Output(json!({"Items": [], "Count": 0})) };
        let after = call.body["ExclusiveStartKey"]["key"]["S"].as_str();
        let at = after.map_or(0, |after| 1 + pages.iter().position(|page| page.last().unwrap() == after).unwrap());
        let items: Vec<Value> = pages[at].iter().map(|key| listed(shard, key)).collect();
        let mut answer = json!({"Items": items, "Count": items.len()});
        if at + 1 < pages.len() {
            answer["LastEvaluatedKey"] = items.last().unwrap().clone();
        }
        HttpReply::Output(answer)
    }

    async fn stage(self) -> CannedStore {
        CannedStore::new(move |call| self.answer(call)).await
    }
}

async fn page(stage: &CannedStore, token: Option<&str>) -> Result<RecordPage<TaskRecord>, StoreError> {
    stage.store.page(token).await
}

/// All pages, each as its tasks.
async fn all(stage: &CannedStore) -> Vec<Vec<String>> {
    let (mut pages, mut token) = (Vec::new(), None);
    while pages.is_empty() || token.is_some() {
        let page = page(stage, token.as_deref()).await.unwrap();
        pages.push(page.items.iter().map(|(task, _): &(Task, Versioned<TaskRecord>)| task.to_string()).collect());
        token = page.next_token;
    }
    pages
}

#[tokio::test]
async fn a_page_is_one_query_of_a_shard_and_a_load_of_each_key() {
    let stage = Index::default().with("task#0", &[&arn(1)]).holding(&arn(1), &json!({})).stage().await;
    let page = page(&stage, None).await.unwrap();
    assert_eq!(page.items, [(arn(1).parse().unwrap(), Versioned { record: busy(), version: 17 })]);
    let calls = stage.calls();
    let expected = json!({
        "TableName": "store", "IndexName": "open", "Limit": 200,
        "KeyConditionExpression": "#open = :open",
        "ExpressionAttributeNames": {"#open": "open"},
        "ExpressionAttributeValues": {":open": {"S": "task#0"}},
    });
    assert_eq!((calls[0].operation.as_str(), &calls[0].body), ("Query", &expected));
    assert_eq!((calls[1].operation.as_str(), calls.len()), ("GetItem", 2));
    assert_eq!(calls[1].body["ConsistentRead"], true);
}

#[tokio::test]
async fn the_next_page_goes_on_after_the_last_key_and_then_with_the_next_shard() {
    let index =
        Index::default().with("task#0", &[&arn(1), &arn(2)]).with("task#0", &[&arn(3)]).with("task#5", &[&arn(4)]);
    let index = (1..=4).fold(index, |index, number| index.holding(&arn(number), &json!({})));
    let stage = index.stage().await;
    let pages = all(&stage).await;
    let filled: Vec<&Vec<String>> = pages.iter().filter(|page| !page.is_empty()).collect();
    assert_eq!(filled, [&vec![arn(1), arn(2)], &vec![arn(3)], &vec![arn(4)]]);
    let queries: Vec<Value> =
        stage.calls().into_iter().filter(|call| call.operation == "Query").map(|call| call.body).collect();
    assert_eq!(queries[1]["ExclusiveStartKey"], listed("task#0", &arn(2)));
    let shards: BTreeSet<&str> =
        queries.iter().map(|query| query["ExpressionAttributeValues"][":open"]["S"].as_str().unwrap()).collect();
    assert_eq!(
        shards,
        (0..TaskRecord::SHARDS)
            .map(|shard| format!("task#{shard}"))
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str)
            .collect()
    );
    assert_eq!(pages.len(), TaskRecord::SHARDS as usize + 1);
}

#[tokio::test]
async fn what_is_open_no_more_has_expired_or_is_gone_is_omitted_though_the_index_still_lists_it() {
    let passed = (NOW_MS / 1000).to_string();
    let stage = Index::default()
        .with("task#0", &[&arn(1), &arn(2), &arn(3), &arn(4)])
        .holding(&arn(1), &json!({"record": {"S": json_of(&closed())}}))
        .holding(&arn(2), &json!({"expires": {"N": passed}}))
        .holding(&arn(4), &json!({}))
        .stage()
        .await;
    assert_eq!(all(&stage).await.concat(), [arn(4)]);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_does_not_hide_the_others() {
    let stage = Index::default()
        .with("task#0", &[&arn(1), "nonsense", &arn(2)])
        .holding(&arn(1), &json!({"record": {"S": "nonsense"}}))
        .holding("nonsense", &json!({}))
        .holding(&arn(2), &json!({}))
        .stage()
        .await;
    assert_eq!(all(&stage).await.concat(), [arn(2)]);
}

#[tokio::test]
async fn a_query_or_a_load_that_fails_fails_the_page_and_says_nothing_of_what_is_open() {
    let index = Index::default().with("task#0", &[&arn(1)]).holding(&arn(1), &json!({}));
    for failing in ["Query", "GetItem"] {
        for code in THROTTLED {
            let index = index.clone();
            let respond = move |call: &SentCall| match call.operation == failing {
                true => HttpReply::Error(code, 400),
                false => index.answer(call),
            };
            let stage = CannedStore::new(respond).await;
            assert_eq!(page(&stage, None).await, Err(StoreError::Throttled), "{failing}");
            let failed = stage.calls().iter().filter(|call| call.operation == failing).count();
            assert_eq!(failed, 2, "once more");
        }
    }
}

#[tokio::test]
async fn a_token_of_another_store_is_an_error_and_not_the_first_page() {
    let stage = Index::default().stage().await;
    for token in ["", "3", ":", "-1:", &arn(1)] {
        assert!(matches!(page(&stage, Some(token)).await, Err(StoreError::Unexpected(_))), "{token}");
    }
    assert_eq!(stage.calls(), []);
}

#[tokio::test]
async fn services_have_shards_of_their_own() {
    let stage = Index::default().stage().await;
    let page: RecordPage<ServiceRecord> = stage.store.page(None).await.unwrap();
    assert_eq!(page.next_token, None, "there is one");
    assert_eq!(stage.the_call("Query")["ExpressionAttributeValues"][":open"]["S"], "service#0");
}
