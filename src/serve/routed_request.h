#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/model_version.h"
#include "request/infer_request.h"
#include "route/request_facts.h"
#include "route/route.h"

namespace modelmill {

/// One request on its way along a route: which arm it goes, and who served it. Stands between the request and its
/// client from submit() on, to count its end. Made by Inference::route(); held by whoever asks, and by the request.
/// Thread-safe from submit() on.
class RoutedRequest final : public ResponseSink, public std::enable_shared_from_this<RoutedRequest> {
 public:
  /// `facts` are of a request that lives as long as its sink.
  RoutedRequest(std::shared_ptr<const Route> route, const RequestFacts& facts);

  const Route& route() const { return *route_; }
  const Route::Arm& arm() const { return route_->arms()[arm_.load(std::memory_order_acquire)]; }
  const RouteTarget& target() const { return arm().to; }
  /// That the request is with; 0: with none yet.
  int64_t version() const { return version_.load(std::memory_order_acquire); }

  /// What the request's own parameters say of the arm. True: it is another one than before.
  bool choose_again(const Parameters& parameters);
  /// The request goes to `version` now: names it there, and takes its answers before its client does.
  void submitted_to(const ModelVersion& version, InferRequest& request);
  /// It never came to a version. Before the request fails.
  void not_submitted() { arm().stats->answered(false); }

  void on_response(InferResponse response, bool final, bool has_response) override;

  /// Who served, for the headers of the reply: "x-route-arm", "x-served-model" and "x-served-version".
  std::vector<std::pair<std::string, std::string>> headers() const;
  /// The same as the parameters route_arm, served_model and served_version, for protocols that have such.
  void describe(Parameters& parameters) const;

 private:
  const std::shared_ptr<const Route> route_;
  RequestFacts facts_;
  const double chance_;
  std::atomic<size_t> arm_;
  std::atomic<int64_t> version_{0};
  std::shared_ptr<ResponseSink> client_;  // from submit to the last answer
};

using RoutedRequestPtr = std::shared_ptr<RoutedRequest>;

}  // namespace modelmill
