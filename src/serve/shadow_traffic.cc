#include "serve/shadow_traffic.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/chance.h"
#include "base/json_text.h"
#include "route/function_comparison.h"
#include "route/output_distance.h"
#include "serve/inference.h"

namespace modelmill {
namespace {

/// What is kept for it, with room for answers like the client's.
int64_t bytes_for(const ShadowSample& sample) {
  return sample.held_bytes() + memory_of(sample.outputs()) * static_cast<int64_t>(sample.shadows().size());
}

void count_shed(const ShadowSample& sample) {
  for (const size_t shadow : sample.shadows()) sample.route().shadows()[shadow].stats->shed();
}

std::string seconds_text(Duration duration) {
  std::string text;
  append_json_number(text, to_seconds(duration));
  return text + " s";
}

}  // namespace

/// A copy on its way to a shadow: the sink of its request. All but on_response() is the thread's.
class ShadowTraffic::Copy final : public ResponseSink, public std::enable_shared_from_this<Copy> {
 public:
  Copy(ShadowTraffic& traffic, std::shared_ptr<ShadowSample> sample, size_t shadow)
      : sample_(std::move(sample)), traffic_(traffic), shadow_(shadow) {}

  void on_response(InferResponse response, bool final, bool has_response) override {
    if (!final) return;  // of a model that said it gives one answer, and gives more: the last one counts
    if (!has_response) response.status = internal("it ended without an answer");
    traffic_.take_answer(shared_from_this(), std::move(response));
  }

  const ShadowSample& sample() const { return *sample_; }
  const Route::Shadow& shadow() const { return sample_->route().shadows()[shadow_]; }

  /// The shadow has answered, and its answer waits for what a function says of it.
  struct Answer {
    std::vector<Tensor> kept;  // for an example
    int64_t version = 0;
    Duration execution{};
    OutputDistance distance;    // of what others than the function compare
    ShadowBudget::Share share;  // of `kept`, and of what the function was sent
  };
  std::optional<Answer> answer;
  RouteTarget asked;  // whom it is on its way to
  std::shared_ptr<CancelToken> cancel;
  std::multimap<TimePoint, CopyPtr>::iterator place;  // while it is on its way
  bool over = false;                                  // its outcome is counted

 private:
  const std::shared_ptr<ShadowSample> sample_;
  ShadowTraffic& traffic_;
  const size_t shadow_;
};

std::unique_ptr<ShadowSample> ShadowTraffic::sample(const std::shared_ptr<const Route>& route, size_t arm,
                                                    const InferRequest& request) {
  std::vector<size_t> shadows = ShadowSample::choose(*route, arm, request, chance);
  if (shadows.empty()) return nullptr;
  return std::make_unique<ShadowSample>(route, std::move(shadows), arm, request);
}

void ShadowTraffic::answered(std::unique_ptr<ShadowSample> sample) {
  if (sample->shadows().empty()) return;
  sample->share = budget_.reserve(static_cast<int64_t>(sample->shadows().size()), bytes_for(*sample));
  if (!sample->share) return count_shed(*sample);
  post({std::move(sample), nullptr, {}, {}});
}

/// On the thread that completes the copy's request.
void ShadowTraffic::take_answer(CopyPtr copy, InferResponse response) {
  Task task;
  if (response.status.ok()) {
    const std::vector<Tensor> outputs(response.outputs.begin(), response.outputs.end());
    // As much as the client's takes is set aside.
    task.share = budget_.reserve(0, std::max<int64_t>(0, memory_of(outputs) - memory_of(copy->sample().outputs())));
    if (!task.share) {
      response.outputs.clear();
      response.status = resource_exhausted("there is no room for the answers of shadows");
    }
  }
  task.copy = std::move(copy);
  task.response = std::move(response);
  post(std::move(task));
}

void ShadowTraffic::post(Task task) {
  const MutexLock lock(mutex_);
  if (stopping_) return;
  tasks_.push_back(std::move(task));
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  if (tasks_.size() == 1) changed_.notify_one();
}

void ShadowTraffic::work() {
  while (true) {
    Task task;
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && tasks_.empty() && (on_way_.empty() || on_way_.begin()->first > Clock::now())) {
        if (on_way_.empty())
          changed_.wait(mutex_);
        else
          changed_.wait_until(mutex_, TimePoint(on_way_.begin()->first));
      }
      if (stopping_) return;
      if (!tasks_.empty()) {
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
    }
    expire(Clock::now());
    if (task.sample) send(std::move(task.sample));
    if (task.copy) conclude(task);
  }
}

void ShadowTraffic::send(std::shared_ptr<ShadowSample> sample) {
  sample->compact();
  if (!sample->share.resize(bytes_for(*sample))) return count_shed(*sample);
  for (const size_t shadow : sample->shadows()) {
    const auto copy = std::make_shared<Copy>(*this, sample, shadow);
    submit(copy, sample->make_request(copy->shadow().definition, copy));
  }
}

