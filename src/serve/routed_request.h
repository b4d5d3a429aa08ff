#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "request/infer_request.h"
#include "route/attempt_timer.h"
#include "route/request_facts.h"
#include "route/route.h"

namespace modelmill {

class ShadowSample;
class ShadowTraffic;
class RoutedRequest;
using RoutedRequestPtr = std::shared_ptr<RoutedRequest>;

/// One request on its way along a route: which arm it goes, what is done when that fails, and who served it. Stands
/// between the request and its client from submit() on. The client gets one answer however many attempts there are:
/// what an attempt says that was given up is not heard. Made by Inference::route(); held by whoever asks, and by the
/// attempts. Of one thread until submit(), thread-safe from then on.
class RoutedRequest final : public ResponseSink, public std::enable_shared_from_this<RoutedRequest> {
 public:
  /// How another attempt is sent on its way.
  struct Ways {
    void (*resubmit)(void* context, InferRequestPtr request, const char* decoupled_refusal, RoutedRequestPtr routed);
    void* context;
    AttemptTimer* timer;
    ShadowTraffic* shadows;
  };

  /// `facts` are of a request that lives as long as its sink. What `ways` leads to outlives the request.
  RoutedRequest(std::shared_ptr<const Route> route, const RequestFacts& facts, const Ways& ways);
  ~RoutedRequest() override;

  const Route& route() const { return *route_; }
  const Route::Arm& arm() const { return route_->arms()[arm_.load(std::memory_order_acquire)]; }
  const RouteTarget& target() const { return arm().to; }
  /// That the request is with; 0: with none yet.
  int64_t version() const { return version_.load(std::memory_order_acquire); }

  /// What the request's own parameters say of the arm. True: it is another one than before.
  bool choose_again(const Parameters& parameters);
  /// The arm can't be asked, and why. True: another one is the target now.
  bool give_up(const Status& why);
  /// No arm is left to ask.
  bool is_hopeless() const { return hopeless_.load(std::memory_order_acquire); }
  /// Answers a request that came to no version: with what the route has for that, or with the error.
  void answer_without(InferRequestPtr request, const Status& why);

  /// The request goes to `version` now: names it there, and takes its answers before its client does. What a model with
  /// any number of answers is refused with is kept for other attempts.
  void submitted_to(const ModelVersion& version, InferRequest& request, const char* decoupled_refusal);

  /// An answer of the first attempt.
  void on_response(InferResponse response, bool final, bool has_response) override {
    answered(0, std::move(response), final, has_response);
  }

  /// Who served, for the headers of the reply: "x-route-arm", "x-served-model", "x-served-version", and
  /// "x-route-fallback" where it was not the first choice.
  std::vector<std::pair<std::string, std::string>> headers() const;
  /// The same as the parameters route_arm, served_model, served_version and route_fallback.
  void describe(Parameters& parameters) const;

 private:
  class Attempt;

  /// What another attempt is made from.
  struct Kept {
    explicit Kept(const InferRequest& request);
    InferRequestPtr make(std::shared_ptr<ResponseSink> sink) const;
    bool is_wanted() const { return !(cancel && cancel->cancelled()) && Clock::now() < deadline; }

    std::string id;
    Parameters parameters;
    boost::container::small_vector<Tensor, 2> inputs;
    boost::container::small_vector<RequestedOutput, 2> outputs;
    uint64_t priority;
    bool holds_resources;
    bool keepable;
    std::chrono::microseconds timeout;
    TimePoint deadline, received;
    std::shared_ptr<CancelToken> cancel;
    TraceContext trace;
    std::shared_ptr<Room> room;
    const char* decoupled_refusal = nullptr;
  };

  /// The arm by what is known; who got it is noted if somebody wants to know.
  size_t choose();
  void tell_exposure(const InferRequest& request) const;
  void go_to(size_t arm);
  void admit();
  bool move_on(const char* why);
  /// `wanted`: it was not the client that ended it.
  void tell_breaker(const Status& status, bool wanted);
  bool may_follow(RouteFailure failure) const MM_REQUIRES(mutex_);
  void limit_attempt(InferRequest& request);
  void answered(int attempt, InferResponse response, bool final, bool has_response);
  void timed_out(int attempt);
  void try_next(RouteFailure failure, const Status& why);
  void answer_client();
  void give_last(InferResponse response, bool has_response);
  std::optional<InferResponse> constant_answer();

  const std::shared_ptr<const Route> route_;
  RequestFacts facts_;
  const Ways ways_;
  const double chance_;
  RouteAssignment assignment_;
  size_t chosen_;    // the arm that is asked first
  size_t next_ = 0;  // of the fallback's arms
  std::atomic<size_t> arm_;
  std::atomic<int64_t> version_{0};
  std::atomic<TimePoint> asked_{};  // when the arm was
  std::atomic<bool> hopeless_{false};
  std::atomic<bool> constant_{false};           // the route's own answer was given
  std::atomic<const char*> fallback_{nullptr};  // why the first choice did not serve
  std::shared_ptr<ResponseSink> client_;        // from submit to the last answer
  std::unique_ptr<ShadowSample> sample_;        // null: it is not copied to shadows

  // Of routes with a fallback. Who has made attempt_ another number alone goes on with the request.
  Mutex mutex_;
  int attempt_ MM_GUARDED_BY(mutex_) = 0;     // whose answers are heard; kEnded: nobody's
  bool heard_ MM_GUARDED_BY(mutex_) = false;  // one of them has been, so there is no other attempt
  std::optional<Kept> kept_;                  // nullopt: there can't be another attempt
  bool answers_ = false;                      // hopeless because all failed, so the route's own answer is due
  Status first_error_;
};

/// Pins a version along a route: `pin` is asked for one target after the other, until one can be had or loads on
/// demand.
template <typename Pin>
Result<VersionPin> pin_along(RoutedRequest& routed, const Catalog& catalog, Pin pin) {
  while (true) {
    Result<VersionPin> pinned = pin(routed.target());
    if (pinned.ok() || catalog.loads_on_demand(routed.target().model) || !routed.give_up(pinned.status()))
      return pinned;
  }
}

}  // namespace modelmill
