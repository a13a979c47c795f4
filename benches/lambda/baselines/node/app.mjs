// What one writes in Node.js today: all records at once, a call of UpdateTaskProtection for each.
//
// No handicaps: bundled and minified, the client is made while Lambda initializes and keeps its connections (50 at most, the
// SDK's own bound), a message that fails comes again alone, and a refusal inside the answer (`failures`) counts as a failure.
// Nothing is logged of a message that is done. ECS's bucket would throttle so many calls at once; the bench's endpoint does not.
import { ECSClient, UpdateTaskProtectionCommand } from "@aws-sdk/client-ecs";

const ecs = new ECSClient({});

export async function handler(event) {
  const endings = await Promise.allSettled(event.Records.map((record) => protect(JSON.parse(record.body))));
  const batchItemFailures = [];
  endings.forEach((ending, at) => {
    if (ending.status === "rejected") {
      const { messageId } = event.Records[at];
      console.error(`message ${messageId} comes again`, ending.reason);
      batchItemFailures.push({ itemIdentifier: messageId });
    }
  });
  return { batchItemFailures };
}

async function protect({ type, cluster, taskId, maxDurationMinutes }) {
  const setting =
    type === "job.finished"
      ? { protectionEnabled: false }
      : { protectionEnabled: true, expiresInMinutes: maxDurationMinutes };
  const { failures } = await ecs.send(new UpdateTaskProtectionCommand({ cluster, tasks: [taskId], ...setting }));
  if (failures?.length) {
    throw new Error(`refused: ${JSON.stringify(failures)}`);
  }
}
