import json
import os
import time
import urllib.request


def get(url):
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)
        except OSError:  # these jobs are short: ECS and the agent may find that they ask too often
            time.sleep(0.2)
    raise OSError(f"no answer: {url}")


def note(job, what, **more):
    protection = get(os.environ["ECS_AGENT_URI"] + "/task-protection/v1/state").get("protection", {})
    jobs = [each["id"] for each in get(os.environ["TASKHOLD_SERVER"] + "/v1/jobs")["jobs"]]
    line = {"job": job, "what": what, "pid": os.getpid(), "protected": protection.get("ProtectionEnabled"), "jobs": jobs, **more}
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps(line) + "\n")
