#pragma once

#include <deque>
#include <map>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "request/infer_request.h"
#include "route/route.h"
#include "route/shadow_budget.h"
#include "serve/shadow_sample.h"

namespace modelmill {

class Inference;

/// Sends copies of answered requests to the shadows of their routes and compares the answers, on a thread of its own,
/// which begins with the first copy. Whoever answers a request does no more for it than to keep views and to hand them
/// over; the copies are the queues' background (request/background.h). What all copies hold is bounded: more are
/// shed, and counted. A copy that is not answered in time is given up; what an instance still has of it counts until it
/// is let go. Where a function of a model compares the answers, that model is asked in the same way, and one that fails
/// or takes too long is counted as a comparison that was not done. Thread-safe.
class ShadowTraffic {
 public:
  /// `inference` outlives it; so does every copy's request end before it.
  ShadowTraffic(Inference& inference, ShadowLimits limits) : inference_(inference), budget_(limits) {}
  ~ShadowTraffic() { stop(); }
  ShadowTraffic(const ShadowTraffic&) = delete;
  ShadowTraffic& operator=(const ShadowTraffic&) = delete;

  /// For a request that goes to an arm now. Null: it is not copied to any shadow.
  std::unique_ptr<ShadowSample> sample(const std::shared_ptr<const Route>& route, size_t arm,
                                       const InferRequest& request);
  /// The client has got the answer that the sample has taken.
  void answered(std::unique_ptr<ShadowSample> sample);

  /// Nothing is copied or compared from now on; what is on its way is not wanted any more. Idempotent.
  void stop();

  const ShadowBudget& budget() const { return budget_; }

 private:
  class Copy;
  using CopyPtr = std::shared_ptr<Copy>;
  /// What the thread is to do: to send a sample's copies, or to see to a copy's answer.
  struct Task {
    std::unique_ptr<ShadowSample> sample;
    CopyPtr copy;
    InferResponse response;
    ShadowBudget::Share share;  // of the answer
  };

  void take_answer(CopyPtr copy, InferResponse response);
  void post(Task task);
  void work();
  void send(std::shared_ptr<ShadowSample> sample);
  void expire(TimePoint now);
  void conclude(const Task& task);
  void compare(const CopyPtr& copy, const InferResponse& response);
  void ask_function(const CopyPtr& copy, std::span<const Tensor> outputs);
  void take_verdict(Copy& copy, const InferResponse& response);
  void settle(Copy& copy);
  void submit(const CopyPtr& copy, InferRequestPtr request);

  Inference& inference_;
  ShadowBudget budget_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Task> tasks_ MM_GUARDED_BY(mutex_);
  bool stopping_ MM_GUARDED_BY(mutex_) = false;
  std::thread thread_ MM_GUARDED_BY(mutex_);
  std::multimap<TimePoint, CopyPtr> on_way_;  // by deadline; the thread's, and stop()'s once that has ended
};

}  // namespace modelmill
