#include "serve/routed_request.h"

#include <algorithm>

#include "base/chance.h"
#include "route/route_failure.h"
#include "serve/shadow_sample.h"
#include "serve/shadow_traffic.h"

namespace modelmill {
namespace {

/// What an arm is left for whose breaker lets nobody through.
constexpr const char* kOpen = "open";
constexpr const char* kAnswerArm = "answer";
constexpr int kEnded = -1;

/// A name as headers and metadata may have it.
std::string header_text(const std::string& name) {
  const auto is_plain = [](char c) { return c > 0x20 && c < 0x7F && c != '%'; };
  if (std::all_of(name.begin(), name.end(), is_plain)) return name;
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_plain(c))
      out += c;
    else
      out.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
  }
  return out;
}

}  // namespace

/// The sink of an attempt after the first.
class RoutedRequest::Attempt final : public ResponseSink {
 public:
  Attempt(RoutedRequestPtr routed, int number) : routed_(std::move(routed)), number_(number) {}
  void on_response(InferResponse response, bool final, bool has_response) override {
    routed_->answered(number_, std::move(response), final, has_response);
  }

 private:
  const RoutedRequestPtr routed_;
  const int number_;
};

RoutedRequest::Kept::Kept(const InferRequest& request)
    : id(request.id),
      parameters(request.parameters),
      inputs(request.inputs),
      outputs(request.outputs),
      priority(request.priority),
      holds_resources(request.holds_resources),
      keepable(request.keepable),
      timeout(request.timeout),
      deadline(request.deadline),
      received(request.times.received),
      cancel(request.cancel),
      trace(request.trace),
      room(request.room) {}

InferRequestPtr RoutedRequest::Kept::make(std::shared_ptr<ResponseSink> sink) const {
  auto request = std::make_unique<InferRequest>(std::move(sink));
  request->id = id;
  request->parameters = parameters;
  request->inputs = inputs;
  request->outputs = outputs;
  request->priority = priority;
  request->holds_resources = holds_resources;
  request->keepable = keepable;
  request->timeout = timeout;
  request->deadline = deadline;
  request->times.received = received;
  request->cancel = cancel;
  request->trace = trace;
  request->room = room;
  return request;
}

RoutedRequest::RoutedRequest(std::shared_ptr<const Route> route, const RequestFacts& facts, const Ways& ways)
    : route_(std::move(route)), facts_(facts), ways_(ways), chance_(chance()), chosen_(choose()), arm_(chosen_) {
  admit();
}

RoutedRequest::~RoutedRequest() = default;

size_t RoutedRequest::choose() {
  if (route_->wanted_exposures() == nullptr) return route_->choose(facts_, chance_);
  assignment_ = {};
  return route_->choose(facts_, chance_, &assignment_);
}

/// It counts for the arm that was assigned, whoever serves it: a fallback is a part of what the arm does.
void RoutedRequest::tell_exposure(const InferRequest& request) const {
  if (!assignment_.is_by_split) return;
  if (Exposures* const wanted = route_->wanted_exposures())
    wanted->add(route_->exposure(chosen_, assignment_, request.id));
}

bool RoutedRequest::choose_again(const Parameters& parameters) {
  if (!route_->reads_parameters() || parameters.empty()) return false;
  facts_.parameters = &parameters;
  const size_t chosen = choose();
  facts_.parameters = nullptr;
  if (chosen == chosen_) return false;
  if (route_->fallback() != nullptr && !is_hopeless()) arm().stats->breaker().said_nothing();
  chosen_ = chosen;
  next_ = 0;
  answers_ = false;
  first_error_ = ok_status();
  hopeless_.store(false, std::memory_order_release);
  fallback_.store(nullptr, std::memory_order_release);
  go_to(chosen);
  admit();
  return true;
}

void RoutedRequest::go_to(size_t arm) {
  arm_.store(arm, std::memory_order_release);
  version_.store(0, std::memory_order_release);
}

/// Passes over arms whose breakers let nobody through.
void RoutedRequest::admit() {
  if (route_->fallback() == nullptr) return;
  while (!arm().stats->breaker().allow(route_->breaker(), Clock::now()))
    if (!move_on(kOpen)) return;
}

