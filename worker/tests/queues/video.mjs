import { appendFileSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { DelayedError, Queue, Worker } from "bullmq";
import { Redis } from "ioredis";

const connection = () => new Redis({ path: process.env.REDIS_SOCKET, maxRetriesPerRequest: null });

async function get(url) {
  for (let tries = 0; tries < 100; tries++) {
    const answer = await fetch(url);
    if (answer.ok) return answer.json();
    await pause(200); // these jobs are short: ECS and the agent may find that they ask too often
  }
  throw new Error(`no answer: ${url}`);
}

async function note(job, what) {
  const { protection } = await get(process.env.ECS_AGENT_URI + "/task-protection/v1/state");
  const { jobs } = await get(`${server}/v1/jobs`);
  const line = { job, what, pid: process.pid, protected: protection?.ProtectionEnabled, jobs: jobs.map(({ id }) => id) };
  appendFileSync(process.env.NOTES, JSON.stringify(line) + "\n");
}

async function encode(job) {
  await note(job.id, "starts");
  await pause(job.data.seconds * 1000);
  await note(job.id, "ends");
}

if (process.argv[2] === "submit") {
  const queue = new Queue("video", { connection: connection() });
  const jobs = JSON.parse(readFileSync(0)).map((seconds) => ({ name: "encode", data: { seconds } }));
  console.log(JSON.stringify((await queue.addBulk(jobs)).map((job) => job.id)));
  process.exit();
}
// A killed worker keeps the lock of its job for lockDuration. Then another worker takes the job.
const locks = { lockDuration: 2000, stalledInterval: 1000, maxStalledCount: 100 };
new Worker("video", protectedJob(encode, DelayedError), { connection: connection(), concurrency: 2, ...locks });
