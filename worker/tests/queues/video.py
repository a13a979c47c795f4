import json
import sys


def protection():
    for _ in range(100):
        try:
            with urllib.request.urlopen(os.environ["ECS_AGENT_URI"] + "/task-protection/v1/state", timeout=10) as answer:
                return json.load(answer).get("protection", {})
        except OSError:  # these jobs are short: ECS and the agent may find that they ask too often
            time.sleep(0.2)
    raise OSError("the agent does not answer")


def note(job, what):
    line = json.dumps({"job": job, "what": what, "protected": protection().get("ProtectionEnabled"), "pid": os.getpid()})
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(line + "\n")


# A child that is killed before it accepts its task leaves it to the broker, which keeps it for this time.
app.conf.update(broker_url="redis+socket://" + os.environ["REDIS_SOCKET"], worker_prefetch_multiplier=1,
                broker_transport_options={"visibility_timeout": 20})


@app.task(bind=True)
def encode(self, seconds):
    note(self.request.id, "starts")
    time.sleep(seconds)
    note(self.request.id, "ends")


def submit():
    print(json.dumps([encode.delay(seconds).id for seconds in json.load(sys.stdin)]))