void ShadowTraffic::submit(const CopyPtr& copy, InferRequestPtr request) {
  copy->asked = {request->model, request->version, request->label};
  copy->cancel = request->cancel;
  copy->place = on_way_.emplace(request->deadline, copy);
  inference_.submit_background(std::move(request));
}

/// Gives up what is not answered in time.
void ShadowTraffic::expire(TimePoint now) {
  while (!on_way_.empty() && on_way_.begin()->first <= now) {
    const CopyPtr copy = std::move(on_way_.begin()->second);
    on_way_.erase(on_way_.begin());
    copy->over = true;
    const RouteShadow& shadow = copy->shadow().definition;
    copy->cancel->cancel(CancelToken::Reason::kDeadline);
    ShadowStats& stats = *copy->shadow().stats;
    if (copy->answer)
      stats.not_compared(
          deadline_exceeded("no comparison by '" + copy->asked.text() + "' within " + seconds_text(shadow.timeout)));
    else
      stats.failed(deadline_exceeded("no answer within " + seconds_text(shadow.timeout)));
    inference_.cancelled(copy->asked);
  }
}

void ShadowTraffic::conclude(const Task& task) {
  Copy& copy = *task.copy;
  if (std::exchange(copy.over, true)) return;
  on_way_.erase(copy.place);
  const Status& status = task.response.status;
  ShadowStats& stats = *copy.shadow().stats;
  if (status.code() == Code::kResourceExhausted)
    stats.shed();
  else if (copy.answer)
    take_verdict(copy, task.response);
  else if (status.ok())
    compare(task.copy, task.response);
  else
    stats.failed(status);
}

void ShadowTraffic::compare(const CopyPtr& copy, const InferResponse& response) {
  const ShadowSample& sample = copy->sample();
  const RouteShadow& shadow = copy->shadow().definition;
  const std::vector<Tensor> outputs(response.outputs.begin(), response.outputs.end());
  copy->answer = Copy::Answer();
  Copy::Answer& answer = *copy->answer;
  answer.version = response.version;
  answer.execution = execution_of(response.times);
  answer.distance = answer_distance(sample.outputs(), outputs, shadow.compare);
  // A function has nothing to say of what disagrees without it.
  if (!answer.distance.disagrees() && asks_function(sample.outputs(), shadow.compare))
    return ask_function(copy, outputs);
  if (answer.distance.disagrees()) answer.kept = kept_for_example(outputs);
  settle(*copy);
}

/// Nothing of the shadow's answer is kept but a copy, so that its instance has its memory back.
void ShadowTraffic::ask_function(const CopyPtr& copy, std::span<const Tensor> outputs) {
  const ShadowSample& sample = copy->sample();
  Copy::Answer& answer = *copy->answer;
  answer.kept = kept_for_example({outputs.begin(), outputs.end()});
  Tensor packed = packed_comparison(sample.outputs(), outputs, sample.inputs());
  answer.share = budget_.reserve(0, static_cast<int64_t>(packed.byte_size()) + memory_of(answer.kept));
  if (!answer.share) return copy->shadow().stats->shed();
  copy->over = false;
  submit(copy, sample.make_comparison(copy->shadow(), copy, std::move(packed)));
}

void ShadowTraffic::take_verdict(Copy& copy, const InferResponse& response) {
  Result<OutputDistance> said = response.status.ok()
                                    ? function_distance({response.outputs.data(), response.outputs.size()})
                                    : Result<OutputDistance>(response.status);
  if (!said.ok())
    return copy.shadow().stats->not_compared(said.status().with_context("comparison by '" + copy.asked.text() + "'"));
  if (said->disagrees() || said->excess() >= copy.answer->distance.excess()) copy.answer->distance = *std::move(said);
  settle(copy);
}

/// Counts what came of the comparison.
void ShadowTraffic::settle(Copy& copy) {
  const ShadowSample& sample = copy.sample();
  Copy::Answer& answer = *copy.answer;
  ShadowStats& stats = *copy.shadow().stats;
  const double excess = answer.distance.excess();
  const bool disagrees = answer.distance.disagrees();
  const auto most = static_cast<size_t>(copy.shadow().definition.examples);
  if (disagrees && stats.examples().wants(excess, most))
    stats.examples().add({std::chrono::system_clock::now(), sample.id(), sample.arm().name, sample.version(),
                          answer.version, std::move(answer.distance), kept_for_example(sample.inputs()),
                          kept_for_example(sample.outputs()), std::move(answer.kept)},
                         most);
  stats.took(sample.execution(), answer.execution);
  stats.compared(disagrees, excess);
}

void ShadowTraffic::stop() {
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    thread = std::move(thread_);
  }
  changed_.notify_all();
  if (thread.joinable()) thread.join();
  std::deque<Task> tasks;
  {
    const MutexLock lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& [deadline, copy] : on_way_) copy->cancel->cancel(CancelToken::Reason::kClientGone);
  on_way_.clear();
}

}  // namespace modelmill
