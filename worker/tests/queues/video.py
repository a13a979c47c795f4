import json
import sys

from notes import note

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
