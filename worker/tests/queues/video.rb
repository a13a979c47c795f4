require "json"

Sidekiq.options[:poll_interval_average] = 1 # otherwise it grows with each process that was killed
Sidekiq.configure_server do |config|
  config.redis = { url: "unix://#{ENV["REDIS_SOCKET"]}" }
  config.server_middleware { |chain| chain.add ProtectTask }
end
Sidekiq.configure_client { |config| config.redis = { url: "unix://#{ENV["REDIS_SOCKET"]}" } }

def get(url)
  100.times do
    answer = Net::HTTP.get_response(URI(url))
    return JSON.parse(answer.body) if answer.code == "200"
    sleep 0.2 # these jobs are short: ECS and the agent may find that they ask too often
  end
  raise "no answer: #{url}"
end

def note(job, what)
  protection = get(ENV["ECS_AGENT_URI"] + "/task-protection/v1/state").fetch("protection", {})
  jobs = get(ENV["TASKHOLD_SERVER"] + "/v1/jobs")["jobs"].map { |each| each["id"] }
  line = { job: job, what: what, pid: Process.pid, protected: protection["ProtectionEnabled"], jobs: jobs }.to_json
  File.open(ENV["NOTES"], "a") { |notes| notes.write(line + "\n") }
end

class Encode
  include Sidekiq::Worker

  def perform(seconds)
    note(jid, "starts")
    sleep seconds
    note(jid, "ends")
  end
end

def submit
  puts JSON.parse($stdin.read).map { |seconds| Encode.perform_async(seconds) }.to_json
end
