#pragma once

#include <memory>
#include <string>
#include <vector>

#include "request/infer_request.h"
#include "route/route.h"
#include "route/shadow_budget.h"

namespace modelmill {

/// A request of a route and its answer, to be copied to some of the route's shadows. Made when the request is sent to
/// its version, given its answer when the client has been. Of one thread at a time.
class ShadowSample {
 public:
  /// Which of the shadows (Route::shadows()) get a copy, by chance; empty: none does. `random` gives numbers in [0, 1).
  static std::vector<size_t> choose(const Route& route, size_t arm, const InferRequest& request, double (*random)());

  /// Keeps views of the request's inputs.
  ShadowSample(std::shared_ptr<const Route> route, std::vector<size_t> shadows, size_t arm,
               const InferRequest& request);

  /// Keeps views of the outputs. `times` are those of the response.
  void take_answer(const InferResponse& response, size_t arm, int64_t version);

  /// Bytes of the memory that is kept for the sake of the views, each block once.
  int64_t held_bytes() const;
  /// Leaves no memory in use that is a runtime's, or much larger than the views of it.
  void compact();

  const Route& route() const { return *route_; }
  const std::vector<size_t>& shadows() const { return shadows_; }
  const Route::Arm& arm() const { return route_->arms()[arm_]; }
  int64_t version() const { return version_; }
  const std::string& id() const { return id_; }
  const std::vector<Tensor>& inputs() const { return inputs_; }
  const std::vector<Tensor>& outputs() const { return outputs_; }
  Duration execution() const { return execution_; }
  /// The same request, for the shadow's target.
  InferRequestPtr make_request(const RouteShadow& shadow, std::shared_ptr<ResponseSink> sink) const;
  /// One for the model whose function compares the shadow's answer, with what packed_comparison() has made.
  InferRequestPtr make_comparison(const Route::Shadow& shadow, std::shared_ptr<ResponseSink> sink, Tensor packed) const;

  /// What it has of the budget; empty before it has been let in.
  ShadowBudget::Share share;

 private:
  InferRequestPtr request_for(const RouteTarget& target, const RouteShadow& shadow,
                              std::shared_ptr<ResponseSink> sink) const;

  const std::shared_ptr<const Route> route_;
  std::vector<size_t> shadows_;
  size_t arm_;
  int64_t version_ = 0;
  std::string id_;
  Parameters parameters_;
  std::vector<Tensor> inputs_, outputs_;
  std::vector<std::string> requested_;
  TraceContext trace_;
  Duration execution_{};
};

/// How long a request was executed; 0: it is not known.
Duration execution_of(const RequestTimes& times);
/// Bytes of the memory that tensors keep, each block once.
int64_t memory_of(const std::vector<Tensor>& tensors);

}  // namespace modelmill
