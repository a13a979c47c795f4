// The least that a runtime for Node.js has to do: polls Lambda's runtime API, hands each payload to the handler, and posts
// what it answers. Stands in for AWS's own (aws-lambda-ric), whose native part would have to be compiled.
import http from "node:http";
import { handler } from "./app.mjs";

const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;
const agent = new http.Agent({ keepAlive: true });

function request(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
    const call = http.request(`${api}/${path}`, { method, agent, headers }, (answer) => {
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => resolve({ headers: answer.headers, body: Buffer.concat(chunks) }));
      answer.on("error", reject);
    });
    call.on("error", reject);
    call.end(body);
  });
}

for (;;) {
  const { headers, body } = await request("GET", "next");
  const id = headers["lambda-runtime-aws-request-id"];
  try {
    const answer = await handler(JSON.parse(body));
    await request("POST", `${id}/response`, JSON.stringify(answer));
  } catch (error) {
    await request("POST", `${id}/error`, JSON.stringify({ errorType: error.name, errorMessage: error.message }));
  }
}