/// Leaves the arm for the next; false, and hopeless, when there is none.
bool RoutedRequest::move_on(const char* why) {
  arm().stats->left(why);
  const char* nothing = nullptr;
  fallback_.compare_exchange_strong(nothing, why, std::memory_order_acq_rel);
  const std::vector<size_t>& arms = route_->fallback()->arms;
  while (next_ < arms.size() && arms[next_] == chosen_) ++next_;
  if (next_ < arms.size()) {
    go_to(arms[next_++]);
    return true;
  }
  if (first_error_.ok())
    first_error_ = unavailable("route '" + route_->name() +
                               "': all that it leads to has failed, and is not asked for some seconds; try again");
  answers_ = true;
  hopeless_.store(true, std::memory_order_release);
  return false;
}

void RoutedRequest::tell_breaker(const Status& status, bool wanted) {
  CircuitBreaker& breaker = arm().stats->breaker();
  if (status.ok())
    breaker.succeeded(route_->breaker());
  else if (wanted && failure_of(status))
    breaker.failed(route_->breaker(), Clock::now());
  else
    breaker.said_nothing();
}

bool RoutedRequest::give_up(const Status& why) {
  if (is_hopeless()) return false;
  arm().stats->answered(why, Duration::zero());
  if (first_error_.ok()) first_error_ = why;
  const Route::Fallback* fallback = route_->fallback();
  if (fallback != nullptr) arm().stats->breaker().failed(route_->breaker(), Clock::now());
  if (fallback == nullptr || !fallback->on[static_cast<size_t>(RouteFailure::kError)]) {
    hopeless_.store(true, std::memory_order_release);
    return false;
  }
  if (!move_on(route_failure_name(RouteFailure::kError))) return false;
  admit();
  return !is_hopeless();
}

std::optional<InferResponse> RoutedRequest::constant_answer() {
  const Route::Fallback* fallback = route_->fallback();
  if (!answers_ || fallback == nullptr || fallback->answer.empty()) return std::nullopt;
  constant_.store(true, std::memory_order_release);
  InferResponse response;
  response.outputs.assign(fallback->answer.begin(), fallback->answer.end());
  return response;
}

void RoutedRequest::answer_without(InferRequestPtr request, const Status& why) {
  const Status error = first_error_.ok() ? why : first_error_;
  if (client_) return request->fail(error);  // an attempt's: its end is ours to tell
  if (auto answer = constant_answer()) return request->complete(*std::move(answer));
  request->fail(error);
}

void RoutedRequest::submitted_to(const ModelVersion& version, InferRequest& request, const char* decoupled_refusal) {
  version_.store(version.version(), std::memory_order_release);
  asked_.store(Clock::now(), std::memory_order_release);
  request.model = target().model;
  request.version = version.version();
  request.label.clear();
  const Route::Fallback* fallback = route_->fallback();
  if (!client_) {
    tell_exposure(request);
    // What is a part of a sequence means nothing to another model, which has not seen the rest.
    if (fallback != nullptr && !request.sequence.present())
      kept_.emplace(request).decoupled_refusal = decoupled_refusal;
    if (!route_->shadows().empty())
      sample_ = ways_.shadows->sample(route_, arm_.load(std::memory_order_acquire), request);
    client_ = request.replace_sink(shared_from_this());
  }
  if (fallback != nullptr && fallback->timeout.count() > 0 && kept_) limit_attempt(request);
}

/// The attempt may take only so long, if something can follow it.
void RoutedRequest::limit_attempt(InferRequest& request) {
  const Route::Fallback& fallback = *route_->fallback();
  const bool follows = std::any_of(fallback.arms.begin() + static_cast<ptrdiff_t>(next_), fallback.arms.end(),
                                   [this](size_t arm) { return arm != chosen_; });
  if (!follows && fallback.answer.empty()) return;
  const TimePoint until = Clock::now() + fallback.timeout;
  request.deadline = std::min(request.deadline, until);
  int attempt = 0;
  {
    const MutexLock lock(mutex_);
    attempt = attempt_;
  }
  ways_.timer->call_at(until, [weak = weak_from_this(), attempt] {
    if (const auto self = weak.lock()) self->timed_out(attempt);
  });
}

bool RoutedRequest::may_follow(RouteFailure failure) const {
  return !heard_ && kept_ && route_->fallback()->on[static_cast<size_t>(failure)] && kept_->is_wanted();
}

