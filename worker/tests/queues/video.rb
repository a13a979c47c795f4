require "json"

Sidekiq.configure_server do |config|
  config.redis = { url: "unix://#{ENV["REDIS_SOCKET"]}" }
  config.server_middleware { |chain| chain.add ProtectTask }
end
Sidekiq.configure_client { |config| config.redis = { url: "unix://#{ENV["REDIS_SOCKET"]}" } }

def protection
  100.times do
    answer = Net::HTTP.get_response(URI(ENV["ECS_AGENT_URI"] + "/task-protection/v1/state"))
    return JSON.parse(answer.body).fetch("protection", {}) if answer.code == "200"
    sleep 0.2 # these jobs are short: ECS and the agent may find that they ask too often
  end
  raise "the agent does not answer"
end

def note(job, what)
  line = { job: job, what: what, protected: protection["ProtectionEnabled"], pid: Process.pid }.to_json
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
