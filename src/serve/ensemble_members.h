#pragma once

#include <functional>

#include "ensemble/members.h"
#include "route/attempt_timer.h"
#include "serve/inference.h"

namespace modelmill {

/// Members of ensembles, asked as clients ask them. Thread-safe.
class ServedMembers final : public EnsembleMembers {
 public:
  /// `inference` outlives it.
  explicit ServedMembers(Inference& inference) : inference_(inference) {}

  Result<VersionPin> pin(const EnsemblePlan::Step& step) override;
  void submit(VersionPin pin, InferRequestPtr request) override;
  void drop_unwanted(const EnsemblePlan::Step& step) override;
  uint64_t changes() const override { return inference_.catalog().publications(); }
  void call_at(TimePoint when, std::function<void()> call) override { timer_.call_at(when, std::move(call)); }

 private:
  Inference& inference_;
  AttemptTimer timer_;  // of ensembles with a deadline
};

}  // namespace modelmill