void RoutedRequest::answered(int attempt, InferResponse response, bool final, bool has_response) {
  const bool failed = final && !response.status.ok();
  bool follows = false, wanted = true;
  RouteFailure failure = RouteFailure::kError;
  if (route_->fallback() != nullptr) {
    bool blames_arm = false;
    if (failed) {
      const auto found = failure_of(response.status);
      failure = found.value_or(RouteFailure::kError);
      // What a fallback takes for the client's mistake is none: the first choice has not.
      blames_arm = found.has_value() || (attempt > 0 && response.status.code() != Code::kCancelled);
    }
    const MutexLock lock(mutex_);
    if (attempt != attempt_) return;
    wanted = !kept_ || kept_->is_wanted();
    follows = blames_arm && may_follow(failure);
    heard_ = !follows;
    if (final) attempt_ = follows ? attempt + 1 : kEnded;
  }
  if (failed && is_hopeless()) return answer_client();  // it never came to a version
  if (final) arm().stats->answered(response.status, Clock::now() - asked_.load(std::memory_order_acquire));
  if (final && route_->fallback() != nullptr) tell_breaker(response.status, wanted);
  if (follows) return try_next(failure, response.status);
  if (!final) {
    sample_.reset();  // shadows are compared by their one answer
    return client_->on_response(std::move(response), final, has_response);
  }
  if (failed && !first_error_.ok()) response.status = first_error_;
  give_last(std::move(response), has_response);
}

/// To the client; shadows get theirs when it has it.
void RoutedRequest::give_last(InferResponse response, bool has_response) {
  kept_.reset();
  auto sample = std::move(sample_);
  const bool copied = sample && has_response && response.status.ok();
  if (copied) sample->take_answer(response, arm_.load(std::memory_order_acquire), version());
  const auto client = std::move(client_);
  client->on_response(std::move(response), /*final=*/true, has_response);
  if (copied) ways_.shadows->answered(std::move(sample));
}

void RoutedRequest::timed_out(int attempt) {
  {
    const MutexLock lock(mutex_);
    if (attempt != attempt_ || !may_follow(RouteFailure::kTimeout)) return;
    ++attempt_;
  }
  const Status why = deadline_exceeded("route '" + route_->name() + "': '" + arm().name + "' has not answered in time");
  arm().stats->answered(why, Clock::now() - asked_.load(std::memory_order_acquire));
  tell_breaker(why, true);
  try_next(RouteFailure::kTimeout, why);
}

void RoutedRequest::try_next(RouteFailure failure, const Status& why) {
  if (first_error_.ok()) first_error_ = why;
  if (move_on(route_failure_name(failure))) admit();
  if (is_hopeless()) return answer_client();
  int attempt = 0;
  {
    const MutexLock lock(mutex_);
    attempt = attempt_;
  }
  InferRequestPtr request = kept_->make(std::make_shared<Attempt>(shared_from_this(), attempt));
  ways_.resubmit(ways_.context, std::move(request), kept_->decoupled_refusal, shared_from_this());
}

/// With the route's own answer, or the first attempt's error.
void RoutedRequest::answer_client() {
  {
    const MutexLock lock(mutex_);
    attempt_ = kEnded;
  }
  InferResponse response;
  response.status = first_error_;
  if (auto answer = constant_answer()) response = *std::move(answer);
  sample_.reset();
  give_last(std::move(response), /*has_response=*/true);
}

std::vector<std::pair<std::string, std::string>> RoutedRequest::headers() const {
  const bool constant = constant_.load(std::memory_order_acquire);
  std::vector<std::pair<std::string, std::string>> all{
      {"x-route-arm", constant ? kAnswerArm : header_text(arm().name)}};
  if (!constant) all.emplace_back("x-served-model", header_text(target().model));
  if (!constant && version() != 0) all.emplace_back("x-served-version", std::to_string(version()));
  if (const char* why = fallback_.load(std::memory_order_acquire)) all.emplace_back("x-route-fallback", why);
  return all;
}

void RoutedRequest::describe(Parameters& parameters) const {
  const bool constant = constant_.load(std::memory_order_acquire);
  parameters.set("route_arm", constant ? std::string(kAnswerArm) : arm().name);
  if (!constant) parameters.set("served_model", target().model);
  if (!constant) parameters.set("served_version", version());
  if (const char* why = fallback_.load(std::memory_order_acquire)) parameters.set("route_fallback", std::string(why));
}

}  // namespace modelmill
